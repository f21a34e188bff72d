"""Bills of materials in SPDX's JSON, with the layer of each file, which BuildKit adds too."""

from __future__ import annotations

import posixpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = "https://spdx.dev/Document"
"""The predicate type."""


def with_layers(data: bytes, layer_of: Callable[[bytes], str | None]) -> bytes:
    """Return the document with a comment `layerID: DIGEST` at each file that `layer_of` knows (a path
    relative to the root) and that has no comment. Other documents are returned unchanged."""
    import json

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    files = document.get("files") if isinstance(document, dict) else None
    if not isinstance(files, list):
        return data
    for file in files:
        name = file.get("fileName") if isinstance(file, dict) else None
        if isinstance(name, str) and not file.get("comment"):
            path = posixpath.normpath("/" + name).lstrip("/")
            layer = layer_of(path.encode("utf-8", "surrogateescape"))
            if layer is not None:
                file["comment"] = f"layerID: {layer}"
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")
