"""`$X` in strings: what stays a template, what is data, and where it is refused; scripts and their splices."""

from __future__ import annotations

import pytest
from tests.lang.textual.evaluate.scenes import Stage, expression, parsed

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.recipe import Splice, Variable
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.evaluate import script, template, text
from pybuild.lang.textual.expand.values import Dollar, Raw, identity, text_of
from pybuild.lang.textual.types import PATH, PLATFORM, REF, STATE, STR, VERSION

X, PATHS = Variable("X", "$X"), Variable("PATH", "${PATH}")

DECLS = r"""
param version: str = "1"
let x = "$X"
let plain = "\$X"
let list = ["$X", "a"]

def same(s: str) -> str:
    return s

def both(a: str, b: str) -> str:
    return "${{a}}$X${{b}}"
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a"', ("a",)),
        ('""', ()),
        ("1", ("1",)),
        ('"$X"', (X,)),
        ('"a:${PATH}:$X"', ("a:", PATHS, ":", X)),
        ("x", (X,)),
        ("same(x)", (X,)),
        ("list[0]", (X,)),
        ("x if true else plain", (X,)),
        ('{"k": x}["k"]', (X,)),
        ("[y for y in list][0]", (X,)),
        ('"a" + x + "b"', ("a", X, "b")),
        ('":".join(list)', (X, ":a")),
        ('":".join([x, x])', (X, ":", X)),
        ('"$X".join(["a", "b"])', ("a", X, "b")),
        ("str(x)", (X,)),
        ('"${{x}}"', ("$X",)),
        ('"${{x}}:$X"', ("$X:", X)),
        ("both(x, plain)", ("$X", X, "$X")),
        ("plain", ("$X",)),
        ('r"$X"', ("$X",)),
        ('"\\$X$X"', ("$X", X)),
        ("x.lower()", ("$x",)),
        ('x.replace("X", "Y")', ("$Y",)),
    ],
)
def test_template(text: str, expected: recipe.Template) -> None:
    stage = Stage(DECLS)
    assert template(expression(text), stage.frame, stage) == expected


def test_variables_know_their_places() -> None:
    value = Stage().value('"a" + "$X"')
    assert isinstance(value, Dollar)
    span = value.variable.span
    assert span is not None
    assert (span.column, span.end_column) == (17, 19)


def test_a_template_is_no_plain_string_of_the_same_text() -> None:
    stage = Stage(DECLS)
    assert stage.value("x") == stage.value("plain") == "$X"
    assert identity(stage.value("x")) != identity(stage.value("plain"))
    assert stage.value("x == plain") is True
    assert type(text_of(stage.value("x"))) is str


@pytest.mark.parametrize("wanted", [PATH, REF, PLATFORM, VERSION, STATE])
@pytest.mark.parametrize(
    "text", ['"$VERSION"', '["$VERSION"]', '"a" + "$VERSION"', '"$VERSION" if true else "a"']
)
def test_where_a_variable_means_nothing(wanted: object, text: str) -> None:
    stage = Stage(DECLS)
    with pytest.raises(SourceError) as caught:
        stage.value(text, wanted)  # type: ignore[arg-type]
    failure = caught.value.diagnostic
    assert failure.code == "E0106"
    assert failure.title == "`$VERSION` is not expanded in this string"
    assert failure.notes[0] == ("help", "to insert the param, write `${{version}}`")
    assert failure.span is not None
    assert failure.span.end_column - failure.span.column == len("$VERSION")


def test_a_variable_through_a_let_is_told_at_its_string() -> None:
    failure = Stage('let tag = "a:$X"\n').failure("tag", REF)
    assert failure.code == "E0106"
    assert failure.span is not None
    assert failure.span.place == "build.pybuild:1:14"


def test_data_with_a_dollar_sign_is_judged_by_its_form() -> None:
    assert Stage(DECLS).value('"/${{x}}"', PATH) == "/$X"
    assert Stage(DECLS).failure('"a:${{x}}"', REF).code == "E0309"


def test_a_variable_goes_where_a_string_is_wanted() -> None:
    assert isinstance(Stage(DECLS).value("x", STR), Dollar)


def script_of(text: str) -> tree.Script:
    file = parsed("build.pybuild", f"target t:\n    from scratch\n    run:\n        {text}\n")
    (target,) = file.decls
    assert isinstance(target, tree.Target)
    run = target.body[1]
    assert isinstance(run, tree.Run)
    return run.script


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("make $X", ("make $X\n",)),
        ("echo ${{x}}", ("echo ", Splice("$X"), "\n")),
        ("echo ${{list}}", ("echo ", Splice(("$X", "a")), "\n")),
        ('echo ${{raw("a; b")}}', ("echo ", Splice("a; b", raw=True), "\n")),
        ('echo ${{[raw("a"), raw("b")]}}', ("echo ", Splice(("a", "b"), raw=True), "\n")),
        ('echo ${{[raw("a"), "b"]}}', ("echo ", Splice(("a", "b")), "\n")),
        ('echo ${{"${{raw("a; b")}}"}}', ("echo ", Splice("a; b"), "\n")),
        ('echo ${{raw("a") + raw("b")}}', ("echo ", Splice("ab"), "\n")),
        ("echo ${{str(raw(version))}}", ("echo ", Splice("1"), "\n")),
        ("echo ${{same(raw(version))}}", ("echo ", Splice("1", raw=True), "\n")),
        ("echo ${{[]}}", ("echo ", Splice(()), "\n")),
        ("sleep ${{30s}}${{true}}", ("sleep ", Splice("30s"), Splice("true"), "\n")),
        ("echo ${{[1, 2]}}", ("echo ", Splice(("1", "2")), "\n")),
        ("echo $${{x}}", ("echo ${{x}}\n",)),
    ],
)
def test_script(line: str, expected: recipe.Script) -> None:
    stage = Stage(DECLS)
    found = script(script_of(line), stage.frame, stage)
    assert "".join(map(repr, found)) == "".join(map(repr, expected))
    assert found == expected


def test_splices_know_their_places() -> None:
    stage = Stage(DECLS)
    _, splice, _ = script(script_of("echo ${{x}}"), stage.frame, stage)
    assert isinstance(splice, Splice)
    assert splice.span is not None
    assert (splice.span.line, splice.span.column, splice.span.end_column) == (4, 14, 20)


def test_what_is_written_is_plain_text() -> None:
    stage = Stage(DECLS)
    assert text(script_of('a ${{x}} ${{raw("b")}} $X'), stage.frame, stage) == "a $X b $X\n"
    assert text(expression('"a $X"'), stage.frame, stage) == "a $X"


def test_raw_text_is_a_kind_of_string() -> None:
    assert isinstance(Stage().value('raw("a")', STR), Raw)
    assert identity(Stage().value('raw("a")')) != identity("a")
