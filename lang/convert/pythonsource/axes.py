"""Converts the header of a target: its axes, the combinations that are instances, and its platforms.

In Python an axis is a list, independent of the other axes. An axis whose values depend on earlier ones lists all
values that it ever has, and `where` selects those that go with the others' values.
"""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import shapes
from pybuild.lang.convert.pythonsource.making import AND, OR, SUM, bare, bound
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import mentions
from pybuild.lang.textual.fmt.docs import Concat, flat
from pybuild.lang.textual.types import ListOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.convert.pythonsource.statements import Body
    from pybuild.lang.textual.fmt.docs import Doc

PLATFORMS = "each instance is for all of these platforms"


def header(target: tree.Target, body: Body) -> list[Doc]:
    """Return the arguments of the decorator."""
    axes = [one for one in target.axes if isinstance(one, tree.AxisFor)]
    out: list[Doc] = []
    if axes:
        entries = [
            Concat([f'"{body.expressions.names.value(axis.name.name)}": ', _values(axis, target.axes, body)])
            for axis in axes
        ]
        out.append(shapes.named("axes", shapes.bracketed("{", entries, "}")))
    conditions = _conditions(target.axes, body)
    if conditions:
        names = ", ".join(body.expressions.names.value(axis.name.name) for axis in axes)
        out.append(shapes.named("where", f"lambda {names}: {' and '.join(conditions)}"))
    if target.on and not _is_default(target, body):
        out.append(shapes.named("on", _platforms(target, body)))
    return out


def _is_default(target: tree.Target, body: Body) -> bool:
    """True if its platform is the builder's, which is the default."""
    first = bare(target.on[0])
    is_name = isinstance(first, tree.Name) and first.name == "build_platform"
    return len(target.on) == 1 and is_name and body.expressions.facts.binding(first) is None


def _values(axis: tree.AxisFor, axes: Sequence[tree.Axis], body: Body) -> Doc:
    before = _before(axis, axes)
    if not _mentions(axis.values, before):
        return body.doc(bare(axis.values))
    name = body.expressions.names.value(axis.name.name)
    clauses = [Concat([f"for {name} in ", bound(body.expressions.made(axis.values, body.place), OR)])]
    return Concat(["list(dict.fromkeys(", _all(name, before, clauses, body), "))"])


def _all(item: str, before: Sequence[tree.AxisFor], clauses: Sequence[Doc], body: Body) -> str:
    """Return a comprehension over all combinations of some axes."""
    made = body.expressions.made
    outer = [
        f"for {body.expressions.names.value(axis.name.name)} in {flat(bound(made(axis.values, body.place), OR))}"
        for axis in before
    ]
    return " ".join((item, *outer, *map(flat, clauses)))


def _conditions(axes: Sequence[tree.Axis], body: Body) -> list[str]:
    out = []
    several = sum(isinstance(axis, tree.AxisIf) or _depends(axis, axes) for axis in axes) > 1
    for axis in axes:
        if isinstance(axis, tree.AxisIf):
            made = body.expressions.made(bare(axis.condition), body.place)
            out.append(flat(bound(made, AND) if several else made.doc))
        elif _depends(axis, axes):
            values = body.expressions.made(axis.values, body.place)
            out.append(f"{body.expressions.names.value(axis.name.name)} in {flat(bound(values, SUM))}")
    return out


def _depends(axis: tree.Axis, axes: Sequence[tree.Axis]) -> bool:
    return isinstance(axis, tree.AxisFor) and _mentions(axis.values, _before(axis, axes))


def _before(axis: tree.AxisFor, axes: Sequence[tree.Axis]) -> list[tree.AxisFor]:
    return [one for one in axes[: axes.index(axis)] if isinstance(one, tree.AxisFor)]


def _mentions(expr: tree.Expr, axes: Sequence[tree.AxisFor]) -> bool:
    names = {axis.name.name for axis in axes}
    return any(one.name in names for one in mentions([expr]) if not one.called)


def _platforms(target: tree.Target, body: Body) -> Doc:
    axes = [one for one in target.axes if isinstance(one, tree.AxisFor)]
    items: list[Doc] = []
    for one in target.on:
        expr = bare(one)
        is_list = isinstance(body.expressions.facts.type(expr), ListOf)
        doc = body.doc(expr)
        if _mentions(expr, axes):
            body.expressions.differences.append(PLATFORMS)
            item = f"*{flat(doc)}" if is_list else flat(doc)
            clauses: list[Doc] = []
            if is_list:
                item, clauses = "p", [f"for p in {flat(doc)}"]
            every = f"dict.fromkeys({_all(item, axes, clauses, body)})"
            items.append(f"*{every}")
        elif is_list and len(target.on) == 1:
            return doc
        else:
            items.append(Concat(["*", doc]) if is_list else doc)
    return shapes.bracketed("[", items, "]")
