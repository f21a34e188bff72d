"""Files of the project, and the statements of their top level by the names they bind."""

from __future__ import annotations

import ast
import functools
import os

from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INSTALLED = ("site-packages", "dist-packages")


class Project:
    """The directory with the user's files. `texts` are the texts of files that are not on disk, by the file name in
    their code."""

    __slots__ = ("_directory", "_files", "_texts")

    def __init__(self, directory: str, texts: Mapping[str, str]) -> None:
        self._directory = os.path.realpath(directory)
        self._texts = texts
        self._files: dict[str, PythonFile | None] = {}

    def path(self, filename: str) -> str | None:
        """Return a file's path relative to the project; None if it isn't the user's.

        Files outside the project, of the interpreter, and of installed packages aren't the user's.
        """
        if not filename or filename.startswith("<"):
            return None
        inside = os.path.relpath(os.path.realpath(filename), self._directory)
        parts = inside.split(os.sep)
        if parts[0] == ".." or os.path.isabs(inside) or not set(parts).isdisjoint(_INSTALLED):
            return None
        return None if os.path.realpath(filename).startswith(_interpreter()) else inside.replace(os.sep, "/")

    def file(self, filename: str) -> PythonFile | None:
        """Return the user's file with this name; None if it isn't the user's or its text isn't available."""
        if filename not in self._files:
            path = self.path(filename)
            self._files[filename] = None if path is None else self._read(filename, path)
        return self._files[filename]

    def _read(self, filename: str, path: str) -> PythonFile | None:
        text = self._texts.get(filename)
        if text is None:
            import tokenize

            try:
                with tokenize.open(filename) as file:
                    text = file.read()
            except (OSError, SyntaxError, UnicodeDecodeError):
                return None
        try:
            return PythonFile(path, text.replace("\r\n", "\n"))
        except (SyntaxError, ValueError):
            return None


@functools.cache
def _interpreter() -> tuple[str, ...]:
    """Return the directories of the interpreter's own modules."""
    import sysconfig

    paths = sysconfig.get_paths()
    return tuple(os.path.join(os.path.realpath(paths[one]), "") for one in ("stdlib", "platstdlib"))


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Import = ast.Import | ast.ImportFrom


class PythonFile:
    """The text of a file and its syntax tree. `path` is relative to the project. Raises SyntaxError."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.source = Source(path, text)
        self.tree = ast.parse(text)
        self._lines = [line + "\n" for line in text.split("\n")]
        self._binding: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for name in bound(statement):
                self._binding.setdefault(name, []).append(statement)

    def binding(self, name: str) -> list[ast.stmt]:
        """Return the statements of the top level that bind the name, in order."""
        return self._binding.get(name, [])

    @property
    def names(self) -> list[str]:
        """All names that the top level binds."""
        return list(self._binding)

    def inner(self, name: str, line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the `def` of this name whose first line, decorators included, is `line`."""
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name == name
                and first_line(node) == line
            ):
                return node
        return None

    def text(self, node: ast.stmt) -> str:
        """Return the statement's text, ending with a newline; includes its indentation if it is first on its line."""
        assert node.end_lineno is not None
        lines = list(self._lines[first_line(node) - 1 : node.end_lineno])
        lines[-1] = lines[-1].encode()[: node.end_col_offset].decode()
        if first_line(node) == node.lineno:
            before = lines[0].encode()[: node.col_offset].decode()
            lines[0] = lines[0] if not before.strip() else lines[0].encode()[node.col_offset :].decode()
        return "".join(lines) + "\n"

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> Span:
        end_line = node.end_lineno or node.lineno
        end = node.end_col_offset if node.end_col_offset is not None else node.col_offset
        return Span(
            self.source,
            node.lineno,
            self.column(node.lineno, node.col_offset),
            end_line,
            self.column(end_line, end),
        )

    def heading(self, node: ast.stmt) -> Span:
        """Return a short place for a statement: the name of a definition, else its first line."""
        line = self.source.line(node.lineno)
        if isinstance(node, Definition):
            start = line.find(node.name, node.col_offset)
            if start >= 0:
                return Span(self.source, node.lineno, start + 1, node.lineno, start + 1 + len(node.name))
        start = len(line) - len(line.lstrip())
        return Span(self.source, node.lineno, start + 1, node.lineno, max(len(line.rstrip()), start) + 1)

    def column(self, line: int, offset: int) -> int:
        """Return the column for an offset in bytes, which the interpreter counts."""
        return len(self.source.line(line).encode()[:offset].decode(errors="replace")) + 1


def first_line(node: ast.stmt) -> int:
    """Return the first line of a statement, decorators included."""
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def bound(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds in its scope."""
    if isinstance(node, Definition):
        yield node.name
    elif isinstance(node, Import):
        for alias in node.names:
            yield bound_by(node, alias)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id
    elif type(node).__name__ == "TypeAlias":
        yield node.name.id  # type: ignore[attr-defined]
    else:
        yield from _bound_inside(node)


def _bound_inside(node: ast.AST) -> Iterator[str]:
    """Yield the names that the parts and nested statements of a block bind."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from bound(child)
        elif isinstance(child, ast.Name):
            if isinstance(child.ctx, ast.Store):
                yield child.id
        elif not isinstance(child, ast.Lambda):
            yield from _bound_inside(child)


def bound_by(node: Import, alias: ast.alias) -> str:
    """Return the name that one part of an import binds."""
    if alias.asname is not None:
        return alias.asname
    return alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name
