"""What is to be solved and exported for a request: the outcome of the frontend, and all that comes after it needs.

A plan has a plain form (`to_plain`) that an invocation record keeps: while the build files, flags and names mean
the same, a later build starts from it and needs no frontend.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import SourceOp
    from pybuild.lang.source import Span
    from pybuild.replay.signatures import Part, Signature
    from pybuild.runtime.sources.local import LocalTree


class Target:
    """One platform's target: its edge (None is the empty file system), image config, the config of the image it
    is built on, and SOURCE_DATE_EPOCH, in seconds."""

    __slots__ = ("base", "config", "edge", "epoch")

    def __init__(self, edge: Edge | None, config: bytes, base: bytes | None, epoch: int | None) -> None:
        self.edge = edge
        self.config = config
        self.base = base
        self.epoch = epoch


class Files:
    """Files to be taken out of target number `target` of a goal: `sources` are paths and patterns, `dest` is an
    absolute path, where a trailing `/` means what it does for `output`. `always`: also when a step failed. `span` is
    where that is said."""

    __slots__ = ("always", "clean", "dest", "sources", "span", "target")

    def __init__(
        self,
        target: int,
        sources: Sequence[str],
        dest: str,
        clean: bool,
        always: bool,
        span: Span | None = None,
    ) -> None:
        self.target = target
        self.sources = tuple(sources)
        self.dest = dest
        self.clean = clean
        self.always = always
        self.span = span


class Goal:
    """One image to be made: a target for each platform. `index` asks for an index even of one platform, `tags` are
    its names, `name` is what the build file calls it ("" if it is the only one), `files` what is taken out of it.
    `annotations` are those of the build file: (place, platform or "", key) to value."""

    __slots__ = ("annotations", "files", "index", "name", "tags", "targets")

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        index: bool = False,
        tags: Sequence[str] = (),
        name: str = "",
        files: Sequence[Files] = (),
        annotations: Mapping[tuple[str, str, str], str] | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.index = index
        self.tags = tuple(tags)
        self.name = name
        self.files = tuple(files)
        self.annotations = dict(annotations or {})

    @property
    def edges(self) -> list[Edge]:
        return [target.edge for target in self.targets if target.edge is not None]


class Plan:
    """`gates` are edges that must be solved before anything is exported. `directories` and `images` are what the
    graph's local names and OCI layout names stand for; outputs stay in the directory `project`, and `owner` is what
    the caches of the project's steps are known by. The plan depends on
    the files `consulted`, each with its state before it was read or looked for, on the variables `names`, and on
    what the frontend read of local directories: those of `trees`, and what lies in the states `parts`, which an
    earlier build left. `told_by` are the sources that told the frontend something, such as the time, which the graph
    need not hold. With `still`
    False it depends on more."""

    __slots__ = (
        "consulted",
        "directories",
        "gates",
        "goals",
        "images",
        "names",
        "owner",
        "parts",
        "project",
        "still",
        "told_by",
        "trees",
    )

    def __init__(
        self,
        goals: Sequence[Goal],
        directories: Mapping[str, bytes],
        images: Mapping[str, str],
        *,
        gates: Sequence[Edge] = (),
        project: str = "",
        owner: str = "",
        consulted: Mapping[str, Signature | None] | None = None,
        names: Sequence[str] = (),
        trees: Sequence[LocalTree] = (),
        parts: Sequence[Part] = (),
        told_by: Sequence[SourceOp] = (),
        still: bool = True,
    ) -> None:
        self.goals = tuple(goals)
        self.gates = tuple(gates)
        self.directories = dict(directories)
        self.images = dict(images)
        self.project = project
        self.owner = owner
        self.consulted = dict(consulted or {})
        self.names = tuple(names)
        self.trees = tuple(trees)
        self.parts = tuple(parts)
        self.told_by = tuple(told_by)
        self.still = still

    @property
    def edges(self) -> list[Edge]:
        return [*(edge for goal in self.goals for edge in goal.edges), *self.gates]

    def to_plain(self) -> dict[str, Any]:
        """The plan as values of built-in types, but for `trees`."""
        from pybuild.compiler.llb.encode import encode_definition

        return {
            "goals": [_plain_goal(goal) for goal in self.goals],
            "gates": [encode_definition(edge) for edge in self.gates],
            "directories": self.directories,
            "images": self.images,
            "project": self.project,
            "owner": self.owner,
            "consulted": self.consulted,
            "names": self.names,
            "parts": self.parts,
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Plan:
        """Raises KeyError, TypeError, ValueError and DefinitionError for what `to_plain` did not make."""
        from pybuild.compiler.llb.decode import decode_definition

        return cls(
            [_goal_of(plain) for plain in value["goals"]],
            value["directories"],
            value["images"],
            gates=[edge for one in value["gates"] if (edge := decode_definition(one)) is not None],
            project=value["project"],
            owner=value["owner"],
            consulted=value["consulted"],
            names=value["names"],
            parts=value["parts"],
        )


def _plain_goal(goal: Goal) -> tuple[Any, ...]:
    from pybuild.compiler.llb.encode import encode_definition

    targets = [
        (
            encode_definition(one.edge) if one.edge is not None else None,
            one.config,
            one.base,
            one.epoch,
        )
        for one in goal.targets
    ]
    files = [
        (one.target, one.sources, one.dest, one.clean, one.always, plain_span(one.span)) for one in goal.files
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
