"""The instances of a target: the results of the comprehension in its header (language spec, section 13)."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.recipe.goals import instance_title
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.checks import params_of, shown
from pybuild.lang.textual.expand.evaluate import scopes
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.params import written
from pybuild.lang.textual.expand.values import text_of
from pybuild.lang.textual.problems import expansion as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope
    from pybuild.lang.textual.expand.values import Value


@frozen(eq=False)
class Combination:
    """An instance: the values of the axes in order, and their texts, which identify the instance."""

    values: tuple[Value, ...]
    texts: tuple[str, ...]


class Matrix:
    """The instances of a target in order, with an index by values of some axes."""

    __slots__ = ("_index", "_values", "axes", "combinations", "target")

    def __init__(self, target: tree.Target, axes: tuple[str, ...], combinations: list[Combination]) -> None:
        self.target = target
        self.axes = axes
        self.combinations = combinations
        self._index: dict[tuple[int, ...], dict[tuple[str, ...], list[Combination]]] = {}
        self._values: dict[str, dict[str, Value]] = {}

    def having(self, chosen: Mapping[str, str]) -> list[Combination]:
        """Return the instances whose axes have these texts. Axes that the target doesn't have are ignored."""
        places = tuple(at for at, axis in enumerate(self.axes) if axis in chosen)
        if not places:
            return self.combinations
        table = self._index.get(places)
        if table is None:
            table = self._index[places] = {}
            for combination in self.combinations:
                table.setdefault(tuple(combination.texts[at] for at in places), []).append(combination)
        return table.get(tuple(chosen[self.axes[at]] for at in places), [])

    def values(self, axis: str) -> dict[str, Value]:
        """Return the possible values of an axis by their text, in order."""
        if axis not in self._values:
            at = self.axes.index(axis)
            self._values[axis] = {
                combination.texts[at]: combination.values[at] for combination in self.combinations
            }
        return self._values[axis]

    def written(self, name: str, combination: Combination) -> str:
        """Return a selection of one instance as an expression."""
        inside = ", ".join(
            f"{axis}={written(value)}" for axis, value in zip(self.axes, combination.values, strict=True)
        )
        return f"{name}[{inside}]" if inside else name


def matrix_of(scope: ModuleScope, target: tree.Target, span: Span | None, compilation: Compilation) -> Matrix:
    """Return the matrix of a target. `span` is the place that uses its instances. Raises E0704 and E0705."""
    axes = tuple(axis.name.name for axis in target.axes if isinstance(axis, tree.AxisFor))
    combinations: list[Combination] = []
    seen: set[tuple[str, ...]] = set()
    start = Frame(scope, compilation.options.build_platform)
    for frame in scopes(target.axes, start, compilation):
        values = tuple(_bound(frame, axis) for axis in axes)
        combination = Combination(values, tuple(map(text_of, values)))
        if combination.texts in seen:
            title = titled(scope.named(target.name.name), axes, combination)
            raise SourceError(problems.duplicate_instance(title, target))
        seen.add(combination.texts)
        combinations.append(combination)
        compilation.budget.matrix(len(combinations), target.header)
    if not combinations:
        params = dict.fromkeys(name for axis in target.axes for name in params_of(axis, scope))
        raise SourceError(problems.empty_matrix(target, span, shown(params, start, scope)))
    return Matrix(target, axes, combinations)


def titled(name: str, axes: tuple[str, ...], combination: Combination) -> str:
    return instance_title(name, zip(axes, combination.texts, strict=True))


def _bound(frame: Frame, axis: str) -> Value:
    value = frame.find(axis)
    assert value is not None
    return value
