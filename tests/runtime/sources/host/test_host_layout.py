"""Host file systems made of this machine's own commands."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.sources.host import binaries

from pybuild.lang.diagnostics import UserError, render
from pybuild.runtime.sources import hostselect
from pybuild.runtime.sources.elf import Elf
from pybuild.runtime.sources.host import HostLayout, materialize
from pybuild.runtime.sources.hostselect import (
    CommandNotFound,
    HostError,
    LibraryMissing,
    NotRunnable,
    Selection,
)
from pybuild.runtime.sources.hosttree import HostTree
from pybuild.runtime.sources.libraries import Loader
from pybuild.runtime.verify.archives import verify_layout

COMMANDS = ("sh", "cat", "ls", "id", "env")


def blob(layout: HostLayout, digest: str) -> bytes:
    return Path(layout.path, "blobs", "sha256", digest.removeprefix("sha256:")).read_bytes()


def manifest(layout: HostLayout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(blob(layout, layout.digest))
    return found


def config(layout: HostLayout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(blob(layout, manifest(layout)["config"]["digest"]))
    return found


def archive(layout: HostLayout) -> tarfile.TarFile:
    (layer,) = manifest(layout)["layers"]
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layout, layer["digest"]))))


def unpack(layout: HostLayout, root: Path) -> Path:
    with archive(layout) as tar:
        tar.extractall(root, filter="fully_trusted")
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> HostLayout:
    return materialize(COMMANDS, str(tmp_path_factory.mktemp("host")))


def test_the_layout_is_whole(made: HostLayout) -> None:
    assert verify_layout(made.path) == []
    assert os.path.basename(made.path) == made.digest.removeprefix("sha256:")


def test_config(made: HostLayout) -> None:
    found = config(made)
    assert found["config"] == {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": ["sh"],
    }
    assert found["created"] == "1970-01-01T00:00:00Z"
    assert len(found["history"]) == 1
    assert found["os"] == "linux"


def test_entries_belong_to_root_and_have_no_time(made: HostLayout) -> None:
    with archive(made) as tar:
        members = {member.name: member for member in tar}
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}
    assert members["tmp"].mode == 0o1777
    assert members["root"].mode == 0o700
    assert {"etc/passwd", "etc/group", "etc/nsswitch.conf", "dev", "proc", "sys"} <= members.keys()


def test_users_are_not_the_machines(made: HostLayout) -> None:
    with archive(made) as tar:
        file = tar.extractfile("etc/passwd")
        assert file is not None
        names = [line.split(":")[0] for line in file.read().decode().splitlines()]
    assert names == ["root", "nobody"]


@pytest.mark.root
def test_its_commands_run(made: HostLayout, tmp_path: Path) -> None:
    root = unpack(made, tmp_path / "root")

    def run(*command: str) -> str:
        return subprocess.run(
            ["chroot", str(root), *command],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=20,
        ).stdout

    assert run("sh", "-c", "echo hi") == "hi\n"
    assert run("/bin/sh", "-c", "cat /etc/group") == "root:x:0:\nnobody:x:65534:\n"
    assert {"bin", "etc", "tmp", "usr"} <= set(run("ls", "/").split())
    assert run("id", "-un") == "root\n"
    assert run("id", "nobody") == "uid=65534(nobody) gid=65534(nobody) groups=65534(nobody)\n"
    assert run("env", "A=1", "sh", "-c", "echo $A") == "1\n"


def test_same_files_same_digest(made: HostLayout, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = materialize([*reversed(COMMANDS), "sh"], str(tmp_path / "one"))
    finally:
        os.umask(before)
    assert again.digest == made.digest
    assert again.path != made.path


def test_a_layout_that_is_there_is_used_again(tmp_path: Path) -> None:
    first = materialize(["cat"], str(tmp_path))
    marker = Path(first.path, "index.json")
    inode = marker.stat().st_ino
    second = materialize(["cat"], str(tmp_path))
    assert second.digest == first.digest
    assert marker.stat().st_ino == inode
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_a_lost_layout_is_made_again(tmp_path: Path) -> None:
    first = materialize(["cat"], str(tmp_path))
    shutil.rmtree(first.path)
    assert verify_layout(materialize(["cat"], str(tmp_path)).path) == []


def test_two_at_once_make_one_layout(tmp_path: Path) -> None:
    program = """
