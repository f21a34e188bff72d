"""The diagnosis of a line that the parser can't read: one message per line."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import Diagnostic, Edit
from pybuild.lang.source import Span
from pybuild.lang.textual import habits, tree
from pybuild.lang.textual.expectations import Situation, situation
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.tables import ACTIONS
from pybuild.lang.textual.tokens import BODY, BODY_KINDS, TOP, WRONG, Line, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from pybuild.lang.textual.machine import Machine

_DASHED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)+")
_TEXTS: Final = frozenset(
    ("from", "workdir", "user", "volume", "tag", "stop_signal", "mkdir", "remove", "expose")
)
"""Statements that take one text."""
_LISTS: Final = frozenset(("cmd", "entrypoint", "exec", "shell", "healthcheck"))
"""Statements that take a list of words."""
_VALUES: Final = frozenset("([{") | {"STRING", "STRING_START", "NUMBER"}
"""Tokens that start a value which is no call."""


def place_of(parts: Iterable[Any]) -> Span:
    """Return the span from the first part with a place to the last."""
    spans: list[Span] = []
    for part in parts:
        if isinstance(part, list):
            spans += [part[0].span, part[-1].span]
        elif isinstance(part, Diagnostic):
            spans += [part.span] if part.span else []
        else:
            spans.append(part.span)
    a, b = spans[0], spans[-1]
    return Span(a.source, a.line, a.column, b.end_line, b.end_column)


def mistake(line: Line, failed: int, machine: Machine, *, top: bool) -> Diagnostic:
    """Return the message for a line.

    `failed` is the index of the token that isn't allowed at its place; `machine` is in the state before it. `top`
    is set for lines outside of blocks."""
    kind, value = line.kinds[failed], line.values[failed]
    bracket = kind == WRONG and value.code == "E0110"
    if line.unclosed is not None and not bracket and _before(line.unclosed.span, place_of([value])):
        return syntax.unclosed_bracket(line.unclosed.span, line.unclosed.text)
    first = line.values[0]
    if failed and isinstance(first, Word) and (meant := quoted(line)):
        return syntax.unquoted(*meant)
    if kind == WRONG:
        problem: Diagnostic = value
        return problem
    if failed == 0 or (not top and line.kinds[0] in _VALUES):
        return _first_word(line, top=top)
    if failed == 1 and not top and line.kinds[0] == "NAME":
        return _unknown_statement(line, first, machine)
    return _unexpected(line, failed, situation(machine.states))


def _before(a: Span, b: Span) -> bool:
    return (a.line, a.column) < (b.line, b.column)


def _first_word(line: Line, *, top: bool) -> Diagnostic:
    """Diagnose a line whose first token can't start a line here."""
    first = line.values[0]
    word = first.text if isinstance(first, Word) else ""
    if word in ("elif", "else") and not top:
        return syntax.misplaced(first.span, word, "here: there is no `if` above it with the same indentation")
    if top and word in BODY:
        return syntax.misplaced(
            first.span,
            word,
            "at the top level",
            help="statements stand in the body of a `target`, `test` or `def`",
        )
    if top and line.kinds[0] == "NAME":
        help = habits.at_top(word, _row(line))
        return syntax.unknown_statement(first.span, word, "a declaration", TOP, help)
    return syntax.unexpected(first.span, "a declaration" if top else "a statement", _token_label(line, 0))


def _unknown_statement(line: Line, first: Word, machine: Machine) -> Diagnostic:
    """Diagnose a line that starts with a word which is neither a statement nor a call. Suggestions are the
    statements that can continue as the line does."""
    word = first.text
    if word in TOP:
        return syntax.inside_body(first.span, word)
    if line.kinds[1] == "=":
        whole = _source_text(line)
        return syntax.unknown_assignment(first.span, word, whole)
    # The nearest state on the stack that can start a statement of a body.
    row = next(ACTIONS[state] for state in reversed(machine.states) if ACTIONS[state].get("mkdir", -1) >= 0)
    fitting = [
        keyword
        for keyword in BODY
        if keyword == "run" or line.kinds[1] in ACTIONS[row.get(BODY_KINDS[keyword], 0)]
    ]
    return syntax.unknown_statement(
        first.span, word, "a statement", fitting, habits.in_body(word, _row(line))
    )


def _row(line: Line) -> str:
    """Return the row in which a line starts, without its comment."""
    span: Span = line.values[0].span
    return span.source.line(span.line)[span.column - 1 :].partition(" #")[0].rstrip()


def _source_text(line: Line) -> str:
    """Return the text of a line if it is one short row, else an abbreviation."""
    first, last = line.values[0].span, place_of([line.values[-1]])
    text: str = first.source.line(first.line)[first.column - 1 :]
    return (
        text[: last.end_column - first.column]
        if last.end_line == first.line and len(text) < 80
        else f"{line.values[0].text} = …"
    )


