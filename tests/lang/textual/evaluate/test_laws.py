"""Operators against Python's own, orders, and what depth and length do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lang.textual.evaluate.scenes import Stage, expression, parsed, place

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand import operators
from pybuild.lang.textual.expand.evaluate import evaluate, evaluate_all, scopes, step_call
from pybuild.lang.textual.expand.values import (
    Duration,
    Platform,
    Size,
    TargetValue,
    Value,
    Version,
    identity,
    text_of,
)
from pybuild.lang.textual.types import PATH, STR, ListOf

INTS = st.integers(-(2**62), 2**62 - 1)
STRINGS = st.text(max_size=6)
SPAN = place()


def apply(op: str, left: Value, right: Value) -> Value:
    return operators.binary(op, left, right, SPAN, Stage())


@settings(deadline=None)
@given(INTS, INTS, st.sampled_from(["+", "-", "<", "<=", ">", ">=", "==", "!="]))
def test_numbers_are_pythons(left: int, right: int, op: str) -> None:
    assert apply(op, left, right) == eval(f"a {op} b", {"a": left, "b": right})


@settings(deadline=None)
@given(INTS, INTS.filter(bool), st.sampled_from(["//", "%"]))
def test_division_is_pythons(left: int, right: int, op: str) -> None:
    assert apply(op, left, right) == eval(f"a {op} b", {"a": left, "b": right})


@settings(deadline=None)
@given(INTS, INTS)
def test_products_have_64_bits(left: int, right: int) -> None:
    product = left * right
    if -(2**63) <= product < 2**63:
        assert apply("*", left, right) == product
        return
    with pytest.raises(SourceError) as caught:
        apply("*", left, right)
    assert caught.value.diagnostic.code == "E0703"


@settings(deadline=None)
@given(STRINGS, STRINGS, st.sampled_from(["+", "==", "!=", "in", "not in"]))
def test_strings_are_pythons(left: str, right: str, op: str) -> None:
    assert apply(op, left, right) == eval(f"a {op} b", {"a": left, "b": right})


@settings(deadline=None)
@given(st.lists(STRINGS, max_size=4), st.lists(STRINGS, max_size=4), st.sampled_from(["+", "==", "!="]))
def test_lists_are_pythons(left: list[str], right: list[str], op: str) -> None:
    expected = eval(f"a {op} b", {"a": tuple(left), "b": tuple(right)})
    assert apply(op, tuple(left), tuple(right)) == expected


@settings(deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**20), st.sampled_from([Duration, Size]))
def test_measures_add_and_multiply(amount: int, by: int, kind: type[Duration] | type[Size]) -> None:
    assert apply("*", kind(amount), by) == apply("*", by, kind(amount)) == kind(amount * by)
    assert apply("+", kind(amount), kind(by)) == kind(amount + by)
    assert apply("<", kind(amount), kind(by)) is (amount < by)


@settings(deadline=None)
@given(st.integers(0, 10**7))
def test_the_text_of_a_duration_is_a_literal_of_its_value(amount: int) -> None:
    duration = Duration(amount * 1_000_000)
    assert Stage().value(str(duration)) == duration


@settings(deadline=None)
@given(st.integers(1, 10**4), st.sampled_from(["KB", "KiB", "MiB", "GiB", "TiB"]))
def test_the_text_of_a_size_is_a_literal_of_its_value(amount: int, unit: str) -> None:
    size = Stage().value(f"{amount}{unit}")
    assert Stage().value(text_of(size)) == size


NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4)


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_versions_of_numbers_are_ordered_by_them(left: list[int], right: list[int]) -> None:
    a, b = Version(".".join(map(str, left))), Version(".".join(map(str, right)))
    longest = max(len(left), len(right))
    padded = [numbers + [0] * (longest - len(numbers)) for numbers in (left, right)]
    assert apply("<", a, b) is (padded[0] < padded[1])
    assert apply("==", a, b) is (padded[0] == padded[1])
    assert apply("<=", a, b) is not apply("<", b, a)


VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}(-[a-c0-9]{1,3}(\.[a-c0-9]{1,2})?)?", fullmatch=True)


@settings(deadline=None)
@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_of_versions_is_one(a: str, b: str, c: str) -> None:
    x, y, z = Version(a), Version(b), Version(c)
    assert [apply(op, x, y) for op in ("<", "==", ">")].count(True) == 1
    if apply("<=", x, y) and apply("<=", y, z):
        assert apply("<=", x, z)


@settings(deadline=None)
@given(st.lists(STRINGS, max_size=5))
def test_interpolation_is_concatenation(strings: list[str]) -> None:
    stage = Stage()
    frame = stage.frame
    names = [f"s{at}" for at in range(len(strings))]
    for name, value in zip(names, strings, strict=True):
        frame.bind(name, value)
    inside = "".join(f"${{{{{name}}}}}" for name in names)
    assert stage.value(f'"{inside}"', None, frame) == "".join(strings)


def test_identity_tells_values_apart() -> None:
    values: list[Value] = [1, True, "1", Version("1"), Version("1.0"), (1,), (True,), {"a": 1}, {"a": True}]
    values += [Duration(1), Size(1), {"a": 1, "b": 2}, {"b": 2, "a": 1}, (), Platform("linux/1")]
    assert len({identity(value) for value in values}) == len(values)


# Depth and length


def deep(depth: int, wrap: str) -> tree.Expr:
    expr: tree.Expr = tree.Number(place(), "int", 1)
    for _ in range(depth):
        match wrap:
            case "parens":
                expr = tree.Parens(SPAN, expr)
            case "left":
                expr = tree.Binary(SPAN, "+", expr, tree.Number(SPAN, "int", 1), SPAN)
            case "right":
                expr = tree.Binary(SPAN, "+", tree.Number(SPAN, "int", 1), expr, SPAN)
            case "string":
                expr = tree.String(SPAN, (tree.Interpolation(SPAN, expr),))
            case "ternary":
                expr = tree.Ternary(SPAN, expr, tree.Bool(SPAN, True), expr)
            case "call":
                expr = tree.Call(SPAN, tree.Name(SPAN, "str"), (tree.Argument(SPAN, None, expr),))
            case "method":
                join = tree.Attribute(SPAN, tree.String(SPAN, ()), tree.Ident(SPAN, "join"))
                expr = tree.Call(SPAN, join, (tree.Argument(SPAN, None, tree.List(SPAN, (joined(expr),))),))
    return expr


def joined(expr: tree.Expr) -> tree.Expr:
    return expr if isinstance(expr, tree.Call) else tree.String(SPAN, ())


@pytest.mark.parametrize("wrap", ["parens", "left", "right", "string", "ternary", "call", "method"])
def test_nothing_is_too_deep(wrap: str) -> None:
    stage = Stage()
    expected = {"left": 10_001, "right": 10_001, "string": "1", "call": "1", "method": ""}.get(wrap, 1)
    assert evaluate(deep(10_000, wrap), stage.frame, stage) == expected


def test_a_long_chain_of_lets() -> None:
    lets = "".join(f"let x{at} = x{at - 1} + 1\n" for at in range(1, 3001))
    stage = Stage("let x0 = 0\n" + lets)
    assert stage.value("x3000") == 3000


def test_a_let_is_evaluated_once() -> None:
    stage = Stage("let one = [x for x in [1, 2, 3]]\n")
    stage.value("one")
    before = stage.steps
    stage.value("one")
    assert stage.steps - before == 1


@pytest.mark.parametrize(
    "text",
    [
        '"a".replace("", big)',
        'big.replace("a", big)',
        "big + big",
        '"${{big}}${{big}}"',
        "big.join([big, big, big])",
        '"".join([big, big])',
        '"é".join(many)',
        "[x for x in many for y in many]",
        "many + many",
        "[1 for a in many for b in many for c in many for d in many if false]",
        'big.split("a")',
    ],
)
def test_what_would_be_too_large(text: str) -> None:
    stage = Stage()
    frame = stage.frame
    frame.bind("big", "a" * 600_000)
    frame.bind("many", ("a",) * 60_000 if "é" not in text else ("a" * 10,) * 90_000)
    with pytest.raises(SourceError) as caught:
        stage.value(text, None, frame)
    assert caught.value.diagnostic.code == "E0703"


def test_the_length_of_a_string_is_that_of_its_bytes() -> None:
    stage = Stage()
    frame = stage.frame
    frame.bind("wide", "é" * 300_000)
    assert len(str(stage.value('wide + ""', None, frame))) == 300_000
    with pytest.raises(SourceError):
        stage.value("wide + wide", None, frame)


def test_work_on_long_values_counts() -> None:
    stage = Stage()
    frame = stage.frame
    frame.bind("many", tuple(str(at) for at in range(100_000)))
    stage.value('"x" in many', None, frame)
    assert stage.steps > 1000


# The other doors


def test_values_of_a_place_that_takes_several() -> None:
    stage = Stage('let more = ["c", "d"]\n')
    expr = expression('["a", ["b", more], ("e")]')
    found = evaluate_all([expr], stage.frame, stage, STR)
    assert [one.value for one in found] == ["a", "b", "c", "d", "e"]
    columns = [(one.span.column, one.span.end_column) for one in found]
    assert columns == [(11, 14), (17, 20), (22, 26), (22, 26), (30, 33)]


def test_a_list_is_converted_where_one_item_is_wanted() -> None:
    stage = Stage('let more = ["c", ""]\n')
    assert stage.value('["a"]', PATH) == ("a",)
    assert stage.failure("more", PATH).code == "E0309"
    assert stage.value('[version("1.2")]', ListOf(STR)) == ("1.2",)


def test_scopes_of_a_header() -> None:
    file = parsed(
        "x", 'target t for a in [1, 2] for b in ["x", "y"] if a == 1 or b == "x":\n    from scratch\n'
    )
    (target,) = file.decls
    assert isinstance(target, tree.Target)
    stage = Stage()
    found = scopes(target.axes, stage.frame, stage)
    assert [(one.find("a"), one.find("b")) for one in found] == [(1, "x"), (1, "y"), (2, "x")]


def test_the_call_of_a_step() -> None:
    stage = Stage("def install(packages: list[path], version: str = packages[0]):\n    run true\n")
    file = parsed("x", 'target t:\n    from scratch\n    install(packages=["a"])\n')
    (target,) = file.decls
    assert isinstance(target, tree.Target)
    statement = target.body[1]
    assert isinstance(statement, tree.CallStmt)
    assert isinstance(statement.call, tree.Call)
    definition, arguments = step_call(statement.call, stage.frame, stage)
    assert definition.definition.name.name == "install"
    assert arguments == {"packages": ("a",), "version": "a"}


def test_a_selection_has_the_values_and_their_places() -> None:
    stage = Stage('target t for a in ["x"]:\n    from scratch\n')
    value = stage.value('t[a="x", platform="linux/amd64"]')
    assert isinstance(value, TargetValue)
    assert [(one.axis, one.value) for one in value.chosen] == [("a", "x"), ("platform", "linux/amd64")]
    assert all(one.span is not None for one in value.chosen)


def test_what_is_read_is_recorded() -> None:
    stage = Stage(files={"a": "x", "b/c": "y"}, name="lib/build.pybuild")
    stage.value('read("a") + glob("b/*")[0]')
    digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert stage.reads["lib/a"] == digest
    assert set(stage.reads) == {"lib/a", "glob(lib/b/*)"}
