"""Goals: target instances with the platforms that they are built for (language spec, section 13)."""

from __future__ import annotations

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceError
from pybuild.lang.recipe.goals import instance_title
from pybuild.lang.textual import forms, tree
from pybuild.lang.textual.expand.evaluate import evaluate_all
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.matrix import Combination, Matrix, matrix_of, titled
from pybuild.lang.textual.expand.params import written
from pybuild.lang.textual.expand.values import Choice, TargetValue, text_of
from pybuild.lang.textual.problems import expansion as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import PLATFORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.bodies import Record
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope

MOST_SHOWN = 12


class Goals:
    """All goals of a compile, each created once per target, axes and platforms. Spans are None for requests of the
    command line, whose text is `origin`."""

    __slots__ = ("_compilation", "_goals", "_matrices")

    def __init__(self, compilation: Compilation) -> None:
        self._compilation = compilation
        self._matrices: dict[tuple[ModuleScope, tree.Target], Matrix] = {}
        self._goals: dict[tuple[ModuleScope, tree.Target, tuple[str, ...], tuple[str, ...]], recipe.Goal] = {}

    def matrix(self, value: TargetValue, span: Span | None) -> Matrix:
        """Return the matrix of a target. Raises E0704 and E0705."""
        scope = self._compilation.scope_of(value.module)
        key = (scope, value.target)
        if key not in self._matrices:
            self._matrices[key] = matrix_of(scope, value.target, span, self._compilation)
        return self._matrices[key]

    def select(
        self, value: TargetValue, choices: tuple[Choice, ...], span: Span | None, origin: str = ""
    ) -> TargetValue:
        """Narrow a selection of instances to the given values. Raises E0706."""
        matrix = self.matrix(value, span)
        target = value.target
        chosen = {one.axis: one for one in value.chosen}
        for choice in choices:
            text = text_of(choice.value)
            if choice.axis == "platform":
                self._platform(text, choice, target, origin)
            elif choice.axis not in matrix.axes:
                raise SourceError(problems.no_such_axis(target, choice.axis, choice.span, origin))
            elif text not in matrix.values(choice.axis):
                raise SourceError(self._no_value(matrix, choice, origin))
            earlier = chosen.setdefault(choice.axis, choice)
            if text_of(earlier.value) != text:
                self._no_instance(matrix, {choice.axis: choice}, span, origin)
        if not matrix.having({axis: text_of(one.value) for axis, one in chosen.items()}):
            self._no_instance(matrix, chosen, span, origin)
        return TargetValue(value.module, target, tuple(chosen.values()))

    def _no_value(self, matrix: Matrix, choice: Choice, origin: str) -> Diagnostic:
        shown = written if choice.span is not None else text_of
        values = list(map(shown, matrix.values(choice.axis).values()))
        value_text = shown(choice.value)
        return problems.no_such_value(matrix.target, choice.axis, value_text, values, choice.span, origin)

    def _platform(self, text: str, choice: Choice, target: tree.Target, origin: str) -> None:
        flaw = forms.platform(text)
        if flaw is not None:
            raise SourceError(
                problems.no_such_platform(target, text, flaw.reason, flaw.instead, choice.span, origin)
            )

    def _no_instance(self, matrix: Matrix, chosen: dict[str, Choice], span: Span | None, origin: str) -> None:
        name = matrix.target.name.name
        wanted = instance_title(name, ((axis, text_of(one.value)) for axis, one in chosen.items()))
        existing = [titled(name, matrix.axes, one) for one in matrix.combinations[: MOST_SHOWN + 1]]
        raise SourceError(problems.no_such_instance(matrix.target, wanted, existing, span, origin))

    def remaining(self, value: TargetValue, span: Span | None) -> list[Combination]:
        return self.matrix(value, span).having({one.axis: text_of(one.value) for one in value.chosen})

    def one(self, value: TargetValue, platform: str, span: Span) -> Record:
        """Return the record of the only selected instance, for the chosen platform or else `platform`. Raises
        E0503."""
        matrix = self.matrix(value, span)
        left = self.remaining(value, span)
        if len(left) != 1:
            raise SourceError(self._several(value, matrix, left, span))
        scope = self._compilation.scope_of(value.module)
        return self._compilation.bodies.of_instance(
            scope, matrix, left[0], chosen_platform(value) or platform
        )

    def _several(self, value: TargetValue, matrix: Matrix, left: list[Combination], span: Span) -> Diagnostic:
        target, last = value.target, left[-1]
        text = excerpt(span)
        name = text.partition("[")[0]
        if name.rpartition(".")[2] != target.name.name:
            name = text = self._compilation.scope_of(value.module).named(target.name.name)
        varying = [at for at, text_ in enumerate(last.texts) if any(one.texts[at] != text_ for one in left)]
        others = [written(one.values[varying[0]]) for one in left[:-1]] if len(varying) == 1 else []
        selection = matrix.written(name, last)
        platform = chosen_platform(value)
        if platform:
            selection = f'{selection[:-1]}, platform="{platform}"]'
        return problems.several_instances(text, len(left), target, span, [selection], others)

    def of(self, value: TargetValue, span: Span | None, platforms: tuple[str, ...] = ()) -> list[recipe.Goal]:
        """Return a goal for each selected instance.

        Its platforms are the chosen one, else `platforms`, else those of the target's `on` list, else the
        builder's."""
        scope, matrix = self._compilation.scope_of(value.module), self.matrix(value, span)
        chosen = chosen_platform(value)
        goals = []
        for combination in self.remaining(value, span):
            wanted = (chosen,) if chosen else platforms or self._listed(scope, matrix, combination)
            goals.append(self._goal(scope, matrix, combination, wanted))
        return goals

    def _listed(self, scope: ModuleScope, matrix: Matrix, combination: Combination) -> tuple[str, ...]:
        builder = self._compilation.options.build_platform
        frame = Frame(scope, builder, names=dict(zip(matrix.axes, combination.values, strict=True)))
        platforms = evaluate_all(matrix.target.on, frame, self._compilation, PLATFORM)
        return tuple(dict.fromkeys(text_of(each.value) for each in platforms)) or (builder,)

    def _goal(
        self, scope: ModuleScope, matrix: Matrix, combination: Combination, platforms: tuple[str, ...]
    ) -> recipe.Goal:
        target = matrix.target
        key = (scope, target, combination.texts, platforms)
        goal = self._goals.get(key)
        if goal is None:
            axes = tuple(zip(matrix.axes, combination.texts, strict=True))
            name = scope.named(target.name.name)
            goal = self._goals[key] = recipe.Goal(name, target.kind, axes, target.doc, target.header)
            for platform in platforms:
                record = self._compilation.bodies.of_instance(scope, matrix, combination, platform)
                instance = recipe.Instance(goal, platform, record.body)
                instance.tags, instance.outputs = record.tags, record.outputs
                goal.instances.append(instance)
        return goal


def chosen_platform(value: TargetValue) -> str:
    """Return the chosen platform, "" if none was."""
    return next((text_of(one.value) for one in value.chosen if one.axis == "platform"), "")
