"""Hiding user names and passwords in addresses."""

from __future__ import annotations

import re

HIDDEN = "xxxxx"
"""The replacement of a user name or password, as in BuildKit."""

_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/@:?#]*)(:[^\s/@?#]*)?@")


def without_credentials(text: str) -> str:
    """Hide the user names and passwords of all addresses in `text`.

    A user name without a password in an ssh address isn't a secret, and stays.
    """

    def hidden(match: re.Match[str]) -> str:
        scheme, user, password = match.groups()
        if password is None and scheme.lower() == "ssh://":
            return match[0]
        return f"{scheme}{HIDDEN if user else ''}{':' + HIDDEN if password is not None else ''}@"

    return _USER.sub(hidden, text)
