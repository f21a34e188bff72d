"""Turns exceptions of a build module into messages: the error, at the user's line, and the calls that led there."""

from __future__ import annotations

import inspect
import os
import re
import sys
import traceback
from contextlib import contextmanager

from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.python import problems
from pybuild.lang.python.arguments import called, misfit
from pybuild.lang.python.callsite import is_own
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.callsite import Site
    from pybuild.lang.python.recording import Recording

MOST_CALLS: Final = 4
"""The most calls shown that led to an exception."""

MOST_CAUSES: Final = 4
"""The most notes and further exceptions shown with an exception."""

_NOT_IN_PACKAGE: Final = re.compile("cannot import name '(\\w+)' from 'pybuild' ")

_IMPORTS: Final = "modules import each other: move what both need into a third one"


@contextmanager
def explained(recording: Recording, name: str) -> Iterator[None]:
    """Turn exceptions of user code into SourceError: E1001, or the error of a wrong call of the API.

    The exception becomes the error's cause, and is printed with PYBUILD_DEBUG=1. KeyboardInterrupt passes unchanged.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        raise SourceError(_syntax(recording, error)) from error
    # A module may also call `sys.exit`.
    except BaseException as error:
        if os.environ.get("PYBUILD_DEBUG") == "1":
            traceback.print_exception(error)
        raise SourceError(_misused(recording, error) or _raised(recording, name, error)) from error


def no_function(function: Callable[..., object]) -> str:
    """Return what a function is if it isn't an ordinary one, else ""."""
    if inspect.isclass(function):
        return "a class"
    if inspect.iscoroutinefunction(function):
        return "a coroutine"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "a generator"
    return "" if inspect.isfunction(function) else "no function"


def _misused(recording: Recording, error: BaseException) -> Diagnostic | None:
    """Return the language's message for a misspelt name or a wrong argument of the API, None for other exceptions."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return None
    if isinstance(error, AttributeError):
        owned = next(reversed(list(_user_sites(recording, error.__traceback__))), None)
        return problems.unknown_name(error.name, error.obj, owned.span) if owned and error.name else None
    missing = _NOT_IN_PACKAGE.match(str(error)) if isinstance(error, ImportError) else None
    if missing is not None:
        return problems.unknown_name(missing[1], sys.modules["pybuild"], recording.files.raising(last).span)
    if isinstance(error, TypeError) and recording.owns(last.tb_frame.f_code.co_filename):
        site = recording.files.raising(last)
        function = called(site, last.tb_frame)
        method = function is not None and "." in function.__qualname__
        return misfit(function, function.__name__, site, int(method)) if function is not None else None
    return None


def _raised(recording: Recording, name: str, error: BaseException) -> Diagnostic:
    """Return the message for an exception of user code, with the calls that led to it."""
    places = {
        (one.span.source.name, one.span.line): one.span for one in _user_sites(recording, error.__traceback__)
    }
    spans = list(places.values())
    title = f"`{name}` raised {_said(error)}"
    calls = spans[:-1][-MOST_CALLS:]
    return problems.raised(title, spans[-1] if spans else None, calls, _help(error), list(_causes(error)))


def _said(error: BaseException) -> str:
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = ""
    kind = type(error).__name__
    return f"{kind}: {message}" if message else kind


def _causes(error: BaseException) -> Iterator[str]:
    """Yield what else is known of an exception: its notes, its members, its cause."""
    notes = [str(one) for one in getattr(error, "__notes__", ())]
    members = [_said(one) for one in getattr(error, "exceptions", ()) if isinstance(one, BaseException)]
    cause = [f"caused by {_said(error.__cause__)}"] if error.__cause__ is not None else []
    yield from (notes + members + cause)[:MOST_CAUSES]


def _user_sites(recording: Recording, trace: TracebackType | None) -> Iterator[Site]:
    """Yield the calls of the user's own frames, the outermost first."""
    while trace is not None:
        if not is_own(trace.tb_frame) and recording.owns(trace.tb_frame.f_code.co_filename):
            yield recording.files.raising(trace)
        trace = trace.tb_next


def _syntax(recording: Recording, error: SyntaxError) -> Diagnostic:
    """Return the message for a syntax error, at the place that the compiler reports."""
    title = "invalid syntax" if error.msg == "invalid syntax" else f"invalid syntax: {error.msg}"
    if error.filename is None or error.lineno is None:
        return problems.raised(title, None, ())
    file = recording.files.of(error.filename)
    start = max(error.offset or 1, 1)
    end_line, end = error.end_lineno or error.lineno, error.end_offset or 0
    if end_line == error.lineno and end <= start:
        end = start + 1
    span = Span(file.source, error.lineno, start, max(end_line, error.lineno), max(end, 1))
    return problems.raised(title, span, ())


def _help(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without an end"
    if isinstance(error, SystemExit):
        return "a build module describes a build, and does not end the program"
    if isinstance(error, ImportError | AttributeError) and "circular import" in str(error):
        return _IMPORTS
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("pybuild."):
        name = error.name.partition(".")[0]
        return f"install {name} where pybuild is installed, or put the module beside this file"
    return ""
