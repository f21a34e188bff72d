"""Source ops: images by registry reference, images of named OCI layouts, local directories."""

from __future__ import annotations

import json
import os

from pybuild.compiler.ops import Platform, SourceOp
from pybuild.lang.diagnostics import Diagnostic, Label, UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.image.descriptor import ImageContent
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.local import LocalTree

IMAGE_SEMANTICS = "image 1"
LOCAL_ATTRIBUTES = frozenset(
    {
        "local.followpaths",
        "local.excludepatterns",
        "local.sharedkeyhint",
        "local.sessionid",
        "local.unique",
        "local.differ",
        "local.metadatatransfer",
    }
)


class ImageHandler:
    """Images. `content` finds an image's layers for a platform (its manifest and config, no more); `unpack`
    brings them into snapshots."""

    recorded = True
    limited = False
    pure_key = False

    def __init__(
        self,
        content: Callable[[str, Platform, Cancellation], ImageContent],
        unpack: Callable[[ImageContent, Vertex, Cancellation], int | None],
    ) -> None:
        self._content = content
        self._unpack = unpack

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return digest_of(IMAGE_SEMANTICS, self._find(vertex, cancellation).manifest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        return [Snapshot(self._unpack(self._find(vertex, cancellation), vertex, cancellation))]

    def _find(self, vertex: Vertex, cancellation: Cancellation) -> ImageContent:
        from pybuild.compiler.platforms import default

        op = vertex.op
        assert isinstance(op, SourceOp)
        ref = op.identifier.partition("://")[2]
        return self._content(ref, vertex.platform or default(), cancellation)


class LocalHandler:
    """Local directories by name: views, read in place."""

    recorded = False
    limited = False
    pure_key = False

    def __init__(self, directories: Mapping[str, bytes], tree: Callable[[str, SourceOp], LocalTree]) -> None:
        self._directories = directories
        self._tree = tree
        self._trees: dict[str, LocalTree] = {}

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return self._view(vertex).digest()

    def outside(self, vertex: Vertex) -> str:
        return os.fsdecode(self._directories.get(_name(vertex), b""))

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        return [View(self._view(vertex))]

    def trees(self) -> Mapping[str, LocalTree]:
        """Those looked at so far, by the digests of their vertices."""
        return dict(self._trees)

    def _view(self, vertex: Vertex) -> LocalTree:
        tree = self._trees.get(vertex.digest)
        if tree is None:
            op = vertex.op
            assert isinstance(op, SourceOp)
            name = _name(vertex)
            if name not in self._directories:
                raise UserError(f"the graph reads a local directory {name!r} that was not given")
            unknown = set(op.attrs) - LOCAL_ATTRIBUTES
            if unknown:
                labels = [Label(span) for span in vertex.metadata.spans[:1]]
                attribute = min(unknown)
                raise UserError(
                    Diagnostic(f"this version does not execute {attribute} of a source", labels=labels)
                )
            tree = self._trees[vertex.digest] = self._tree(name, op)
        return tree


def patterns(op: SourceOp, attribute: str) -> list[str]:
    """The list of texts that an attribute holds as JSON; empty without it. Raises UserError."""
    try:
        found = json.loads(op.attrs.get(attribute, "[]"))
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise UserError(f"the attribute {attribute} of {op.identifier} is no JSON list of texts")
    return found


def _name(vertex: Vertex) -> str:
    assert isinstance(vertex.op, SourceOp)
    return vertex.op.identifier.partition("://")[2]
