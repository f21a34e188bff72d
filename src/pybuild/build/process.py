"""The process of a command: it ends with the command's exit code, whatever the command raises or leaves
running."""

from __future__ import annotations

import os
import sys
import threading
import time

from pybuild.build import errors, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, TextIO


ENDING = 1.0
"""Seconds that threads of the program have to end once its work is done."""


def run(command: Callable[[list[str]], int], words: list[str]) -> NoReturn:
    """Run a command with the words of a command line and exit with its code. An exception is reported on standard
    error."""
    signals.raise_interrupts()
    try:
        code = _code(command, words)
    except KeyboardInterrupt:
        os._exit(signals.exit_code())  # while another end was being reported
    forget(sys.stderr)
    if _threads_left():
        os._exit(code)  # a build module has left them, and they may never end
    raise SystemExit(code)


def _code(command: Callable[[list[str]], int], words: list[str]) -> int:
    """Run a command and return its code. Raises SystemExit."""
    try:
        try:
            code = command(words)
            sys.stdout.flush()
        finally:
            signals.end_silently()
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        code = errors.report(error, sys.stderr)
        forget(sys.stdout)
    return code


def _threads_left() -> bool:
    """Report whether threads that the interpreter would wait for keep running; the program's own are about to
    end."""
    own = threading.main_thread()
    waited = [thread for thread in threading.enumerate() if thread is not own and not thread.daemon]
    end = time.monotonic() + ENDING
    for thread in waited:
        thread.join(max(0.0, end - time.monotonic()))
    return any(thread.is_alive() for thread in waited)


def forget(stream: TextIO) -> None:
    """Empty a stream's buffer. Where its reader has gone, the interpreter would fail at its end for what is left."""
    try:
        stream.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1 if stream is sys.stdout else 2)
