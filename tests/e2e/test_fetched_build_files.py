"""Build files of the language and Python modules in repositories and archives."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.e2e.building import Builder

pytestmark = [pytest.mark.root, pytest.mark.crun]

TEXT = """\
# syntax=pybuild:1
default x
target x:
    from host(["sh", "cat"]) # pybuild: allow W0611
    copy "f" to "/f"
    run cat /f
target out:
    from x
    output "/f" to "dist/"
"""
MODULE = """\
import pybuild as pb
from beside import WORD

@pb.target
def x(t):
    t.from_(pb.host(["sh", "cat"]))
    t.copy("f", to="/f")
    t.run("echo ${{w}} >> /f; cat /f", w=WORD)
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "files"
    place.mkdir()
    for name, text in (
        ("b.pybuild", TEXT),
        ("m.py", MODULE),
        ("beside.py", "WORD = 'x y'\n"),
        ("f", "data\n"),
    ):
        (place / name).write_text(text)
    return place


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address under which the files of the test's directory are served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def packed(files: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(files, ".")
    return out.getvalue()


def build(builder: Builder, *words: str | Path, code: int = 0, stdin: bytes = b"") -> str:
    return builder.run("build", "--progress=plain", *words, code=code, stdin=stdin).err


def test_a_file_of_the_language_in_an_archive(builder: Builder, files: Path, tmp_path: Path) -> None:
    said = build(builder, "-f", "b.pybuild", "-o", tmp_path / "out", "-", stdin=packed(files))
    assert " data\n" in said
    assert (tmp_path / "out/f").read_text() == "data\n"
    again = build(builder, "-f", "b.pybuild", "-", stdin=packed(files))
    assert re.search(r"run cat /f\n#\d+ CACHED", again)


def test_nothing_is_written_into_a_context_that_goes(builder: Builder, files: Path) -> None:
    said = build(builder, "-f", "b.pybuild", "--target=out", "-", code=2, stdin=packed(files))
    assert "`output` has no project to write into" in said
    assert "--> b.pybuild:9:5" in said


def test_a_module_runs_only_if_it_may(builder: Builder, files: Path, tmp_path: Path) -> None:
    refused = build(builder, "-f", "m.py", "-", code=2, stdin=packed(files))
    assert "which would run on this machine" in refused
    assert "--allow python" in refused
    build(builder, "-f", "m.py", "--allow=python", "-o", tmp_path / "out", "-", stdin=packed(files))
    assert (tmp_path / "out/f").read_text() == "data\nx y\n"


def test_a_syntax_line_makes_a_module_of_any_file(builder: Builder, tmp_path: Path) -> None:
    """The check of a module that is fetched goes by what it is, not by its name."""
    trace = tmp_path / "ran"
    context = tmp_path / "context"
    context.mkdir()
    (context / "b.pybuild").write_text(f"# syntax=python:1\nopen({str(trace)!r}, 'w')\n")
    refused = build(builder, "-f", "b.pybuild", "-", code=2, stdin=packed(context))
    assert "b.pybuild of - is a Python module, which would run on this machine" in refused
    assert not trace.exists()


def test_a_module_of_a_repository(builder: Builder, files: Path, tmp_path: Path, site: str) -> None:
    assert "--allow python" in build(builder, "-f", "m.py", "https://example.invalid/a.git", code=2)
    git = ["git", "-C", str(files), "-c", "user.name=me", "-c", "user.email=me@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["update-server-info"]):
        subprocess.run([*git, *words], check=True, timeout=30)
    (files / ".git").rename(tmp_path / "repo.git")
    address = f"{site}/repo.git"
    said = build(builder, "-f", "m.py", "--allow=python", "-o", tmp_path / "out", address)
    assert f"[internal] load git source {address}" in said
    assert (tmp_path / "out/f").read_text() == "data\nx y\n"
