"""The bridge that frontends of packages get: it notes what their answers depended on."""

from __future__ import annotations

from pybuild.build.execute import runs_anew
from pybuild.compiler.bridge import Forwarding
from pybuild.compiler.graph import walk
from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.ops import SourceOp
from pybuild.lang.dockerfile.wildcard import has_wildcard
from pybuild.runtime.sources.attributes import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.bridge import Bridge, FileStat
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.step_defaults import StepDefaults


class WatchingBridge(Forwarding):
    """States are read as the build will make them: with the defaults of its steps. `sources` are those of the states
    that were read or that told a time; `still` is False once something was read whose change would not show: a step
    that always runs, or a path of a local directory that its vertex doesn't name."""

    def __init__(self, bridge: Bridge, steps: StepDefaults) -> None:
        super().__init__(bridge)
        self._steps = steps
        self.sources: list[SourceOp] = []
        self.still = True

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        return super().read_file(self._watched(edge, path), path, limit=limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return super().stat(self._watched(edge, path), path)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        return super().read_dir(self._watched(edge, path), path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        if isinstance(edge.vertex.op, SourceOp):
            self.sources.append(edge.vertex.op)
        return super().source_time(edge, log_name=log_name)

    def _watched(self, edge: Edge, path: str) -> Edge:
        (made,) = self._steps.applied([edge])
        assert made is not None
        for vertex in walk([made]):
            if isinstance(vertex.op, SourceOp):
                self.sources.append(vertex.op)
            self.still &= not runs_anew(vertex)
        op = made.vertex.op
        if isinstance(op, SourceOp) and op.identifier.startswith("local://"):
            named = [used_path(one) for one in patterns(op, "local.followpaths")]
            self.still &= not named or (used_path(path) in named and not has_wildcard(path))
        return made
