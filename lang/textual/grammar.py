"""Generate the parsing tables from grammar.lark: `python -m pybuild.lang.textual.grammar` writes tables.py and
situations.py.

The analysis is lark's LALR analysis, which takes a tenth of a second; the parser needs the tables only. A grammar
with conflicts is refused.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from attrs import frozen
from lark import Lark
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import LALR_Analyzer, Shift

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

HERE = Path(__file__).parent
_NOTE = "Generated from grammar.lark by `python -m pybuild.lang.textual.grammar`."


@frozen
class Tables:
    """The tables. States are numbered from the start state, 0. Terminals have the names of `%declare`, or are their
    text.

    `actions`: for each state, the action by terminal: the next state, or `~rule` to reduce. `gotos`: for each
    state, the next state by nonterminal. `rules`: nonterminal, size and the name of the builder; no name if the
    rule's only part is its value. `end`: the accepting state. `situations`: for each state, the parts read of
    incomplete rules (`rule: seen …`) and the symbol that comes next."""

    actions: tuple[dict[str, int], ...]
    gotos: tuple[dict[str, int], ...]
    rules: tuple[tuple[str, int, str], ...]
    end: int
    situations: tuple[tuple[tuple[str, str], ...], ...]


class _NoLexer(Lexer):
    def __init__(self, conf: object) -> None:
        pass

    def lex(self, lexer_state: object, parser_state: object) -> Iterator[Any]:
        return iter(())


def lark_parser() -> Lark:
    """Return lark's parser of the grammar, without a lexer. Raises GrammarError if the grammar has a conflict."""
    text = (HERE / "grammar.lark").read_text()
    return Lark(text, parser="lalr", lexer=_NoLexer, keep_all_tokens=True, strict=True)


def tables() -> Tables:
    parser = lark_parser()
    words = {terminal.name: terminal.pattern.value for terminal in parser.terminals}
    analysis = LALR_Analyzer(parser.parser.parser.parser_conf, debug=True, strict=True)
    analysis.compute_lalr()  # type: ignore[no-untyped-call]
    table = analysis.parse_table
    states = _in_order(table.states, table.start_states["start"])
    numbers = {state: number for number, state in enumerate(states)}
    rules: dict[tuple[str, int, str], int] = {}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for state in states:
        actions.append({})
        gotos.append({})
        for name, (action, then) in sorted(table.states[state].items()):
            if action is not Shift:
                actions[-1][words.get(name, str(name))] = ~rules.setdefault(_rule(then), len(rules))
            elif name.isupper() or name == "$END":
                actions[-1][words.get(name, str(name))] = numbers[then]
            else:
                gotos[-1][str(name)] = numbers[then]
    return Tables(
        actions=tuple(actions),
        gotos=tuple(gotos),
        rules=tuple(rules),
        end=numbers[table.end_states["start"]],
        situations=tuple(_situation(state, words) for state in states),
    )


def _in_order(states: Any, start: Any) -> list[Any]:
    """Return the states in the order of a breadth-first walk by sorted symbols: lark's own order is not stable."""
    ordered = {start: None}
    waiting = [start]
    for state in waiting:
        for _, (action, then) in sorted(states[state].items()):
            if action is Shift and then not in ordered:
                ordered[then] = None
                waiting.append(then)
    return list(ordered)


def _rule(rule: Any) -> tuple[str, int, str]:
    size = len(rule.expansion)
    passes = size == 1 and rule.options.expand1 and not rule.alias
    origin = str(rule.origin.name)
    return origin, size, "" if passes else str(rule.alias or origin)


def _situation(state: Any, words: dict[str, str]) -> tuple[tuple[str, str], ...]:
    out = set()
    for item in state:
        if (item.index or item.rule.origin.name in ("start", "$root_start")) and not item.is_satisfied:
            symbols = [words.get(symbol.name, str(symbol.name)) for symbol in item.rule.expansion]
            out.add(
                (f"{item.rule.origin.name}: {' '.join(symbols[: item.index])}".strip(), symbols[item.index])
            )
    return tuple(sorted(out))


def sources() -> dict[str, str]:
    """Return the text of the generated modules by file name."""
    generated = tables()
    head = f'"""{_NOTE}"""\n\n# ruff: noqa\n# fmt: off\n\nfrom __future__ import annotations\n\n'
    rules = fill(" ".join(f"{rule!r},".replace(" ", "") for rule in generated.rules), 110)
    situations = "".join(f"    {entry!r},\n" for entry in generated.situations)
    return {
        "tables.py": f"{head}{_rows('ACTIONS', generated.actions)}\n{_rows('GOTOS', generated.gotos)}\n"
        f"RULES = (\n{rules}\n)\nEND = {generated.end}\n",
        "situations.py": f"{head}SITUATIONS = (\n{situations})\n",
    }


def _rows(name: str, table: tuple[dict[str, int], ...]) -> str:
    """Return a table as source, with equal rows written once."""
    rows = list(dict.fromkeys(tuple(row.items()) for row in table))
    numbers = {row: number for number, row in enumerate(rows)}
    text = "".join(f"    {dict(row)!r},\n" for row in rows)
    order = tuple(numbers[tuple(row.items())] for row in table)
    return f"_{name}: tuple[dict[str, int], ...] = (\n{text})\n{name} = tuple(_{name}[row] for row in {order!r})\n"


if __name__ == "__main__":
    for name, text in sources().items():
        (HERE / name).write_text(text)
