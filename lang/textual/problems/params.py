"""Messages about params and checks: E06xx."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.diagnostics import Diagnostic, Label, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual import tree

LONGEST_VALUE: Final = 60
LONGEST_CONDITION: Final = 60
MOST_VALUES: Final = 12


@frozen
class Shown:
    """A value that a check mentions, as a literal, and its origin ("" for none)."""

    name: str
    value: str
    origin: str = ""


def shortened(text: str) -> str:
    """Return `text` in one line, with the middle of a long text left out."""
    text = " ".join(text.split("\n"))
    if len(text) <= LONGEST_VALUE:
        return text
    return f"{text[: LONGEST_VALUE - 20]}…{text[-19:]}"


def unset(param: tree.Param, read: Span, used: Span | None) -> Diagnostic:
    """E0601: a required param that is read at `read`. `used` is the `use` of its module, None in the root file."""
    name = param.name.name
    labels = [Label(read, "read here"), Label(param.name.span, "has no default", primary=False)]
    if used is None:
        help = f"pass a value with `-p {name}=…`"
    else:
        labels.append(Label(used, "the module gets its params here", primary=False))
        help = f"pass a value where the module is used: `use … with {name}=…`"
    return Diagnostic(f"param `{name}` is not set", code="E0601", labels=labels, notes=[("help", help)])


def check_failed(condition: Span, message: str, shown: Sequence[Shown]) -> Diagnostic:
    """E0602: a failed check."""
    return Diagnostic(
        message or _condition(condition),
        code="E0602",
        labels=[Label(condition, "false")],
        notes=[("with", table(shown))] if shown else [],
    )


def _condition(span: Span) -> str:
    if span.line == span.end_line:
        text = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
        if len(text) <= LONGEST_CONDITION:
            return f"check failed: `{text}`"
    return "check failed"


def table(shown: Sequence[Shown]) -> str:
    """Return the text of a note `with`: one row per value, in aligned columns. The first row follows `= with: `."""
    rows = shown[:MOST_VALUES]
    names = max(len(one.name) for one in rows)
    values = max((len(one.value) for one in rows if one.origin), default=0)
    out = []
    for one in rows:
        origin = f"  ({one.origin})" if one.origin else ""
        value = f"{one.value:<{values}}" if origin else one.value
        out.append(f"{one.name:<{names}} = {value}{origin}")
    if len(shown) > MOST_VALUES:
        out.append("…")
    return "\n".join([out[0], *(f"      {row}" for row in out[1:])])


def unfit(param: tree.Param, text: str, wanted: str, origin: str, near: str | None) -> Diagnostic:
    """E0603: a value from outside that doesn't fit the param's type. `wanted` describes the form of its values."""
    name = param.name.name
    notes = [("note", f"the value is from {origin}")]
    if near:
        notes.append(("help", f"did you mean `{near}`?"))
    shown = f"`{shortened(text)}`" if text else "the empty text"
    return Diagnostic(
        f"{shown} is no value for `{name}`",
        code="E0603",
        labels=[Label(param.type.span, wanted)],
        notes=notes,
    )


def no_such_param(name: str, origin: str, params: Iterable[str], elsewhere: str | None) -> Diagnostic:
    """E0604: an unknown param. `elsewhere` is the name of a used module that has such a param."""
    names = list(params)
    notes = [("note", f"it is set by {origin}")]
    near = suggest(name, names)
    if near is not None:
        notes.append(("help", f"did you mean `{near}`?"))
    elif elsewhere is not None:
        notes.append(
            ("help", f"a param of a module is set where it is used: `use … as {elsewhere} with {name}=…`")
        )
    elif names:
        shown = ", ".join(f"`{one}`" for one in names[:MOST_VALUES])
        notes.append(("note", f"the file has {shown}{', …' if len(names) > MOST_VALUES else ''}"))
    else:
        notes.append(("note", "the file has no params"))
    return Diagnostic(f"no param `{name}`", code="E0604", notes=notes)
