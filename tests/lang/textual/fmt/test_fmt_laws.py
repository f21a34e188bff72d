"""What holds for the form of any program."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lang.textual.fmt.graphs import graph
from tests.lang.textual.fmt.laws import comments, formatted, meaning
from tests.lang.textual.programs import programs, random_program

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual.fmt.docs import WHOLE, WIDTH

pytestmark = pytest.mark.long

_ATOMS = ("a", "true", '"b c"', "12", "f()", "[]", "not_long_name")


@given(programs())
def test_formatting_keeps_the_meaning_and_all_comments(text: str) -> None:
    made = formatted(text)
    assert formatted(made) == made
    assert meaning(made) == meaning(text)
    assert comments(made) == comments(text)


@given(programs(uses=True))
def test_sorting_loses_nothing(text: str) -> None:
    made = formatted(text)
    assert formatted(made) == made
    assert meaning(made) == meaning(text)
    assert sorted(comment for _, comment in comments(made)) == sorted(
        comment for _, comment in comments(text)
    )


@given(programs())
def test_the_graph_stays_the_same(text: str) -> None:
    assert graph(formatted(text)) == graph(text)


@given(programs(comments=False))
def test_rows_have_no_blanks_at_their_ends(text: str) -> None:
    code = re.sub(r'""".*?"""', '""', formatted(text), flags=re.DOTALL)
    for row in _without_raw_text(code):
        assert row == row.rstrip()


def _without_raw_text(code: str) -> list[str]:
    out: list[str] = []
    opener, goes_on = -1, False
    for row in code.split("\n"):
        margin = len(row) - len(row.lstrip(" "))
        if goes_on or (opener >= 0 and (not row.strip() or margin > opener)):
            goes_on = goes_on and row.endswith("\\")
            continue
        opener = margin if re.match(r" *(run:|write to .*:)$", row) else -1
        goes_on = row.lstrip().startswith("run ") and row.endswith("\\")
        if not row.lstrip().startswith("run "):
            out.append(row)
    return out


def _expression(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(_ATOMS)
    parts = [_expression(rng, depth - 1) for _ in range(rng.randrange(1, 7))]
    shape = rng.randrange(6)
    if shape == 0:
        return f"[{', '.join(parts)}]"
    if shape == 1:
        return f"g({', '.join(f'name{at}={part}' for at, part in enumerate(parts))})"
    if shape == 2:
        return "{" + ", ".join(f'"k": {part}' for part in parts) + "}"
    if shape == 3:
        return f"({rng.choice((' + ', ' and ', ' or ')).join(f'({part})' for part in parts)})"
    if shape == 4:
        return f"({parts[0]} if ({parts[-1]}) else {parts[0]})"
    return f"[({parts[0]}) for x in ({parts[-1]}) if ({parts[0]})]"


@given(st.randoms(use_true_random=False))
def test_what_can_be_broken_fits(rng: random.Random) -> None:
    text = "".join(f"let x{at} = {_expression(rng, 4)}\n" for at in range(4))
    made = formatted(text)
    rows = made.split("\n")
    deep = [row for row in rows if len(row) > WIDTH and len(row) - len(row.lstrip()) < 60]
    assert all(len(row) <= WHOLE and row in text for row in deep)  # left as the author has them
    assert formatted(made) == made


@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_whatever_parses_can_be_formatted(rng: random.Random, seed: int) -> None:
    """Programs with rows taken out, put twice or cut, and with characters changed."""
    text = random_program(seed, 1)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(text))
        text = (
            text[:at]
            + rng.choice(("", "\n", " ", "#", "  ", ",", ")", "\\\n", '"', "\r\n", "\x0c", ":"))
            + text[at + rng.randrange(3) :]
        )
    try:
        made = formatted(text)
    except SourceError:
        return
    assert formatted(made) == made
    assert meaning(made) == meaning(text)
    assert sorted(comment for _, comment in comments(made)) == sorted(
        comment for _, comment in comments(text)
    )


@pytest.mark.parametrize(
    "text",
    [
        "let x = " + "(" * 150 + "a" + ")" * 150 + "\n",
        "let x = " + "[" * 150 + "a" * 90 + "]" * 150 + "\n",
        "let x = " + "f(" * 150 + "# c\n a" + ")" * 150 + "\n",
        "let x = " + " + ".join(["a"] * 190) + "\n",
        "let x = [" + " + ".join(["a"] * 190) + "]\n",
        "let x = a" + ".b" * 190 + "\n",
        "let x = " + "not " * 190 + "a\n",
        'let x = "' + '${{"' * 60 + '"}}' * 60 + '"\n',
    ],
)
def test_deep_expressions(text: str) -> None:
    made = formatted(text)
    assert formatted(made) == made
    assert meaning(made) == meaning(text)


@pytest.mark.growth
@pytest.mark.parametrize(
    "make",
    [
        lambda size: "".join(f"target t{at}:\n    from 'x'\n    run echo {at}\n# c\n" for at in range(size)),
        lambda size: "let x = [" + "".join(f"[f({at}, # c\n'a'), 2],\n" for at in range(2 * size)) + "]\n",
        lambda size: "target t:\n    from 'x'\n    run:\n" + "        row\n" * (10 * size),
        lambda size: "target t:\n    from 'x'\n" + "    # a comment\n\n" * (4 * size),
        lambda size: "let x = {" + "".join(f"'k{at}': [1, 2], " for at in range(2 * size)) + "}\n",
    ],
)
def test_time_is_linear(make: object) -> None:
    assert callable(make)
    times = []
    for size in (400, 3200):
        text = make(size)
        began = time.process_time()
        formatted(text)
        times.append(time.process_time() - began)
    assert times[1] < 8 * 5 * max(times[0], 0.01)  # 64 if it grew with the square
