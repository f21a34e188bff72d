"""JSON as Go's encoder writes it: `<`, `>`, `&` and the two line separators escaped, other characters as they are."""

from __future__ import annotations


def compact(value: object) -> bytes:
    """Encode a value as Go's `json.Marshal` does."""
    import json

    return _escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def indented(value: object) -> bytes:
    """Encode a value as Go's `json.MarshalIndent(value, "", " ")` does."""
    import json

    return _escaped(json.dumps(value, ensure_ascii=False, indent=2))


def _escaped(text: str) -> bytes:
    for char in "<>&\u2028\u2029":
        if char in text:
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()
