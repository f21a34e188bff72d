"""Messages about types of values: E0106, E0301 to E0306, E0309."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.textual.problems.excerpt import excerpt, literals, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.source import Span
    from pybuild.lang.textual.forms import Flaw
    from pybuild.lang.textual.types import Type

DOLLARS = (
    "`$NAME` belongs to the container: the shell expands it in `run`, the image\n"
    "environment in `env`. For a literal dollar sign write `\\$`."
)


def shown(type: Type) -> str:
    """Return a type as messages write it. The type of the empty list has no item type."""
    return str(type).replace("[error]", "")


def _written(text: str, span: Span | None = None) -> tuple[list[tuple[str, str]], list[Edit]]:
    """Return the help and the edit for a replacement text at a place."""
    if not text:
        return [], []
    return [("help", f"write `{text}`")], [Edit(span, text)] if span is not None else []


def mismatch(
    span: Span, given: Type, wanted: str, what: str = "", write: str = "", help: str = ""
) -> Diagnostic:
    """E0301: a type mismatch. `wanted` are the types that fit, in backticks; `what` names the place; `write` is a
    text that would fit, `help` other advice."""
    return _mismatch("E0301", span, given, wanted, what, write, help)


def needs_str(span: Span, given: Type, wanted: str, what: str = "", write: str = "") -> Diagnostic:
    """E0302: a scalar in place of its text."""
    return _mismatch("E0302", span, given, wanted, what, write, "")


def _mismatch(
    code: str, span: Span, given: Type, wanted: str, what: str, write: str, help: str
) -> Diagnostic:
    type = shown(given)
    if what:
        title = f"{what} must be {wanted}, not `{type}`"
    else:
        title = f"{named(span)} is `{type}`; {wanted} is needed here"
    notes, edits = _written(write, span)
    if help:
        notes = [("help", help)]
    return Diagnostic(title, code=code, labels=[Label(span, f"`{type}`")], notes=notes, edits=edits)


def needs_str_beside(span: Span, given: Type, other: Span, write: str) -> Diagnostic:
    """E0302: a scalar added to a string."""
    notes, edits = _written(write, span)
    labels = [Label(span, f"`{shown(given)}`"), Label(other, "a string", primary=False)]
    return Diagnostic(
        f"`+` does not turn `{shown(given)}` into text", code="E0302", labels=labels, notes=notes, edits=edits
    )


def differing_arms(
    then: Span, then_type: Type, other: Span, other_type: Type, write: tuple[Span, str]
) -> Diagnostic:
    """E0301: arms of `if … else` without a common type. `write` is a replacement for one of them, "" for none."""
    notes, edits = _written(write[1], write[0])
    return Diagnostic(
        f"one arm is `{shown(then_type)}`, the other `{shown(other_type)}`",
        code="E0301",
        labels=[Label(other, f"`{shown(other_type)}`"), Label(then, f"`{shown(then_type)}`", primary=False)],
        notes=notes,
        edits=edits,
    )


def differing_items(first: Span, first_type: Type, other: Span, other_type: Type, write: str) -> Diagnostic:
    """E0301: a list or a map with items of different types."""
    notes, edits = _written(write, other)
    return Diagnostic(
        f"`{shown(other_type)}` among items of `{shown(first_type)}`",
        code="E0301",
        labels=[
            Label(other, f"`{shown(other_type)}`"),
            Label(first, f"`{shown(first_type)}`", primary=False),
        ],
        notes=notes,
        edits=edits,
    )


def inserted_list(span: Span, given: Type, write: str) -> Diagnostic:
    """E0301: a list inside a string."""
    notes, edits = _written(write, span)
    return Diagnostic(
        "a list cannot be inserted into a string",
        code="E0301",
        labels=[Label(span, f"`{shown(given)}`")],
        notes=notes,
        edits=edits,
    )


def inserted(span: Span, given: Type, where: str) -> Diagnostic:
    """E0301: a value without a text, inside a string or a script."""
    article = "an" if shown(given)[0] in "aeiou" else "a"
    return Diagnostic(
        f"{article} `{shown(given)}` has no text to insert into {where}",
        code="E0301",
        labels=[Label(span, f"`{shown(given)}`")],
    )


def option_as_value(span: Span, name: str) -> Diagnostic:
    """E0301: a run option in place of a value."""
    call = excerpt(span)
    help = f"write `with {call}:` around the runs that need it" if call.startswith(name) else ""
    return Diagnostic(
        f"`{name}` is a run option, not a value",
        code="E0301",
        labels=[Label(span, "a value is needed here")],
        notes=[("help", help)] if help else [],
    )


def never_equal(
    span: Span, subject: str, literal: str, options: Sequence[str], declared: Span | None, *, negated: bool
) -> Diagnostic:
    """E0303: a comparison that is never true. `subject` is the compared expression, in backticks; `literal` (with
    quotes) is a value that it never has."""
    near = suggest(literal[1:-1], options) if literal[:1] == '"' else None
    labels = [Label(span, f"{subject} is never {literal}")]
    if declared is not None:
        labels.append(Label(declared, "the values it can have", primary=False))
    values = literals(options)
    return Diagnostic(
        f"this comparison is always {'true' if negated else 'false'}",
        code="E0303",
        labels=labels,
        notes=[("help", f'did you mean "{near}"?' if near else f"it can be {values}")],
        edits=[Edit(span, f'"{near}"')] if near else [],
    )


def never_common(span: Span, left: Type, right: Type, *, negated: bool) -> Diagnostic:
    """E0303: a comparison of two unions without a common value."""
    return Diagnostic(
        f"this comparison is always {'true' if negated else 'false'}",
        code="E0303",
        labels=[Label(span, "the two have no value in common")],
        notes=[("note", f"one side can be {left}, the other {right}".replace(" | ", ", "))],
    )


def strings_ordered(span: Span, op: str, write: str, place: Span) -> Diagnostic:
    """E0304: an order comparison of strings. `place` is the whole comparison."""
    notes, edits = _written(write, place)
    return Diagnostic(
        f"`{op}` is not defined for `str`",
        code="E0304",
        labels=[Label(span, "strings have no order; versions have")],
        notes=notes,
        edits=edits,
    )


def undefined_operator(
    span: Span, op: str, left: Type, right: Type | None, help: str = "", write: tuple[Span, str] | None = None
) -> Diagnostic:
    """E0304: an operator that isn't defined for its operands. `right` is None for a unary operator."""
    if right is None or right == left:
        title = f"`{op}` is not defined for `{shown(left)}`"
    else:
        title = f"`{op}` is not defined for `{shown(left)}` and `{shown(right)}`"
    notes, edits = _written(write[1], write[0]) if write else ([], [])
    if help:
        notes = [("help", help)]
    return Diagnostic(title, code="E0304", labels=[Label(span)], notes=notes, edits=edits)


