"""Scripts and values of all kinds mean in Python what they mean in the language."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile
from textwrap import indent

from hypothesis import given
from hypothesis import strategies as st
from tests.lang.python.twins import recipe_of_python, recipe_of_text
from tests.lang.textual.dump import chain
from tests.lang.textual.expand.programs import HEADER
from tests.lang.textual.worlds import World

from pybuild.lang import recipe
from pybuild.lang.textual.expand.params import quoted, written
from pybuild.lang.textual.expand.values import Value

TEXTS = st.text(st.characters(exclude_categories=["C"]) | st.sampled_from("$\"'\\{}\n\t"), max_size=12)
SCALARS = TEXTS | st.integers(-(2**63) + 1, 2**63 - 1)
VALUES = SCALARS | st.lists(TEXTS, max_size=4).map(tuple) | st.lists(st.integers(0, 9)).map(tuple)
LINES = st.text(st.sampled_from("ab  $\"'\\{}#!"), max_size=10)
SCRIPTS = (
    st.lists(LINES, min_size=2, max_size=5)
    .map("\n".join)
    .filter(lambda text: bool(text.strip()) and "${{" not in text)
)


def statement(made: recipe.Recipe) -> recipe.Statement:
    state = chain(made.requested[0].instances[0].body.state)[-1]
    assert isinstance(state, recipe.Step)
    return state.statement


def of_text(body: str) -> recipe.Statement:
    text = HEADER + 'target a:\n    from "base"\n' + indent(body, "    ")
    return statement(recipe_of_text(World({"build.pybuild": text})))


def of_python(body: str) -> recipe.Statement:
    text = 'import pybuild as pb\n@pb.target\ndef a(t):\n    t.from_("base")\n' + indent(body, "    ")
    return statement(recipe_of_python(World({"build.py": text})))


@given(VALUES)
def test_a_value_in_a_script(value: Value) -> None:
    made = of_python(f't.run("echo ${{{{x}}}}", x={value!r})\n')
    assert made == of_text(f"let x = {written(value)}\nrun echo ${{{{x}}}}\n")


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, min_size=1, max_size=3))
def test_labels(values: dict[str, str]) -> None:
    pairs = ", ".join(f"{quoted(name)} = {quoted(value)}" for name, value in values.items())
    assert of_python(f"t.label({values!r})\n") == of_text(f"label {pairs}\n")


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_texts_of_files_and_of_commands(content: str, words: list[str]) -> None:
    assert of_python(f't.write({content!r}, to="/x")\n') == of_text(f'write {quoted(content)} to "/x"\n')
    listed = written(tuple(words))
    assert of_python(f"t.entrypoint({words!r})\n") == of_text(f"entrypoint {listed}\n")


@given(SCRIPTS)
def test_a_script_is_what_is_written(script: str) -> None:
    """Blank lines before the first one come with Python's quotes, and are none of the script's."""
    made = of_python(f"t.run({script!r})\n")
    assert isinstance(made, recipe.Run)
    block = of_text("run:\n" + "\n".join(f"    {line}" for line in _without_blank(script)) + "\n")
    assert isinstance(block, recipe.Run)
    if made.block:
        assert made.script == block.script
    else:
        assert ("".join(map(str, made.script)) + "\n",) == block.script


def _without_blank(script: str) -> Iterator[str]:
    return dropwhile(lambda line: not line.strip(), script.split("\n"))
