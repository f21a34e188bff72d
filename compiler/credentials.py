"""Addresses without what lets one in."""

from __future__ import annotations

import re

HIDDEN = "xxxxx"
"""Stands for a name or password, as BuildKit writes it."""

_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/@:?#]*)(:[^\s/@?#]*)?@")


def without_credentials(text: str) -> str:
    """`text` with the names and passwords of all addresses in it hidden, but for the name of an ssh address, which
    is no secret."""

    def hidden(found: re.Match[str]) -> str:
        scheme, user, password = found.groups()
        if password is None and scheme.lower() == "ssh://":
            return found[0]
        return f"{scheme}{HIDDEN if user else ''}{':' + HIDDEN if password is not None else ''}@"

    return _USER.sub(hidden, text)
