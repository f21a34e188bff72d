"""The axes of a target's header (language spec, section 13)."""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.exports import AxisType
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.literals import CONDITION, item_type
from pybuild.lang.textual.check.scope import Binding, Scope
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.problems import declarations as problems
from pybuild.lang.textual.types import ERROR, SCALARS, Literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.textual.check.checking import Checking


def bind_axes(axes: Sequence[tree.Axis], scope: Scope, checking: Checking) -> tuple[AxisType, ...]:
    """Bind each axis in the scope of the header, for later parts of the header and for the body. Returns the axes."""
    bound = []
    for axis in axes:
        if isinstance(axis, tree.AxisIf):
            infer(axis.condition, scope, checking, CONDITION)
            continue
        values_type = infer(axis.values, scope, checking)
        type = item_type(axis.values, values_type, At(scope, checking))
        if type != ERROR and type not in SCALARS and not isinstance(type, Literals):
            checking.report(problems.axis_type(axis.values.span, axis.name.name, type))
            type = ERROR
        values = checking.constants.get(axis.values)
        known = (
            tuple(one for one in values if isinstance(one, str | int)) if isinstance(values, tuple) else None
        )
        bound.append(AxisType(axis.name.name, type, axis.values.span, known))
        scope.bind(Binding(axis.name.name, "axis", type, axis.name.span, axis), checking.report)
    return tuple(bound)
