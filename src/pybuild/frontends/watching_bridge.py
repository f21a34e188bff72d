"""A bridge that notes the dependencies of a frontend's answers."""

from __future__ import annotations

from pybuild.compiler.bridge import Forwarding
from pybuild.compiler.graph import walk
from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.ops import SourceOp
from pybuild.lang.dockerfile.wildcard import has_wildcard
from pybuild.replay.dependencies import always_runs
from pybuild.runtime.sources.attributes import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.bridge import Bridge, FileStat
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.step_defaults import StepDefaults
    from pybuild.replay.dependencies import Dependencies


class WatchingBridge(Forwarding):
    """A bridge that notes in `dependencies` the sources of states that are read or asked for a time.

    The dependencies are no longer replayable once something is read whose change would not show: a step that
    always runs, or a path of a local directory that its vertex doesn't name. With `steps` states are read as
    the build will make them: with the defaults of its steps.
    """

    def __init__(self, bridge: Bridge, dependencies: Dependencies, steps: StepDefaults | None = None) -> None:
        super().__init__(bridge)
        self._dependencies = dependencies
        self._steps = steps

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        return super().read_file(self._watched(edge, path), path, limit=limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return super().stat(self._watched(edge, path), path)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        return super().read_dir(self._watched(edge, path), path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        if isinstance(edge.vertex.op, SourceOp):
            self._dependencies.queried_sources.append(edge.vertex.op)
        return super().source_time(edge, log_name=log_name)

    def _watched(self, edge: Edge, path: str) -> Edge:
        if self._steps is not None:
            (applied,) = self._steps.applied([edge])
            assert applied is not None
            edge = applied
        dependencies = self._dependencies
        for vertex in walk([edge]):
            if isinstance(vertex.op, SourceOp):
                dependencies.queried_sources.append(vertex.op)
            dependencies.replayable &= not always_runs(vertex)
        op = edge.vertex.op
        if isinstance(op, SourceOp) and op.identifier.startswith("local://"):
            named = [used_path(pattern) for pattern in patterns(op, "local.followpaths")]
            dependencies.replayable &= not named or (used_path(path) in named and not has_wildcard(path))
        return edge
