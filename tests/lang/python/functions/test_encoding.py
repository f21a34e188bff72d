"""Values as tagged JSON: what goes in comes out, of the same types, whatever the order of sets."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import re
import subprocess
import sys
import uuid
import zoneinfo
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.python.functions import BadData, decode
from pybuild.lang.python.functions.encoding import Encoder, NotData, dumps


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(frozen=True)
class Point:
    shared: ClassVar[int] = 3
    x: object
    y: object = None
    length: float = field(init=False, default=1.5)

    def __post_init__(self) -> None:
        if self.x == "forbidden":
            raise AssertionError("decoding runs no code")


def _same(value: object) -> object:
    return value


@attrs.define
class Size:
    width: Any = attrs.field(converter=_same)
    _depth: int = 2


@attrs.frozen
class Bigger(Size):
    name: str = "n"


Old = namedtuple("Old", "a b")

EXAMPLES: list[object] = [
    None,
    True,
    -(2**70),
    2**63 - 1,
    0.1,
    math.inf,
    "\ud800 é",
    b"\x00\xff",
    (1, [2, (3,)]),
    {1, "a", (2,)},
    frozenset([frozenset()]),
    {"a": {"$b": 1}, "c": {1: (2,), (3, 4): None}},
    datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
    datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
    datetime.date(1, 1, 1),
    datetime.time(23, 59, 59, 1),
    datetime.timedelta(days=-1, microseconds=1),
    pathlib.Path("/a/../b"),
    pathlib.PurePosixPath("x"),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=7),
    complex(1, -2),
    range(1, 9, 2),
    re.compile(b"a+", re.DOTALL),
    Color.RED,
    Level.LOW,
    Access.READ | Access.WRITE,
    Pair(1, Pair((2,), {3})),
    Old(1, 2),
    Point(Color.RED, [Point({"k": b"v"})]),
    Size(1),
    Bigger(Size({1})),
]


@pytest.mark.parametrize("value", EXAMPLES)
def test_examples_come_back(value: object) -> None:
    found = decode(dumps(value))
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value) or isinstance(value, set | frozenset)
    if isinstance(value, datetime.datetime):
        assert found.fold == value.fold  # type: ignore[attr-defined]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(), max_size=5),
    st.binary(max_size=5),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.sampled_from([Color.RED, Level.LOW]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.sets(SCALARS, max_size=3),
        st.dictionaries(SCALARS, inner, max_size=3),
        st.builds(Point, inner, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_goes_in_comes_out(value: object) -> None:
    data = dumps(value)
    assert data.isascii()
    assert decode(data) == value
    assert dumps(decode(data)) == data


def test_sets_are_in_order_whatever_the_seed() -> None:
    script = (
        "from pybuild.lang.python.functions.encoding import dumps\nprint(dumps({'b', 'a', ('c',), b'd', 1}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [object(), Text("a"), OrderedDict(), bytearray(b"a"), lambda: 1, iter([]), int, ValueError()],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_data(value: object) -> None:
    with pytest.raises(NotData) as caught:
        Encoder().encode([{"key": (value,)}])
    assert caught.value.where == "[0]['key'][0]"
    assert caught.value.value is value


def test_decoding_runs_no_code_of_the_class() -> None:
    made = object.__new__(Point)
    for name, value in (("x", "forbidden"), ("y", None), ("length", 2.0)):
        object.__setattr__(made, name, value)
    assert decode(dumps(made)) == made


def test_an_object_without_a_field_comes_back_without_it() -> None:
    made = object.__new__(Size)
    made.width = 3
    found = decode(dumps(made))
    assert isinstance(found, Size)
    assert found.width == 3
    assert not hasattr(found, "_depth")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        '{"$unknown": 1}',
        '{"$object": "os:system", "fields": {}}',
        '{"$object": "subprocess:Popen", "fields": {}}',
        '{"$object": "no_such_module:Point", "fields": {}}',
        '{"$object": "NAME:Point", "fields": {"__class__": 1}}',
        '{"$object": "NAME:Point", "fields": {"other": 1}}',
        '{"$object": "NAME:Color", "fields": {}}',
        '{"$enum": "NAME:Color", "name": "PINK"}',
        '{"$enum": "NAME:Point", "name": "x"}',
        '{"$bytes": "€"}',
        '{"$date": "2024-13-01"}',
        '{"$pattern": "(", "flags": 0}',
        '{"$set": [[1]]}',
        '{"$returned": 0}',
        '{"$tuple": 3}',
    ],
)
def test_bad_texts_are_errors_and_run_nothing(text: str) -> None:
    with pytest.raises(BadData):
        decode(text.replace("NAME", __name__).encode())


@given(st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3), st.just(f"{__name__}:Point")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["$object", "$enum", "$named", "$dict", "$tuple", "$path", "$int", "fields", "name", "items"]
            ),
            inner,
            max_size=3,
        ),
    ),
))  # fmt: skip
def test_any_json_is_a_value_or_an_error(plain: object) -> None:
    try:
        decode(json.dumps(plain).encode())
    except BadData:
        pass
