"""Messages about the requested targets once values are known: instances, outputs, tags, limits."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Edit, Label, suggest
from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.problems.excerpt import listed
from pybuild.lang.textual.problems.params import Shown, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

MOST_NAMES: Final = 12
MOST_CALLS: Final = 12


def names_of(names: Iterable[str], most: int = MOST_NAMES) -> str:
    """Return a list of names for a message. A long list is cut."""
    listed = list(names)
    return ", ".join([*listed[:most], *(["…"] if len(listed) > most else [])])


# Instances


def several_instances(
    title: str, count: int, target: tree.Target, span: Span, selections: Sequence[str], others: Sequence[str]
) -> Diagnostic:
    """E0503: a target with `count` instances where one state is needed.

    `title` is the target as written. `selections` begin with the one to propose; `others` are values, as literals,
    that could replace its value."""
    labels = [Label(span, "which one?")]
    axes = axes_span(target)
    if axes is not None:
        names = listed(
            [f"`{axis.name.name}`" for axis in target.axes if isinstance(axis, tree.AxisFor)], "and"
        )
        labels.append(Label(axes, f"one instance per {names}", primary=False))
    also = f" (also {names_of(others)})" if others else ""
    return Diagnostic(
        f"`{title}` has {count} instances; a single state is needed here",
        code="E0503",
        labels=labels,
        notes=[("help", f"choose one: `{selections[0]}`{also}")],
        edits=[Edit(span, selections[0])] if not others else [],
    )


def axes_span(target: tree.Target) -> Span | None:
    """Return the span of a header's axes."""
    if not target.axes:
        return None
    first, last = target.axes[0].span, target.axes[-1].span
    return Span(first.source, first.line, first.column, last.end_line, last.end_column)


def duplicate_instance(title: str, target: tree.Target) -> Diagnostic:
    """E0704: an instance that occurs twice."""
    span = axes_span(target) or target.header
    return Diagnostic(
        f"`{title}` occurs twice",
        code="E0704",
        labels=[Label(span, "gives it more than once")],
        notes=[("help", "remove the value that is listed twice")],
    )


def empty_matrix(target: tree.Target, span: Span | None, shown: Sequence[Shown]) -> Diagnostic:
    """E0705: a target without instances. `span` is the place that uses them; `shown` are the values that the
    header depends on."""
    labels = [Label(axes_span(target) or target.header, "gives no instance")]
    if span is not None:
        labels.append(Label(span, "wanted here", primary=False))
    notes = [("with", table(shown))] if shown else []
    return Diagnostic(f"`{target.name.name}` has no instances", code="E0705", labels=labels, notes=notes)


def no_such_axis(target: tree.Target, axis: str, span: Span | None, origin: str = "") -> Diagnostic:
    """E0706: an unknown axis. Without a place, `origin` is the selection as written."""
    names = [one.name.name for one in target.axes if isinstance(one, tree.AxisFor)]
    near = suggest(axis, [*names, "platform"])
    if near is not None:
        help = f"did you mean `{near}`?"
    elif names:
        help = f"its axes are {names_of(f'`{name}`' for name in names)}; `platform` can be chosen too"
    else:
        help = "it has no axes; only `platform` can be chosen"
    return _selection(
        f"`{target.name.name}` has no axis `{axis}`", target, span, "no such axis", help, origin
    )


def no_such_value(
    target: tree.Target, axis: str, value: str, values: Sequence[str], span: Span | None, origin: str = ""
) -> Diagnostic:
    """E0706: a value that the axis doesn't have. `values` are as written."""
    near = suggest(value, values)
    meant = f"did you mean {near}? " if near is not None else ""
    help = f"{meant}`{axis}` is one of {names_of(values)}"
    title = f"`{target.name.name}` has no instance with {axis}={value}"
    return _selection(title, target, span, f"not a value of `{axis}`", help, origin)


def no_such_platform(
    target: tree.Target, text: str, reason: str, instead: str, span: Span | None, origin: str = ""
) -> Diagnostic:
    """E0309: a malformed platform in a selection."""
    help = f"did you mean `{instead}`?" if instead else "write it as `linux/amd64` or `linux/arm/v7`"
    title = f"`{text}` is not a platform: {reason}"
    labels = [Label(span, "not a platform")] if span is not None else []
    notes = [("note", f"asked for as `{origin}`")] if origin else []
    return Diagnostic(title, code="E0309", labels=labels, notes=[*notes, ("help", help)])


def no_such_instance(
    target: tree.Target, wanted: str, existing: Sequence[str], span: Span | None, origin: str = ""
) -> Diagnostic:
    """E0706: values that all exist, but not in one instance."""
    help = f"there is {names_of(f'`{one}`' for one in existing)}"
    title = f"`{target.name.name}` has no instance `{wanted}`"
    return _selection(title, target, span, "left out by the header", help, origin)


