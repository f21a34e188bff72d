"""The origin of an exception that a package's frontend lets through."""

from __future__ import annotations

import linecache

from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import FrameSummary
    from types import TracebackType

_OURS = "pybuild"
_LOADER = "importlib"


def is_of_machine(error: BaseException) -> bool:
    """Report whether an exception that a package lets through is no fault of it: the store or the disk failed
    while the bridge answered it, or memory ran out. A missing file is a fault: the package asked for it."""
    from sqlite3 import DatabaseError

    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, OSError | DatabaseError) or isinstance(error, FileNotFoundError):
        return False
    names = _module_names(error.__traceback__)
    return bool(names) and names[-1].partition(".")[0] == _OURS


def place_of(error: BaseException, module: str) -> Span | None:
    """Return the innermost place in the package that `module` belongs to, else the innermost one that is
    neither pybuild's nor the import system's; None if there is no source."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        column = max(error.offset or 1, 1)
        return _span(error.filename, error.lineno, column, max(error.end_offset or 0, column + 1))
    from traceback import extract_tb

    frames = list(zip(_module_names(error.__traceback__), extract_tb(error.__traceback__), strict=True))
    package = module.partition(".")[0]
    for candidates in (
        [frame for name, frame in frames if name.partition(".")[0] == package],
        [frame for name, frame in frames if name.partition(".")[0] not in (_OURS, _LOADER)],
    ):
        if candidates:
            return _of_frame(candidates[-1])
    return None


def _module_names(traceback: TracebackType | None) -> list[str]:
    """Return the names of the modules whose code the frames run, outermost first."""
    names = []
    while traceback is not None:
        names.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return names


def _of_frame(frame: FrameSummary) -> Span | None:
    """Return the place of a frame, whose columns count bytes from 0, as a span, whose columns count
    characters from 1."""
    if frame.lineno is None:
        return None
    line = linecache.getline(frame.filename, frame.lineno).encode()
    bare = len(line) - len(line.lstrip())
    start, end = frame.colno, frame.end_colno
    if start is None or end is None or frame.end_lineno != frame.lineno:
        start, end = bare, len(line.rstrip())
    first = len(line[:start].decode("utf-8", "replace")) + 1
    return _span(frame.filename, frame.lineno, first, len(line[:end].decode("utf-8", "replace")) + 1)


def _span(name: str, line: int, column: int, end: int) -> Span | None:
    text = "".join(linecache.getlines(name))
    return Span(Source(name, text), line, column, line, end) if text else None