def not_callable(span: Span, given: Type) -> Diagnostic:
    """E0304: a call of an expression that isn't callable."""
    return Diagnostic(
        f"`{shown(given)}` cannot be called", code="E0304", labels=[Label(span, "only functions are called")]
    )


def not_iterable(span: Span, given: Type, write: str = "") -> Diagnostic:
    """E0305: iteration over a value that isn't a list."""
    notes, edits = _written(write, span)
    return Diagnostic(
        f"{named(span)} is `{shown(given)}`, not a list",
        code="E0305",
        labels=[Label(span, "a list is needed here")],
        notes=notes,
        edits=edits,
    )


def not_container(span: Span, given: Type) -> Diagnostic:
    """E0305: `in` with a right side that has no items."""
    return Diagnostic(
        f"nothing can be `in` {named(span)}, which is `{shown(given)}`",
        code="E0305",
        labels=[Label(span, "a list, a map or a string is needed here")],
    )


def not_indexable(span: Span, given: Type, help: str = "") -> Diagnostic:
    """E0305: `x[i]` of a value that is neither a list nor a map."""
    return Diagnostic(
        f"{named(span)} is `{shown(given)}`, which has no items",
        code="E0305",
        labels=[Label(span, "a list or a map is needed here")],
        notes=[("help", help)] if help else [],
    )


