"""The graph of a build, as documents, and as a picture for notebooks."""

from __future__ import annotations

import json
from typing import Any

from attrs import field, frozen


@frozen
class Graph:
    """The graph of a build that has not been run."""

    _json: bytes = field(repr=False)
    _dot: bytes = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the document that `pybuild graph` prints."""
        document: dict[str, Any] = json.loads(self._json)
        return document

    def to_dot(self) -> str:
        """Return text for Graphviz."""
        return self._dot.decode()

    def to_svg(self) -> str:
        """Return a picture, drawn without Graphviz."""
        from pybuild.builder.drawing import draw_svg

        return draw_svg(self.to_dot())

    def _repr_html_(self) -> str:
        return f"<div style='overflow:auto'>{self.to_svg()}</div>"
