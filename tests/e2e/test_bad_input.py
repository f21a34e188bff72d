"""What can be wrong with a build's input: each is told clearly, with the exit code of its kind, and nothing that was
there before is lost. `Builder.run` asserts for every one that no traceback and no internal error is shown."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from attrs import frozen
from tests.e2e.building import Builder, Outcome
from tests.e2e.soundness import faults

from pybuild.lang.diagnostics import render
from pybuild.runtime.content.root import StoreError
from pybuild.runtime.content.store import Store

BUILD, USAGE = 1, 2


def says(outcome: Outcome, *words: str) -> None:
    """Every word is in what the user reads."""
    missing = [word for word in words if word not in outcome.err]
    assert not missing, f"{missing} not in:\n{outcome.err}"


@frozen
class Wrong:
    """A Dockerfile that can't be built, and what the user must read."""

    dockerfile: str
    code: int
    words: tuple[str, ...]
    flags: tuple[str, ...] = ()
    ignore: str = ""


WRONG = {
    "empty": Wrong("", USAGE, ("is empty", "begin it with FROM")),
    "only a comment": Wrong("# nothing\n", USAGE, ("no instructions", "begin it with FROM")),
    "no FROM": Wrong("RUN true\n", USAGE, ("RUN stands before the first FROM", "Dockerfile:1:1")),
    "unknown instruction": Wrong(
        "FROM base\nCOYP a b\n", USAGE, ("unknown instruction COYP", "Dockerfile:2:1", "did you mean COPY?")
    ),
    "no arguments": Wrong("FROM\n", USAGE, ("Dockerfile:1", "FROM")),
    "unknown target": Wrong(
        "FROM base AS two\n", USAGE, ('"tow" could not be found', "did you mean two?"), ("--target=tow",)
    ),
    "cyclic stages": Wrong(
        "FROM base AS a\nCOPY --from=b /x /\nFROM base AS b\nCOPY --from=a /x /\n",
        USAGE,
        ("circular dependency", "Dockerfile:2:1", "needs the other"),
    ),
    "stage that copies from itself": Wrong(
        "FROM base AS a\nCOPY --from=a /x /\n", USAGE, ("circular dependency", "Dockerfile:2:1")
    ),
    "missing source": Wrong("FROM base\nCOPY missing /\n", BUILD, ('"/missing": not found', "Dockerfile:2:1")),
    "missing source in a stage": Wrong(
        "FROM base AS a\nFROM base\nCOPY --from=a /var/date /\n", BUILD, ('"/var/date": not found', "Dockerfile:3")
    ),
    "ignored source": Wrong(
        "FROM base\nCOPY hidden /\n",
        BUILD,
        ('"/hidden": not found', ".dockerignore leaves it out", "Dockerfile:2:1"),
        ignore="hidden\n",
    ),
    "bad reference": Wrong(
        "FROM Busy:BOX:x\n", USAGE, ("invalid reference format", "Busy:BOX:x", "lower case", "Dockerfile:1:1")
    ),
    "bad name for the image": Wrong("FROM base\n", USAGE, ("invalid reference format", "A b"), ("-t", "A b")),
    "bad platform": Wrong("FROM base\n", USAGE, ("bad platform 'a/b/c/d'", "linux/amd64"), ("--platform=a/b/c/d",)),
    "bad platform in FROM": Wrong("FROM --platform=a/b/c/d base\n", USAGE, ("a/b/c/d", "Dockerfile:1")),
    "unknown output": Wrong("FROM base\n", USAGE, ("unknown output type 'oic'", "oci"), ("-o", "type=oic,dest=x")),
    "unknown key of an output": Wrong(
        "FROM base\n", USAGE, ("unknown key 'compresion'", "compression"), ("-o", "type=oci,dest=x,compresion=gzip")
    ),
    "output that lacks its place": Wrong("FROM base\n", USAGE, ("dest",), ("-o", "type=local")),
    "no image to identify": Wrong(
        "FROM base\n", USAGE, ("--iidfile", "no image"), ("-o", "type=local,dest=x", "--iidfile=iid")
    ),
    "unknown flag": Wrong("FROM base\n", USAGE, ("--no-cahce", "--no-cache"), ("--no-cahce",)),
    "unknown frontend": Wrong("# syntax=127.0.0.1:9/x:1\nFROM base\n", BUILD, ("127.0.0.1:9", "Dockerfile:1:10")),
    "failing step": Wrong(
        "FROM base\nRUN echo before; exit 7\n", BUILD, ("exit code: 7", "Dockerfile:2:1", "before")
    ),
    "missing program": Wrong(
        "FROM base\nRUN no-such-program\n", BUILD, ("exit code: 127", "not found", "is it installed")
    ),
    "unknown user": Wrong("FROM base\nUSER nobody-here\nRUN true\n", BUILD, ("nobody-here", "Dockerfile:3:1")),
    "unknown owner": Wrong(
        "FROM base\nCOPY --chown=nobody-here hidden /\n", BUILD, ("nobody-here", "Dockerfile:2:1")
    ),
}  # fmt: skip


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("name", WRONG)
def test_dockerfile(builder: Builder, name: str) -> None:
    wrong = WRONG[name]
    context = builder.context("context", wrong.dockerfile, hidden="x", **{".dockerignore": wrong.ignore})
    says(builder.build(*wrong.flags, context, code=wrong.code), *wrong.words)
    assert faults(builder.store) == []


