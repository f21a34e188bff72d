"""Values of metadata as BuildKit's sessions send them: what isn't ASCII is percent-encoded, and marked as such."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def encoded(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """The values of one key. If one of them holds other characters than ASCII's, all are encoded as in the query of
    an address, and `KEY-encoded: 1` says so."""
    from urllib.parse import quote_plus

    given = list(values)
    if all(value.isascii() for value in given):
        return [(key, value) for value in given]
    return [
        *((key, quote_plus(value, errors="surrogateescape")) for value in given),
        (f"{key}-encoded", "1"),
    ]
