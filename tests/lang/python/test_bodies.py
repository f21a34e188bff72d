"""What a build module may do in ways that the language doesn't have: copies of what belongs to the build, state
functions of one name, helpers imported late."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from tests.lang.python.twins import recipe_of_python
from tests.lang.textual.dump import dump
from tests.lang.textual.expand.programs import Asked
from tests.lang.textual.worlds import World

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.python.quantities import FrozenDict, FrozenList, Version
from pybuild.lang.textual.expand.options import EVERYTHING


def expanded(text: str) -> list[str]:
    made = recipe_of_python(World({"build.py": "import pybuild as pb\n" + text}), Asked(EVERYTHING))
    return dump(made).splitlines()


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), list]
)
def test_a_copy_of_a_list_of_the_build_is_a_plain_one(copied: object) -> None:
    assert callable(copied)
    frozen = FrozenList(["a", FrozenDict({"b": 1})])
    made = copied(frozen)
    assert type(made) is list
    assert made == ["a", {"b": 1}]
    made.append("c")
    assert len(frozen) == 2
    assert json.dumps(frozen) == '["a", {"b": 1}]'


@pytest.mark.parametrize(
    "change",
    ["append(1)", "extend([1])", "insert(0, 1)", "pop()", "remove(1)", "clear()", "sort()", "reverse()",
     "__setitem__(0, 1)", "__delitem__(0)", "__iadd__([1])", "__imul__(2)"],
)  # fmt: skip
def test_no_change_of_a_list(change: str) -> None:
    frozen = FrozenList([1, 2])
    with pytest.raises(SourceError) as caught:
        eval(f"frozen.{change}")
    assert caught.value.diagnostic.code == "E1003"
    assert frozen == [1, 2]


@pytest.mark.parametrize(
    "change",
    ["pop('a')", "popitem()", "clear()", "update(b=1)", "setdefault('b', 1)", "__setitem__('a', 1)",
     "__delitem__('a')", "__ior__({})"],
)  # fmt: skip
def test_no_change_of_a_dict(change: str) -> None:
    frozen = FrozenDict({"a": 1})
    with pytest.raises(SourceError):
        eval(f"frozen.{change}")
    assert frozen == {"a": 1}


def test_versions_have_an_order() -> None:
    texts = ["1.2-rc2", "1.2-rc10", "1.2", "1.2.1", "1.10"]
    assert sorted(map(Version, reversed(texts))) == texts
    assert Version("1.0") == "1" == Version("1")
    assert hash(Version("1.0")) == hash(Version("1"))
    assert (Version("1.1") != Version("1.1.0")) is False


def test_state_functions_of_one_name_in_several_places() -> None:
    rows = expanded(
        """
def made(image):
    @pb.state
    def base(t):
        t.from_(image)
    return base()
one, two = made("x"), made("y")
@pb.target
def a(t):
    t.from_(one)
    t.copy("/f", from_=two, to="/f")
"""
    )
    assert "  from x linux/amd64" in rows
    assert "  from y linux/amd64" in rows


def test_a_state_function_that_calls_itself_and_ends() -> None:
    rows = expanded(
        """
@pb.state
def layers(t, names):
    t.from_(layers(names[1:]) if names else "x")
    t.run("make ${{n}}", n=names)
@pb.target
def a(t):
    t.from_(layers(["p", "q"]))
"""
    )
    assert [row for row in rows if "run" in row] == ["  run make ‹p|q›", "  run make ‹q›", "  run make ‹›"]


def test_equal_arguments_are_one_body() -> None:
    rows = expanded(
        """
@pb.state
def base(t, of, options=()):
    t.from_(of)
    t.run("make")
@pb.target
def a(t):
    t.from_(base(pb.image("x"), options={"a": [1]}))
    t.copy("/f", from_=base(pb.image("x"), {"a": [1]}), to="/f")
    t.copy("/f", from_=base(pb.image("x"), {"a": [True]}), to="/g")
"""
    )
    assert len([row for row in rows if row.startswith("body base")]) == 2


def test_a_body_runs_once_for_each_platform() -> None:
    rows = expanded(
        """
count = []
@pb.target(on=["linux/amd64", "linux/arm64"])
def a(t):
    count.append(str(t.platform))
    t.from_("x")
@pb.target
def b(t):
    t.from_(a)
    t.copy("/f", from_=a, to="/f")
    t.run("${{n}}", n=len(count))
"""
    )
    assert "  run ‹2›" in rows


def test_the_state_of_a_body_stays_in_it() -> None:
    with pytest.raises(SourceError) as caught:
        expanded(
            """
@pb.state
def changed(t, of):
    t.from_(of)
@pb.target
def a(t):
    t.from_("x")
    t.copy("/f", from_=changed(t.this), to="/f")
"""
        )
    assert caught.value.diagnostic.code == "E1004"


def test_a_name_that_many_statements_have() -> None:
    """`t.this` takes no name that the module uses."""
    rows = expanded(
        """
@pb.target
def this_1(t):
    t.from_("x")
@pb.target
def a(t):
    t.from_(this_1)
    before = t.this
    t.run("make")
    t.copy("/", from_=pb.diff(before, t.this), to="/")
"""
    )
    assert any("copy / from diff(" in row for row in rows)
