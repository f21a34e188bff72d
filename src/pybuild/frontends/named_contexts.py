"""Named contexts that come as states, with the image configs that a client sends for them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import evolve

from pybuild.compiler import image
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile.options import StateContext
from pybuild.frontends.attributes import Attributes
from pybuild.lang.diagnostics import UserError


def named_states(attributes: Attributes, given: Mapping[str, Edge | None]) -> dict[str, StateContext]:
    """Return the named contexts that came with the request as states. Raises UserError."""
    found = {}
    for name, source in attributes.contexts.items():
        kind, _, key = source.partition(":")
        if kind == "input" and key in given:
            found[name] = _state(given[key], attributes.inputs_metadata.get(key), name)
    return found


def _state(edge: Edge | None, metadata: str | None, name: str) -> StateContext:
    """Return a state with the image config in its metadata, if any: a JSON object of bytes in base64."""
    if metadata is None:
        return StateContext(edge)
    from base64 import b64decode

    try:
        values = json.loads(metadata)
        encoded = values.get("containerimage.config")
        config = None if encoded is None else b64decode(encoded, validate=True)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"failed to parse input metadata {metadata}: {error}") from None
    if config is None:
        return StateContext(edge)
    try:
        parsed = image.parse(config)
    except image.ImageConfigError as error:
        raise UserError(f"failed to parse image config for {name}: {error}") from None
    return StateContext(edge, evolve(parsed, created=None), config)
