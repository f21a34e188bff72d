"""Suggests a name as BuildKit's `util/suggest` does: the first with the fewest edits, fewer than 3."""

from __future__ import annotations

from collections.abc import Iterable

_LIMIT = 3


def nearest(word: str, names: Iterable[str]) -> str:
    """Return the nearest name, empty if no name is near or if `word` is itself one of them."""
    near, least = "", _LIMIT
    for name in names:
        if name == word:
            return ""
        distance = _distance(word, name) if abs(len(word) - len(name)) < least else least
        if distance < least:
            near, least = name, distance
    return near


def _distance(a: str, b: str) -> int:
    """Return the Levenshtein distance: insertions, deletions and replacements of one character."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
