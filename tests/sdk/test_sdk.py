"""What a frontend can ask its builder by the SDK, each a build whose file is the frontend's own code."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import Builder, Outcome
from tests.language.project import read_images

pytestmark = [pytest.mark.root, pytest.mark.crun]

HEAD = """\
# syntax=script
import json
from pybuild.compiler.gateway import Request
from pybuild.compiler.ops import SecurityMode
from pybuild.compiler.state import State, copy, mkfile
from pybuild.sdk import *
from pybuild.lang.diagnostics import *
from pybuild.lang.source import Span

def build(client, inputs):
"""
FIRST = HEAD.count("\n") + 1
"""The line of the file that a body begins at."""


class Run:
    def __init__(self, builder: Builder, script: Path) -> None:
        self._builder = builder
        self._script = script

    def __call__(
        self, body: str, *words: str, code: int | None = 0, files: Mapping[str, str] | None = None
    ) -> Outcome:
        """Build the files with a frontend whose function has this body; what it makes goes to the directory `out`."""
        text = HEAD + textwrap.indent(textwrap.dedent(body).strip("\n") + "\n", "    ")
        context = self._builder.context("context", text, **(files or {}))
        flags = [f"--build-context=script=oci-layout://{self._script}", *(words or ("-o", "out"))]
        return self._builder.build(*flags, context, code=code)

    def told(self, body: str, *words: str, **files: str) -> Any:
        """The value of `told` at the end of a function that begins with the body."""
        end = """
            file = mkfile("/told", json.dumps(told).encode())
            return Built(Base.scratch(inputs.platforms[0]).built(State.scratch().file(file)))
        """
        self(textwrap.dedent(body) + textwrap.dedent(end), "-o", "out", *words, files=files)
        return json.loads((self._builder.place / "out/told").read_bytes())


@pytest.fixture
def run(builder: Builder, script: Path) -> Run:
    return Run(builder, script)


def test_files_of_states_and_images(run: Run) -> None:
    told = run.told(
        """
        print("what is printed is no answer")
        files = inputs.context.state()
        base = inputs.base("base", inputs.platforms[0], client)
        made = base.state.run(shell="echo made > /made; ln -s made /link; head -c 20000000 /dev/zero > /large").edge
        entries = client.read_dir(files.edge, "sub")
        found = client.stat(made, "link")
        try:
            client.read_file(made, "nothing")
        except FileNotFoundError as error:
            missing = str(error)
        told = {
            "read": client.read_file(made, "made").decode(),
            "large": len(client.read_file(made, "large")),
            "part": client.read_file(made, "/made", limit=2).decode(),
            "entries": [[one.path, oct(one.mode), one.size] for one in entries],
            "link": [found.path, found.size],
            "missing": missing,
            "env": [one for one in base.image.config.env if one.startswith("PATH=")],
            "text": inputs.context.read_file("sub/a", client).decode(),
        }
        """,
        **{"sub/a": "abc"},
    )
    assert told == {
        "read": "made\n",
        "large": 20_000_000,
        "part": "ma",
        "entries": [["a", "0o100644", 3]],
        "link": ["made", 5],
        "missing": "nothing",
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "text": "abc",
    }


def test_what_it_is_told(run: Run) -> None:
    told = run.told(
        """
        told = [inputs.target, dict(inputs.build_args), [str(one.architecture) for one in inputs.platforms]]
        told += [inputs.source.name, list(inputs.context.exclude), sorted(client.inputs), inputs.epoch]
        """,
        *("--target=t", "--build-arg=A=b", "--platform=linux/arm64", "--build-arg=SOURCE_DATE_EPOCH=5"),
        **{".dockerignore": "*.o\n"},
    )
    assert told == ["t", {"A": "b"}, ["arm64"], "Dockerfile", ["*.o"], [], 5]


def test_an_image_a_platform(run: Run, builder: Builder) -> None:
    layout = builder.place / "layout"
    run(
        """
        def image(platform):
            base = Base.scratch(platform)
            return base.built(State.scratch().file(mkfile("/a", platform.architecture.encode())))
        return Built(map(image, inputs.platforms))
        """,
        *("--platform=linux/amd64,linux/arm64", "--label=l=1", "-o", f"type=oci,tar=false,dest={layout}"),
    )
    images = read_images(layout)
    assert [(one.json["architecture"], one.text("/a")) for one in images] == [
        ("amd64", "amd64"),
        ("arm64", "arm64"),
    ]
    assert all(one.config["Labels"] == {"l": "1"} for one in images)


def test_another_frontend_makes_it_from_states(run: Run, builder: Builder) -> None:
    run(
        """
        text = b"FROM scratch\\nCOPY a b /\\n"
        files = {"dockerfile": State.scratch().file(mkfile("/Dockerfile", text)).edge,
                 "context": State.scratch().file(mkfile("/a", b"1").mkfile("/b", b"2")).edge}
        return client.delegate(Request(frontend="dockerfile.v0", inputs=files))
        """
    )
    assert sorted(path.name for path in (builder.place / "out").iterdir()) == ["a", "b"]


def test_a_frontend_may_ask_itself(run: Run, builder: Builder) -> None:
    run(
        """
        if not client.inputs:
            files = {"context": State.scratch().file(mkfile("/Dockerfile", inputs.source.text.encode())).edge}
            return client.delegate(Request(frontend="gateway.v0", options=client.options, inputs=files))
        names = json.dumps(sorted(client.inputs)).encode()
        return Built(Base.scratch(inputs.platforms[0]).built(State.scratch().file(mkfile("/inputs", names))))
        """
    )
    assert (builder.place / "out/inputs").read_text() == '["context"]'


def test_a_failed_step_is_its_to_handle(run: Run) -> None:
    told = run.told(
        """
        base = inputs.base("base", inputs.platforms[0], client)
        try:
            client.evaluate(base.state.run(shell="exit 7").edge)
        except UserError as error:
            told = str(error)
        """
    )
    assert told == 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'


def test_warnings_and_errors_have_their_places(run: Run, builder: Builder) -> None:
    outcome = run(
        """
        place = Span(inputs.source, 2, 1, 2, 7)
        client.warn(Diagnostic("an odd import", labels=[Label(place)], notes=[("note", "it works")], level="warning"))
        raise source_error("no such thing", Span(inputs.source, 3, 6, 3, 10))
        """,
        code=None,
    )
    assert " - an odd import (Dockerfile:2)\n" in outcome.err
    file = builder.place / "context/Dockerfile"
    shown = "  |\n3 | from pybuild.compiler.gateway import Request\n  |      ^^^^\n"
    assert outcome.err.endswith(f"error: no such thing\n --> {file}:3:6\n{shown}")


def test_what_is_not_allowed_is_refused(run: Run) -> None:
    outcome = run(
        """
        base = inputs.base("base", inputs.platforms[0], client)
        client.evaluate(base.state.security(SecurityMode.INSECURE).run(shell="true").edge)
        """,
        code=1,
    )
    assert "security.insecure" in outcome.err.rpartition("error: ")[2]


def test_a_bug_of_it_is_one_line(run: Run) -> None:
    outcome = run("raise ValueError('odd')", "--progress=quiet", code=1)
    assert outcome.err.startswith("error: the frontend failed: ValueError: odd\n --> ")


def test_one_that_stays_after_its_result_is_ended(run: Run, builder: Builder) -> None:
    run(
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(1000,)).start()
        return Built(Base.scratch(inputs.platforms[0]).built(State.scratch().file(mkfile("/a", b"1"))))
        """
    )
    assert (builder.place / "out/a").read_text() == "1"