def _selection(
    title: str, target: tree.Target, span: Span | None, label: str, help: str, origin: str
) -> Diagnostic:
    axes = axes_span(target) or target.header
    labels = (
        [Label(axes, "its instances", primary=False)] if span is not None else [Label(axes, "its instances")]
    )
    if span is not None:
        labels.insert(0, Label(span, label))
    notes = [("note", f"asked for as `{origin}`")] if origin else []
    return Diagnostic(title, code="E0706", labels=labels, notes=[*notes, ("help", help)])


# Requests


def no_such_target(name: str, names: Sequence[str], kind: str = "") -> Diagnostic:
    """E0707: a name of the command line that is no target. `kind` is what it is instead, "" if unknown."""
    near = suggest(name, names)
    notes = []
    if near is not None:
        notes.append(("help", f"did you mean `{near}`?"))
    elif names:
        notes.append(("note", f"there is {names_of(f'`{one}`' for one in names)}"))
    title = f"`{name}` is {kind}, not a target" if kind else f"no target `{name}`"
    return Diagnostic(title, code="E0707", notes=notes)


def bad_selection(text: str, reason: str) -> Diagnostic:
    """E0706: a malformed selection of the command line."""
    return Diagnostic(
        f"`{text}` is no selection: {reason}",
        code="E0706",
        notes=[("help", "write `NAME[axis=value,axis=value]`, a value with a comma in double quotes")],
    )


def no_default(names: Sequence[str]) -> Diagnostic:
    """E0708: no default target."""
    if not names:
        return Diagnostic("this file declares no targets", code="E0708")
    return Diagnostic(
        "no default target",
        code="E0708",
        notes=[
            ("note", f"there is {names_of(f'`{one}`' for one in names)}"),
            ("help", f"name one on the command line, or declare one: `default {names[0]}`"),
        ],
    )


def no_tests() -> Diagnostic:
    """E0707: a request for all tests of a file without tests."""
    return Diagnostic(
        "this file declares no tests", code="E0707", notes=[("help", "declare one: `test NAME:`")]
    )


# Outputs and tags


def outputs_collide(path: str, first: str, second: str, spans: tuple[Span, Span], help: str) -> Diagnostic:
    """E0709: two instances write one path. `first` and `second` are their titles; `spans` their `output`
    statements."""
    labels = [Label(spans[1], f"written by `{second}`")]
    if spans[0] != spans[1]:
        labels.append(Label(spans[0], f"written by `{first}`", primary=False))
    return Diagnostic(
        f"`{first}` and `{second}` both write `{path}`",
        code="E0709",
        labels=labels,
        notes=[("help", help)],
    )


def cleaned_away(path: str, directory: str, titles: tuple[str, str], spans: tuple[Span, Span]) -> Diagnostic:
    """E0709: the second instance empties the directory that the first one writes to."""
    return Diagnostic(
        f"`{titles[1]}` empties `{directory}`, where `{titles[0]}` writes `{path}`",
        code="E0709",
        labels=[
            Label(spans[1], "`clean=true` empties it"),
            Label(spans[0], f"written by `{titles[0]}`", primary=False),
        ],
        notes=[("help", "write to another directory, or leave `clean` out")],
    )


def tags_collide(name: str, first: str, second: str, spans: tuple[Span, Span], help: str) -> Diagnostic:
    """E0710: two images with one tag."""
    labels = [Label(spans[1], f"the image of `{second}`")]
    if spans[0] != spans[1]:
        labels.append(Label(spans[0], f"the image of `{first}`", primary=False))
    return Diagnostic(
        f"`{first}` and `{second}` are both tagged `{name}`",
        code="E0710",
        labels=labels,
        notes=[("help", help)],
    )


# Copies


def own_directory(
    source: Span, path: str, dest: Span, written: str, help: str, edit: Edit | None
) -> Diagnostic:
    """W0610: the directory `path` lands in a directory of its own name, as `written`."""
    return Diagnostic(
        f"this makes `{written}`",
        code="W0610",
        level="warning",
        labels=[
            Label(dest, "the directory is placed in this one"),
            Label(source, f"`{path}` is a directory", primary=False),
        ],
        notes=[("help", help)],
        edits=[edit] if edit else [],
    )


# Budgets


def budget(what: str, span: Span, path: Sequence[tuple[str, Span | None]]) -> Diagnostic:
    """E0703: an exceeded limit. `path` are the open calls, outermost first."""
    notes = []
    if path:
        shown = list(path)
        if len(shown) > MOST_CALLS:
            skipped = len(shown) - MOST_CALLS
            shown = [
                *shown[: MOST_CALLS // 2],
                (f"… {skipped} more calls …", None),
                *shown[-MOST_CALLS // 2 :],
            ]
        lines = [f"{name} ({place.place})" if place is not None else name for name, place in shown]
        notes.append(
            ("note", "\n".join(["in these calls, the outermost first:", *(f"  {one}" for one in lines)]))
        )
    return Diagnostic(what, code="E0703", labels=[Label(span, "here")], notes=notes)
