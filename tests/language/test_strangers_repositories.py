"""Repositories that others wrote: no command runs a program of their configuration, and git's rule about owners
holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.language.project import Project, git

from pybuild.language.worktree import RefusedRepository, UnreadableWorkTree
from pybuild.language.world import Repository
from pybuild.replay.dependencies import Dependencies

OTHER = 1234
FIELDS = ("commit", "short", "tag", "branch", "describe", "dirty", "epoch")
ALL = " ".join(f"${{{{vcs.{name}}}}}" for name in FIELDS if name != "dirty")
FILE = f'target a:\n    from scratch\n    write "{ALL} ${{{{str(vcs.dirty)}}}}" to "/v"\n    output "/v" to "v"\n'
PROGRAMS = (
    "filter.f.clean",
    "filter.f.smudge",
    "filter.f.process",
    "core.fsmonitor",
    "gpg.program",
    "gpg.ssh.program",
    "diff.external",
    "diff.d.textconv",
    "diff.d.command",
    "core.pager",
    "pager.status",
    "core.sshCommand",
    "core.editor",
    "alias.status",
    "credential.helper",
    "remote.origin.uploadpack",
)
HOOKS = ("post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction")
SIGNED = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n aaaa\n -----END PGP SIGNATURE-----\n"


def repository(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    git(directory, "init", "-q", "-b", "trunk")
    (directory / ".gitattributes").write_text("*.f filter=f diff=d\n")
    (directory / "a.f").write_text("one\n")
    (directory / "plain").write_text("one\n")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "one")
    return directory


def sign(directory: Path) -> None:
    """Replace the last commit by a signed one."""
    data = subprocess.check_output(["git", "cat-file", "commit", "HEAD"], cwd=directory)
    head, _, message = data.partition(b"\n\n")
    words = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    signed = head + b"\n" + SIGNED + b"\n" + message
    name = subprocess.check_output(words, input=signed, cwd=directory).decode().strip()
    git(directory, "reset", "-q", "--soft", name)


def arm(directory: Path, mark: Path) -> None:
    """Let the configuration of a repository name a program that leaves `mark`, wherever one can stand."""
    program = mark.with_name("program")
    program.write_text(f"#!/bin/sh\necho $0 $* >> {mark}\ncat\n")
    program.chmod(0o755)
    hooks = mark.with_name("hooks")
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        (hooks / name).write_text(program.read_text())
        (hooks / name).chmod(0o755)
    included = mark.with_name("included")
    for name in PROGRAMS:
        git(directory, "config", "--file", str(included), name, str(program))
    git(directory, "config", "--file", str(included), "alias.log", f"!{program}")
    git(directory, "config", "--file", str(included), "filter.f.required", "true")
    git(directory, "config", "log.showSignature", "true")
    git(directory, "config", "core.hooksPath", str(hooks))
    git(directory, "config", "core.fsmonitor", str(program))
    git(directory, "config", "include.path", str(included))


def value(directory: Path, name: str) -> str | bool | int:
    return Repository(str(directory), Dependencies()).vcs(name)


def touch(path: Path, text: str | None = None) -> None:
    """Change a file's time, and its text."""
    if text is not None:
        path.write_text(text)
    os.utime(path, (1_000_000_000, 1_000_000_000))


def test_programs_of_the_configuration_prove_the_trap(tmp_path: Path) -> None:
    """What git runs when it is asked without care, so that the next test means something."""
    there = repository(tmp_path / "there")
    sign(there)
    arm(there, tmp_path / "mark")
    touch(there / "a.f")
    subprocess.run(["git", "status"], cwd=there, capture_output=True, check=False)
    subprocess.run(["git", "log", "-1"], cwd=there, capture_output=True, check=False)
    assert (tmp_path / "mark").exists()


def test_no_program_is_run(project: Project) -> None:
    repository(project.directory)
    project.write(FILE)
    project.git("add", "build.pybuild")
    project.git("commit", "-qm", "two")
    sign(project.directory)
    mark = project.place / "mark"
    arm(project.directory, mark)
    touch(project.directory / "a.f")
    for command in ("check", "list", "build"):
        project.run(command)
        assert not mark.exists(), mark.read_text()
    commit = project.git("rev-parse", "HEAD")
    assert not mark.exists()
    assert project.text("v").startswith(commit)
    assert "unknown" in project.text("v")  # there is no tag
    assert project.text("v").split()[-2].isdigit()