import sys
from pybuild.runtime.sources.host import materialize
print(materialize(["cat"], sys.argv[1]).path)
"""
    both = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert verify_layout(paths.pop()) == []


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".part" / "blobs").mkdir(parents=True)
    made = materialize(["cat"], str(tmp_path))
    assert not (tmp_path / ".part").exists()
    assert verify_layout(made.path) == []


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the host file system"):
        materialize(["cat"], str(tmp_path / "file" / "host"))


def test_files_name_what_decided(made: HostLayout) -> None:
    assert made.files == sorted(set(made.files))
    assert all(path.startswith("/") for path in made.files)
    real = os.path.realpath(shutil.which("cat") or "")
    assert real in made.files
    assert "/etc/ld.so.cache" in made.files or not os.path.exists("/etc/ld.so.cache")


# Small machines made of a directory


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def program(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o755)
    return path


def entries(*commands: str) -> HostTree:
    selection = Selection()
    for command in commands:
        selection.command(command)
    return selection.tree


def test_symlink_chains_are_kept(tools: Path) -> None:
    (tools / "deep").mkdir()
    program(tools / "deep" / "real", binaries.elf())
    (tools / "second").symlink_to("deep/real")
    (tools / "first").symlink_to(tools / "second")
    tree = entries("first")
    assert tree.entries[f"{tools}/first"].target == f"{tools}/second"
    assert tree.entries[f"{tools}/second"].target == "deep/real"
    assert tree.entries[f"{tools}/deep/real"].kind == "file"
    assert tree.entries["/usr/local/bin/first"].target == f"{tools}/first"


def test_a_script_brings_its_interpreter_and_what_env_runs(tools: Path) -> None:
    program(tools / "inner", "#!/bin/sh\necho inner\n")
    program(tools / "outer", "#!/usr/bin/env -S -i A=b inner\n")
    tree = entries("outer")
    shell = os.path.realpath("/bin/sh")
    assert {
        f"{tools}/outer",
        f"{tools}/inner",
        os.path.realpath("/usr/bin/env"),
        shell,
    } <= tree.entries.keys()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="this processor is no x86_64: machine numbers")
class TestLibraries:
    def test_origin_and_inherited_rpath(self, tools: Path) -> None:
        libraries = tools / "lib"
        libraries.mkdir()
        loader = os.path.realpath("/bin/sh")  # any file of the machine: it is not run
        program(
            tools / "tool",
            binaries.elf(interpreter=loader, needed=["liba.so.1"], rpath="$ORIGIN/lib"),
        )
        program(libraries / "liba.so.1", binaries.elf(needed=["libb.so.1"]))
        program(libraries / "libb.so.1", binaries.elf())
        assert {f"{libraries}/liba.so.1", f"{libraries}/libb.so.1"} <= entries("tool").entries.keys()

    def test_runpath_is_not_inherited(self, tools: Path) -> None:
        loader = os.path.realpath("/bin/sh")
        program(
            tools / "tool",
            binaries.elf(interpreter=loader, needed=["liba.so.1"], runpath="${ORIGIN}"),
        )
        program(tools / "liba.so.1", binaries.elf(needed=["libzzb.so.1"]))
        program(tools / "libzzb.so.1", binaries.elf())
        with pytest.raises(LibraryMissing, match=r"liba\.so\.1 needs libzzb\.so\.1"):
            entries("tool")

    def test_libraries_of_another_kind_are_passed_over(self, tools: Path) -> None:
        first, second = tools / "one", tools / "two"
        first.mkdir()
        second.mkdir()
        program(
            tools / "tool",
            binaries.elf(
                interpreter=os.path.realpath("/bin/sh"), needed=["liba.so.1"], runpath=f"{first}:{second}"
            ),
        )
        program(first / "liba.so.1", binaries.elf(bits=32, machine=binaries.I386))
        program(second / "liba.so.1", binaries.elf())
        tree = entries("tool")
        assert f"{second}/liba.so.1" in tree.entries
        assert f"{first}/liba.so.1" not in tree.entries
        assert f"{first}/liba.so.1" in tree.consulted

    def test_a_library_of_the_cache_alone_gets_a_link(self, tmp_path: Path) -> None:
        etc = tmp_path / "etc"
        etc.mkdir()
        library = program(tmp_path / "libodd.so.1", binaries.elf())
        (etc / "ld.so.cache").write_bytes(binaries.cache([("libodd.so.1", str(library), 0)]))
        interpreter = tmp_path / "ld.so"
        interpreter.write_bytes(b"\0/usr/lib/\0")
        loader = Loader(HostTree(), str(interpreter), root=str(tmp_path))
        facts = [(str(interpreter), Elf(binaries.X86_64, 64, "<"))]
        found = loader.find("libodd.so.1", facts[0][1].kind, facts)
        assert found is not None
        assert not found.searched
        selection = Selection()
        selection._link_library(loader, "libodd.so.1", found.path)
        target = selection.tree.entries[f"{os.path.realpath('/usr/lib')}/libodd.so.1"].target
        assert target == str(library)

    def test_directories_of_the_configuration_without_a_cache(self, tmp_path: Path) -> None:
        parts = tmp_path / "etc" / "ld.so.conf.d"
        parts.mkdir(parents=True)
        library = program(tmp_path / "libodd.so.1", binaries.elf())
        (tmp_path / "etc" / "ld.so.conf").write_text("# none\ninclude /etc/ld.so.conf.d/*.conf\n")
        (parts / "odd.conf").write_text(f"{tmp_path}  # here\n")
        interpreter = tmp_path / "ld.so"
        interpreter.write_bytes(b"\0/usr/lib/\0")
        loader = Loader(HostTree(), str(interpreter), root=str(tmp_path))
        facts = [(str(interpreter), Elf(binaries.X86_64, 64, "<"))]
        found = loader.find("libodd.so.1", facts[0][1].kind, facts)
        assert found is not None
        assert found.path == str(library)

    def test_musl(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "ld-musl-x86_64.path").write_text(f"{tmp_path}\n/lib\n")
        interpreter = tmp_path / "ld-musl-x86_64.so.1"
        interpreter.write_bytes(b"")
        library = program(tmp_path / "libodd.so.1", binaries.elf())
        loader = Loader(HostTree(), str(interpreter), root=str(tmp_path))
        facts = [(str(interpreter), Elf(binaries.X86_64, 64, "<"))]
        found = loader.find("libodd.so.1", facts[0][1].kind, facts)
        assert found is not None
        assert (found.path, found.searched) == (str(library), True)


# Errors


def test_command_not_found(tools: Path) -> None:
    program(tools / "frobnicate", "#!/bin/sh\n")
    with pytest.raises(CommandNotFound) as caught:
        entries("frobnicaet")
    assert "did you mean frobnicate?" in render(caught.value.diagnostic)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"just text\n", "neither a program nor a script"),
        (b"", "neither a program nor a script"),
        (b"#!sh\n", "its interpreter is 'sh'"),
        (b"\x7fELF", "identification is invalid"),
        (binaries.elf(machine=0x1234), "another architecture"),
        (binaries.elf()[:90], "cut short"),
    ],
)
def test_not_runnable(tools: Path, content: bytes, problem: str) -> None:
    program(tools / "odd", content)
    with pytest.raises(NotRunnable) as caught:
        entries("odd")
    assert problem in render(caught.value.diagnostic)


def test_a_missing_loader(tools: Path) -> None:
    program(
        tools / "odd",
        binaries.elf(interpreter="/nowhere/ld.so", machine=hostselect._MACHINES[os.uname().machine][0]),
    )
    with pytest.raises(LibraryMissing, match=r"needs /nowhere/ld\.so"):
        entries("odd")


@pytest.mark.parametrize("name", ["./sh", "bin/sh", "/nowhere/sh", "/etc"])
def test_paths_that_are_no_command(name: str) -> None:
    with pytest.raises(HostError):
        entries(name)


def test_no_commands(tmp_path: Path) -> None:
    with pytest.raises(HostError):
        materialize([], str(tmp_path))


def test_a_loop_of_symlinks(tools: Path) -> None:
    (tools / "a").symlink_to("b")
    (tools / "b").symlink_to("a")
    with pytest.raises(HostError):
        entries(f"{tools}/a")


def test_hard_links_stay_one_file(tools: Path, tmp_path: Path) -> None:
    program(tools / "one", "#!/bin/sh\n")
    (tools / "two").hardlink_to(tools / "one")
    with archive(materialize(["one", "two"], str(tmp_path / "out"))) as tar:
        second = tar.getmember(f"{tools}/two".lstrip("/"))
    assert second.islnk()
    assert second.linkname == f"{tools}/one".lstrip("/")
