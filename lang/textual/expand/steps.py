"""The protocol by which a handler of an expression requests the values of its parts."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.values import Value
from pybuild.lang.textual.types import Type

T = TypeVar("T")


class ValueRequest(NamedTuple):
    """A request for the value of `expr` in `frame`, converted to `wanted` unless that is None."""

    expr: tree.Expr
    frame: Frame
    wanted: Type | None = None


Steps = Generator[ValueRequest, Value, T]
"""A generator that yields requests, is sent each value, and returns its result."""
