"""The shells that read a script as POSIX specifies."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SH_LIKE: Final = frozenset("sh bash dash ash ksh mksh".split())
"""Shells that read alike every text the scanner is sure of. zsh expands more in words; fish and others quote
differently."""

_COMMAND_OPTION: Final = re.compile(r"-[A-Za-z]*c[A-Za-z]*")
_TAKES_ARGUMENT: Final = re.compile(r"[-+][A-Za-z]*[oO]")


def is_sh_like(shell: tuple[str, ...]) -> bool:
    """Tell whether a command that gets the script as its last argument is an sh-like shell with `-c`.

    `env` and `busybox` may precede the shell. Any other argument that isn't an option makes it a command whose use
    of the script is unknown."""
    words = [*shell]
    if words and _base(words[0]) in ("env", "busybox"):
        del words[0]
    if not words or _base(words[0]) not in SH_LIKE:
        return False
    command, argument = False, False
    for word in words[1:]:
        if argument:
            argument = False
        elif not word.startswith(("-", "+")) or word in ("-", "--"):
            return False
        elif _TAKES_ARGUMENT.fullmatch(word):
            argument = True
        elif not word.startswith("--"):
            command = command or _COMMAND_OPTION.fullmatch(word) is not None
    return command and not argument


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]