def test_missing_files(builder: Builder) -> None:
    context = builder.context("context")
    says(builder.build(context, code=USAGE), f"{context} has no build.pybuild and no Dockerfile", "-f")
    says(builder.build("-f", context / "Other", context, code=USAGE), "Other does not exist")
    says(builder.build(builder.place / "none", code=USAGE), "the context", "none does not exist")
    says(builder.build("-f", context, context, code=USAGE), "is a directory")
    file = builder.context("other", "FROM base\n") / "Dockerfile"
    says(builder.build(f"{file}/", code=USAGE), "Dockerfile")


@pytest.mark.user
def test_unreadable_dockerfile(user_builder: Builder) -> None:
    context = user_builder.context("context", "FROM base\n")
    (context / "Dockerfile").chmod(0)
    says(user_builder.build(context, code=USAGE), "cannot read", "Dockerfile", "Permission denied")


@pytest.mark.user
def test_unreadable_source(user_builder: Builder) -> None:
    context = user_builder.context("context", "FROM base\nCOPY file /\n", file="x")
    os.chown(context / "file", 0, 0)
    (context / "file").chmod(0o600)
    says(user_builder.build(context, code=BUILD), "cannot read file of the context", "ermission denied")


def test_bad_named_contexts(builder: Builder) -> None:
    context = builder.context("context", "FROM other\n")
    text = builder.place / "text"
    text.write_text("no archive" * 100)
    for value, words in {
        f"docker-archive:{text}": ("no tar archive", str(text), "Dockerfile:1:1"),
        "docker-archive:/nowhere": ("/nowhere does not exist",),
        f"oci-layout://{builder.place}": ("is not an OCI image layout", "oci-layout"),
        f"oci-layout://{builder.base}:none": ("has no image none", "latest"),
        "host:no-such-command": ("no-such-command",),
        "nowhere": ("does not exist", "oci-layout://PATH"),
    }.items():
        outcome = builder.build(f"--build-context=other={value}", context, code=None)
        assert outcome.code in (BUILD, USAGE)
        says(outcome, *words)


def test_bad_configuration(builder: Builder) -> None:
    context = builder.context("context", "FROM base\n")
    file = context / "pybuild.toml"
    for text, words in {
        "[tags\n": ("pybuild.toml is not TOML", "pybuild.toml:1"),
        "tagz = ['a']\n": ("unknown key tagz", "did you mean tags", "pybuild.toml:1:1"),
        "tags = 3\n": ("tags", "pybuild.toml:1"),
        "platforms = ['a/b/c/d']\n": ("a/b/c/d",),
    }.items():
        file.write_text(text)
        says(builder.build(context, code=USAGE), *words)


def test_registry_down(builder: Builder) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        context = builder.context("context", f"FROM {host}/some/image:1\n")
        says(builder.build(context, code=BUILD), f"cannot connect to {host}", "refused", "Dockerfile:1:1")


