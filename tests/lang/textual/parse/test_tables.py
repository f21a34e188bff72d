"""The tables are those of the grammar, and there are words for each of their states."""

from __future__ import annotations

import random
import re

import pytest
from lark import Token
from lark.exceptions import UnexpectedToken
from tests.lang.textual.parse.examples import PROGRAMS

from pybuild.lang.source import Source
from pybuild.lang.textual import expectations, grammar
from pybuild.lang.textual.build_expressions import EXPRESSIONS, GROWING
from pybuild.lang.textual.build_statements import STATEMENTS
from pybuild.lang.textual.lexer import Lexer
from pybuild.lang.textual.machine import Machine
from pybuild.lang.textual.situations import SITUATIONS
from pybuild.lang.textual.tables import ACTIONS, END, GOTOS, RULES


def test_the_tables_are_current() -> None:
    for name, text in grammar.sources().items():
        assert (grammar.HERE / name).read_text() == text, "run `python -m pybuild.lang.textual.grammar`"


def test_every_rule_that_makes_a_value_has_a_builder() -> None:
    assert {name for _, _, name in RULES if name} == set(EXPRESSIONS | STATEMENTS)
    assert set(EXPRESSIONS) >= GROWING


def paths() -> list[list[int]]:
    """For each state, a stack of states that ends in it."""
    found = {0: [0]}
    waiting = [0]
    for state in waiting:
        for then in (*(to for to in ACTIONS[state].values() if to > 0), *GOTOS[state].values()):
            if then not in found:
                found[then] = [*found[state], then]
                waiting.append(then)
    assert len(found) == len(ACTIONS)
    return [found[state] for state in range(len(ACTIONS))]


@pytest.mark.parametrize("stack", [pytest.param(path, id=str(path[-1])) for path in paths()])
def test_no_name_of_the_grammar_reaches_a_user(stack: list[int]) -> None:
    where = expectations.situation(stack)
    if stack[-1] == END:
        return
    phrase = where.phrase
    assert phrase
    outside = re.sub(r"`[^`]*`", "", phrase)
    assert not re.search(r"[A-Z_$]{2,}|_", outside), phrase
    literal = {kind for row in ACTIONS for kind in row if not re.search("[A-Z]", kind)}
    for symbol in where.symbols:
        assert (
            symbol in expectations.NOUNS or symbol in literal or set(where.seen) & set(expectations.PHRASES)
        )


def test_every_phrase_is_about_a_situation() -> None:
    seen = {seen for row in SITUATIONS for seen, _ in row}
    assert set(expectations.PHRASES) <= seen


def machine() -> Machine:
    return Machine(EXPRESSIONS | STATEMENTS, GROWING, frozenset(STATEMENTS), 200)


LARK = grammar.lark_parser()
NAMES = {terminal.pattern.value: terminal.name for terminal in LARK.terminals}


def lark_index(kinds: list[str]) -> int:
    """Where lark's own parser stops."""
    interactive = LARK.parse_interactive()
    for index, kind in enumerate(kinds):
        try:
            interactive.feed_token(Token(NAMES.get(kind, kind), ""))
        except UnexpectedToken:
            return index
    return -1


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_machine_accepts_what_lark_accepts(name: str) -> None:
    lexer = Lexer(Source(name, PROGRAMS[name]))
    lexer.read()
    chance = random.Random(name)
    tokens = [
        (kind, value)
        for line in lexer.lines
        if not line.indent
        for kind, value in zip(line.kinds, line.values, strict=True)
    ]
    tokens = [one for one in tokens if not one[0].startswith(("RAW", "LINE", "BLOCK"))]
    for _ in range(150):
        start = chance.randrange(len(tokens))
        some = [*tokens[start : start + chance.randrange(1, 12)], *chance.choices(tokens, k=2)]
        chance.shuffle(some) if chance.random() < 0.3 else None
        first = next(
            (at for at, one in enumerate(tokens) if one[0] in ("let", "TARGET", "def", "param", "check")), 0
        )
        row = [*tokens[first : first + chance.randrange(1, 6)], *some]
        kinds = [kind for kind, _ in row]
        assert machine().feed(kinds, [value for _, value in row]) == lark_index(kinds)