def _unexpected(line: Line, failed: int, where: Situation) -> Diagnostic:
    kind, value = line.kinds[failed], line.values[failed]
    span = place_of([value])
    untyped = {"param: param NAME", "parameter: NAME"} & set(where.seen)
    if untyped and kind in ("_NL", "NAME", "STRING"):
        before = line.values[failed - 1].span
        place = Span(before.source, before.end_line, before.end_column, before.end_line, before.end_column)
        return syntax.missing_type(
            place, line.values[failed - 1].text, place.line == span.line and kind != "_NL"
        )
    if kind == "_NL" and ":" in where.symbols and not untyped and "entry: expr" not in where.seen:
        return syntax.missing_colon(span, f"to start the body of {_head(line)}")
    if {"suite", "block"} & set(where.symbols):
        return syntax.body_on_line(span, _head(line))
    help, edit = _habit(line, kind, span, where)
    if not help:
        help, edit = _other_words(line, failed, span, where)
    return syntax.unexpected(span, where.phrase, _token_label(line, failed), help=help, edit=edit)


def _habit(line: Line, kind: str, span: Span, where: Situation) -> tuple[str, Edit | None]:
    """Return help, and a correction, for habits of other languages."""
    if kind == "=" and line.kinds[0] in ("if", "elif", "check", "TARGET"):
        return "compare with `==`", Edit(span, "==")
    if kind == "{" and ":" in where.symbols:
        return f"a body is indented below {_head(line)[:-1]}:`, without braces", None
    if kind == "STRING" and "to" in where.symbols:
        return "write `to` before the destination", None
    if kind == "as" and line.kinds[0] == "from":
        return "what others start from is a target of its own: `target name:`", None
    return "", None


def _other_words(line: Line, failed: int, span: Span, where: Situation) -> tuple[str, Edit | None]:
    """Return help, and a correction, for names, operators and strings of other languages."""
    kind, before = line.kinds[failed], line.values[failed - 1]
    text = span.source.line(span.line)[span.column - 1 :]
    word = before.text if isinstance(before, Word) and line.kinds[failed - 1] == "NAME" else ""
    if word and (kind == "ADDOP" or text[:1] == "-") and (name := _DASHED.match(f"{word}{text}")):
        return f"names have `_` for `-`: `{name.group().replace('-', '_')}`", None
    if kind == "CMP" and "=" in where.symbols and text.startswith("=="):
        return "write `=`", Edit(span, "=")
    if text.startswith("||"):
        return "write `or`", None
    if kind == "NAME" and text.startswith("is "):
        return "compare with `==`", None
    adjacent = bool(word) and before.span.end_column == span.column
    if word in ("f", "b", "u") and adjacent and kind in ("STRING", "STRING_START"):
        return "every string takes `${{name}}`", None
    if word == "lambda":
        return "functions have names: `def NAME(PARAMETERS) -> TYPE:`", None
    return "", None


def quoted(line: Line) -> tuple[Span, str, str] | None:
    """Find the unquoted text of a one-line statement.

    Returns the place of the text, the statement's word, and the text as it should be written; None if it isn't
    one."""
    first, last = line.values[0].span, place_of(line.values[-1:])
    if last.end_line != first.line or line.unclosed:
        return None
    row = first.source.line(first.line)
    rest = row[first.end_column - 1 :].partition(" #")[0].strip()
    if (
        not rest
        or not row[first.end_column - 1 :].startswith(" ")
        or re.search(r"""["'`“”„‘’\[\](){}$=,\\]""", rest)
    ):
        return None
    word = line.values[0].text
    words = rest.split()
    if word in _TEXTS and len(words) == 1:
        correction = f'"{rest}"'
    elif word in _LISTS:
        correction = f"[{_strings(words)}]"
    elif word == "copy" and len(words) > 1 and "to" not in words and "from" not in words:
        correction = f"{_strings(words[:-1])} to {_strings(words[-1:])}"
    else:
        return None
    start = row.index(rest, first.end_column - 1) + 1
    return Span(first.source, first.line, start, first.line, start + len(rest)), word, correction


def _strings(words: list[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _head(line: Line) -> str:
    """Return the title of a header: its word, with its name if it has one."""
    word = line.values[0].text
    named = word in ("target", "test", "def") and len(line.kinds) > 1 and line.kinds[1] == "NAME"
    return f"`{word} {line.values[1].text}`" if named else f"`{word}`"


def _token_label(line: Line, index: int) -> str:
    """Return the label for the token that doesn't fit."""
    kind, value = line.kinds[index], line.values[index]
    if kind == "_NL":
        return "the line ends here"
    if isinstance(value, Word) and re.fullmatch(r"\S{1,40}", value.text) and kind != "STRING_START":
        return f"found `{value.text}`"
    if isinstance(value, tree.Number):
        return "found a number"
    if isinstance(value, tree.Script):
        return "found a script"
    return "found a string"
