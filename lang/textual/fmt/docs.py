"""Documents: text with possible line breaks, and their layout in a width.

str        text on one line
Concat     parts one after the other
Group      parts whose `Line`s are either all spaces or all line ends; breaks if it doesn't fit
Chain      the same for operators: breaks in a broken group only, as a line end outside of brackets ends the statement
Nest       parts that are indented one step deeper in a broken group
Line       its `flat` text, or a line end
Trailing   text before a line end of a broken group, nothing in a flat one
Remark     a comment at the end of a line, which doesn't count as width
Rows       a string of several rows
Choice     one document if it fits flat, else another

A group fits if all text up to the next possible line break does. A document with a comment or a `HARD` line end is
`broken` from the start. Nothing recurses, and each decision looks at most a width ahead.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

WIDTH: Final = 100
"""The width in which lines are broken, and joined if they fit."""

WHOLE: Final = 120
"""The width up to which a line stays whole that its author has not broken."""

STEP: Final = 4


class Concat:
    __slots__ = ("broken", "parts")

    def __init__(self, parts: Iterable[Doc]) -> None:
        self.parts: list[Doc] = list(parts)
        self.broken = _breaks(self.parts)


class Group(Concat):
    __slots__ = ()


class Nest(Concat):
    __slots__ = ()


class Chain(Concat):
    """Operands and operators. `level` is the precedence. Operands after the first are a step deeper if `nested`."""

    __slots__ = ("level", "nested")

    def __init__(self, parts: Iterable[Doc], level: int) -> None:
        super().__init__(parts)
        self.level = level
        self.nested = True

    def extend(self, parts: list[Doc]) -> None:
        self.parts += parts
        self.broken = self.broken or _breaks(parts)


class Line:
    __slots__ = ("broken", "flat")

    def __init__(self, flat: str, *, broken: bool = False) -> None:
        self.flat = flat
        self.broken = broken


class Trailing:
    __slots__ = ("text",)
    broken = False

    def __init__(self, text: str) -> None:
        self.text = text


class Remark:
    __slots__ = ("text",)
    broken = True

    def __init__(self, text: str) -> None:
        self.text = text


class Rows:
    """A string of several rows: `first`, then `rows`.

    If `moves`, the rows are relative to a step below the line's indentation, except that a last row with only the
    `closing` quotes is relative to the indentation itself. Else they start in the first column."""

    __slots__ = ("closing", "first", "moves", "rows")
    broken = False

    def __init__(self, first: str, rows: list[str], *, moves: bool, closing: bool) -> None:
        self.first = first
        self.rows = rows
        self.moves = moves
        self.closing = closing

    def shifted(self, indent: int) -> list[str]:
        if not self.moves:
            return self.rows
        margin = " " * (indent + STEP)
        out = [margin + row if row else "" for row in self.rows]
        if self.closing:
            out[-1] = " " * indent + self.rows[-1]
        return out


class Choice:
    __slots__ = ("flat", "other")

    def __init__(self, flat: Concat, other: Doc) -> None:
        self.flat = flat
        self.other = other

    @property
    def broken(self) -> bool:
        return self.flat.broken


Doc = str | Concat | Line | Trailing | Remark | Rows | Choice

SOFT: Final = Line("")
SPACE: Final = Line(" ")
HARD: Final = Line("", broken=True)

_FLAT, _OUTSIDE, _INSIDE = 0, 1, 2
"""The modes of layout: on one line; broken and outside of brackets; broken and inside of brackets."""

Frame = tuple[int, int, Doc]


def _breaks(parts: Iterable[Doc]) -> bool:
    return any(not isinstance(part, str) and part.broken for part in parts)


def render(doc: Doc, indent: int, width: int = WIDTH) -> list[str]:
    """Return the lines of a document that starts at `indent`. The first line includes the indentation."""
    return _Layout(indent, width).lines(doc)


def flat(doc: Doc) -> str:
    """Return the text of a document on one line."""
    if isinstance(doc, str):
        return doc
    out: list[str] = []
    waiting: list[Any] = [doc]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            out.append(current)
        elif isinstance(current, Concat):
            waiting.extend(reversed(current.parts))
        elif isinstance(current, Choice):
            waiting.append(current.flat)
        elif isinstance(current, Line):
            out.append(current.flat)
    return "".join(out)


class _Layout:
    def __init__(self, indent: int, width: int) -> None:
        self._width = width
        self._done: list[str] = []
        self._line = [" " * indent]
        self._column = indent
        self._indent = indent
        self._stack: list[Frame] = []

    def lines(self, doc: Doc) -> list[str]:
        stack = self._stack
        stack.append((self._indent, _OUTSIDE, doc))
        while stack:
            indent, mode, current = stack.pop()
            if isinstance(current, str):
                self._text(current)
            elif isinstance(current, Concat):
                self._parts(current, indent, mode)
            elif isinstance(current, Line):
                if mode == _FLAT and not current.broken:
                    self._text(current.flat)
                else:
                    self._end_line(" " * indent)
            elif isinstance(current, Trailing):
                self._text(current.text if mode != _FLAT else "")
            elif isinstance(current, Remark):
                self._line.append(f"  {current.text}")
            elif isinstance(current, Rows):
                self._rows(current, indent)
            elif not current.flat.broken and self._fits(current.flat):
                stack.append((indent, _FLAT, current.flat))
            else:
                stack.append((indent, mode, current.other))
        self._end_line("")
        return self._done

    def _text(self, text: str) -> None:
        self._line.append(text)
        self._column += len(text)

    def _end_line(self, margin: str) -> None:
        self._done.append("".join(self._line))
        self._line = [margin]
        self._column = len(margin)

    def _rows(self, text_rows: Rows, indent: int) -> None:
        self._text(text_rows.first)
        for row in text_rows.shifted(indent):
            self._end_line(row)

    def _parts(self, document: Concat, indent: int, mode: int) -> None:
        """Push the parts of a document on the stack, each with its mode."""
        if isinstance(document, Nest):
            indent += STEP if mode != _FLAT else 0
        elif isinstance(document, Group):
            if mode != _FLAT:
                mode = _INSIDE if document.broken or not self._fits(document) else _FLAT
        elif isinstance(document, Chain) and mode != _FLAT:
            if mode == _OUTSIDE:
                self._stack.extend((indent, mode, _spaced(part)) for part in reversed(document.parts))
                return
            mode = _INSIDE if document.broken or not self._fits(document) else _FLAT
            if document.nested:
                indent += STEP
        self._stack.extend((indent, mode, part) for part in reversed(document.parts))

    def _fits(self, doc: Doc) -> bool:
        """Tell whether a document fits on the line, with the text after it up to the next possible line break."""
        room = self._width - self._column
        rest = len(self._stack)
        waiting: list[tuple[int, Doc]] = [(_FLAT, doc)]
        while room >= 0:
            if not waiting:
                rest -= 1
                if rest < 0:
                    return True
                # The document itself fits: go on with the text after it.
                waiting.append(self._stack[rest][1:])
            mode, current = waiting.pop()
            if isinstance(current, str):
                room -= len(current)
            elif isinstance(current, Chain) and mode == _OUTSIDE:
                waiting.extend((mode, _spaced(part)) for part in reversed(current.parts))
            elif isinstance(current, Concat):
                inner = _INSIDE if mode != _FLAT and isinstance(current, Group) else mode
                waiting.extend((inner, part) for part in reversed(current.parts))
            elif isinstance(current, Line):
                if mode != _FLAT or current.broken:
                    return True
                room -= len(current.flat)
            elif isinstance(current, Rows):
                return room >= len(current.first)
            elif isinstance(current, Trailing):
                room -= len(current.text) if mode != _FLAT else 0
            elif isinstance(current, Choice):
                waiting.append((mode, current.flat))
            elif isinstance(current, Remark):
                return True
        return False


def _spaced(part: Doc) -> Doc:
    """Return a part of a chain outside of brackets, where no line can be broken."""
    return part.flat if isinstance(part, Line) else part
