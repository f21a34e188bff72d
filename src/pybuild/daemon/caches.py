"""Caches outside of the daemon's store, in the places BuildKit knows: imports and exports.

    registry    an image of its own, `ref`; an image that was built with an inline cache can be read as one
    local       a content store of the client's, which is a directory there (`src`, `dest`)
    inline      records in the config of each image that is exported

A cache that can't be read costs time and no build: its vertex fails, and the build goes on.
"""

from __future__ import annotations

from threading import Lock

from pybuild.compiler import reference
from pybuild.daemon.cachereading import read_cache
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import Cancelled, UsageError, UserError
from pybuild.runtime.cache import cacheconfig
from pybuild.runtime.cache.collecting import Collector
from pybuild.runtime.cache.imported import ImportedRecords
from pybuild.runtime.export.pushing import client_for
from pybuild.runtime.image.compression import LEVELS, Compression
from pybuild.runtime.image.descriptor import OCI_MANIFEST, Descriptor, is_digest
from pybuild.runtime.image.gojson import compact, indented
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.registry.pull import RegistryProvider
from pybuild.runtime.registry.push import push
from pybuild.runtime.registry.transfer import Transfer
from pybuild.runtime.session.contentstore import ContentSink, SessionContent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.protos.control_pb2 import CacheOptionsEntry, SolveRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.session.calls import Sessions

REGISTRY, LOCAL, INLINE = "registry", "local", "inline"
TYPES = (REGISTRY, LOCAL, INLINE)
MANIFEST = "cache.manifest"
"""The key of the exporter's response under which a written cache's descriptor stands, as JSON."""
STORE = "local:"
"""The prefix of the name of a content store of the client's that is a cache."""


def check(entry: CacheOptionsEntry) -> None:
    """Check the attributes of a cache of one of TYPES. Raises UsageError."""
    attrs = entry.Attrs
    if truth(attrs.get("image-manifest", "true")) is False:
        raise UsageError("caches are written as image manifests only", help="leave out image-manifest=false")
    if entry.Type == REGISTRY and not attrs.get("ref"):
        raise UsageError("failed to configure registry cache exporter: ref is not set", help="give ref=IMAGE")
    if entry.Type == LOCAL and not attrs.get("dest"):
        raise UsageError(
            "failed to configure local cache exporter: dest is not set", help="give dest=DIRECTORY"
        )
    _compression(attrs)


