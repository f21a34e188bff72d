"""The dependencies of a finished build, as far as it can be replayed while none of them changes."""

from __future__ import annotations

import os

from pybuild.compiler.graph import walk
from pybuild.compiler.ops import SourceOp
from pybuild.replay.dependencies import always_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.build.plan import Plan
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.sources.local import LocalTree

STABLE_SCHEMES = ("local", "docker-image", "oci-layout")
"""Sources that stay the same while files and the store's generation do."""


class Evidence:
    """A finished build's `plan`, the local directories it read, the files of the store that its outputs need.
    `generation` is that of the store while names were looked up; `steps` are the names of its vertices."""

    __slots__ = ("blobs", "generation", "plan", "steps", "trees")

    def __init__(
        self,
        plan: Plan,
        generation: str,
        *,
        trees: Sequence[LocalTree] = (),
        blobs: Sequence[str] = (),
        steps: Sequence[str] = (),
    ) -> None:
        self.plan = plan
        self.generation = generation
        self.trees = trees
        self.blobs = list(blobs)
        self.steps = steps


def evidence_of(
    plan: Plan, request: BuildRequest, outputs: Sequence[Output], blobs: Sequence[str], engine: Engine
) -> Evidence | None:
    """Return the evidence of a build that has ended; None for one that can't be replayed."""
    vertices = list(walk(plan.edges))
    sources = {vertex.digest: vertex.op for vertex in vertices if isinstance(vertex.op, SourceOp)}
    dependencies = plan.dependencies
    generation = engine.store.known_generation()
    if generation is None or not dependencies.replayable:
        return None
    if not _is_recordable(request, outputs, [*sources.values(), *dependencies.queried_sources]):
        return None
    trees = engine.local_trees
    local = [digest for digest, op in sources.items() if op.identifier.startswith("local://")]
    if not trees.keys() >= set(local) or any(map(always_runs, vertices)):
        return None
    return Evidence(
        plan,
        generation,
        trees=[trees[digest] for digest in local],
        blobs=blobs,
        steps=[vertex.name for vertex in vertices],
    )


def _is_recordable(request: BuildRequest, outputs: Sequence[Output], sources: Iterable[SourceOp]) -> bool:
    """Report whether a build with this request, these outputs and sources can be replayed at all."""
    return not (
        request.context == "-"
        or request.file == "-"
        or _is_remote(request)
        or request.pull
        or request.no_cache
        or request.no_cache_filter
        or request.push
        or request.load
        or request.progress == "rawjson"
        or any(not _stays(output) for output in outputs)
        or any(not _is_stable(op) for op in sources)
    )


def _is_stable(op: SourceOp) -> bool:
    """Report whether a source stays the same while files and the store's generation do: a download by its checksum, a
    repository by its commit."""
    scheme = op.identifier.partition("://")[0]
    if scheme in ("http", "https"):
        return bool(op.attrs.get("http.checksum"))
    if scheme != "git":
        return scheme in STABLE_SCHEMES
    from pybuild.runtime.sources.gitresolve import pinned

    return pinned(op.identifier)


def _is_remote(request: BuildRequest) -> bool:
    """Report whether the build file may have come from an address, which the graph need not name."""
    fetched = request.file is not None and request.file.startswith(("http://", "https://"))
    return fetched or not os.path.isdir(request.context)


def _stays(output: Output) -> bool:
    """Report whether an output that is there need not be made again: an archive in a file, a name in the store."""
    if output.type == "image":
        return not output.flag("push")
    if output.type in ("oci", "docker"):
        return output.flag("tar", True) and output.dest not in ("", "-")
    return output.type == "none" or (output.type == "tar" and output.dest not in ("", "-"))
