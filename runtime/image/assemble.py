"""From solved states to an image: layers, config, manifest and, for several platforms, an index.

The JSON is what BuildKit's image exporter writes: Go's encoder, two spaces of indentation, fields in the
order of the specification, `<`, `>` and `&` escaped. Every blob is in the store when `assemble` returns.
"""

from __future__ import annotations

from functools import partial

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.image.attached import attached, makes_index
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
from pybuild.runtime.image.gojson import indented
from pybuild.runtime.image.manifest import config_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.image.statements import Attested, Predicate
    from pybuild.runtime.progress.observer import Tracked

    Part = tuple[Descriptor, Descriptor, list[Descriptor], bytes]
    """The descriptors of one result's manifest, config and layers, and the bytes of the config."""

_OCI_LAYERS = {"none": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
_DOCKER_LAYERS = {"none": DOCKER_LAYER, "gzip": DOCKER_LAYER_GZIP, "zstd": DOCKER_LAYER_ZSTD}


class Result:
    """The result for one platform: the config that the frontend made (JSON bytes) and the final state.

    `base` is the config of the base image, whose history keeps its times. `creation` returns a snapshot's time
    (RFC 3339) and the instruction that made it, for history entries without a time and layers without an
    entry. `platform` is the platform in an index, by default the config's. `predicates` are the attestations
    of its manifest. `epoch` is SOURCE_DATE_EPOCH if the options have none, `key` its name among several
    results, by default of the form `linux/amd64`. `extra` are further keys of the stored config.
    """

    __slots__ = ("base", "config", "creation", "epoch", "extra", "key", "platform", "predicates", "snapshot")

    def __init__(
        self,
        config: bytes,
        snapshot: int | None,
        *,
        base: bytes | None = None,
        creation: Callable[[int], tuple[str | None, str]] | None = None,
        platform: dict[str, object] | None = None,
        predicates: Sequence[Predicate] = (),
        epoch: int | None = None,
        key: str = "",
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.config = config
        self.extra = extra
        self.epoch = epoch
        self.snapshot = snapshot
        self.base = base
        self.creation = creation
        self.platform = platform if platform is not None else config_platform(config)
        self.predicates = tuple(predicates)
        names = ("os", "architecture", "variant")
        self.key = key or "/".join(str(self.platform[name]) for name in names if self.platform.get(name))


class ImageOptions:
    """Options of an image. `epoch` bounds the times in the config, with `rewrite` also those in the layers
    that the build made (not in those of a pulled base). `oci` false selects Docker's media types. With
    `inline` every attestation needs an index, also one that goes into images only; `artifact` selects the
    storage of attestations, and `names` (package URLs without a platform) are their subjects."""

    __slots__ = (
        "annotations",
        "artifact",
        "compression",
        "epoch",
        "force",
        "inline",
        "names",
        "oci",
        "rewrite",
    )

    def __init__(
        self,
        *,
        compression: Compression | None = None,
        force: bool = False,
        epoch: int | None = None,
        rewrite: bool = False,
        oci: bool = True,
        annotations: Annotations | None = None,
        inline: bool = False,
        artifact: bool = False,
        names: Sequence[Reference] = (),
    ) -> None:
        self.compression = compression or Compression()
        self.force = force
        self.epoch = epoch
        self.rewrite = rewrite
        self.oci = oci or (annotations is not None and annotations.need_oci)
        self.annotations = annotations
        self.inline = inline
        self.artifact = artifact
        self.names = tuple(names)

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that is equal for options that give equal images of equal results."""
        annotations = self.annotations.identity if self.annotations is not None else ()
        attested = self.inline, self.artifact, tuple(map(str, self.names))
        return self.compression, self.force, self.epoch, self.rewrite, self.oci, annotations, attested


class Image:
    """An assembled image: the `target` is a manifest, or an index of `manifests` and then `attested`.
    `configs`, `layers` and `platforms` (JSON objects) belong to `manifests`, one each."""

    __slots__ = ("attested", "configs", "created", "layers", "manifests", "platforms", "target")

    def __init__(
        self,
        target: Descriptor,
        manifests: Sequence[Descriptor],
        configs: Sequence[Descriptor],
        layers: Sequence[Sequence[Descriptor]],
        platforms: Sequence[dict[str, object]],
        created: str,
        attested: Sequence[Attested] = (),
    ) -> None:
        self.attested = tuple(attested)
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
        """Every blob of the image once, each after the blobs that it refers to."""
        blobs: dict[str, Descriptor] = {}
        for layers, config, manifest in zip(self.layers, self.configs, self.manifests, strict=True):
            for descriptor in (*layers, config, manifest):
                blobs.setdefault(descriptor.digest, descriptor)
        for attestation in self.attested:
            for descriptor in (*attestation.blobs, attestation.manifest):
                blobs.setdefault(descriptor.digest, descriptor)
        blobs.setdefault(self.target.digest, self.target)
        return list(blobs.values())


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
    """Make the image of `results`: a manifest for one, an index for several, where `index` asks for it, and where
    something is attested.

    Equal results and options give equal bytes. Raises ImageConfigError for a config that is none, UsageError for
    annotations and attestations that such an image can't have, and what making the layers raises.
    """
    index = index or len(results) > 1 or any(makes_index(result, options) for result in results)
    _check(results, options, index)
    parts = []
    for result in results:
        clamp = _epoch(result, options) if options.rewrite else None
        descriptors = layers.layers(
            result.snapshot, options.compression, clamp=clamp, force=options.force, cancelled=cancelled
        )
        parts.append(_manifest(store, layers, result, descriptors, options, index))
    if tracked is not None:
        total = sum(layer.size for part in parts for layer in part[2])
        tracked.progress("exporting layers", total, total, done=True)
    manifests = [part[0] for part in parts]
    attested = attached(partial(_put, store), layers, results, parts, options) if index else []
    target = (
        _index(store, [*manifests, *(attestation.manifest for attestation in attested)], options)
        if index
        else manifests[0]
    )
    if tracked is not None:
        for manifest, config, _, _ in parts:
            tracked.progress(f"exporting manifest {manifest.digest}", 0, 0, done=True)
            tracked.progress(f"exporting config {config.digest}", 0, 0, done=True)
        for attestation in attested:
            tracked.progress(f"exporting attestation manifest {attestation.manifest.digest}", 0, 0, done=True)
        if index:
            tracked.progress(f"exporting manifest list {target.digest}", 0, 0, done=True)
    created = max(_created(part[3]) for part in parts)
    image = Image(
        target,
        manifests,
        [part[1] for part in parts],
        [part[2] for part in parts],
        [result.platform for result in results],
        created,
        attested,
    )
    layers.keep([blob.digest for blob in image.blobs])
    return image


def _check(results: Sequence[Result], options: ImageOptions, index: bool) -> None:
    """Raise UsageError for options that don't fit the results."""
    if options.rewrite and any(_epoch(result, options) is None for result in results):
        raise UsageError(
            "rewrite-timestamp=true needs a time to rewrite to",
            help="set SOURCE_DATE_EPOCH to a number of seconds",
        )
    annotations = options.annotations
    if annotations is not None:
        unknown = annotations.strangers(result.platform for result in results)
        if unknown:
            raise UsageError(f"invalid annotation: no platform {unknown[0]} found in source")
        if not index and (annotations.index() or annotations.index_descriptor()):
            raise UsageError(
                "index annotations not supported for single platform export",
                help="annotate the manifest, or build several platforms",
            )
    if index and not options.oci and any(result.predicates for result in results):
        raise UsageError(
            'cannot export attestations with "oci-mediatypes=false"', help="leave out oci-mediatypes=false"
        )


def _manifest(
    store: Store,
    layers: Layers,
    result: Result,
    blobs: Sequence[Descriptor],
    options: ImageOptions,
    indexed: bool,
) -> Part:
    """Write config and manifest. Returns their descriptors, the layers as the manifest lists them, and the
    config."""
    config = _config(layers, result, blobs, options)
    platform = result.platform
    types = _OCI_LAYERS if options.oci else _DOCKER_LAYERS
    listed_layers = [
        Descriptor(types[COMPRESSIONS[layer.media_type]], layer.digest, layer.size, diff_id=layer.diff_id)
        for layer in blobs
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
    stored = _put(store, media_type, indented(value))
    described = Descriptor(
        media_type, stored.digest, stored.size, annotations, platform if indexed or annotations else None
    )
    return described, config_descriptor, listed_layers, config


def _config(layers: Layers, result: Result, blobs: Sequence[Descriptor], options: ImageOptions) -> bytes:
    from pybuild.compiler.image_export import Layer, finish

    chain = layers.chain(result.snapshot)
    described = []
    for snapshot, layer in zip(chain, blobs, strict=True):
        created, by = result.creation(snapshot) if result.creation is not None else (None, "")
        described.append(Layer(layer.diff_id, created, by))
    return finish(
        result.config, described, epoch=_epoch(result, options), base=result.base, extra=result.extra
    )


def _epoch(result: Result, options: ImageOptions) -> int | None:
    return result.epoch if options.epoch is None else options.epoch


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
    stored = _put(store, media_type, indented(value))
    return Descriptor(media_type, stored.digest, stored.size, annotations)


def _put(store: Store, media_type: str, data: bytes) -> Descriptor:
    digest = store.blobs.put(data)
    return Descriptor(media_type, digest, len(data))


def _created(config: bytes) -> str:
    from pybuild.compiler.timestamps import NANOSECONDS, format_seconds, parse_time
    from pybuild.runtime.image.manifest import decode

    created = decode(config).get("created")
    if not isinstance(created, str):
        return ""
    return format_seconds(parse_time(created).nanoseconds // NANOSECONDS)
