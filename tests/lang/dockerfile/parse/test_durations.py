"""Go's duration syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.dockerfile.durations import parse_duration

GOOD = {
    "0": 0,
    "-0": 0,
    "+0": 0,
    "0s": 0,
    "1ns": 1,
    "1us": 1_000,
    "1µs": 1_000,
    "1μs": 1_000,
    "1ms": 1_000_000,
    "1s": 1_000_000_000,
    "1m": 60_000_000_000,
    "1h": 3_600_000_000_000,
    "-1.5h": -5_400_000_000_000,
    "1h1m1s1ms1us1ns": 3_661_001_001_001,
    "1s1s": 2_000_000_000,
    ".5s": 500_000_000,
    "5.s": 5_000_000_000,
    "0.3333333333333333333h": 1_200_000_000_000,
    "0.000000001s": 1,
    "0.0000000009s": 0,
    "0.100000000000000000000h": 360_000_000_000,
    "0000000000000000000000001s": 1_000_000_000,
    "9223372036854775807ns": 2**63 - 1,
    "2562047h47m16.854775807s": 2**63 - 1,
}
BAD = [
    *("", "+", "-", "3", ".", ".s", "+.s", "s", "1x", "1 s", " 1s", "1s ", "--1s", "1.2.3s", "1S", "\u0663s"),
    *("9223372036854775808ns", "2562047h47m16.854775808s", "99999999999999999999h", "1h-1m", "1e3s", "1_0s"),
]


@pytest.mark.parametrize("text", GOOD)
def test_good(text: str) -> None:
    assert parse_duration(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_bad(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        parse_duration(text)


@given(st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5))
def test_parts_add_up(hours: int, minutes: int, nanoseconds: int) -> None:
    expected = hours * 3_600_000_000_000 + minutes * 60_000_000_000 + nanoseconds
    assert parse_duration(f"{hours}h{minutes}m{nanoseconds}ns") == expected
    assert parse_duration(f"-{nanoseconds}ns{minutes}m{hours}h") == -expected


@given(st.text("0123456789.hmsnuµ+- x", max_size=20))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert abs(duration) < 2**63
