"""The forms of owners, modes and ports (language spec, section 9, E0515), for the checker and the expansion."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

OWNER: Final = re.compile(r"[^\s:]+(?::[^\s:]+)?")
"""An owner: `user[:group]`."""

SYMBOLIC: Final = re.compile(
    r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*"
)
"""A symbolic mode such as `u=rwX,go=rX`."""

MOST_MODE: Final = 0o7777

_PORT: Final = re.compile(r"([0-9]{1,5})(/tcp|/udp)?")
_MOST_PORT: Final = 65535


def port(text: str) -> str | None:
    """Return `PORT/tcp` or `PORT/udp`, None if the text is no port."""
    match = _PORT.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= _MOST_PORT:
        return None
    return f"{int(match[1])}{match[2] or '/tcp'}"
