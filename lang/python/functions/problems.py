"""Reasons why a Python function can't run in a container, one constructor each.

The codes are E1005 for functions and E1006 for values that are no data.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span

_TAKES = "JSON values, tuples, sets, bytes, dates, paths, enums, dataclasses and attrs objects"


def _error(
    code: str,
    title: str,
    span: Span | None,
    label: str,
    notes: Sequence[tuple[str, str]],
    others: Sequence[tuple[Span, str]] = (),
) -> SourceError:
    labels = [] if span is None else [Label(span, label)]
    if span is not None:
        labels += [Label(place, text, primary=False) for place, text in others if place != span]
    return SourceError(Diagnostic(title, code=code, labels=labels, notes=notes))


def not_a_function(span: Span | None, what: str, help: str) -> SourceError:
    """Something other than a plain function is called."""
    return _error(
        "E1005", f"{what} can't be called in a container", span, "a plain function expected", [("help", help)]
    )


def no_source(span: Span | None, name: str, filename: str) -> SourceError:
    """The function's text can't be found."""
    return _error(
        "E1005",
        f"the source of `{name}` can't be found",
        span,
        f"defined in {filename}",
        [("help", "define it with `def` in a file of the project")],
    )


def other_object(span: Span | None, name: str, module: str) -> SourceError:
    """The name leads to another object, so the source would not be the function's."""
    return _error(
        "E1005",
        f"`{name}` isn't what {module} calls `{name}`",
        span,
        "another function has taken its name, or a decorator returned something else",
        [("help", "pass the function that the module's name stands for; decorators use `functools.wraps`")],
    )


def decorated_inside(span: Span, name: str) -> SourceError:
    """A nested function has decorators."""
    return _error(
        "E1005",
        f"`{name}` is decorated inside of a function",
        span,
        "its decorators can't be run again in the container",
        [("help", "define it at the top level of its module")],
    )


def refused(span: Span, name: str, what: str, function: str, origin: Span | None, help: str) -> SourceError:
    """A function uses the name `name`, which stands for `what`."""
    others = [] if origin is None else [(origin, "it is made here")]
    return _error(
        "E1005",
        f"`{function}` can't run in a container: it uses `{name}`, {what}",
        span,
        "",
        [("help", help)],
        others,
    )


def holds(
    span: Span, name: str, what: str, where: str, function: str, origin: Span | None, reason: str = ""
) -> SourceError:
    """A value that a function uses contains something that is no data."""
    others = [] if origin is None else [(origin, "it is made here")]
    notes = [("note", reason)] if reason else []
    return _error(
        "E1005",
        f"`{function}` can't run in a container: `{name}{where}` is {what}",
        span,
        "",
        [*notes, ("help", f"what a function uses is code of the project, or data: {_TAKES}")],
        others,
    )


def own_module(span: Span, name: str, function: str) -> SourceError:
    """The function uses pybuild."""
    return _error(
        "E1005",
        f"`{function}` can't run in a container: it uses `{name}`, which plans builds",
        span,
        "there is no pybuild in the container",
        [("help", "take what it needs out of the function, and pass it as an argument")],
    )


def not_importable(span: Span, module: str, reason: str) -> SourceError:
    """A function imports a module of the project that fails to import here."""
    return _error(
        "E1005",
        f"`{module}` can't be imported: {reason}",
        span,
        "its code has to be known here, as it is sent to the container",
        [("help", "put what only the container can do into functions of that module")],
    )


def not_data(span: Span | None, name: str, where: str, what: str, reason: str) -> SourceError:
    """An argument is no data."""
    notes = [("note", reason)] if reason else []
    return _error(
        "E1006",
        f"{name}{where} is {what}, which can't be passed to a container",
        span,
        "",
        [*notes, ("help", f"arguments are data: {_TAKES}, and what other calls returned")],
    )


def bad_arguments(span: Span | None, name: str, reason: str) -> SourceError:
    """The arguments don't fit the function's parameters."""
    return _error(
        "E0402",
        f"`{name}` can't be called with these arguments: {reason}",
        span,
        "",
        [("help", "see its `def`")],
    )


def not_called_yet(span: Span | None, name: str) -> SourceError:
    """An argument is the result of a call in another body."""
    return _error(
        "E1006",
        f"what `{name}` returns is not known here",
        span,
        "it was called in another body",
        [("help", "call it in this body too, or copy a file that it wrote: `t.copy(…, from_=…)`")],
    )
