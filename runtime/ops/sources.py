"""Handlers of source ops for images of registries and of OCI layouts, and for local directories."""

from __future__ import annotations

from pybuild.compiler.ops import Platform, SourceOp
from pybuild.lang.diagnostics import Diagnostic, Label, UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.image.descriptor import ImageContent
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.sources.attributes import source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.clients.client import Client
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.local import LocalTree

IMAGE_SEMANTICS = "image 1"
IMAGE_ATTRIBUTES = frozenset(
    {
        "image.checksum",
        "image.layerlimit",
        "image.recordtype",
        "image.resolvemode",
        "oci.layerlimit",
        "oci.session",
        "oci.store",
    }
)
"""`image.recordtype` says what the image is for, which disk usage shows. Session and store of a layout say which
client has it."""
LOCAL_ATTRIBUTES = frozenset(
    {
        "local.followpaths",
        "local.includepattern",
        "local.excludepatterns",
        "local.sharedkeyhint",
        "local.session",
        "local.sessionid",
        "local.unique",
        "local.differ",
        "local.metadatatransfer",
        "local.metadatatransferexclude",
    }
)


class ImageHandler:
    """Images. `content` resolves a source op to the image of a platform, reading manifest and config only; `unpack`
    fetches the layers and returns their snapshot."""

    recorded = True
    limited = False
    pure_key = False

    def __init__(
        self,
        content: Callable[[SourceOp, Platform, Cancellation], ImageContent],
        unpack: Callable[[ImageContent, Vertex, Cancellation], int | None],
    ) -> None:
        self._content = content
        self._unpack = unpack

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        image = self._resolve(vertex, cancellation)
        limit = _layer_limit(vertex)
        return digest_of(IMAGE_SEMANTICS, image.manifest, *(() if limit is None else (str(limit),)))

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        image = self._resolve(vertex, cancellation)
        limit = _layer_limit(vertex)
        if limit is not None:
            image = ImageContent(image.manifest, image.config, image.layers[:limit])
        return [Snapshot(self._unpack(image, vertex, cancellation))]

    def _resolve(self, vertex: Vertex, cancellation: Cancellation) -> ImageContent:
        from pybuild.compiler.platforms import default

        op = vertex.op
        assert isinstance(op, SourceOp)
        _refuse_unknown(vertex, op, IMAGE_ATTRIBUTES)
        return self._content(op, vertex.platform or default(), cancellation)


def _layer_limit(vertex: Vertex) -> int | None:
    """Return the number of layers to take from the base up, None for all. Raises UserError."""
    assert isinstance(vertex.op, SourceOp)
    attrs = vertex.op.attrs
    text = attrs.get("image.layerlimit") or attrs.get("oci.layerlimit")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise UserError(f"invalid layer limit {text}")
    return int(text)


def _refuse_unknown(vertex: Vertex, op: SourceOp, known: frozenset[str]) -> None:
    """Raise UserError for an attribute that is not in `known`."""
    unknown = set(op.attrs) - known
    if unknown:
        labels = [Label(span) for span in vertex.metadata.spans[:1]]
        raise UserError(
            Diagnostic(f"this version does not execute {min(unknown)} of a source", labels=labels)
        )


class LocalHandler:
    """Local directories by name, as views that are read in place."""

    recorded = False
    limited = False
    pure_key = False

    def __init__(self, client: Client) -> None:
        self._client = client
        self._trees: dict[str, LocalTree] = {}

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        return self._view(vertex, cancellation).digest()

    def outside(self, vertex: Vertex) -> str:
        return self._client.outside(_name(vertex))

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        return [View(self._view(vertex, cancellation))]

    def trees(self) -> Mapping[str, LocalTree]:
        """Return the trees read so far, by vertex digest."""
        return dict(self._trees)

    def _view(self, vertex: Vertex, cancellation: Cancellation) -> LocalTree:
        tree = self._trees.get(vertex.digest)
        if tree is None:
            _refuse_unknown(vertex, source_of(vertex), LOCAL_ATTRIBUTES)
            tree = self._trees[vertex.digest] = self._client.tree(vertex, cancellation)
        return tree


def _name(vertex: Vertex) -> str:
    return source_of(vertex).identifier.partition("://")[2]
