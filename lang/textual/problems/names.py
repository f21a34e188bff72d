"""Messages about names: E0201 to E0205, E0706."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.textual.problems.excerpt import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.scope import Binding

KINDS: Final = {
    "param": "a param",
    "let": "a `let`",
    "parameter": "a parameter",
    "loop": "a loop variable",
    "axis": "an axis",
    "target": "a target",
    "test": "a test",
    "module": "a module",
    "group": "a group",
    "def": "a function",
    "builtin": "a built-in value",
}
"""The nouns for the kinds of bindings."""


def unknown_name(
    name: str,
    span: Span,
    near: Binding | str | None,
    what: str = "name",
    where: str = "not defined in this file",
) -> Diagnostic:
    """E0201: an unknown name. `near` is a similar name of the wanted kind, a binding of a file or a built-in."""
    labels = [Label(span, where)]
    word = near if isinstance(near, str) or near is None else near.name
    if near is not None and not isinstance(near, str):
        labels.append(Label(near.span, f"{KINDS[near.kind]} with a similar name", primary=False))
    return Diagnostic(
        f"unknown {what} `{name}`",
        code="E0201",
        labels=labels,
        notes=[("help", f"did you mean `{word}`?")] if word else [],
        edits=[Edit(span, word)] if word else [],
    )


def no_null(name: str, span: Span) -> Diagnostic:
    """E0201: `None` or `null`, which the language doesn't have."""
    help = 'use an empty value, such as `""` or `[]`, or leave the argument out'
    return Diagnostic(
        f"unknown name `{name}`",
        code="E0201",
        labels=[Label(span, "there is no null")],
        notes=[("help", help)],
    )


def not_a_value(span: Span, name: str, kind: str, help: str, edit: str = "") -> Diagnostic:
    """E0201: a callable or a module in place of a value. `kind` is a noun with its article."""
    return Diagnostic(
        f"`{name}` is {kind}, not a value",
        code="E0201",
        labels=[Label(span, "a value is needed here")],
        notes=[("help", help)] if help else [],
        edits=[Edit(span, edit)] if edit else [],
    )


def not_a_function(span: Span, name: str, binding: Binding, help: str) -> Diagnostic:
    """E0201: a call of a name that isn't callable."""
    labels = [
        Label(span, "only functions are called"),
        Label(binding.span, KINDS[binding.kind], primary=False),
    ]
    return Diagnostic(
        f"`{name}` is {KINDS[binding.kind]}, not a function",
        code="E0201",
        labels=labels,
        notes=[("help", help)] if help else [],
    )


def built_in_called(span: Span, name: str) -> Diagnostic:
    """E0201: a call of a built-in value, such as `scratch()`."""
    return Diagnostic(
        f"`{name}` is a built-in value, not a function",
        code="E0201",
        labels=[Label(span, "only functions are called")],
        notes=[("help", f"write `{name}`")],
    )


def nowhere_here(span: Span, name: str, reason: str, help: str) -> Diagnostic:
    """E0201: `this` or `platform` outside of a body that has it."""
    return Diagnostic(
        f"`{name}` is not defined here", code="E0201", labels=[Label(span, reason)], notes=[("help", help)]
    )


def unknown_type(name: str, span: Span, near: str | None, known: Iterable[str]) -> Diagnostic:
    """E0201: an unknown type."""
    help = f"did you mean `{near}`?" if near else f"types are {', '.join(f'`{one}`' for one in known)}"
    return Diagnostic(
        f"unknown type `{name}`",
        code="E0201",
        labels=[Label(span, "no such type")],
        notes=[("help", help)],
        edits=[Edit(span, near)] if near else [],
    )


def already_bound(binding: Binding, earlier: Binding) -> Diagnostic:
    """E0202: a name that is already bound, perhaps in an outer scope: nothing is shadowed."""
    return Diagnostic(
        f"`{binding.name}` is already bound",
        code="E0202",
        labels=[
            Label(binding.span, "bound again here"),
            Label(earlier.span, f"{KINDS[earlier.kind]} of that name", primary=False),
        ],
        notes=[("help", "choose another name: a name means one thing wherever it is visible")],
    )


def reserved(binding: Binding, what: str) -> Diagnostic:
    """E0203: a reserved name. `what` is its owner, with an article."""
    return Diagnostic(
        f"`{binding.name}` is reserved",
        code="E0203",
        labels=[Label(binding.span, f"{what} has this name")],
        notes=[("help", "choose another name")],
    )


def private_name(name: str, span: Span, module: str) -> Diagnostic:
    """E0204: a private name of another module."""
    return Diagnostic(
        f"`{name}` is private to {module}",
        code="E0204",
        labels=[Label(span, "a name that starts with `_` belongs to its file")],
        notes=[("help", f"use a member without `_`, or rename it in {module}")],
    )


def unknown_member(
    name: str,
    span: Span,
    owner: str,
    members: Sequence[str],
    what: str = "member",
    help: str = "",
    places: Mapping[str, Span] | None = None,
) -> Diagnostic:
    """E0205: an unknown member of `owner`. `members` are its members, `places` their declarations."""
    near = suggest(name, members)
    labels = [Label(span, f"no such {what}")]
    if near and places and near in places:
        labels.append(Label(places[near], "a similar name", primary=False))
    if near:
        help = f"did you mean `{near}`?"
    elif not help and members:
        help = f"it has {listed([f'`{one}`' for one in members], 'and')}"
    return Diagnostic(
        f"{owner} has no {what} `{name}`",
        code="E0205",
        labels=labels,
        notes=[("help", help)] if help else [],
        edits=[Edit(span, near)] if near else [],
    )


def method_not_called(span: Span, name: str, parameters: str) -> Diagnostic:
    """E0205: a method without its parentheses."""
    return Diagnostic(
        f"`{name}` is a method",
        code="E0205",
        labels=[Label(span, "it has to be called")],
        notes=[("help", f"write `{name}({parameters})`")],
        edits=[Edit(span, f"{name}()")] if not parameters else [],
    )


def member_wanted(span: Span, name: str, members: Iterable[str]) -> Diagnostic:
    """E0205: `vcs` as a value, without a member."""
    return Diagnostic(
        f"`{name}` is no value of its own",
        code="E0205",
        labels=[Label(span, "one of its members is needed here")],
        notes=[("help", f"write {listed([f'`{name}.{member}`' for member in members])}")],
    )


def unknown_axis(name: str, span: Span, target: str, axes: Sequence[str], header: Span | None) -> Diagnostic:
    """E0706: a selection by an unknown axis."""
    near = suggest(name, axes)
    labels = [Label(span, "no such axis")]
    if header is not None:
        labels.append(Label(header, "declared here", primary=False))
    help = f"did you mean `{near}`?" if near else f"choose by {listed([f'`{one}`' for one in axes])}"
    return Diagnostic(
        f"{target} has no axis `{name}`",
        code="E0706",
        labels=labels,
        notes=[("help", help)],
        edits=[Edit(span, near)] if near else [],
    )


def unknown_axis_value(
    shown: str, span: Span, axis: str, target: str, values: Sequence[str], header: Span
) -> Diagnostic:
    """E0706: a value that the axis never has. `shown` and `values` are literals."""
    near = suggest(shown, values)
    has = f"`{axis}` is {listed(list(values))}" if values else f"`{axis}` has no values"
    return Diagnostic(
        f"{target} has no instance with `{axis}={shown}`",
        code="E0706",
        labels=[Label(span, "no such value"), Label(header, "its values", primary=False)],
        notes=[("help", f"did you mean {near}? {has}" if near else has)],
        edits=[Edit(span, near)] if near else [],
    )
