"""Attributes of source ops, read from their wire form."""

from __future__ import annotations

import json

from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Vertex


def patterns(op: SourceOp, attribute: str) -> list[str]:
    """Return the list of texts that an attribute holds as JSON, an empty list without it. Raises UserError."""
    try:
        values = json.loads(op.attrs.get(attribute, "[]"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UserError(f"the attribute {attribute} of {op.identifier} is no JSON list of texts")
    return values


def source_of(vertex: Vertex) -> SourceOp:
    """Return the op of a vertex that is a source."""
    assert isinstance(vertex.op, SourceOp)
    return vertex.op