def test_a_submodule_runs_none_either(tmp_path: Path) -> None:
    part, whole = repository(tmp_path / "part"), repository(tmp_path / "whole")
    git(whole, "submodule", "-q", "add", str(part), "sub")
    git(whole, "commit", "-qm", "two")
    arm(whole / "sub", tmp_path / "mark")
    assert value(whole, "dirty") is False
    touch(whole / "sub" / "plain")
    assert value(whole, "dirty") is False
    touch(whole / "sub" / "plain", "two\n")
    assert value(whole, "dirty") is True
    assert not (tmp_path / "mark").exists()


def test_a_partial_clone_fetches_nothing(tmp_path: Path) -> None:
    """What is missing would be fetched with programs of the configuration."""
    there = repository(tmp_path / "there")
    commit = git(there, "rev-parse", "HEAD")
    (there / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    arm(there, tmp_path / "mark")
    git(there, "config", "core.repositoryFormatVersion", "1")
    git(there, "config", "extensions.partialClone", "origin")
    git(there, "config", "remote.origin.promisor", "true")
    git(there, "config", "remote.origin.url", "ssh://localhost/x")
    for name in FIELDS[:-2]:
        value(there, name)
    with pytest.raises(UnreadableWorkTree):
        value(there, "dirty")
    assert value(there, "epoch") == 0
    assert not (tmp_path / "mark").exists()


def test_a_file_with_a_filter_goes_by_size_and_time(tmp_path: Path) -> None:
    there = repository(tmp_path / "there")
    git(there, "config", "filter.f.clean", "sed s/two/one/")
    touch(there / "a.f", "two two\n")
    subprocess.run(["git", "add", "--renormalize", "."], cwd=there, check=True)
    git(there, "commit", "-qm", "two")
    for stamp in (1_000_000_000, None):
        # The second time is about the index's own, for which git looks at contents.
        os.utime(there / "a.f", None if stamp is None else (stamp, stamp))
        git(there, "update-index", "--refresh")
        assert value(there, "dirty") is False
    os.utime(there / "a.f", (1_000_000_001, 1_000_000_001))
    assert value(there, "dirty") is True


def test_changes_of_any_kind(tmp_path: Path) -> None:
    there = repository(tmp_path / "there")
    assert value(there, "dirty") is False
    touch(there / "plain")
    (there / "untracked").write_text("")
    assert value(there, "dirty") is False
    git(there, "add", "untracked")
    assert value(there, "dirty") is True
    git(there, "reset", "-q")
    (there / "plain").unlink()
    assert value(there, "dirty") is True


def test_a_filter_whose_name_no_option_can_spell(tmp_path: Path) -> None:
    there = repository(tmp_path / "there")
    git(there, "config", "filter.a=b.clean", f"touch {tmp_path}/mark")
    (there / ".git" / "info" / "attributes").write_text("plain filter=a=b\n")
    touch(there / "plain")
    with pytest.raises(UnreadableWorkTree):
        value(there, "dirty")
    assert not (tmp_path / "mark").exists()


@pytest.mark.root
def test_another_users_repository(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused where `vcs` is used, with the line to type; that line then lets git read it."""
    repository(project.directory)
    project.write(FILE)
    for path in (project.directory, project.directory / ".git"):
        os.chown(path, OTHER, OTHER)
    outcome = project.run("build", code=None)
    assert outcome.code != 0
    command = f"git config --global --add safe.directory {project.directory}"
    assert f"git refuses the repository of {project.directory}" in outcome.err
    assert f"`{command}`" in outcome.err
    monkeypatch.setenv("HOME", str(project.home))
    with pytest.raises(RefusedRepository):
        value(project.directory, "commit")
    subprocess.run(command.split(), check=True, cwd="/")
    project.run("build")
    assert "trunk" in project.text("v")


@pytest.mark.root
def test_another_users_repository_that_is_not_used(project: Project) -> None:
    repository(project.directory)
    project.write('target a:\n    from scratch\n    write "x" to "/v"\n    output "/v" to "v"\n')
    for path in (project.directory, project.directory / ".git"):
        os.chown(path, OTHER, OTHER)
    project.run("build")
