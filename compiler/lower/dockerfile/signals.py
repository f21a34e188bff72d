"""Signals that STOPSIGNAL accepts: a number, or a Linux name with or without `SIG`."""

from __future__ import annotations

from pybuild.lang.dockerfile.numbers import read_number

_LARGEST = 2**63 - 1

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
    """Return the names of signals, without `SIG`."""
    return _NAMES


def is_signal(text: str) -> bool:
    number = read_number(text[1:] if text[:1] in ("+", "-") else text, _LARGEST)
    if number is not None:
        return number != 0
    return text.upper().removeprefix("SIG") in _NAMES
