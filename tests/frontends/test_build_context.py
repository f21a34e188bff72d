"""Which files a build reads: the build file, its ignore file, standard input, named contexts."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.runtime.registry.images import tar

from pybuild.frontends import build_context
from pybuild.frontends.build_context import BuildInputs, find_inputs, frontend_of
from pybuild.frontends.named_contexts import NamedContexts
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.dependencies import Dependencies

MODULE = "# syntax=python:1\n"


def written(directory: Path, *names: str, **files: str) -> str:
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).write_text(name)
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["Dockerfile"], "Dockerfile"),
        (["Containerfile"], "Containerfile"),
        (["Dockerfile", "Containerfile"], "Dockerfile"),
        (["Dockerfile", "build.py"], "Dockerfile"),
        (["Containerfile", "build.py", "Dockerfile.dev"], "Containerfile"),
    ],
)
def test_the_build_file_of_a_directory(tmp_path: Path, names: list[str], chosen: str) -> None:
    """`build.py` is a build file only where it says so."""
    inputs = find_inputs(written(tmp_path, *names), None, Dependencies())
    assert inputs.data == chosen.encode()
    assert inputs.name == str(tmp_path / chosen)


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": "", "build.pybuild": ""},
        {"Containerfile": "", "build.py": MODULE},
        {"build.pybuild": "", "build.py": "#!/usr/bin/python\n" + MODULE},
        {"Dockerfile": "", "build.pybuild": "", "build.py": MODULE},
    ],
)
def test_more_than_one_kind_asks_for_a_choice(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="more than one build file") as raised:
        find_inputs(written(tmp_path, **files), None, Dependencies())
    for name in files:
        assert name in str(raised.value)
    assert "-f" in dict(raised.value.diagnostic.notes)["help"]


def test_a_choice_settles_it(tmp_path: Path) -> None:
    context = written(tmp_path, "Dockerfile", "build.pybuild", "other")
    assert find_inputs(context, str(tmp_path / "other"), Dependencies()).data == b"other"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"build.pybuild": ""}, frontends.LANGUAGE),
        ({"other.pybuild": ""}, frontends.LANGUAGE),
        ({"build.py": MODULE}, frontends.PYTHON),
        ({"Dockerfile": ""}, frontends.DOCKERFILE),
        ({"Dockerfile": "# syntax=pybuild:1\n"}, frontends.LANGUAGE),
        ({"build.pybuild": "# syntax=docker/dockerfile:1\n"}, frontends.DOCKERFILE),
    ],
)
def test_the_frontend_is_that_of_the_syntax_line_or_the_name(
    tmp_path: Path, files: dict[str, str], kind: str
) -> None:
    context = written(tmp_path, **files)
    (name,) = files
    inputs = find_inputs(context, str(tmp_path / name), Dependencies())
    assert frontend_of(inputs).kind == kind


def test_no_build_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no build\.pybuild and no Dockerfile"):
        find_inputs(str(tmp_path), None, Dependencies())
    with pytest.raises(UsageError, match=r"missing does not exist"):
        find_inputs(str(tmp_path), str(tmp_path / "missing"), Dependencies())
    with pytest.raises(UsageError, match=r"is a directory"):
        find_inputs(str(tmp_path), str(tmp_path), Dependencies())
    os.mkfifo(tmp_path / "Dockerfile")
    with (
        open(os.open(tmp_path / "Dockerfile", os.O_RDWR), "rb"),
        pytest.raises(UsageError, match="not a regular"),
    ):
        find_inputs(str(tmp_path), None, Dependencies())


def test_bad_contexts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        find_inputs(str(tmp_path / "missing"), None, Dependencies())
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not a directory"):
        find_inputs(str(tmp_path / "file"), None, Dependencies())


@pytest.mark.parametrize(
    ("ignores", "read"),
    [
        ((".dockerignore",), ".dockerignore"),
        (("dev.dockerignore",), "dev.dockerignore"),
        ((".dockerignore", "dev.dockerignore"), "dev.dockerignore"),
        ((".dockerignore", "Dockerfile.dockerignore"), ".dockerignore"),
        ((), ""),
    ],
)
def test_the_ignore_file(tmp_path: Path, ignores: Iterable[str], read: str) -> None:
    context = written(tmp_path, "dev", "Dockerfile", *ignores)
    assert find_inputs(context, str(tmp_path / "dev"), Dependencies()).ignore == read.encode()


def test_the_ignore_file_lies_beside_the_build_file(tmp_path: Path) -> None:
    context = written(tmp_path / "context", ".dockerignore")
    beside = written(tmp_path / "beside", "dev", ".dockerignore", "dev.dockerignore")
    assert find_inputs(context, f"{beside}/dev", Dependencies()).ignore == b"dev.dockerignore"
    (tmp_path / "beside" / "dev.dockerignore").unlink()
    assert find_inputs(context, f"{beside}/dev", Dependencies()).ignore == b".dockerignore"


def test_what_was_looked_for_is_noted_as_it_was_before(tmp_path: Path) -> None:
    context = written(tmp_path, "Dockerfile")
    dependencies = Dependencies()
    find_inputs(context, None, dependencies)
    found = dependencies.consulted
    looked_for = ("Dockerfile", "Containerfile", "dockerfile", "build.pybuild", "build.py", ".dockerignore",
                  "Dockerfile.dockerignore")  # fmt: skip
    assert found.keys() == {str(tmp_path / name) for name in looked_for}
    assert {Path(path).name for path, state in found.items() if state is not None} == {"Dockerfile"}


# Standard input


def from_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes, context: str, file: str | None) -> BuildInputs:
    monkeypatch.setattr(build_context, "_stdin", lambda: data)
    return find_inputs(context, file, Dependencies())


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_an_archive(monkeypatch: pytest.MonkeyPatch, packed: type[bytes]) -> None:
    """Its Dockerfile is read when it is unpacked."""
    data = packed(tar(Dockerfile=b"FROM scratch"))
    inputs = from_stdin(monkeypatch, data, "-", None)
    assert (inputs.archive, inputs.data, inputs.directory, inputs.name) == (data, None, None, "")
    assert from_stdin(monkeypatch, data, "-", "sub/dev").name == "sub/dev"


def test_a_bare_build_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inputs = from_stdin(monkeypatch, b"FROM scratch\n", "-", None)
    assert (inputs.archive, inputs.data, inputs.directory) == (None, b"FROM scratch\n", None)
    with pytest.raises(UsageError, match="-f names another"):
        from_stdin(monkeypatch, b"FROM scratch\n", "-", "Dockerfile.dev")
    with pytest.raises(UsageError, match="both"):
        from_stdin(monkeypatch, b"", "-", "-")
    inputs = from_stdin(
        monkeypatch, b"FROM x", written(tmp_path, "Dockerfile", "build.pybuild", ".dockerignore"), "-"
    )
    assert (inputs.data, inputs.ignore) == (b"FROM x", b".dockerignore")


def test_an_archive_is_not_a_build_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_stdin(monkeypatch, io.BytesIO(tar(a=b"")).read(), "-", "a").archive is not None


# Named contexts


def test_kinds_of_named_contexts(tmp_path: Path) -> None:
    dependencies = Dependencies()
    contexts = (
        ("dir", str(tmp_path)),
        ("image", "docker-image://alpine"),
        ("layout", "oci-layout://here"),
        ("archive", "docker-archive:there.tar"),
        ("host", "host:sh, cat"),
    )
    found = NamedContexts(contexts, dependencies)
    assert found.directories == {"context:dir": os.fsencode(tmp_path)}
    assert found.images == {"layout": "oci-layout://here", "archive": "docker-archive:there.tar"}
    assert found.hosts == {"host": ("sh", "cat")}
    assert found.sources.keys() == {"dir", "image", "layout", "archive", "host"}
    names = {os.path.relpath(path) for path in dependencies.consulted}
    assert names >= {"here", "here/index.json", "there.tar"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("missing", "does not exist"),
        ("host:", "names no command"),
    ],
)
def test_bad_named_contexts(value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        NamedContexts((("x", value),), Dependencies())
