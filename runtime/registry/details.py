"""Error details from registries: the JSON of the distribution specification, made fit to show."""

from __future__ import annotations

from pybuild.runtime.registry.answers import json_object, text_of

LONGEST = 300


def error_codes(body: bytes) -> list[tuple[str, str]]:
    """Return (code, message) of each entry of `{"errors": […]}`; none for anything else."""
    entries = _object(body).get("errors")
    if not isinstance(entries, list):
        return []
    return [
        (text_of(entry, "code"), text_of(entry, "message")) for entry in entries if isinstance(entry, dict)
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
    return text_of(_object(body), "details", "message", "error_description", "error")


def _object(body: bytes) -> dict[str, object]:
    try:
        return json_object(body)
    except ValueError:
        return {}