def not_selectable(span: Span, given: Type) -> Diagnostic:
    """E0305: `x[a=v]` of a value that isn't a target."""
    return Diagnostic(
        f"{named(span)} is `{shown(given)}`; only targets have axes",
        code="E0305",
        labels=[Label(span, "a target is needed here")],
    )


def no_index(span: Span, index: int, length: int, place: Span) -> Diagnostic:
    """E0306: an index beyond the end of a known list."""
    items = "is empty" if length == 0 else "has one item" if length == 1 else f"has {length} items"
    help = (
        ""
        if length == 0
        else "the first item has index 0"
        if length == 1
        else f"indices are 0 to {length - 1}"
    )
    return Diagnostic(
        f"no item {index}: the list {items}",
        code="E0306",
        labels=[Label(span, "out of range"), Label(place, "the list", primary=False)],
        notes=[("help", help)] if help else [],
    )


def no_key(span: Span, key: str, keys: Sequence[str], place: Span) -> Diagnostic:
    """E0306: a key that a known map doesn't have."""
    near = suggest(key, keys)
    help = f"keys are {literals(keys, 'and')}" if keys else "the map is empty"
    help = f'did you mean "{near}"?' if near else help
    return Diagnostic(
        f'no key "{key}" in this map',
        code="E0306",
        labels=[Label(span, "no such key"), Label(place, "the map", primary=False)],
        notes=[("help", help)],
        edits=[Edit(span, f'"{near}"')] if near else [],
    )


def bad_form(span: Span, type: Type, text: str, flaw: Flaw, *, literal: bool) -> Diagnostic:
    """E0309: a string of the wrong form. `literal` says that the place is the string itself, which an edit can
    replace."""
    noun = {"ref": "image reference"}.get(str(type), str(type))
    article = "an" if noun[0] in "aeiou" else "a"
    return Diagnostic(
        f'"{text}" is not {article} {noun}' if text else f"{article} {noun} cannot be empty",
        code="E0309",
        labels=[Label(span, flaw.reason)],
        notes=[("help", f'write "{flaw.instead}"' if flaw.instead else flaw.help)]
        if flaw.instead or flaw.help
        else [],
        edits=[Edit(span, f'"{flaw.instead}"')] if flaw.instead and literal else [],
    )


def no_such_option(span: Span, text: str, options: Sequence[str], what: str, *, literal: bool) -> Diagnostic:
    """E0309: a string that isn't an option of the union."""
    near = suggest(text, options)
    values = literals(options)
    return Diagnostic(
        f'{what} cannot be "{text}"' if what else f'"{text}" is none of the values that are possible here',
        code="E0309",
        labels=[Label(span, f"must be {values}")],
        notes=[("help", f'did you mean "{near}"?')] if near else [],
        edits=[Edit(span, f'"{near}"')] if near and literal else [],
    )


def unexpanded(span: Span, text: str, name: str, kind: str) -> Diagnostic:
    """E0106: an unexpanded variable. `name` is the param or other name that may be meant, `kind` its kind."""
    help = f"to insert the {kind}, write `${{{{{name}}}}}`" if name else ""
    return Diagnostic(
        f"`{text}` is not expanded in this string",
        code="E0106",
        labels=[Label(span, "would be used literally")],
        notes=[*([("help", help)] if help else []), ("note", DOLLARS)],
        edits=[Edit(span, f"${{{{{name}}}}}")] if name else [],
    )


def bare_collection(span: Span, name: str) -> Diagnostic:
    """E0301: `list` or `map` without an item type."""
    return Diagnostic(
        f"`{name}` of what?",
        code="E0301",
        labels=[Label(span, "the type of its items is missing")],
        notes=[("help", f"write `{name}[str]`, or another type in the brackets")],
    )


def option_not_plain(span: Span) -> Diagnostic:
    """E0301: an option of a union that isn't a plain string."""
    return Diagnostic(
        "the values of a type are written out",
        code="E0301",
        labels=[Label(span, "a string without `${{ }}` is needed here")],
    )
