"""The possible continuations at every state of the parser, in words.

`PHRASES` has a phrase for what has been read of a rule. Where it has none, `NOUNS` names each possible next
symbol.
"""

from __future__ import annotations

from pybuild.lang.textual.situations import SITUATIONS
from pybuild.lang.textual.tables import ACTIONS, GOTOS, RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_END: Final = "the end of the line"
_VALUE: Final = "a value"
_OPTION: Final = "an option such as `name=value`"
_OPTIONS: Final = f"`,` and an option, or {_END}"

NOUNS: Final = {
    **dict.fromkeys(("expr", "or_expr", "and_expr", "not_expr", "sum", "term", "unary"), "an expression"),
    **dict.fromkeys(("exprs", "elements", "item", "items"), "an expression"),
    **dict.fromkeys(("args",), "an argument"),
    **dict.fromkeys(("opt", "opts"), _OPTION),
    **dict.fromkeys(("entry", "entries"), 'an entry such as `"key": value`'),
    **dict.fromkeys(("pair", "pairs"), 'a label such as `"key" = value`'),
    **dict.fromkeys(("params", "parameter"), "a parameter such as `name: str`"),
    **dict.fromkeys(("pieces", "piece"), "text"),
    **dict.fromkeys(("decl", "decls", "start"), "a declaration"),
    **dict.fromkeys(("stmt", "stmts"), "a statement"),
    **dict.fromkeys(("suite", "block", "_INDENT"), "an indented block"),
    **dict.fromkeys(("STRING_END", "LINE_END", "BLOCK_END"), "the end of the text"),
    "_DEDENT": "the end of the block",
    "_NL": _END,
    "line": "a script",
    "string": "a string",
    "type": "a type",
    "NAME": "a name",
    "CMP": "a comparison",
    "ADDOP": "`+` or `-`",
    "MULOP": "`*`, `//` or `%`",
    **dict.fromkeys(("axes", "axis_for"), "`for`"),
    "axis_if": "`if`",
}
"""Names of symbols in messages. A symbol that isn't listed is quoted in backticks."""

PHRASES: Final = {
    "$root_start:": "a declaration",
    "atom: [": "an expression or `]`",
    "atom: {": 'an entry such as `"key": value`, or `}`',
    "atom: { entry axes": "`for`, `if` or `}`",
    "axes: axes": "`for`, `if` or the end of the list",
    "axis_for: for": "the name of the axis",
    "axis_for: for NAME": "`in` and the list to go over",
    "axis_for: for NAME in": "the list to go over",
    "axis_if: if": "a condition",
    "branches: if": "a condition",
    "branches: branches elif": "a condition",
    "call: postfix": f"arguments in `( )`, or {_END}",
    "check: check": "a condition",
    "check: check expr": f"`,` and a message, or {_END}",
    "check: check expr ,": "a message",
    "comparison: sum not": "`in` after `not`",
    "copy: copy": "what to copy",
    "copy: copy exprs": "`to` and a destination",
    "copy: copy exprs from": "what to copy from",
    "copy: copy exprs from expr": "`to` and a destination",
    "copy: copy exprs from expr to": "a destination",
    "copy: copy exprs from expr to expr": _OPTIONS,
    "copy: copy exprs to": "a destination",
    "copy: copy exprs to expr": _OPTIONS,
    "def: def": "the name of the function",
    "def: def NAME": "`(` and the parameters",
    "def: def NAME (": "a parameter such as `name: str`, or `)`",
    "def: def NAME ( ) ->": "the type of the result",
    "def: def NAME ( params ) ->": "the type of the result",
    "default: default": "the name of a target",
    "entry: expr": "`:` and the value of the entry",
    "entry: expr :": "the value of the entry",
    "env: env": "a variable such as `NAME = value`",
    "exec: exec": 'a list such as `["prog", "arg"]`',
    "expr: or_expr if": "a condition",
    "expr: or_expr if or_expr": "`else` and the other value",
    "expr: or_expr if or_expr else": "the other value",
    "for: for": "a name for the items",
    "for: for NAME": "`in` and the list to go over",
    "for: for NAME in": "the list to go over",
    "from: from": "an image, a target or another state",
    "from: from expr": f"`on` and a platform, or {_END}",
    "from: from expr on": "a platform",
    "from: from expr on expr": _OPTIONS,
    "group: group": "the name of the group",
    "group: group NAME": "`=` and a list of targets",
    "group: group NAME =": "a list of targets",
    "healthcheck: healthcheck": 'a list such as `["prog", "arg"]`, or `"none"`',
    "healthcheck: healthcheck expr": _OPTIONS,
    "ignore: ignore": "a pattern",
    "label: LABEL": 'a label such as `"key" = value`',
    "label: LABEL expr": _END,
    "let: let": "a name",
    "let: let NAME": "`=` and a value",
    "let: let NAME =": _VALUE,
    "mkdir: mkdir": "a path",
    "opt: NAME": "`=` and a value",
    "opt: NAME =": _VALUE,
    "output: output": "what to write out",
    "output: output exprs to": "a destination",
    "output: output exprs": "`to` and a destination",
    "output: output exprs to expr": _OPTIONS,
    "pair: string": "`=` and a value",
    "pair: string =": _VALUE,
    "param: param": "the name of the param",
    "param: param NAME": "`:` and a type",
    "param: param NAME :": "a type",
    "param: param NAME : type": f"`=` and a default, or {_END}",
    "param: param NAME : type =": "a default",
    "parameter: NAME": "`:` and a type",
    "parameter: NAME :": "a type",
    "parameter: NAME : type =": "a default",
    "piece: ${{": "an expression",
    "piece: ${{ expr": "`}}` to close `${{`",
    "postfix: postfix (": "an argument or `)`",
    "postfix: postfix .": "the name of a member",
    "postfix: postfix [": "an index such as `0`, or `axis=value`",
    "remove: remove": "a path",
    "return: return": _VALUE,
    "simple: SIMPLE": _VALUE,
    "symlink: symlink": "what the link points to",
    "symlink: symlink expr": "`to` and the path of the link",
    "symlink: symlink expr to": "the path of the link",
    "symlink: symlink expr to expr": _OPTIONS,
    "target: TARGET": "the name of the target",
    "target: TARGET NAME axes on": "a platform",
    "target: TARGET NAME on": "a platform",
    "type: NAME [": "the type of the items",
    "use: use": "the name of a module, or its path in quotes",
    "use: use NAME as": "a name for the module",
    "use: use string": "`as` and a name for the module",
    "use: use string as": "a name for the module",
    "with: with": 'an option such as `cache("/path")`',
    "write: write": "`to` and a path, or the text to write",
    "write: write expr": "`to` and a path",
    "write: write expr to": "a path",
    "write: write expr to expr": _OPTIONS,
    "write: write to": "a path",
    "write: write to expr": "`:` and an indented block",
    "write: write to expr , opts": "`:` and an indented block",
}
"""The expected continuation, by the part of a rule that has been read."""


class Situation:
    """The position of the parser.

    `seen` are the rules it may be in, each with the part that has been read; `symbols` may come next; `start` is
    the stack index of the first part of the rule."""

    __slots__ = ("seen", "start", "symbols")

    def __init__(self, seen: tuple[str, ...], symbols: tuple[str, ...], start: int) -> None:
        self.seen = seen
        self.symbols = symbols
        self.start = start

    @property
    def phrase(self) -> str:
        """A phrase that completes `expected …`."""
        # The longest one is the most specific.
        for seen in sorted(self.seen, key=len, reverse=True):
            if seen in PHRASES:
                return PHRASES[seen]
        words = list(
            dict.fromkeys(NOUNS.get(symbol, f"`{symbol}`") for symbol in sorted(self.symbols, key=_order))
        )
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _order(symbol: str) -> tuple[bool, bool, str]:
    return symbol in ("_NL", "_DEDENT"), symbol in NOUNS, symbol


def situation(states: Sequence[int]) -> Situation:
    """Return the situation of a stack of states after all possible reductions."""
    stack = list(states)
    commas: set[str] = set()
    while True:
        row = ACTIONS[stack[-1]]
        reductions = sorted(
            {~action for action in row.values() if action < 0 and RULES[~action][0] != "start"}
        )
        items = SITUATIONS[stack[-1]]
        if not reductions:
            longest = max((len(seen.split()) - 1 for seen, _ in items), default=0)
            symbols = {symbol for _, symbol in items} | commas
            return Situation(
                tuple(seen for seen, _ in items), tuple(sorted(symbols)), len(stack) - 1 - longest
            )
        # A reduction leaves the list that a comma would continue; the message should still offer it.
        commas.update(symbol for _, symbol in items if symbol in (",", "|"))
        origin, size, _ = RULES[reductions[0]]
        if size:
            del stack[-size:]
        stack.append(GOTOS[stack[-1]][origin])
