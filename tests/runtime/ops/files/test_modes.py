"""Symbolic modes: what BuildKit makes of them, which differs from GNU chmod in places."""

from __future__ import annotations

import pytest

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.ops.files.modes import change_mode

FILE, DIRECTORY = False, True


@pytest.mark.parametrize(
    ("mode", "change", "directory", "want"),
    [
        (0o644, "755", FILE, 0o755),
        (0o644, "4755", FILE, 0o4755),
        (0o644, "u+x", FILE, 0o744),
        (0o644, "+x", FILE, 0o755),
        (0o600, "+w", FILE, 0o622),
        (0o777, "go-w", FILE, 0o755),
        (0o640, "o=g", FILE, 0o644),
        (0o640, "g=u", FILE, 0o660),
        (0o751, "go=u-w", FILE, 0o755),
        (0o644, "u=rwX,go=rX", FILE, 0o644),
        (0o600, "u=rwX,go=rX", DIRECTORY, 0o755),
        (0o700, "u=rwX,go=rX", FILE, 0o755),
        (0o100, "a=r,a+X", FILE, 0o555),
        (0o755, "a-x,a+X", FILE, 0o755),
        (0o744, "u=rw,go=rX", FILE, 0o655),
        (0o644, "a-X", FILE, 0o644),
        (0o755, "a-X", FILE, 0o644),
        (0o644, "ug+s", FILE, 0o6644),
        (0o644, "o+s", FILE, 0o644),
        (0o755, "+t", DIRECTORY, 0o1755),
        (0o755, "u+t", DIRECTORY, 0o1755),
        (0o755, "o+t", DIRECTORY, 0o755),
        (0o6755, "a=rx", DIRECTORY, 0o555),
        (0o1777, "a=rx", DIRECTORY, 0o1555),
        (0o2755, "g=u", DIRECTORY, 0o2775),
        (0o644, "u+x-w", FILE, 0o544),
        (0o644, "go=", FILE, 0o600),
        (0o642, "u=rg", FILE, 0o442),
    ],
)
def test_modes(mode: int, change: str, directory: bool, want: int) -> None:
    assert oct(change_mode(mode, change, directory)) == oct(want)


@pytest.mark.parametrize("change", ["", "u", "u+q", "x", "u=rw,", "789", "u~x", "ur+x"])
def test_no_modes(change: str) -> None:
    with pytest.raises(UserError, match="invalid mode"):
        change_mode(0o644, change, FILE)
