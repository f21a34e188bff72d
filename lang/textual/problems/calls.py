"""Messages about calls: E0112, E0401 to E0406, E0901."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.textual.problems.excerpt import excerpt, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span


def unknown_argument(name: str, span: Span, function: str, names: Sequence[str]) -> Diagnostic:
    """E0401: an unknown argument. `function` is the call or statement as messages name it, `names` are its
    parameters."""
    near = suggest(name, names)
    if near:
        help = f"did you mean `{near}`?"
    else:
        help = f"it takes {listed([f'`{one}`' for one in names], 'and')}" if names else "it takes none"
    return Diagnostic(
        f"`{function}` has no argument `{name}`",
        code="E0401",
        labels=[Label(span, "no such argument")],
        notes=[("help", help)],
        edits=[Edit(span, near)] if near else [],
    )


def missing_arguments(span: Span, function: str, names: Sequence[str], usage: str) -> Diagnostic:
    """E0402: missing arguments. `span` is the call; `usage` shows its form."""
    single = len(names) == 1
    return Diagnostic(
        f"`{function}` needs {listed([f'`{name}`' for name in names], 'and')}",
        code="E0402",
        labels=[Label(span, "an argument is missing" if single else "arguments are missing")],
        notes=[("help", f"write `{usage}`")] if usage else [],
    )


def too_many(span: Span, function: str, most: int, usage: str) -> Diagnostic:
    """E0403: too many arguments. `span` is the first one in excess."""
    if most == 0:
        takes = "no arguments" if usage.endswith("()") else "named arguments only"
    else:
        takes = f"{most} argument{'s' if most > 1 else ''} without a name" if most else ""
    return Diagnostic(
        f"`{function}` takes {takes}",
        code="E0403",
        labels=[Label(span, "too many")],
        notes=[("help", f"write `{usage}`")] if usage else [],
    )


def given_twice(name: str, span: Span, first: Span) -> Diagnostic:
    """E0404: an argument given twice."""
    return Diagnostic(
        f"`{name}` is given twice",
        code="E0404",
        labels=[Label(span, "given again"), Label(first, "given first", primary=False)],
    )


def positional_after_named(span: Span, named: Span) -> Diagnostic:
    """E0405: a positional argument after a named one."""
    return Diagnostic(
        "an argument without a name follows a named one",
        code="E0405",
        labels=[
            Label(span, "has to come before the named ones"),
            Label(named, "a named argument", primary=False),
        ],
    )


def step_as_value(span: Span, name: str, called: Span) -> Diagnostic:
    """E0406: a call of a step inside an expression. `span` is the call, `called` the step's declaration."""
    return Diagnostic(
        f"`{name}` is a step, not a value",
        code="E0406",
        labels=[
            Label(span, "a step changes the current state and gives nothing"),
            Label(called, "without `->` it is a step", primary=False),
        ],
        notes=[("help", f"call it as a statement: `{excerpt(span) or name + '(…)'}` on a line of its own")],
    )


def value_as_statement(span: Span, name: str, type: str) -> Diagnostic:
    """E0406: a value on a line of its own. `name` is the function's, "" if it is no call."""
    call = excerpt(span)
    if type == "option":
        help = f"write `with {call}:` around the runs that need it" if call else ""
    elif type in ("state", "target"):
        help = f"use it: `from {call}`, or `copy … from {call} to …`" if call else ""
    else:
        help = f"keep it: `let name = {call}`" if call else ""
    return Diagnostic(
        f"`{name}` gives `{type}` and changes nothing" if name else f"this `{type}` does nothing",
        code="E0406",
        labels=[Label(span, "a value, not a statement")],
        notes=[("help", help)] if help else [],
    )


def unknown_statement(name: str, span: Span, near: str | None, meant: str = "") -> Diagnostic:
    """E0112: a line that looks like a call of an unknown name. `meant` is the help if no name is similar."""
    help = f"did you mean `{near}`?" if near else meant
    return Diagnostic(
        f"unknown statement or step `{name}`",
        code="E0112",
        labels=[Label(span, "not defined")],
        notes=[("help", help)] if help else [],
        edits=[Edit(span, near)] if near else [],
    )


def secret_as_value(span: Span, statement: str, call: str) -> Diagnostic:
    """E0901: a secret used as a value. `statement` is the word of the statement, "" if unknown; `call` is the
    option to use."""
    if statement in ("env", "label", "annotation"):
        note = f"`{statement}` is stored in the image config and in every cache key"
        if statement == "annotation":
            note = "`annotation` is stored in the image's manifest"
    elif statement in ("run", "exec"):
        note = f"the text of `{statement}` is stored in the image's history and in the cache key"
    else:
        note = "values are stored in the graph and in cache keys"
    return Diagnostic(
        "a secret cannot become part of the image",
        code="E0901",
        labels=[Label(span, "a run option, not a value")],
        notes=[
            ("note", note),
            ("help", f"mount it for the runs that need it:\n    with {call}:\n        run ..."),
        ],
    )
