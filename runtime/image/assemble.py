"""From solved states to an image: layers, config, manifest and, for several platforms, an index.

The JSON is what BuildKit's image exporter writes: Go's encoder, two spaces of indentation, fields in the
order of the specification, `<`, `>` and `&` escaped. Every blob is in the store when `assemble` returns.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.descriptor import (
    COMPRESSIONS,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
)
from pybuild.runtime.image.manifest import config_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.progress.observer import Tracked

_OCI_LAYERS = {"none": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
_DOCKER_LAYERS = {"none": DOCKER_LAYER, "gzip": DOCKER_LAYER_GZIP, "zstd": DOCKER_LAYER_ZSTD}


class Result:
    """One platform's outcome: the config the frontend made (JSON bytes) and the final state.

    `base` is the config of the image built upon, whose history keeps its times. `made` tells of a snapshot
    when (RFC 3339) and by what it was made, for history entries without a time and layers without an entry.
    """

    __slots__ = ("base", "config", "made", "snapshot")

    def __init__(
        self,
        config: bytes,
        snapshot: int | None,
        *,
        base: bytes | None = None,
        made: Callable[[int], tuple[str | None, str]] | None = None,
    ) -> None:
        self.config = config
        self.snapshot = snapshot
        self.base = base
        self.made = made


class ImageOptions:
    """How an image is written. `epoch` bounds the times in the config, with `rewrite` also those in the
    layers the build made (not those of a pulled base). `oci` false gives Docker's media types."""

    __slots__ = ("annotations", "compression", "epoch", "force", "oci", "rewrite")

    def __init__(
        self,
        *,
        compression: Compression | None = None,
        force: bool = False,
        epoch: int | None = None,
        rewrite: bool = False,
        oci: bool = True,
        annotations: Annotations | None = None,
    ) -> None:
        if rewrite and epoch is None:
            raise UsageError(
                "rewrite-timestamp=true needs a time to rewrite to",
                help="set SOURCE_DATE_EPOCH to a number of seconds",
            )
        self.compression = compression or Compression()
        self.force = force
        self.epoch = epoch
        self.rewrite = rewrite
        self.oci = oci or (annotations is not None and annotations.need_oci)
        self.annotations = annotations

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for options that give equal images of equal results."""
        annotations = self.annotations.identity if self.annotations is not None else ()
        return self.compression, self.force, self.epoch, self.rewrite, self.oci, annotations


class Image:
    """What was assembled: the `target` (a manifest, or an index of `manifests`). `configs`, `layers` and
    `platforms` (JSON objects) belong to `manifests`, one each."""

    __slots__ = ("configs", "created", "layers", "manifests", "platforms", "target")

    def __init__(
        self,
        target: Descriptor,
        manifests: Sequence[Descriptor],
        configs: Sequence[Descriptor],
        layers: Sequence[Sequence[Descriptor]],
        platforms: Sequence[dict[str, object]],
        created: str,
    ) -> None:
        self.target = target
        self.manifests = tuple(manifests)
        self.configs = tuple(configs)
        self.layers = tuple(tuple(each) for each in layers)
        self.platforms = tuple(platforms)
        self.created = created
        """When the image was made, RFC 3339 in whole seconds; empty when its config does not say."""

    @property
    def platform(self) -> dict[str, object]:
        """The platform of the first manifest."""
        return self.platforms[0]

    @property
    def blobs(self) -> list[Descriptor]:
        """Every blob of the image once, those it is made of before those that name them."""
        found: dict[str, Descriptor] = {}
        for layers, config, manifest in zip(self.layers, self.configs, self.manifests, strict=True):
            for descriptor in (*layers, config, manifest):
                found.setdefault(descriptor.digest, descriptor)
        found.setdefault(self.target.digest, self.target)
        return list(found.values())


def assemble(
    store: Store,
    layers: Layers,
    results: Sequence[Result],
    options: ImageOptions,
    *,
    index: bool = False,
    tracked: Tracked | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Image:
    """Make the image of `results`: a manifest for one, an index for several or where `index` asks for it.

    Equal results and options give equal bytes. Raises ImageConfigError for a config that is none, and what
    making the layers raises.
    """
    clamp = options.epoch if options.rewrite else None
    index = index or len(results) > 1
    parts = []
    for result in results:
        made = layers.layers(
            result.snapshot, options.compression, clamp=clamp, force=options.force, cancelled=cancelled
        )
        parts.append(_manifest(store, layers, result, made, options, index))
    if tracked is not None:
        total = sum(layer.size for part in parts for layer in part[2])
        tracked.progress("exporting layers", total, total, done=True)
    manifests = [part[0] for part in parts]
    target = _index(store, manifests, options) if index else manifests[0]
    if tracked is not None:
        for manifest, config, _, _ in parts:
            tracked.progress(f"exporting manifest {manifest.digest}", 0, 0, done=True)
            tracked.progress(f"exporting config {config.digest}", 0, 0, done=True)
        if index:
            tracked.progress(f"exporting manifest list {target.digest}", 0, 0, done=True)
    layers.keep([target.digest, *(blob.digest for part in parts for blob in part[:2])])
    created = max(_created(part[3]) for part in parts)
    platforms = [config_platform(part[3]) for part in parts]
    return Image(
        target, manifests, [part[1] for part in parts], [part[2] for part in parts], platforms, created
    )


def _manifest(
    store: Store,
    layers: Layers,
    result: Result,
    made: Sequence[Descriptor],
    options: ImageOptions,
    listed: bool,
) -> tuple[Descriptor, Descriptor, list[Descriptor], bytes]:
    """Write config and manifest; their descriptors, the layers as listed there, the config."""
    config = _config(layers, result, made, options)
    platform = config_platform(config)
    types = _OCI_LAYERS if options.oci else _DOCKER_LAYERS
    listed_layers = [
        Descriptor(types[COMPRESSIONS[layer.media_type]], layer.digest, layer.size, diff_id=layer.diff_id)
        for layer in made
    ]
    config_descriptor = _put(store, OCI_CONFIG if options.oci else DOCKER_CONFIG, config)
    media_type = OCI_MANIFEST if options.oci else DOCKER_MANIFEST
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config_descriptor.to_json(),
        "layers": [layer.to_json() for layer in listed_layers],
    }
    annotations: Mapping[str, str] = {}
    if options.annotations is not None:
        if own := options.annotations.manifest(platform):
            value["annotations"] = dict(sorted(own.items()))
        annotations = options.annotations.descriptor(platform)
    found = _put(store, media_type, _json(value))
    described = Descriptor(
        media_type, found.digest, found.size, annotations, platform if listed or annotations else None
    )
    return described, config_descriptor, listed_layers, config


def _config(layers: Layers, result: Result, made: Sequence[Descriptor], options: ImageOptions) -> bytes:
    from pybuild.compiler.image_export import Layer, finish

    chain = layers.chain(result.snapshot)
    described = []
    for snapshot, layer in zip(chain, made, strict=True):
        created, by = result.made(snapshot) if result.made is not None else (None, "")
        described.append(Layer(layer.diff_id, created, by))
    return finish(result.config, described, epoch=options.epoch, base=result.base)


def _index(store: Store, manifests: Sequence[Descriptor], options: ImageOptions) -> Descriptor:
    media_type = OCI_INDEX if options.oci else DOCKER_INDEX
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [manifest.to_json() for manifest in manifests],
    }
    annotations: Mapping[str, str] = {}
    if options.annotations is not None:
        if own := options.annotations.index():
            value["annotations"] = dict(sorted(own.items()))
        annotations = options.annotations.index_descriptor()
    found = _put(store, media_type, _json(value))
    return Descriptor(media_type, found.digest, found.size, annotations)


def _put(store: Store, media_type: str, data: bytes) -> Descriptor:
    digest = store.blobs.put(data)
    return Descriptor(media_type, digest, len(data))


def _json(value: object) -> bytes:
    """As Go's `json.MarshalIndent(value, "", "  ")`."""
    import json

    text = json.dumps(value, ensure_ascii=False, indent=2)
    for char in "<>&\u2028\u2029":
        if char in text:
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def _created(config: bytes) -> str:
    from pybuild.compiler.timestamps import NANOSECONDS, format_seconds, parse_time
    from pybuild.runtime.image.manifest import decode

    created = decode(config).get("created")
    if not isinstance(created, str):
        return ""
    return format_seconds(parse_time(created).nanoseconds // NANOSECONDS)
