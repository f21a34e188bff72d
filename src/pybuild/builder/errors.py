"""Carries errors from a worker to the program: the same classes, diagnostics and data."""

from __future__ import annotations

import marshal
from importlib import import_module

from pybuild.build.plan import plain_span, span_of
from pybuild.lang.diagnostics import Diagnostic, Edit, Label, SourceErrors, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_APART = ("diagnostic", "diagnostics", "vertex")
"""Attributes that `plain_error` writes in a form of their own."""


class WorkerDied(UserError):
    """The worker has ended without an answer: something killed it. `code` is its exit code, or minus the number of
    the signal."""

    def __init__(self, code: int, output: str) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        notes = [("output", output)] if output else []
        super().__init__(
            Diagnostic(f"the process that built {how}", notes=notes),
            help="perhaps memory ran out: let fewer steps run at once with parallelism=, or look at dmesg",
        )
        self.code = code


class InternalError(RuntimeError):
    """A bug in pybuild: `details` is the worker's traceback."""

    def __init__(self, title: str, details: str) -> None:
        super().__init__(
            f"{title}\n\nthis is a bug in pybuild: please report it with what follows\n{details}"
        )
        self.details = details


def plain_diagnostic(diagnostic: Diagnostic) -> tuple[Any, ...]:
    labels = [(plain_span(label.span), label.text, label.primary) for label in diagnostic.labels]
    edits = [(plain_span(edit.span), edit.text) for edit in diagnostic.edits]
    return (
        diagnostic.title,
        diagnostic.code,
        diagnostic.level,
        diagnostic.url,
        diagnostic.notes,
        labels,
        edits,
    )


def diagnostic_of(plain: tuple[Any, ...]) -> Diagnostic:
    title, code, level, url, notes, labels, edits = plain
    return Diagnostic(
        title,
        labels=[Label(_span(place), text, primary=primary) for place, text, primary in labels],
        notes=notes,
        code=code,
        level=level,
        url=url,
        edits=[Edit(_span(place), text) for place, text in edits],
    )


def _span(plain: tuple[Any, ...]) -> Any:
    span = span_of(plain)
    assert span is not None
    return span


def plain_error(error: BaseException) -> dict[str, Any]:
    """Return an error in built-in types. Errors that a user or the machine causes keep their diagnostic; others are
    bugs, and go with their traceback."""
    from pybuild.build.errors import explain

    explained, _ = explain(error)
    if isinstance(error, UserError):
        kind: type[BaseException] = type(error)
    elif explained is not None and explained.level == "internal error":
        from traceback import format_exception

        return {"title": explained.title, "details": "".join(format_exception(error))}
    else:
        kind = UserError
    diagnostics = error.diagnostics if isinstance(error, SourceErrors) else ()
    vertex = getattr(error, "vertex", None)
    return {
        "class": (kind.__module__, kind.__qualname__),
        "diagnostic": plain_diagnostic(explained or Diagnostic(str(error))),
        "diagnostics": [plain_diagnostic(diagnostic) for diagnostic in diagnostics],
        "data": _data(error),
        "vertex": None if vertex is None else _definition(vertex),
    }


def _data(error: BaseException) -> dict[str, Any]:
    """Return the attributes whose values are of built-in types."""
    data = {}
    for name, value in vars(error).items():
        if name in _APART or name.startswith("__"):
            continue
        # marshal takes no subclass of int, such as an exit code.
        bare = int(value) if isinstance(value, int) and not isinstance(value, bool) else value
        try:
            marshal.dumps(bare)
        except ValueError:
            continue
        data[name] = bare
    return data


def _definition(vertex: Any) -> bytes:
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.llb.encode import encode_definition

    return encode_definition(Edge(vertex))


def error_of(plain: dict[str, Any]) -> Exception:
    """Return the exception for what `plain_error` returned."""
    if "details" in plain:
        return InternalError(plain["title"], plain["details"])
    kind = _class(*plain["class"])
    diagnostic = diagnostic_of(plain["diagnostic"])
    # Not by the constructor, whose parameters differ between the classes.
    error = kind.__new__(kind)
    Exception.__init__(error, diagnostic.title)
    error.diagnostic = diagnostic
    if isinstance(error, SourceErrors):
        error.diagnostics = tuple(map(diagnostic_of, plain["diagnostics"]))
    for name, value in plain["data"].items():
        setattr(error, name, value)
    if plain["vertex"] is not None:
        from pybuild.compiler.llb.decode import decode_definition

        error.vertex = decode_definition(plain["vertex"]).vertex  # type: ignore[attr-defined]
    return error


def _class(module: str, name: str) -> type[UserError]:
    """Return the error's class; UserError if this process can't import it."""
    try:
        kind: Any = import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
    except (ImportError, AttributeError):
        return UserError
    return kind if isinstance(kind, type) and issubclass(kind, UserError) else UserError