class Imports:
    """Imports caches into an engine, each once, on behalf of the client of `request`. Thread-safe."""

    def __init__(self, request: SolveRequest, engine: Engine, sessions: Sessions, observer: Observer) -> None:
        self._request = request
        self._engine = engine
        self._sessions = sessions
        self._observer = observer
        self._records = ImportedRecords(engine.store, engine.snapshotter, observer)
        self._known: list[tuple[str, dict[str, str]]] = []
        self._guard = Lock()

    def __call__(self, entries: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Import caches, given as types and attributes. Raises Cancelled."""
        with self._guard:
            # Locked while it is fetched too: a frontend that needs the same cache has to wait for it.
            for kind, attrs in entries:
                cache = kind, dict(attrs)
                if cache not in self._known:
                    self._known.append(cache)
                    self._read(*cache)

    def _read(self, kind: str, attrs: Mapping[str, str]) -> None:
        name = attrs.get("ref") or attrs.get("src") or kind
        try:
            with Tracked(self._observer, f"importing cache manifest from {name}"):
                _import(kind, attrs, self._request, self._engine, self._sessions, self._records)
        except Cancelled:
            raise
        except UserError:
            pass  # its vertex tells
        self._engine.operations.use(self._records)


def _import(
    kind: str,
    attrs: Mapping[str, str],
    request: SolveRequest,
    engine: Engine,
    sessions: Sessions,
    records: ImportedRecords,
) -> None:
    cancelled = engine.cancellation
    if kind == LOCAL:
        digest = attrs.get("digest", "")
        if not is_digest(digest):
            raise UserError("local cache importer requires explicit digest")
        store = SessionContent(sessions.get(request.Session), STORE + attrs.get("src", ""))
        root = store.describe(digest)
        records.add(read_cache(engine.store, store, root, Transfer(None, cancelled)), store)
        return
    if kind != REGISTRY:
        raise UserError(f"caches of type {kind} are not read by this daemon")
    ref = reference.parse(attrs.get("ref", ""))
    insecure = truth(attrs.get("registry.insecure", "")) is True
    client, _ = client_for(engine, ref, insecure=insecure)
    places = client.repositories(ref.domain, ref.path, cancelled=cancelled)
    root, data = places[-1].manifest(ref.digest or ref.tag or reference.DEFAULT_TAG)
    engine.store.blobs.put(data)
    engine.layers.keep([root.digest])
    provider = RegistryProvider(places)
    records.add(read_cache(engine.store, provider, root, Transfer(None, cancelled)), provider)


def export_all(
    request: SolveRequest,
    edges: Sequence[Edge],
    finals: Sequence[int | None],
    engine: Engine,
    sessions: Sessions,
    observer: Observer,
) -> dict[str, str]:
    """Write the caches that the request names, of solved states; return what is added to the exporter's response.
    Raises UserError, Cancelled."""
    response: dict[str, str] = {}
    for number, entry in enumerate(request.Cache.Exports):
        if entry.Type not in (REGISTRY, LOCAL):
            continue
        destination = "registry" if entry.Type == REGISTRY else "client directory"
        try:
            with Tracked(observer, f"exporting cache to {destination}", _vertex(request, number)) as tracked:
                descriptor = _export(entry, request, edges, finals, engine, sessions, tracked)
            response[MANIFEST] = compact(descriptor.to_json()).decode()
        except Cancelled:
            raise
        except UserError:
            if truth(entry.Attrs.get("ignore-error", "")) is not True:
                raise
    return response


def _vertex(request: SolveRequest, number: int) -> str:
    from hashlib import sha256

    return "sha256:" + sha256(f"{request.Session or request.Ref}-cache-{number}".encode()).hexdigest()


def _export(
    entry: CacheOptionsEntry,
    request: SolveRequest,
    edges: Sequence[Edge],
    finals: Sequence[int | None],
    engine: Engine,
    sessions: Sessions,
    tracked: Tracked,
) -> Descriptor:
    attrs = entry.Attrs
    entries = _collector(engine).collect(
        edges,
        finals,
        _compression(attrs),
        full=attrs.get("mode") == "max",
        force=truth(attrs.get("force-compression", "false") or "true") is True,
    )
    tracked.progress("preparing build cache for export", 0, 0, done=True)
    config, layers = cacheconfig.encode(entries)
    blobs = engine.store.blobs
    described = Descriptor(cacheconfig.CONFIG, blobs.put(config), len(config))
    manifest = indented(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )
    root = Descriptor(OCI_MANIFEST, blobs.put(manifest), len(manifest))
    engine.layers.keep([described.digest, root.digest])
    if entry.Type == LOCAL:
        sink = ContentSink(sessions.get(request.Session), STORE + attrs["dest"])
        # The root last: whoever finds it finds all that it names.
        for blob in (*layers, described, root):
            sink.put(blob, blobs.path(blob.digest))
    else:
        ref = reference.parse(attrs["ref"])
        insecure = truth(attrs.get("registry.insecure", "")) is True
        client, close = client_for(engine, ref, insecure=insecure)
        try:
            push(client, engine.store, root, ref, Transfer(tracked, engine.cancellation))
        finally:
            close()
    tracked.progress("sending cache export", 0, 0, done=True)
    return root


def inline(
    request: SolveRequest, edge: Edge | None, snapshot: int | None, engine: Engine
) -> dict[str, object]:
    """Return the fields that an inline cache adds to an image's config, for a state that was solved to `snapshot`.
    Raises UserError, Cancelled."""
    if edge is None or all(export.Type != INLINE for export in request.Cache.Exports):
        return {}
    from base64 import b64encode

    plain = Compression()
    entries = _collector(engine).collect([edge], [snapshot], plain, full=False)
    layers = engine.layers.layers(snapshot, plain, cancelled=engine.cancellation)
    data = cacheconfig.encode_inline(entries, layers)
    return {cacheconfig.INLINE: b64encode(data).decode()}


def _collector(engine: Engine) -> Collector:
    return Collector(
        engine.cache_keys(),
        engine.records,
        engine.snapshotter,
        engine.layers,
        engine.creation,
        engine.cancellation,
    )


def _compression(attrs: Mapping[str, str]) -> Compression:
    name, level = attrs.get("compression") or "gzip", attrs.get("compression-level")
    if name not in LEVELS:
        raise UsageError(f"unsupported compression type {name}", help="give gzip, zstd or uncompressed")
    if level is not None and not level.isdecimal():
        raise UsageError(f"non-integer value {level} specified for compression-level")
    return Compression(name, None if level is None else int(level))


__all__ = ["Imports", "check", "export_all", "inline"]
