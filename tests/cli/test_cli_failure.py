"""From exceptions to messages and exit codes."""

from __future__ import annotations

import errno
import io
import sqlite3

import pytest

from pybuild.build import errors
from pybuild.lang.diagnostics import (
    Cancelled,
    Diagnostic,
    Label,
    SourceError,
    UsageError,
    UserError,
    source_error,
)
from pybuild.lang.source import Source, Span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("it failed", help="try this"), 1, "error: it failed\n = help: try this"),
        (UsageError("bad flag"), 2, "error: bad flag"),
        (SourceError("bad file"), 2, "error: bad file"),
        (Cancelled(), 130, "pybuild: cancelled"),
        (KeyboardInterrupt(), 130, "pybuild: cancelled"),
        (OSError(errno.ENOSPC, "x", "/var/x"), 1, "error: no space left on device: /var/x"),
        (OSError(errno.ENOSPC, "x"), 1, "PYBUILD_ROOT"),
        (OSError(errno.EDQUOT, "x", "/q"), 1, "disk quota exceeded: /q"),
        (PermissionError(errno.EACCES, "x", b"/a\xff", None, "/b"), 1, "permission denied: /a"),
        (OSError(errno.EROFS, "x", "/r"), 1, "read-only file system: /r"),
        (MemoryError(), 1, "out of memory"),
        (
            RuntimeError("can't start new thread"),
            1,
            "no more threads or processes can be started\n = help: raise",
        ),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), 1, "ulimit -u"),
        (sqlite3.OperationalError("database is locked"), 1, "busy with another process"),
        (sqlite3.OperationalError("database or disk is full"), 1, "no space left on device"),
        (sqlite3.OperationalError("attempt to write a readonly database"), 1, "can't be written"),
        (sqlite3.DatabaseError("database disk image is malformed"), 1, "the store is damaged"),
        (sqlite3.DatabaseError("file is not a database"), 1, "the store is damaged"),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), 1, "internal error: IntegrityError"),
        (ValueError("odd\nthing"), 1, "internal error: ValueError: odd thing\n = note: this is a bug"),
        (RecursionError(), 1, "internal error: RecursionError\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 1, "internal error: FileNotFoundError"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_messages(error: BaseException, code: int, words: str) -> None:
    out = io.StringIO()
    assert errors.report(error, out) == code
    assert words in out.getvalue()
    assert "Traceback" not in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_closed_pipe_says_nothing() -> None:
    out = io.StringIO()
    assert errors.report(BrokenPipeError(errno.EPIPE, "x"), out) == 1
    assert out.getvalue() == ""


def test_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBUILD_DEBUG", "1")
    out = io.StringIO()
    errors.report(ValueError("x"), out)
    assert "ValueError: x" in out.getvalue().split("\n")[-2]
    out = io.StringIO()
    errors.report(UserError("x"), out)
    assert out.getvalue() == "error: x\n"


def test_colour_only_on_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    source = Source("Dockerfile", "FROM a\nRUNN x | y\n")
    error = source_error("unknown instruction RUNN", Span(source, 2, 1, 2, 5), help="did you mean RUN?")
    plain, colour = io.StringIO(), Terminal()
    errors.report(error, plain)
    errors.report(error, colour)
    assert "\x1b[1;31merror: \x1b[0m" in colour.getvalue()
    assert "\x1b[31m" not in plain.getvalue()
    assert "\x1b[1;31m ^^^^\x1b[0m" in colour.getvalue()
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", colour.getvalue()) == plain.getvalue()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            colour = Terminal()
            errors.report(error, colour)
            assert colour.getvalue() == plain.getvalue()


def test_control_characters_of_a_step_do_not_reach_the_terminal() -> None:
    out = io.StringIO()
    diagnostic = Diagnostic("x", notes=[("output", "a\x1b[2Jb\x1b]0;title\x07c\rd\x07\n\ttab")])
    errors.report(UserError(diagnostic), out)
    assert out.getvalue() == "error: x\n = output: abcd\n   \ttab\n"


def test_output_shown_already_is_left_out() -> None:
    span = Span(Source("f", "RUN x"), 1, 1, 1, 6)
    diagnostic = Diagnostic("failed", labels=[Label(span)], notes=[("output", "noise"), ("help", "look")])
    out = io.StringIO()
    errors.report(UserError(diagnostic), out, output_shown=True)
    assert "noise" not in out.getvalue()
    assert "= help: look" in out.getvalue()
