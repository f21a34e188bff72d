"""Displays of progress: their base class, and the choice of one.

    Display
    ├── Silent       nothing while the build runs (`--quiet`)
    ├── Plain        numbered lines, for logs
    ├── RawJson      BuildKit's SolveStatus records, for programs
    └── Tty          a live view, for people

A display writes to one text stream. A stream that can't be written any more (a closed pipe, a full disk behind
a log file) is left alone: progress isn't the build.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError, visible
from pybuild.runtime.progress.observer import Observer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from pybuild.lang.diagnostics import Diagnostic

MODES = ("auto", "tty", "plain", "quiet", "rawjson")


class Display(Observer):
    """An observer with a stream.

    The methods of Observer may come from any thread, before `start` too. `output_shown` says, after `stop`,
    that the output of a failed step stands on the stream, so that an error need not repeat it.
    """

    output_shown = False

    def __init__(self, stream: TextIO) -> None:
        from threading import RLock

        self._stream = stream
        self._lock = RLock()
        self._dead = False
        self.warnings: list[Diagnostic] = []
        self.on_start: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Allow the display to start threads. The build calls this once it has entered its namespaces, as a
        process with threads can't; a build that needs no namespace need not call it. `on_start` is called
        first."""
        self.on_start()

    def stop(self, error: BaseException | None = None) -> None:
        """Write what is left, end the threads, give the terminal back. `error` is what ended the build.
        Idempotent; events that come later are dropped."""

    def restore(self) -> None:
        """Restore the terminal at once without taking a lock, for a process that is about to end."""

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None:
        with self._lock:
            if not any(_same(one, diagnostic) for one in self.warnings):
                self.warnings.append(diagnostic)

    def _write(self, text: str) -> None:
        if self._dead or not text:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._dead = True


class Silent(Display):
    """A display that shows nothing."""

    def warning(self, vertex: str, diagnostic: Diagnostic) -> None: ...


def make_display(mode: str, stream: TextIO, *, quiet: bool = False) -> Display:
    """Return the display for `mode` (one of MODES); `quiet` overrides it.

    Raises UsageError for an unknown mode, and for `tty` where `stream` is no terminal.
    """
    if mode not in MODES:
        raise UsageError(f"unknown kind of progress {mode!r}", help="choose one of " + ", ".join(MODES))
    terminal = is_terminal(stream)
    if quiet or mode == "quiet":
        return Silent(stream)
    if mode == "tty" and not terminal:
        raise UsageError(
            "progress of kind tty needs standard error to be a terminal", help="use --progress=plain"
        )
    if mode == "rawjson":
        from pybuild.runtime.progress.rawjson import RawJson

        return RawJson(stream)
    if mode == "tty" or (mode == "auto" and terminal):
        from pybuild.runtime.progress.tty import Tty

        return Tty(stream)
    from pybuild.runtime.progress.plain import Plain

    return Plain(stream)


def is_terminal(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal that can move its cursor."""
    import os

    try:
        return stream.isatty() and os.environ.get("TERM", "") != "dumb"
    except ValueError:
        return False


def warnings_text(warnings: list[Diagnostic]) -> str:
    """Return a build's warnings as a list with a heading, one line each, and the address of each kind's page
    once; "" if there are none."""
    from pybuild.runtime.progress.amounts import counted

    if not warnings:
        return ""
    lines = [f"{counted(len(warnings), 'warning')} found:"]
    pages: set[str] = set()
    for one in warnings:
        code = f"{one.code}: " if one.code else ""
        cause = next((label for label in one.labels if label.primary), None)
        place = f" ({cause.span.source.name}:{cause.span.line})" if cause else ""
        lines.append(" - " + " ".join(visible(f"{code}{one.title}{place}").split("\n")))
        if one.url and one.url not in pages:
            lines.append(f"   see {visible(one.url.strip())}")
            pages.add(one.url)
    return "\n".join(lines) + "\n"


def _same(a: Diagnostic, b: Diagnostic) -> bool:
    """Return whether two warnings are the same: a step lowered for several platforms reports each of its
    warnings once per platform."""
    return (a.code, a.title) == (b.code, b.title) and [one.span for one in a.labels] == [
        one.span for one in b.labels
    ]
