"""`pybuild solve`: graphs in BuildKit's wire format, and frontends called by their attributes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome
from tests.frontends.conftest import MakeFrontend

from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.state import State, copy, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun]

BASE = State.oci_layout("base").env("PATH", "/bin")


def solve(builder: Builder, state: State, *words: str | Path) -> Outcome:
    """What `pybuild solve` makes of the graph of a state; files go to `out`."""
    flags = [f"--oci-layout=base={builder.base}", "-o", "out", "--progress=plain", *words]
    return builder.run("solve", *flags, stdin=encode_definition(state.edge))


def test_steps_and_directories(builder: Builder) -> None:
    (builder.place / "given").mkdir()
    (builder.place / "given/a").write_text("text\n")
    files = BASE.file(copy(State.local("mine"), "a", "/"))
    outcome = solve(builder, files.run(shell="cat /a > /b"), "--local=mine=given", "--definition=-")
    assert (builder.place / "out/b").read_text() == "text\n"
    assert "local out" in outcome.err


def test_a_definition_in_a_file_and_an_image_of_it(builder: Builder) -> None:
    (builder.place / "graph.llb").write_bytes(
        encode_definition(State.scratch().file(mkfile("/a", b"1")).edge)
    )
    outcome = builder.run("solve", "--definition=graph.llb", "-t", "example/a:1", "-q")
    assert outcome.out.startswith("sha256:")


def test_a_graph_within_a_graph(builder: Builder) -> None:
    inner = encode_definition(BASE.run(shell="echo inner > /a").edge)
    outer = State.scratch().file(mkfile("/def", inner)).build(filename="def")
    solve(builder, outer)
    assert (builder.place / "out/a").read_text() == "inner\n"


def test_every_step_runs_anew_where_that_is_asked(builder: Builder) -> None:
    state = BASE.run(shell="cat /proc/sys/kernel/random/uuid > /a")
    found = []
    for words in ([], [], ["--no-cache"]):
        solve(builder, state, *words)
        found.append((builder.place / "out/a").read_text())
    assert found[0] == found[1] != found[2]


def test_frontends_by_their_attributes(builder: Builder) -> None:
    builder.context("context", "FROM scratch\nARG N\nCOPY a$N /\n", a1="1", a2="2")
    words = ["--local=context=context", "--local=dockerfile=context", "--opt=build-arg:N=2", "-o", "out"]
    builder.run("solve", "--frontend=dockerfile.v0", *words)
    assert [path.name for path in (builder.place / "out").iterdir()] == ["a2"]


def test_the_gateway(builder: Builder, frontend: MakeFrontend) -> None:
    (flag,) = frontend("one", "echo $BUILDKIT_FRONTEND_OPT_0 $BUILDKIT_FRONTEND_OPT_1 >&2; exit 1", Labels={})
    layout = flag.partition("oci-layout://")[2]
    context = f"--opt=context:one=oci-layout://one@{digest(Path(layout))}"
    words = ["--opt=source=one", context, f"--oci-layout=one={layout}", "--progress=plain"]
    outcome = builder.run("solve", "--frontend=gateway.v0", *words, code=1)
    assert "error: the frontend one failed: exit code: 1" in outcome.err
    assert " source=one" in outcome.err


def digest(layout: Path) -> str:
    found: str = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    return found


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["--opt=a=b"], b"", "error: --opt is for a frontend\n"),
        (["--frontend=x.v0"], b"", "error: invalid frontend: x.v0\n"),
        (["--frontend=gateway.v0"], b"", "error: no source specified for gateway\n"),
        (
            ["--frontend=dockerfile.v0", "--definition=-"],
            b"",
            "error: --definition and --frontend exclude each other\n",
        ),
        (["--local=a"], b"", "error: invalid --local 'a'\n"),
        (["--local=a=nowhere"], b"", "there is no such directory\n"),
        (["--definition=nowhere"], b"", "error: cannot read nowhere: No such file or directory\n"),
        ([], b"\xff", "error: "),
        (["-o", "out"], encode_definition(State.local("x").edge), "a local directory 'x' that was not given"),
    ],
)
def test_what_it_refuses(builder: Builder, words: list[str], stdin: bytes, said: str) -> None:
    outcome = builder.run("solve", *words, stdin=stdin, code=None)
    assert outcome.code in (1, 2)
    assert said in outcome.err
