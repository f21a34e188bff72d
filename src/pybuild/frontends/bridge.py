"""The bridge of a frontend that a gateway calls: it adds the client's content stores, and the vertex of a
warning."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pybuild.compiler import reference
from pybuild.compiler.bridge import FileStat, Forwarding, NotAnImage, ResolvedImage
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.frontends.attributes import PULLS, Attributes
from pybuild.lang.diagnostics import Cancelled, Diagnostic, UsageError, UserError
from pybuild.lang.dockerfile.lint.rules import DOCUMENTATION, REFERENCE
from pybuild.runtime.bridge.bridge import local_bridge
from pybuild.runtime.bridge.gateway import Gateway
from pybuild.runtime.progress.observer import Tracked

_SCHEME = "oci-layout:"
_IMAGE = "docker-image://"


@frozen
class Layout:
    """The image `digest` of the client's content store `store`. `ref` is its name in the graph: the context's
    name with that digest."""

    ref: str
    store: str
    digest: str


def _layouts(contexts: Mapping[str, str]) -> dict[str, Layout]:
    """Return the named contexts that lie in content stores of the client, by name. Raises UsageError."""
    return {
        name: _layout(name, source.removeprefix(_SCHEME).removeprefix("//"))
        for name, source in contexts.items()
        if source.startswith(_SCHEME)
    }


def _layout(name: str, text: str) -> Layout:
    path, _, digest = text.partition("@")
    if not digest:
        raise UsageError(
            f'oci-layout reference "{text}" has no digest', help="write oci-layout://STORE@sha256:…"
        )
    store = path.partition(":")[0]
    if not store:
        raise UsageError(
            f'oci-layout reference "{text}" has no name', help="write oci-layout://STORE@sha256:…"
        )
    named = reference.parse(name.partition("::")[0]).with_digest(digest)
    return Layout(named.canonical, store, digest)


class GatewayBridge(Forwarding):
    """A bridge (`compiler.bridge.Bridge`) on a gateway, for a request with these attributes. `contexts` are the named
    contexts, in which those of content stores have the name of their image. The build's policies are applied to every
    source before it is asked about. Warnings belong to the vertex `about`, which is set once the file that they are
    about has been read."""

    def __init__(self, gateway: Gateway, attributes: Attributes) -> None:
        """Raises UsageError for a context that names no image of a content store."""
        engine, pull = gateway.engine, PULLS[attributes.resolve_mode]
        layouts = _layouts(attributes.contexts)
        own = pull is not None
        super().__init__(local_bridge(engine, engine.observer, pull=pull) if own else gateway.bridge)
        self.contexts = {
            **attributes.contexts,
            **{name: f"{_SCHEME}//{layout.ref}" for name, layout in layouts.items()},
        }
        self._gateway = gateway
        self._stored = {layout.ref: layout for layout in layouts.values()}
        self._judged: dict[tuple[str, int], Edge] = {}
        self.about = ""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        try:
            wanted = self._source(SourceOp(f"{_IMAGE}{ref}"), platform, ref)
            return super().resolve_image(wanted, platform, log_name=log_name)
        except (Cancelled, NotAnImage):
            raise
        except UserError as error:
            from pybuild.runtime.bridge.statuses import message_of

            known = f"failed to resolve source metadata for {ref}: {message_of(error, _IMAGE + ref)}"
            error.diagnostic = error.diagnostic.known_as(known)
            raise

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        layout, engine = self._stored[ref], self._gateway.engine
        attrs = FrozenMap({"oci.store": layout.store})
        self._gateway.judged_source(SourceOp(f"{_SCHEME}//{ref}", attrs), platform)
        if layout.store in engine.client.named:
            return super().resolve_layout(layout.store, platform, log_name=log_name)
        with Tracked(engine.observer, log_name):
            image = engine.images.resolve_stored(ref, platform, layout.store, "", engine.cancellation)
        return ResolvedImage(ref, layout.digest, image.config, layout.store)

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        return super().read_file(self._state(edge), path, limit=limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return super().stat(self._state(edge), path)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        return super().read_dir(self._state(edge), path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        return super().source_time(self._state(edge), log_name=log_name)

    def warn(self, warning: Diagnostic) -> None:
        url = warning.url
        if url.startswith(DOCUMENTATION):
            url = REFERENCE + url.removeprefix(DOCUMENTATION)
        referred = Diagnostic(
            warning.title,
            labels=warning.labels,
            notes=warning.notes,
            code=warning.code,
            level=warning.level,
            url=url,
        )
        self._gateway.warn(referred, self.about)

    def _state(self, edge: Edge) -> Edge:
        """Return the state after the build's policies were applied."""
        key = edge.vertex.digest, edge.index
        if key not in self._judged:
            judged = self._gateway.judged(edge)
            assert judged is not None
            self._judged[key] = judged
        return self._judged[key]

    def _source(self, op: SourceOp, platform: Platform, ref: str) -> str:
        """Return the reference that the policies give the image. Raises NotAnImage."""
        judged = self._gateway.judged_source(op, platform)
        if not judged.identifier.startswith(_IMAGE):
            raise NotAnImage(ref, judged.identifier)
        return judged.identifier.removeprefix(_IMAGE)
