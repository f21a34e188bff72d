"""Twice the input takes about twice the time, whatever is repeated in it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest
from tests.fuzz.targets import TARGETS

Make = Callable[[int], str]


def repeated(before: str, token: str, after: str = "") -> Make:
    return lambda number: before + token * number + after


def counted(before: str, line: str, after: str = "") -> Make:
    """`line` with its number and the one before in place of `{0}` and `{1}`."""
    return lambda number: before + "".join(line.format(n, n - 1) for n in range(1, number + 1)) + after


CASES: dict[str, tuple[str, int, Make]] = {
    "dollars": ("words", 20_000, repeated("", "$")),
    "open braces": ("words", 50_000, repeated("", "{")),
    "backslashes": ("words", 50_000, repeated("", "\\")),
    "quotes": ("words", 50_000, repeated("", '"')),
    "nested defaults": ("words", 20_000, repeated("", "${a:-")),
    "many references": ("words", 10_000, repeated("", "${a#*}")),
    "stars trimmed": ("words", 4_000, repeated("${a##", "*x", "}")),
    "stars of a shell pattern": ("patterns", 1_500, repeated("", "*a", "\n" + "ab" * 20)),
    "marks of a shell pattern": ("patterns", 20_000, repeated("", "?", "\nab")),
    "stars of a wildcard": ("wildcard", 4_000, repeated("", "*a", "\n" + "ab" * 20)),
    "marks of a wildcard": ("wildcard", 20_000, repeated("", "?", "\nab")),
    "brackets of a wildcard": ("wildcard", 50_000, repeated("", "[")),
    "stars and classes of a wildcard": ("wildcard", 300, repeated("", "*[^a]", "b\n" + "/b" * 99)),
    "double stars within names": ("ignore", 200, repeated("", "a**/", "b\n" + "a/a/" * 9 + "c")),
    "stars ignored": ("ignore", 20_000, repeated("x/", "*")),
    "double stars ignored": ("ignore", 4_000, repeated("", "**/", "x")),
    "patterns ignored": ("ignore", 1_500, counted("", "a{0}\n!b{0}/**\n")),
    "words": ("parse", 20_000, repeated("FROM a\nCOPY ", "a ")),
    "flags": ("parse", 3_000, repeated("FROM a\nRUN ", "--mount=type=tmpfs,target=/a ", "x")),
    "an unknown flag": ("parse", 50_000, repeated("FROM a\nCOPY --", "x", " a b")),
    "excludes": ("parse", 3_000, counted("FROM a\nCOPY ", "--exclude={0} ", "a b")),
    "continuations": ("parse", 20_000, repeated("FROM a\nRUN x", " \\\n y")),
    "a long line": ("parse", 200_000, repeated("FROM a\nRUN ", "x")),
    "heredocs": ("parse", 3_000, counted("FROM a\nRUN cat <<E\n", "{0}\n", "E\n")),
    "heredoc words": ("parse", 10_000, repeated("FROM a\nRUN ", "<<a ")),
    "brackets of JSON": ("parse", 50_000, repeated("FROM a\nCMD ", "[")),
    "strings of JSON": ("parse", 20_000, repeated('FROM a\nCMD ["a"', ',"a"', "]")),
    "instructions": ("parse", 2_000, repeated("FROM a\n", "RUN a\n")),
    "comments": ("parse", 20_000, repeated("", "# a is b\n", "FROM a AS a\n")),
    "pairs": ("parse", 2_000, counted("FROM a\nENV ", "a{0}=$a{1} ")),
    "ports": ("lower", 2_000, counted("FROM a\nEXPOSE ", "{0} ")),
    "stages that copy": ("lower", 150, counted("FROM a AS s0\n", "FROM a AS s{0}\nCOPY --from=s{1} a b\n")),
    "stages on stages": ("lower", 150, counted("FROM a AS s0\n", "FROM s{1} AS s{0}\nRUN x\n")),
    "mounts": ("lower", 400, counted("FROM a\nRUN ", "--mount=type=tmpfs,target=/a{0} ", "x")),
    "files of one COPY": ("lower", 500, counted("FROM a\nCOPY ", "<<E{0} ", "/d/\n")),
    "variables": ("lower", 400, counted("FROM a\n", "ENV a{0}=$a{1}\n")),
    "arguments": ("lower", 400, counted("FROM a\n", "ARG a{0}=$a{1}\n")),
    "fields of a mount": ("mount", 20_000, repeated("type=cache", ",target=/x")),
    "an address": ("names", 50_000, repeated("https://a/b.git#", "a/")),
    "instructions formatted": ("format", 500, repeated("FROM a\n", "RUN  a  \\\n  b\n")),
    "findings fixed": ("fix", 100, counted("from a\n", "ENV a{0} b\n")),
}


def seconds(target: str, text: str) -> float:
    start = time.process_time()
    TARGETS[target](text.encode())
    return time.process_time() - start


@pytest.mark.parametrize(("target", "number", "make"), CASES.values(), ids=CASES.keys())
def test_twice_the_input_takes_about_twice_the_time(target: str, number: int, make: Make) -> None:
    small, large = make(number), make(2 * number)
    gc.disable()
    try:
        # Other work on the machine only ever adds: the best of a few tries counts.
        for tries in range(1, 5):
            once = min(seconds(target, small) for _ in range(tries))
            twice = min(seconds(target, large) for _ in range(tries))
            if twice < 3 * once + 0.02:
                return
    finally:
        gc.enable()
    raise AssertionError(f"{len(small)} characters take {once:.3f} s, {len(large)} take {twice:.3f} s")
