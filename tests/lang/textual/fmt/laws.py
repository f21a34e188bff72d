"""What formatting must keep: the meaning of a file, as plain values that two files can be compared by."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import fields

from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt import format_source
from pybuild.lang.textual.lexer import Lexer
from pybuild.lang.textual.parse import parse
from pybuild.lang.textual.trivia import is_header

_IGNORED = ("span", "header", "op_span", "start", "source", "indent")

_NO_WORDS = frozenset("TEXT STRING_END LINE_END BLOCK_END ADDOP MULOP CMP and or not in if else".split())


def formatted(text: str) -> str:
    return format_source("build.pybuild", text.encode())


def parsed(text: str) -> tree.File:
    found = parse(Source("build.pybuild", text))
    assert not [one for one in found.diagnostics if one.level == "error"], text
    return found.file


def meaning(text: str) -> object:
    """The tree without places, quotes and what the formatter may change: the order of `use` lines, the list of a
    `with`, the form of a script."""
    file = parsed(text)
    uses = sorted(str(_value(one)) for one in file.decls if isinstance(one, tree.Use))
    others = [_value(one) for one in file.decls if not isinstance(one, tree.Use)]
    return (file.header.reference if file.header else None, uses, others)


def _value(node: object) -> object:
    if isinstance(node, tree.Run):
        return "run", _script(node.script)
    if isinstance(node, tree.With) and len(node.options) == 1 and isinstance(node.options[0], tree.List):
        return "With", [_value(one) for one in node.options[0].items], _value(node.body)
    if isinstance(node, tree.Node):
        kept = (one.name for one in fields(type(node)) if one.name not in _IGNORED)
        return type(node).__name__, *(_value(getattr(node, name)) for name in kept)
    if isinstance(node, tuple):
        return [_value(one) for one in node]
    return node


def _script(script: tree.Script) -> tuple[bool, list[object]]:
    """What is run, and whether it is a file."""
    parts: list[object] = [
        part.value if isinstance(part, tree.ScriptText) else _value(part) for part in script.parts
    ]
    first, last = parts[0], parts[-1]
    is_file = script.block and isinstance(first, str) and first.startswith("#!")
    if script.block and not is_file and isinstance(last, str) and not last.endswith("\\\n"):
        parts[-1:] = [last.removesuffix("\n")] if last != "\n" else []
    return is_file, parts


def comments(text: str) -> list[tuple[int, str]]:
    """Each comment but the header with the number of words before it: names, literals and keywords, not operators
    and not scripts. A comment behind an operator comes to stand before it."""
    lexer = Lexer(Source("build.pybuild", text))
    lexer.read()
    words = sorted(
        (value.span.line, value.span.column)
        for line in lexer.lines
        for kind, value in zip(line.kinds, line.values, strict=True)
        if kind[0].isalpha() and kind not in _NO_WORDS
    )
    return list(_counted(lexer.comments, words))


def _counted(found: list[tree.Comment], words: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    at = 0
    for comment in found:
        if (comment.span.line, comment.span.column) == (1, 1) and is_header(comment.text):
            continue
        while at < len(words) and words[at] < (comment.span.line, comment.span.column):
            at += 1
        yield at, comment.text.rstrip()
