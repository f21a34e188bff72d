"""Metadata values in the encoding of BuildKit's sessions, which percent-encodes and marks values beyond ASCII."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def encoded(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """Return the headers for the values of one key. If any is not ASCII, all are encoded like a URL's query, and
    `KEY-encoded: 1` marks them."""
    from urllib.parse import quote_plus

    texts = list(values)
    if all(text.isascii() for text in texts):
        return [(key, text) for text in texts]
    return [
        *((key, quote_plus(text, errors="surrogateescape")) for text in texts),
        (f"{key}-encoded", "1"),
    ]
