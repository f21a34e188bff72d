"""Turns an exception into the message for the user and the exit code (`exit_code` of the error's class).

0    done
1    the build failed, or the machine did (no space, no permission, a damaged store)
2    the command line, a configuration file or a build file is wrong
130  cancelled by Ctrl-C; 143 by SIGTERM

An exception that no user can cause is reported as a bug; PYBUILD_DEBUG=1 adds the traceback.
"""

from __future__ import annotations

import errno
import os

from pybuild.build.signals import exit_code
from pybuild.lang.diagnostics import DEBUG, Cancelled, Diagnostic, SourceErrors, UserError, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_REASONS = {
    errno.EACCES: ("permission denied", "check who owns it and its mode"),
    errno.EPERM: ("operation not permitted", "check who owns it, its mode and its attributes"),
    errno.EROFS: ("read-only file system", "set PYBUILD_ROOT to a directory that can be written"),
    errno.EMFILE: ("too many open files", "raise the limit: ulimit -n 65536"),
    errno.ENFILE: ("too many open files on this machine", "raise fs.file-max with sysctl"),
    errno.EIO: ("input/output error", "the disk may be failing: look at dmesg"),
    errno.EAGAIN: (
        "no more threads or processes can be started",
        "raise the limits of memory and processes (ulimit -v, ulimit -u, those of the container), or use "
        "--max-parallelism=1",
    ),
    errno.ENOMEM: ("out of memory", "free some, or use --max-parallelism=1"),
}
_NO_THREAD = "can't start new thread"
_DATABASE = (
    ("locked", ("the store is busy with another process", "wait for the other build to end, then run again")),
    ("readonly", ("the store can't be written", "set PYBUILD_ROOT to a directory you can write")),
    ("unable to open", ("the store can't be opened", "check who owns it and its mode, or set PYBUILD_ROOT")),
    ("disk i/o", _REASONS[errno.EIO]),
)
_DAMAGED = ("the store is damaged", "run `pybuild prune --all`, or set PYBUILD_ROOT to another directory")


def report(error: BaseException, stream: TextIO, *, output_shown: bool = False) -> int:
    """Write the message of an error to `stream` and return the exit code.

    With `output_shown` the notes `output` of a failed step are left out. Errors of writing the stream are ignored.
    """
    diagnostic, code = explain(error)
    if diagnostic is None:
        return code
    several = error.diagnostics if isinstance(error, SourceErrors) else (diagnostic,)
    shown = [diagnostic.without("output") if output_shown else diagnostic for diagnostic in several]
    colour = coloured(stream)
    try:
        stream.write("\n".join(message(diagnostic, colour=colour) + "\n" for diagnostic in shown))
        if os.environ.get(DEBUG) == "1" and not isinstance(error, UserError):
            from traceback import format_exception

            stream.write("".join(format_exception(error)))
        stream.flush()
    except (OSError, ValueError):
        pass
    return code


def explain(error: BaseException) -> tuple[Diagnostic | None, int]:
    """Return the diagnostic of an error, None for a silent one, and the exit code."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return Diagnostic("cancelled", level="pybuild"), exit_code()
    if isinstance(error, UserError):
        from pybuild.language.failures import explained

        return explained(error) or error.diagnostic, error.exit_code
    if isinstance(error, BrokenPipeError):
        return None, 1
    error = _in_store(error) or error
    if isinstance(error, UserError):
        return error.diagnostic, error.exit_code
    known = _of_machine(error)
    if known is not None:
        title, help = known
        return Diagnostic(title, notes=[("help", help)]), 1
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (
        Diagnostic(
            f"{name}: {text}" if text else name,
            notes=[
                ("note", "this is a bug in pybuild"),
                ("help", f"run again with {DEBUG}=1 and report what it prints"),
            ],
            level="internal error",
        ),
        1,
    )


def _in_store(error: BaseException) -> UserError | None:
    """Return the error of the store that an exception amounts to: there is no room for a write."""
    import sqlite3

    from pybuild.runtime.content.place import default_root
    from pybuild.runtime.content.space import NO_ROOM, NoRoom, unmasked

    root = default_root()
    if isinstance(error, sqlite3.OperationalError):
        return unmasked(error, root)
    if not isinstance(error, OSError) or error.errno not in NO_ROOM:
        return None
    # A write by descriptor names no file. What writes elsewhere than to the store has errors of its own.
    path = error.filename if isinstance(error.filename, str | bytes) else root
    return NoRoom(error.errno, os.fsdecode(path), root)


def _of_machine(error: BaseException) -> tuple[str, str] | None:
    """Return title and help for a failure of the machine that pybuild runs on."""
    import sqlite3

    if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        return _REASONS[errno.EAGAIN]
    if isinstance(error, MemoryError):
        return _REASONS[errno.ENOMEM]
    if isinstance(error, OSError) and error.errno in _REASONS:
        title, help = _REASONS[error.errno]
        names = [
            os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)
        ]
        return (f"{title}: {' -> '.join(names)}" if names else title), help
    if isinstance(error, sqlite3.DatabaseError):
        from pybuild.runtime.content.place import default_root

        text = str(error).lower()
        damaged = "malformed" in text or "not a database" in text
        if damaged or isinstance(error, sqlite3.OperationalError):
            title, help = next((reason for word, reason in _DATABASE if word in text), _DAMAGED)
            return f"{title}: {default_root()} ({error})", help
    return None


def coloured(stream: TextIO) -> bool:
    """Report whether messages on `stream` have colours: on a terminal, unless NO_COLOR is set (to
    anything)."""
    try:
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    except ValueError:
        return False


def message(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """Return the diagnostic as text for a terminal: without control characters but line ends and tabs."""
    from pybuild.runtime.progress.terminal import printable

    text = printable(render(diagnostic))
    return "\n".join(map(_painted, _roles(text.split("\n"), diagnostic))) if colour else text


def _roles(lines: list[str], diagnostic: Diagnostic) -> list[tuple[str, str]]:
    """Pair each line of a rendered diagnostic with its role."""
    out = [("title", lines[0])]
    for line in lines[1:]:
        bare = line.lstrip()
        if bare.startswith("-->"):
            out.append(("place", line))
        elif bare.startswith("|") and set(bare[1:].split(" ")[0:]) and ("^" in bare or "---" in bare):
            out.append(("mark", line))
        elif bare.startswith("= "):
            out.append(("note", line))
        else:
            out.append(("plain", line))
    return out


_RED, _YELLOW, _BLUE, _CYAN, _BOLD, _OFF = (
    "\x1b[1;31m", "\x1b[1;33m", "\x1b[34m", "\x1b[36m", "\x1b[1m", "\x1b[0m",
)  # fmt: skip


def _painted(part: tuple[str, str]) -> str:
    role, line = part
    if role == "title":
        level, colon, rest = line.partition(": ")
        style = _YELLOW if level.startswith(("warning", "pybuild")) else _RED
        return f"{style}{level}{colon}{_OFF}{_BOLD}{rest}{_OFF}"
    if role == "place":
        return f"{_BLUE}{line}{_OFF}"
    if role == "mark":
        before, bar, rest = line.partition("|")
        return f"{_BLUE}{before}{bar}{_OFF}{_RED}{rest}{_OFF}"
    if role == "note":
        word, colon, rest = line.partition(": ")
        return f"{_CYAN}{word}{colon}{_OFF}{rest}"
    return line
