"""The contract of a frontend: from a build file to goals, images whose states nobody has solved yet."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    from pybuild.compiler.graph import Edge
    from pybuild.lang.source import Span
    from pybuild.runtime.bridge.gateway import Gateway

    class Frontend(Protocol):
        """The frontend of one build file. The constructor reads and checks a file of this machine, so that
        mistakes are reported before a process enters namespaces. Every method may raise UserError."""

        @property
        def fetches(self) -> bool:
            """True if something may be fetched or run before there is a graph."""

        def begin(self, *, enter: bool) -> GraphNames:
            """Return the names that the engine is opened with. Called while the process has no thread of
            pybuild's, before it enters namespaces; without `enter` it will not."""

        def solve(self, gateway: Gateway) -> Solution:
            """Make the goals of the file."""


class GraphNames:
    """Names of a graph on this machine: `directories` by the names of local sources, `images`
    (`oci-layout://PATH`, `docker-archive:PATH`) by the names of OCI layouts. `owner` is the key of the project that
    caches of its steps belong to, "" for none."""

    __slots__ = ("directories", "images", "owner")

    def __init__(
        self,
        directories: Mapping[str, bytes] | None = None,
        images: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        self.directories = directories or {}
        self.images = images or {}
        self.owner = owner


class Target:
    """The target of one platform: its edge (None is the empty file system), its image config as JSON, the config of
    its base image, and SOURCE_DATE_EPOCH in seconds."""

    __slots__ = ("base", "config", "edge", "epoch")

    def __init__(self, edge: Edge | None, config: bytes, base: bytes | None, epoch: int | None) -> None:
        self.edge = edge
        self.config = config
        self.base = base
        self.epoch = epoch


class Files:
    """Files to be taken out of target number `target` of a goal: `sources` are paths and patterns, `dest` is
    an absolute path, whose trailing `/` has the meaning that `output` gives it. `always` takes them out after
    a failed step too. `span` is the place of the statement."""

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
    """An image to be solved and exported: a target for each platform. `index` asks for an index even of one platform,
    `tags` are its names, `name` is its name in the build file ("" for the only one), `files` are taken out of
    it. `annotations` are those of the build file: (place, platform or "", key) to value. `edges` are the states of
    the targets, without empty ones."""

    __slots__ = ("annotations", "edges", "files", "index", "name", "tags", "targets")

    def __init__(
        self,
        targets: Iterable[Target],
        *,
        index: bool = False,
        tags: Sequence[str] = (),
        name: str = "",
        files: Sequence[Files] = (),
        annotations: Mapping[tuple[str, str, str], str] | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.edges = [target.edge for target in self.targets if target.edge is not None]
        self.index = index
        self.tags = tuple(tags)
        self.name = name
        self.files = tuple(files)
        self.annotations = dict(annotations or {})


class Solution:
    """All goals of a build file. `gates` are edges that must be solved before anything is exported; outputs of the
    file itself stay in the directory `project`."""

    __slots__ = ("gates", "goals", "project")

    def __init__(self, goals: Sequence[Goal], *, gates: Sequence[Edge] = (), project: str = "") -> None:
        self.goals = tuple(goals)
        self.gates = tuple(gates)
        self.project = project
