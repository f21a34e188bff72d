"""Finds the spans of calls, of their arguments and of functions in the user's files.

The interpreter knows the place of every call that it executes (`code.co_positions`, PEP 657); the file's syntax tree
has the places of its arguments. Where these can't be told, the span is that of the whole call, or of its line.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys

from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FrameType, TracebackType

_Range = tuple[int, int, int, int]
"""First and last line, from 1; first and last column, from 0, in bytes of UTF-8."""


class Site:
    """A call in a file. `span` covers the last name of the function and its arguments: `run("x")` of `t.run("x")`."""

    __slots__ = ("_call", "_file", "assigned", "span")

    def __init__(self, file: SourceFile, span: Span, call: ast.Call | None = None) -> None:
        self._file = file
        self._call = call
        self.span = span
        self.assigned = file.assigned(call) if call is not None else ""
        """The variable that the result is assigned to, "" if it is used in another way."""

    def positional(self, at: int) -> Span:
        """Return the place of a positional argument, counted from 0; of the call if that can't be told."""
        arguments = self._call.args if self._call is not None else []
        if at >= len(arguments) or any(isinstance(one, ast.Starred) for one in arguments[: at + 1]):
            return self.span
        return self._file.span(arguments[at])

    def entry(self, at: int, key: str) -> Span:
        """Return the place of a dict's value for a key, if the positional argument `at` is a dict display; else the
        argument's."""
        arguments = self._call.args if self._call is not None else []
        argument = arguments[at] if at < len(arguments) else None
        if isinstance(argument, ast.Dict):
            for name, value in zip(argument.keys, argument.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == key:
                    return self._file.span(value)
        return self.positional(at)

    def named(self, name: str) -> Span:
        """Return the place of the value of a named argument; of the call if that can't be told."""
        keyword = self._keyword(name)
        return self.span if keyword is None else self._file.span(keyword.value)

    def keyword(self, name: str) -> Span:
        """Return the place of the name of a named argument; of the call if that can't be told."""
        keyword = self._keyword(name)
        return self.span if keyword is None else self._file.name_of(keyword, name)

    def _keyword(self, name: str) -> ast.keyword | None:
        keywords = self._call.keywords if self._call is not None else []
        return next((one for one in keywords if one.arg == name), None)

    @property
    def call(self) -> ast.Call | None:
        """The call's syntax tree, None if it isn't known."""
        return self._call


class SourceFile:
    """A Python file with an index of its calls and functions."""

    __slots__ = ("_assigned", "_calls", "_functions", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self._calls: dict[_Range, ast.Call] | None = None
        self._functions: dict[tuple[int, str], ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self._assigned: dict[ast.Call, str] = {}

    def _index(self) -> dict[_Range, ast.Call]:
        """Return the calls of the file by their places, and index its functions and assignments as well."""
        if self._calls is None:
            self._calls = {}
            try:
                nodes = list(ast.walk(ast.parse(self.source.text)))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                nodes = []
            for node in nodes:
                if isinstance(node, ast.Call):
                    self._calls[_range(node)] = node
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    # A code object's first line is that of its first decorator.
                    first = min((one.lineno for one in node.decorator_list), default=node.lineno)
                    self._functions[first, node.name] = node
                elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                    self._assign(node.targets[0], node.value)
        return self._calls

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name) and isinstance(value, ast.Call):
            self._assigned[value] = target.id
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, of in zip(target.elts, value.elts, strict=False):
                self._assign(one, of)

    def assigned(self, call: ast.Call) -> str:
        """Return the variable that a call's result is assigned to, or ""."""
        return self._assigned.get(call, "")

    def call(self, place: _Range) -> Site:
        """Return the call at a place that the interpreter reports."""
        node = self._index().get(place)
        if node is None:
            return Site(self, self.first_line(place))
        name = node.func
        if isinstance(name, ast.Attribute) and name.end_lineno and name.end_col_offset:
            start = (name.end_lineno, name.end_col_offset - len(name.attr.encode()))
            return Site(self, self._span((start[0], place[1], start[1], place[3])), node)
        return Site(self, self._span(place), node)

    def span(self, node: ast.expr) -> Span:
        return self._span(_range(node))

    def name_of(self, keyword: ast.keyword, name: str) -> Span:
        start = self._column(keyword.lineno, keyword.col_offset)
        return Span(self.source, keyword.lineno, start, keyword.lineno, start + len(name))

    def first_line(self, place: _Range) -> Span:
        """Return the part of a place that lies on its first line."""
        span = self._span(place)
        if span.end_line == span.line:
            return span
        return Span(self.source, span.line, span.column, span.line, self.line(span.line).end_column)

    def name(self, code: CodeType) -> Span:
        """Return the place of a function's name; for code of no `def`, the place of its line."""
        self._index()
        node = self._functions.get((code.co_firstlineno, code.co_name))
        if node is None:
            return self.line(code.co_firstlineno)
        text = self.source.line(node.lineno)
        # Search after `def`, in case the name occurs in it.
        start = text.find(node.name, len(text.encode()[: node.col_offset].decode(errors="replace")) + 3)
        if start < 0:
            return self.line(node.lineno)
        return Span(self.source, node.lineno, start + 1, node.lineno, start + 1 + len(node.name))

    def line(self, number: int) -> Span:
        """Return the place of a line without its indentation."""
        text = self.source.line(number)
        start = len(text) - len(text.lstrip())
        return Span(self.source, number, start + 1, number, max(len(text.rstrip()), start) + 1)

    def _span(self, place: _Range) -> Span:
        first, last, start, end = place
        return Span(self.source, first, self._column(first, start), last, self._column(last, end))

    def _column(self, line: int, offset: int) -> int:
        return len(self.source.line(line).encode()[:offset].decode(errors="replace")) + 1


def _range(node: ast.expr) -> _Range:
    return (
        node.lineno,
        node.end_lineno or node.lineno,
        node.col_offset,
        node.end_col_offset or node.col_offset,
    )


def _whole(place: tuple[int | None, int | None, int | None, int | None]) -> _Range | None:
    first, last, start, end = place
    if first is None or last is None or start is None or end is None:
        return None
    return first, last, start, end


class Files:
    """The Python files of one run of a build module, each read once."""

    __slots__ = ("_files", "_positions")

    def __init__(self) -> None:
        self._files: dict[str, SourceFile] = {}
        self._positions: dict[int, tuple[CodeType, list[_Range | None]]] = {}

    def add(self, filename: str, source: Source) -> None:
        """Set the text of a file, by the file name in its code objects."""
        self._files[filename] = SourceFile(source)

    def knows(self, filename: str) -> bool:
        """True if the text of the file was set."""
        return filename in self._files

    def texts(self) -> dict[str, str]:
        """Return the texts that were set or read, by file name."""
        return {name: file.source.text for name, file in self._files.items()}

    def of(self, filename: str) -> SourceFile:
        """Return a file, read from disk unless its text was set."""
        file = self._files.get(filename)
        if file is None:
            linecache.checkcache(filename)
            source = Source(shown_name(filename), "".join(linecache.getlines(filename)))
            file = self._files[filename] = SourceFile(source)
        return file

    def _place(self, code: CodeType, at: int) -> _Range | None:
        """Return the place of an instruction."""
        positions = self._positions.get(id(code))
        if positions is None:
            # Holding the code keeps its id from being used again. It is no key itself, as codes are compared
            # by value.
            positions = self._positions[id(code)] = (code, [*map(_whole, code.co_positions())])
        # `at` is a byte offset, and instructions take two bytes, each with an entry of its own.
        return positions[1][at // 2] if 0 <= at // 2 < len(positions[1]) else None

    def site(self, frame: FrameType) -> Site:
        """Return the call that a frame is executing."""
        file = self.of(frame.f_code.co_filename)
        place = self._place(frame.f_code, frame.f_lasti)
        return Site(file, file.line(frame.f_lineno)) if place is None else file.call(place)

    def raising(self, trace: TracebackType) -> Site:
        """Return the call that the frame of a traceback was executing."""
        file, code = self.of(trace.tb_frame.f_code.co_filename), trace.tb_frame.f_code
        place = self._place(code, trace.tb_lasti)
        return Site(file, file.line(trace.tb_lineno)) if place is None else file.call(place)

    def here(self) -> Site:
        """Return the running call of the API: that of the innermost frame of user code."""
        return self.site(caller())


def occurrences(span: Span, texts: Sequence[str]) -> list[Span]:
    """Return the places of texts that occur one after another within a span; the whole span for one that isn't
    found."""
    spans: list[Span] = []
    line, column = span.line, span.column - 1
    for text in texts:
        place = _find(span, text, line, column)
        if place is None:
            spans.append(span)
            continue
        line, column = place
        spans.append(Span(span.source, line, column + 1, line, column + 1 + len(text)))
        column += len(text)
    return spans


def _find(span: Span, text: str, line: int, column: int) -> tuple[int, int] | None:
    for number in range(line, span.end_line + 1):
        shown = span.source.line(number)
        end = span.end_column - 1 if number == span.end_line else len(shown)
        at = shown.find(text, column if number == line else 0, end)
        if at >= 0:
            return number, at
    return None


def caller() -> FrameType:
    """Return the innermost frame of user code."""
    frame: FrameType | None = sys._getframe(1)
    last = frame
    while frame is not None and is_own(frame):
        last, frame = frame, frame.f_back
    assert last is not None
    return frame if frame is not None else last


def is_own(frame: FrameType) -> bool:
    """True if a frame belongs to pybuild, or to `contextlib`, which pybuild's context managers run through."""
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and (
        name == "pybuild" or name.startswith("pybuild.") or name == "contextlib"
    )


def shown_name(filename: str) -> str:
    """Return a file name for messages: relative to the current directory if the file is below it."""
    if not os.path.isabs(filename):
        return filename
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative
