"""The contract of a frontend: from a build file to results, which name unsolved graphs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from pybuild.compiler.gateway import Result
    from pybuild.compiler.graph import Edge
    from pybuild.frontends.goal import Files
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.engine import Engine

    class Frontend(Protocol):
        """The frontend of one build file. The constructor reads and checks a file of this machine, so that
        mistakes are reported before a process enters namespaces. Every method may raise UserError."""

        @property
        def owner(self) -> str:
            """The key of the project that caches of its steps belong to; "" for none."""

        @property
        def fetches(self) -> bool:
            """True if something may be fetched or run before there is a graph."""

        def begin(self, *, enter: bool) -> GraphNames:
            """Return the names that the engine is opened with. Called while the process has no thread of
            pybuild's, before it enters namespaces; without `enter` it will not."""

        def provide(self, engine: Engine) -> None:
            """Give the engine's client the directories that need an open store."""

        def solve(self, gateway: Gateway) -> Solution:
            """Make the results of the file."""


class GraphNames:
    """Names of a graph on this machine: `directories` by the names of local sources, `images`
    (`oci-layout://PATH`, `docker-archive:PATH`) by the names of OCI layouts."""

    __slots__ = ("directories", "images")

    def __init__(
        self, directories: Mapping[str, bytes] | None = None, images: Mapping[str, str] | None = None
    ) -> None:
        self.directories = directories or {}
        self.images = images or {}


class FrontendResult:
    """The result for one image of a frontend: its states and configs, and the build file's own settings of
    its export.

    `name` is its name in the file, "" for the only one. `index` asks for an index even of one platform.
    `files` are taken out of its states; `annotations` map (place, platform or "", key) to values.
    """

    __slots__ = ("annotations", "files", "index", "name", "result", "tags")

    def __init__(
        self,
        result: Result,
        *,
        name: str = "",
        tags: tuple[str, ...] = (),
        index: bool = False,
        files: tuple[Files, ...] = (),
        annotations: Mapping[tuple[str, str, str], str] | None = None,
    ) -> None:
        self.result = result
        self.name = name
        self.tags = tags
        self.index = index
        self.files = files
        self.annotations = annotations or {}


class Solution:
    """All results of a build file. `gates` are edges that must be solved before anything is exported; outputs of the
    file itself stay in the directory `project`."""

    __slots__ = ("gates", "project", "results")

    def __init__(
        self, results: Sequence[FrontendResult], *, gates: Sequence[Edge] = (), project: str = ""
    ) -> None:
        self.results = tuple(results)
        self.gates = tuple(gates)
        self.project = project
