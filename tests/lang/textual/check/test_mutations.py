"""Programs with something removed, doubled or exchanged: the check never raises, and every message has its place."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lang.textual.check.casefiles import FOLDER, cases
from tests.lang.textual.worlds import World

from pybuild.lang.diagnostics import render
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.load import load

TEXTS = [case.files["build.pybuild"] for path in sorted(FOLDER.glob("*.md")) for case in cases(path)]
_PIECE = re.compile(r"\w+|\"[^\"\n]*\"|\n *|[^\w\n]")
PIECES = sorted({piece for text in TEXTS for piece in _PIECE.findall(text)})


@st.composite
def mutated(draw: st.DrawFn) -> str:
    pieces = _PIECE.findall(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(pieces) - 1))
        match draw(st.integers(0, 2)):
            case 0:
                del pieces[at]
            case 1:
                pieces[at] = draw(st.sampled_from(PIECES))
            case _:
                pieces.insert(at, draw(st.sampled_from(PIECES)))
        if not pieces:
            break
    return "".join(pieces)


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_any_program_gets_an_answer(text: str) -> None:
    world = World({"build.pybuild": text})
    loaded = load(world.root(), world)
    found = list(loaded.diagnostics)
    if loaded.program is not None:
        found.extend(checked(loaded.program).diagnostics)
    for one in arranged(found):
        assert one.code is not None
        assert one.span is not None
        assert render(one).startswith(f"{one.level}[{one.code}]: ")
        for edit in one.edits:
            assert 1 <= edit.span.line <= edit.span.end_line <= edit.span.source.text.count("\n") + 1
