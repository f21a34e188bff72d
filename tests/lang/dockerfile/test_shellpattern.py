import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.dockerfile import shellpattern
from pybuild.lang.dockerfile.words import Lex

PATTERNS = st.text("ab*?\n", max_size=6)
VALUES = st.text("ab\n", max_size=7)


def whole(pattern: str, text: str) -> bool:
    """The meaning of a pattern, spelled out: no escapes, stars and marks stop at line feeds."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return whole(pattern[1:], text) or (text[:1] not in ("", "\n") and whole(pattern, text[1:]))
    if not text or (text[0] == "\n" if pattern[0] == "?" else text[0] != pattern[0]):
        return False
    return whole(pattern[1:], text[1:])


@given(PATTERNS, VALUES, st.booleans())
def test_prefixes(pattern: str, value: str, longest: bool) -> None:
    lengths = [n for n in range(len(value) + 1) if whole(pattern, value[:n])]
    cut = (max if longest else min)(lengths, default=0)
    assert shellpattern.trim_prefix(pattern, value, longest=longest) == value[cut:]


@given(PATTERNS, VALUES, st.booleans())
def test_suffixes(pattern: str, value: str, longest: bool) -> None:
    starts = [n for n in range(len(value) + 1) if whole(pattern, value[n:])]
    cut = (min if longest else max)(starts, default=len(value))
    assert shellpattern.trim_suffix(pattern, value, longest=longest) == value[:cut]


@given(PATTERNS, VALUES, st.booleans())
def test_replacing(pattern: str, value: str, every: bool) -> None:
    out, pos, done = "", 0, 0
    while pos <= len(value):
        ends = [n for n in range(pos, len(value) + 1) if whole(pattern, value[pos:n])]
        if not ends or (every and ends == [pos] and pos == done > 0):
            pos += 1
            continue
        out += value[done:pos] + "<>"
        done = max(ends)
        pos = max(done, pos + 1)
        if not every:
            break
    assert shellpattern.replace(pattern, "<>", value, every=every) == out + value[done:]


def test_escapes() -> None:
    assert shellpattern.trim_prefix(r"\*\?\\\}\/", r"*?\}/rest", longest=False) == "rest"
    assert shellpattern.trim_suffix(r"\*b", "a*b", longest=False) == "a"
    assert shellpattern.trim_suffix(r"\*b", "axb", longest=False) == "axb"
    assert shellpattern.trim_prefix("[a].+(x)|^$", "[a].+(x)|^$!", longest=False) == "!"
    for bad in ("\\", "a\\", r"\x", r"\\\\\ "):
        with pytest.raises(ValueError, match="invalid escape"):
            shellpattern.trim_suffix(bad, "a", longest=True)


def test_many_stars_take_no_time() -> None:
    start = time.monotonic()
    value = "a" * 5000
    assert shellpattern.trim_prefix("*a" * 40 + "*b", value, longest=True) == value
    assert shellpattern.trim_suffix("b" + "*a" * 40, value, longest=False) == value
    assert time.monotonic() - start < 5


SHELLS = [["dash"], ["busybox", "sh"]]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_shell_agrees(shell: list[str]) -> None:
    """Every form with every pattern of up to three characters, in one run of the shell."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]}")
    alphabet = ["a", "b", ".", "*", "?", "\\*", "\\?"]
    patterns = [""]
    for _ in range(3):
        patterns += [p + ch for p in patterns for ch in alphabet if len(p) < 6]
    patterns = sorted({p for p in patterns if len(p) <= 5})
    values = ["", "a", "ab", "aab", "a.b.a", "*a?", "bab.ab"]
    forms = [f"${{V{op}{p}}}" for p in patterns for op in ("#", "##", "%", "%%")]
    forms = [form for form in forms if form not in ("${V#}", "${V%}")]
    forms += [
        f"${{{n}{op}{w}}}" for n in "VE" for op in (":-", "-", ":+", "+") for w in ("", "w", "'}'", '"$V"')
    ]
    script = "E=\n" + "".join(
        f"V='{value}'\n" + "".join(f'W={form}; echo "$W"\n' for form in forms) for value in values
    )
    run = subprocess.run(shell, input=script, capture_output=True, text=True, check=True, timeout=60)
    lex = Lex("\\")
    ours = [lex.word(form, {"V": value, "E": ""}).result for value in values for form in forms]
    theirs = run.stdout.split("\n")[:-1]
    differing = [case for case in zip(forms * len(values), ours, theirs, strict=True) if case[1] != case[2]]
    assert differing == []
