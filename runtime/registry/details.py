"""Error details from registries: the JSON of the distribution specification, made fit to show."""

from __future__ import annotations

LONGEST = 300


def error_codes(body: bytes) -> list[tuple[str, str]]:
    """Return (code, message) of each entry of `{"errors": […]}`; none for anything else."""
    import json

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    entries = value.get("errors") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return []
    return [
        (str(entry.get("code") or ""), str(entry.get("message") or ""))
        for entry in entries
        if isinstance(entry, dict)
    ]


def error_detail(body: bytes) -> str:
    """Return the entries as one printable line of at most LONGEST characters, `details` of token servers
    included."""
    parts = [": ".join(filter(None, entry)) for entry in error_codes(body)]
    if not parts:
        parts = [_other(body)]
    text = "; ".join(filter(None, parts))
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST].strip()


def _other(body: bytes) -> str:
    import json

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    for name in ("details", "message", "error_description", "error"):
        if isinstance(value.get(name), str):
            return str(value[name])
    return ""
