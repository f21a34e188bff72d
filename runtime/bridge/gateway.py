"""The gateway of a build, answered by an engine: `moby.buildkit.v1.frontend.LLBBridge` without its encoding.
`service` serves it as gRPC; built-in frontends call it, or its `bridge`, directly.

A state is solved once, when it is first read or mounted; later requests get the same result or error.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

from pybuild.compiler.gateway import Request, Result
from pybuild.compiler.graph import walk
from pybuild.compiler.ops import ExecOp, FileOp
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.bridge import reading
from pybuild.runtime.bridge.bridge import local_bridge
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pybuild.compiler.gateway import Frontends
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform, SourceOp
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.bridge.metadata import SourceMetadata, Wanted
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.ops.results import Result as Solved
    from pybuild.runtime.policy.sources import SourcePolicies
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.snapshots.types import Node, Tree

    Imports = Callable[[Iterable[tuple[str, Mapping[str, str]]]], None]
    """Imports caches by their types and attributes. Thread-safe."""


class UnreadablePath(UserError):
    """A file or directory of a state can't be read. `errno` tells why."""

    def __init__(self, title: str, errno: int) -> None:
        super().__init__(title)
        self.errno = errno


class Gateway:
    """The gateway of one build. Thread-safe. Every method may raise UserError and Cancelled; `cancellation`
    ends one call, the engine's ends all. `inputs` are the states that the frontend got by name. `requests`
    are the calls of frontends with their results, in the order in which they ended."""

    def __init__(
        self,
        engine: Engine,
        observer: Observer,
        frontends: Frontends | None = None,
        *,
        inputs: Mapping[str, Edge | None] | None = None,
        policy: SourcePolicies | None = None,
        requests: list[tuple[Request, Result]] | None = None,
        imports: Imports | None = None,
    ) -> None:
        self.engine = engine
        self.requests = [] if requests is None else requests
        self.inputs = dict(inputs or {})
        self.bridge = local_bridge(engine, observer)
        self._observer = observer
        self._frontends = frontends
        self._policy = policy
        self._imports = imports
        self._solved: dict[tuple[str, int], Solved | UserError] = {}
        self._guard = threading.Lock()

    def with_inputs(self, inputs: Mapping[str, Edge | None]) -> Gateway:
        """Return the same build's gateway for a frontend with other inputs."""
        return Gateway(
            self.engine,
            self._observer,
            self._frontends,
            inputs=inputs,
            policy=self._policy,
            requests=self.requests,
            imports=self._imports,
        )

    # Solving

    def solve(self, request: Request, cancellation: Cancellation | None = None) -> Result:
        """Return the result of a request. Nothing is solved yet, unless `evaluate` is set or a frontend had
        to."""
        if request.frontend and request.edge is not None:
            raise UserError("cannot solve with both Definition and Frontend specified")
        if request.frontend:
            if self._frontends is None:
                raise UserError(f"invalid frontend: {request.frontend}")
            result = self._frontends.solve(request)
            self.requests.append((request, result))
        else:
            result = Result(self.judged(request.edge, request.policies))
        if request.evaluate:
            self._evaluate_all([result.edge] if result.edges is None else result.edges.values(), cancellation)
        return result

    def import_caches(self, wanted: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        """Import caches by their types and attributes. An unreadable cache is reported and otherwise
        ignored."""
        if self._imports is not None:
            self._imports(wanted)
            return
        for kind, attrs in wanted:
            self.notice(
                f"the cache of {attrs.get('ref', kind)} is not imported: this build has its store alone"
            )

    def evaluate(self, edge: Edge | None, cancellation: Cancellation | None = None) -> Solved:
        """Solve a state. The error of a failed step holds the states of its mounts (`StepFailed.mounts`),
        that of a file op what its action has made (`Origin.left`)."""
        if edge is None:
            return Snapshot(None)
        key = edge.vertex.digest, edge.index
        with self._guard:
            known = self._solved.get(key)
        if known is None:
            try:
                (known,) = self._solve([edge], cancellation)
            except Cancelled:
                raise
            except UserError as error:
                known = error
            with self._guard:
                self._solved[key] = known
        if isinstance(known, UserError):
            raise known
        return known

    def _evaluate_all(self, edges: Iterable[Edge | None], cancellation: Cancellation | None) -> None:
        """Solve states in parallel. Raises the first error."""
        there = [one for one in edges if one is not None]
        if len(there) > 1:
            self._solve(there, cancellation)
        for one in there:
            self.evaluate(one, cancellation)

    def _solve(self, edges: Sequence[Edge], cancellation: Cancellation | None) -> Sequence[Solved]:
        # Of these ops a client may mount what a failed one left, as with BuildKit.
        kept = [one.digest for one in walk(edges) if isinstance(one.op, ExecOp | FileOp)]
        with linked(self.engine.cancellation, cancellation) as both:
            return self.engine.solve(edges, keep_failed=kept, cancellation=both)

    def tree(self, edge: Edge | None, cancellation: Cancellation | None = None) -> Tree:
        return self.engine.tree(self.evaluate(edge, cancellation))

    # Reading

    def read_file(
        self,
        edge: Edge | None,
        path: str,
        *,
        offset: int = 0,
        length: int | None = None,
        cancellation: Cancellation | None = None,
    ) -> bytes:
        """Return `length` bytes of a regular file from `offset` on. Raises UnreadablePath."""
        return read_file(self.tree(edge, cancellation), path, offset=offset, length=length)

    def read_dir(
        self, edge: Edge | None, path: str, include: str = "", cancellation: Cancellation | None = None
    ) -> Sequence[Node]:
        """Return the entries of a directory that match a pattern; all of them without one. Raises
        UnreadablePath."""
        return read_dir(self.tree(edge, cancellation), path, include)

    def stat(self, edge: Edge | None, path: str, cancellation: Cancellation | None = None) -> Node:
        """Raises UnreadablePath."""
        return stat(self.tree(edge, cancellation), path)

    # Sources

    def resolve_source_metadata(
        self,
        op: SourceOp,
        wanted: Wanted,
        cancellation: Cancellation | None = None,
        policies: Sequence[bytes] = (),
    ) -> SourceMetadata:
        """Resolve a source without its files. A source without metadata of its own is returned with its op
        alone. The build's policies and those of the request are applied."""
        from pybuild.runtime.bridge.metadata import source_metadata

        op = self.judged_source(op, wanted.platform, policies)
        with linked(self.engine.cancellation, cancellation) as both:
            return source_metadata(self.engine, self._observer, op, wanted, both)

    # Policies

    def judged(self, edge: Edge | None, policies: Sequence[bytes] = ()) -> Edge | None:
        """Return a state with the policies of the build and the request applied to its sources."""
        if edge is None or (self._policy is None and not policies):
            return edge
        return self._policies().edge(edge, policies, self._facts)

    def judged_source(
        self, op: SourceOp, platform: Platform | None, policies: Sequence[bytes] = ()
    ) -> SourceOp:
        """Return the source to resolve in place of `op`."""
        if self._policy is None and not policies:
            return op
        return self._policies().source(op, platform, policies, self._facts)

    def _policies(self) -> SourcePolicies:
        """Return the build's policies. Only builds that have some import the room."""
        from pybuild.runtime.policy.sources import SourcePolicies

        return self._policy or SourcePolicies()

    def _facts(self, op: SourceOp, wanted: Wanted) -> SourceMetadata:
        """Resolve a source for the client that decides on it, by the build's own policies."""
        from pybuild.runtime.bridge.metadata import source_metadata

        stated = self._policies().stated(op)
        return source_metadata(self.engine, self._observer, stated, wanted, self.engine.cancellation)

    def warn(self, warning: Diagnostic, digest: str = "") -> None:
        """Show a warning with the build's messages, at the vertex `digest`."""
        self._observer.warning(digest, warning)

    def notice(self, text: str) -> None:
        """Show a line that is about no vertex."""
        self._observer.notice(text)


@contextmanager
def linked(first: Cancellation, second: Cancellation | None) -> Iterator[Cancellation]:
    """Yield a cancellation that is cancelled with either of two."""
    if second is None:
        yield first
        return
    both = Cancellation()
    forget = [one.on_cancel(both.cancel) for one in (first, second)]
    try:
        yield both
    finally:
        for one in forget:
            one()


# Trees as a frontend reads them, whatever they are of


def read_file(tree: Tree, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
    """Return bytes of a regular file, as `Gateway.read_file`."""
    try:
        return reading.read_file(tree, path, offset=offset, limit=length)
    except FileNotFoundError as error:
        raise _unreadable("open", path, error) from None
    except OSError as error:
        raise UnreadablePath(f"{path} is not a regular file", error.errno or 0) from None


def read_dir(tree: Tree, path: str, include: str = "") -> Sequence[Node]:
    """Return entries of a directory, as `Gateway.read_dir`."""
    try:
        return reading.entries(tree, path, include)
    except OSError as error:
        raise _unreadable("lstat", path, error) from None


def stat(tree: Tree, path: str) -> Node:
    """Return the entry at a path, as `Gateway.stat`."""
    try:
        return reading.node_at(tree, path)
    except OSError as error:
        raise _unreadable("lstat", path, error) from None


def _unreadable(call: str, path: str, error: OSError) -> UnreadablePath:
    code = error.errno or 0
    return UnreadablePath(f"{call} {path}: {os.strerror(code).lower()}", code)