@pytest.mark.registry
def test_registry_answers_no(builder: Builder, docker_registry: str, guarded_registry: str) -> None:
    context = builder.context("context", f"FROM {docker_registry}/no/such-image:1\n")
    says(
        builder.build(context, code=BUILD), "no/such-image:1 was not found", docker_registry, "Dockerfile:1:1"
    )
    context = builder.context("guarded", f"FROM {guarded_registry}/any/image:1\n")
    says(builder.build(context, code=BUILD), guarded_registry, "login", "Dockerfile:1:1")


def test_store_of_a_newer_version(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nCOPY hidden /\n", hidden="x")
    builder.build(context, "-t", "kept")
    written = (builder.store / "store.json").read_text()
    (builder.store / "store.json").write_text('{"schema": 99, "written_by": "9.9"}')
    says(builder.build(context, "-t", "other", code=BUILD), str(builder.store), "pybuild 9.9", "PYBUILD_ROOT")
    (builder.store / "store.json").write_text("{")
    says(builder.build(context, "-t", "other", code=BUILD), "store.json is damaged", "PYBUILD_ROOT")
    (builder.store / "store.json").write_text(written)
    assert faults(builder.store) == []
    says(builder.build(context, "-t", "other"), "CACHED")


def test_damaged_database(builder: Builder) -> None:
    context = builder.context("context", "FROM base\n")
    builder.build(context, "-t", "kept")
    for name in ("records-v4.sqlite-wal", "records-v4.sqlite-shm"):
        (builder.store / name).unlink(missing_ok=True)
    (builder.store / "records-v4.sqlite").write_bytes(b"not a database at all" * 100)
    says(builder.build(context, "-t", "other", code=BUILD), "the store is damaged", "pybuild prune --all")
    builder.run("prune", "--all", "--force")
    builder.build(context, "-t", "other")


def test_a_store_that_cannot_be(builder: Builder) -> None:
    context = builder.context("context", "FROM base\n")
    file = builder.place / "file"
    file.write_text("mine")
    says(builder.with_store(file).build(context, code=BUILD), str(file), "a file is there", "PYBUILD_ROOT")
    assert file.read_text() == "mine"
    says(builder.with_store(Path("/proc/store")).build(context, code=BUILD), "/proc/store", "PYBUILD_ROOT")


@pytest.mark.user
def test_the_store_of_another_user(user_builder: Builder) -> None:
    context = user_builder.context("context", "FROM base\n")
    root = user_builder.place / "of-root"
    root.mkdir(mode=0o700)
    theirs = user_builder.with_store(root)
    says(theirs.build(context, code=BUILD), str(root), "root", "PYBUILD_ROOT")
    root.chmod(0o755)
    (root / "store.json").write_text('{"schema": 1, "written_by": "0"}')
    says(theirs.build(context, code=BUILD), "another user (root)", "PYBUILD_ROOT")
    os.chown(root, user_builder.uid or 0, -1)
    says(theirs.build(context, code=BUILD), "another user (root)", "PYBUILD_ROOT")
    assert os.listdir(root) == ["store.json"]


@pytest.mark.root
def test_no_runtime(builder: Builder) -> None:
    """Hidden where they lie, because they are searched beyond PATH."""
    context = builder.context("context", "FROM base\nRUN true\n")
    hide = 'for p in crun runc; do for d in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /bin /sbin; do \
        [ ! -e $d/$p ] || mount --bind /dev/null $d/$p; done; done; exec "$@"'
    hidden = builder.through("unshare", "--mount", "sh", "-c", hide, "sh")
    says(hidden.build(context, code=BUILD), "no OCI runtime", "crun", "install")
    asked = builder.in_environment(PYBUILD_RUNTIME="/nowhere/crun")
    says(asked.build(context, code=BUILD), "PYBUILD_RUNTIME", "/nowhere/crun")
    says(hidden.build(builder.context("copies", "FROM base\nCOPY f /\n", f="x")), "build cache")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_remote_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Only here the file system's type is made up: a real one needs a server."""
    monkeypatch.setattr("pybuild.runtime.content.root.file_system", lambda path: kind)
    with pytest.raises(StoreError, match=f"is on {kind}") as caught:
        Store.open(str(tmp_path / "store"))
    assert "PYBUILD_ROOT" in render(caught.value.diagnostic)
