"""What a name means in a program, whose modules and functions may declare the same one more than once."""

from __future__ import annotations

import pytest
from tests.lang.python.programs.program import Program, recording_of

import pybuild as pb
from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.textual import tree


def words(target: object) -> list[str]:
    """The scripts of the runs in what is recorded of a target."""
    statements = [one for body in recording_of(target).written.values() for one in body]
    scripts = [one.script for one in statements if isinstance(one, tree.Run)]
    return ["".join(part.value for part in one.parts if isinstance(part, tree.ScriptText)) for one in scripts]


def refused(target: object) -> str:
    with pytest.raises(SourceError) as caught:
        recording_of(target)
    assert caught.value.diagnostic.code == "E1004"
    return render(caught.value.diagnostic)


FACTORY = """
    import pybuild as pb

    def image(version, name=None):
        @pb.target(name=name)
        def made(t):
            t.from_("alpine")
            t.run(f"echo {version}")
        return made

    def base(version):
        @pb.state
        def made_state(t, word):
            t.from_("alpine")
            t.run(f"echo {version} {word}")
        return made_state("word")

    @pb.target
    def state(t):
        t.from_("alpine")

    @pb.target
    def requested(t):
        t.from_(state)
        t.run("echo mine")
"""


def test_a_target_whose_name_was_taken_is_not_built_as_the_other(program: Program) -> None:
    made = program.module("factory", FACTORY)
    first, second = made.image(1), made.image(2)
    assert words(second) == ["echo 2"]
    said = refused(first)
    assert "another `made` has been declared since this one" in said
    assert "def made(t):" in said


def test_targets_of_a_function_by_names_of_their_own(program: Program) -> None:
    made = program.module("factory", FACTORY)
    first, second = made.image(1, "one"), made.image(2, "two")
    assert words([first, second]) == ["echo 1", "echo 2"]


def test_state_functions_of_a_function_stay_apart(program: Program) -> None:
    made = program.module("factory", FACTORY)
    first, second = made.base(1), made.base(2)
    assert (words(first), words(second)) == (["echo 1 word"], ["echo 2 word"])


def test_targets_may_have_the_names_of_what_is_asked_for(program: Program) -> None:
    made = program.module("factory", FACTORY)
    found = recording_of([made.requested, pb.image("alpine")])
    assert words(made.requested) == ["echo mine"]
    assert found.wanted != ("requested",)


def test_a_target_of_another_module_is_refused(program: Program) -> None:
    """Its name means nothing in this one, or something else."""
    program.module("other", "import pybuild as pb\n@pb.target\ndef app(t):\n    t.from_('alpine')\n")
    made = program.module(
        "mine",
        """
        import pybuild as pb
        import other

        @pb.target
        def app(t):
            t.from_(other.app)
        """,
    )
    said = refused(made.app)
    assert "`app` is declared in" in said
    assert "other.py" in said
    assert "t.from_(other.app)" in said


def test_names_of_variables_that_are_keywords(program: Program) -> None:
    """Python takes any text as a keyword with `**`."""
    made = program.module(
        "made",
        """
        import pybuild as pb

        @pb.target
        def config(t):
            t.from_("alpine")
            t.env(**{"A=B": "x"})

        @pb.target
        def block(t):
            t.from_("alpine")
            with t.using(pb.env(**{"": "x"})):
                t.run("env")
        """,
    )
    for target, said in ((made.config, "has `=` or NUL in it"), (made.block, "has an empty key")):
        with pytest.raises(SourceError) as caught:
            recording_of(target)
        assert said in render(caught.value.diagnostic)


def test_a_label_of_the_wrong_type_is_shown_by_itself(program: Program) -> None:
    text = """
        import pybuild as pb

        @pb.target
        def made(t):
            t.from_("alpine")
            t.label({"one": "1", "two": True})
    """
    with pytest.raises(SourceError) as caught:
        recording_of(program.module("made", text).made)
    found = caught.value.diagnostic
    assert found.span is not None
    assert (found.span.line, found.span.column, found.span.end_column) == (6, 33, 37)
