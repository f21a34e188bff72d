"""Programs in surroundings that are out of the ordinary: real builds."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from tests.lang.python.programs.program import Program

from pybuild.builder import Builder, UserError

SCRIPT = """
    import pybuild as pb

    @pb.target
    def made(t):
        t.from_(pb.oci({base!r}))
        with t.using(pb.secret("word")):
            t.run("cat /run/secrets/word > /word")

    with pb.Builder(root={store!r}, allow="read={base}") as builder:
        found = builder.build(made, secrets={{"word": b"hush"}})
        open("said", "wb").write(found.read_file("/word"))
"""


@pytest.mark.crun
def test_a_program_without_standard_streams(program: Program, base: Path, tmp_path: Path) -> None:
    """The descriptors that a worker is lent get the numbers of the streams that are closed."""
    text = SCRIPT.format(base=str(base), store=str(tmp_path / "store"))
    assert program.script(text, closed=True).returncode == 0
    assert (program.directory / "said").read_bytes() == b"hush"


@pytest.mark.crun
def test_results_are_read_elsewhere_and_by_paths(program: Program, base: Path, tmp_path: Path) -> None:
    made = program.module(
        "made",
        f"""
        import pybuild as pb

        @pb.target
        def hello(t):
            t.from_(pb.oci("{base}"))
            t.write("hello", to="/greeting")
        """,
    )
    with Builder(root=tmp_path / "store", allow=f"read={base}") as builder:
        result = builder.build(made.hello)
        for one in (result, copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
            assert one.read_text(Path("/greeting")) == "hello"
        with pytest.raises(TypeError):
            result.read_file(None)  # type: ignore[arg-type]


def test_an_interpreter_that_is_not_there(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = program.module(
        "made", "import pybuild as pb\n@pb.target\ndef hello(t):\n    t.from_(pb.scratch)\n"
    )
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with Builder(root=tmp_path / "store") as builder, pytest.raises(UserError, match="can't be started"):
        builder.build(made.hello)


def test_many_instances_take_time_in_proportion(program: Program) -> None:
    """Counted in nodes that checks look at, not in seconds: the header of a target is looked at once."""
    from tests.lang.python.programs.program import recording_of

    from pybuild.lang.textual.check import walk

    made = program.module(
        "made",
        """
        import pybuild as pb

        def matrix(count):
            @pb.target(name=f"of_{count}", axes={"i": list(range(count))})
            def one(t, i):
                t.from_("alpine")
            return one
        """,
    )
    counts: list[int] = []
    plain = walk.children

    def counted(node: object) -> object:
        counts[-1] += 1
        return plain(node)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "children", counted)
        for size in (50, 200):
            counts.append(0)
            recording_of(made.matrix(size))
    assert counts[1] < 6 * counts[0]


@pytest.mark.crun
def test_a_call_that_fails_is_named_so(program: Program, base: Path, tmp_path: Path) -> None:
    made = program.module(
        "made",
        f"""
        import pybuild as pb

        def work():
            return 1

        @pb.target
        def hello(t):
            t.from_(pb.oci("{base}"))
            t.call(work)
        """,
    )
    with (
        Builder(root=tmp_path / "store", allow=f"read={base}") as builder,
        pytest.raises(UserError) as caught,
    ):
        builder.build(made.hello)
    assert str(caught.value) == "`call` failed with exit code 127"
