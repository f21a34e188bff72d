"""Signals that STOPSIGNAL accepts: a number, or a Linux name with or without `SIG`."""

from __future__ import annotations

import re

_NAMES = frozenset(
    [
        "ABRT",
        "ALRM",
        "BUS",
        "CHLD",
        "CLD",
        "CONT",
        "FPE",
        "HUP",
        "ILL",
        "INT",
        "IO",
        "IOT",
        "KILL",
        "PIPE",
        "POLL",
        "PROF",
        "PWR",
        "QUIT",
        "SEGV",
        "STKFLT",
        "STOP",
        "SYS",
        "TERM",
        "TRAP",
        "TSTP",
        "TTIN",
        "TTOU",
        "URG",
        "USR1",
        "USR2",
        "VTALRM",
        "WINCH",
        "XCPU",
        "XFSZ",
        "RTMIN",
        "RTMAX",
    ]
    + [f"RTMIN+{number}" for number in range(1, 16)]
    + [f"RTMAX-{number}" for number in range(1, 15)]
)


def known_signals() -> frozenset[str]:
    """The names, without `SIG`."""
    return _NAMES


def is_signal(text: str) -> bool:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text) != 0
    return text.upper().removeprefix("SIG") in _NAMES
