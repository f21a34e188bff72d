"""A plan: the goals of a request and their dependencies, once the frontend has done its part.

A plan has a plain form (`to_plain`) that an invocation record keeps: while the build files, flags and names mean
the same, a later build starts from it and needs no frontend.
"""

from __future__ import annotations

from pybuild.frontends.types import Files, Goal, Target
from pybuild.replay.dependencies import Dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.compiler.graph import Edge
    from pybuild.frontends.types import Solution
    from pybuild.lang.source import Span
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.sources.local import LocalTree


class Plan:
    """The goals of a build. Immutable.

    `gates` are edges that must be solved before anything is exported. `directories` and `images` are what the graph's
    local names and OCI layout names stand for. Outputs stay in the directory `project`; `owner` is the key of the
    project that caches of its steps belong to. `trees` are the local directories that the frontend read; with
    `dependencies` they are what the plan depends on. `edges` are to be solved: those of the goals in their order,
    then the gates."""

    __slots__ = (
        "dependencies",
        "directories",
        "edges",
        "gates",
        "goals",
        "images",
        "owner",
        "project",
        "trees",
    )

    def __init__(
        self,
        goals: Sequence[Goal],
        directories: Mapping[str, bytes],
        images: Mapping[str, str],
        dependencies: Dependencies,
        *,
        gates: Sequence[Edge] = (),
        project: str = "",
        owner: str = "",
        trees: Sequence[LocalTree] = (),
    ) -> None:
        self.goals = tuple(goals)
        self.gates = tuple(gates)
        self.edges = [*(edge for goal in self.goals for edge in goal.edges), *self.gates]
        self.directories = dict(directories)
        self.images = dict(images)
        self.dependencies = dependencies
        self.project = project
        self.owner = owner
        self.trees = tuple(trees)

    def to_plain(self) -> dict[str, Any]:
        """Return the plan as values of built-in types, without `trees`."""
        from pybuild.compiler.llb.encode import encode_definition

        return {
            "goals": [_plain_goal(goal) for goal in self.goals],
            "gates": [encode_definition(edge) for edge in self.gates],
            "directories": self.directories,
            "images": self.images,
            "project": self.project,
            "owner": self.owner,
            "code": tuple(self.dependencies.code),
            "consulted": self.dependencies.consulted,
            "names": tuple(self.dependencies.variables),
            "parts": tuple(self.dependencies.parts.values()),
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Plan:
        """Restore a plan. Raises KeyError, TypeError, ValueError and DefinitionError for a value that
        `to_plain` did not make."""
        from pybuild.compiler.llb.decode import decode_definition

        dependencies = Dependencies()
        dependencies.code += value["code"]
        dependencies.consulted.update(value["consulted"])
        dependencies.variables += value["names"]
        dependencies.parts.update((str(number), part) for number, part in enumerate(value["parts"]))
        return cls(
            [_goal_of(plain) for plain in value["goals"]],
            value["directories"],
            value["images"],
            dependencies,
            gates=[edge for plain in value["gates"] if (edge := decode_definition(plain)) is not None],
            project=value["project"],
            owner=value["owner"],
        )


def plan_of(solution: Solution, dependencies: Dependencies, engine: Engine) -> Plan:
    """Return the plan for a frontend's solution, on the engine that the frontend asked."""
    return Plan(
        solution.goals,
        engine.client.directories,
        engine.client.named,
        dependencies,
        gates=solution.gates,
        project=solution.project,
        owner=engine.options.project,
        trees=list(engine.local_trees.values()),
    )


def _plain_goal(goal: Goal) -> tuple[Any, ...]:
    from pybuild.compiler.llb.encode import encode_definition

    targets = [
        (
            encode_definition(target.edge) if target.edge is not None else None,
            target.config,
            target.base,
            target.epoch,
        )
        for target in goal.targets
    ]
    files = [
        (entry.target, entry.sources, entry.dest, entry.clean, entry.always, plain_span(entry.span))
        for entry in goal.files
    ]
    return targets, goal.index, goal.tags, goal.name, files, goal.annotations


def _goal_of(plain: tuple[Any, ...]) -> Goal:
    from pybuild.compiler.llb.decode import decode_definition

    targets, index, tags, name, files, annotations = plain
    return Goal(
        [
            Target(decode_definition(definition) if definition is not None else None, *rest)
            for definition, *rest in targets
        ],
        index=index,
        tags=tags,
        name=name,
        files=[
            Files(target, sources, dest, clean, always, span_of(place))
            for target, sources, dest, clean, always, place in files
        ],
        annotations=annotations,
    )


def plain_span(span: Span | None) -> tuple[Any, ...] | None:
    if span is None:
        return None
    source = span.source
    return source.name, source.text, span.line, span.column, span.end_line, span.end_column


def span_of(plain: tuple[Any, ...] | None) -> Span | None:
    if plain is None:
        return None
    from pybuild.lang.source import Source, Span

    name, text, *numbers = plain
    return Span(Source(name, text), *numbers)
