"""Manifests, indexes and configs, decoded from JSON and checked for what other rooms rely on."""

from __future__ import annotations

from pybuild.runtime.image.descriptor import (
    DOCKER_SCHEMA1,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageContent,
    is_digest,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_MANIFEST = 8 << 20
"""Most bytes of a manifest; the distribution specification asks registries to take at least 4 MiB."""
LONGEST_CONFIG = 8 << 20
MOST_VALUES = 400_000
"""Most values in a document: the smallest ones take fifty times their text in memory."""
MOST_ENTRIES = 4096
"""Most layers of a manifest, or manifests of an index."""


class Manifest:
    """An image manifest: the descriptors of its config and of its layers from the base up."""

    __slots__ = ("config", "layers", "media_type")

    def __init__(self, media_type: str, config: Descriptor, layers: Sequence[Descriptor]) -> None:
        self.media_type = media_type
        self.config = config
        self.layers = tuple(layers)


class Index:
    """An image index (Docker: manifest list)."""

    __slots__ = ("manifests", "media_type")

    def __init__(self, media_type: str, manifests: Sequence[Descriptor]) -> None:
        self.media_type = media_type
        self.manifests = tuple(manifests)


def decode(data: bytes) -> dict[str, object]:
    """Decode the JSON object in `data`. Raises ValueError."""
    import json

    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"its JSON has more than {MOST_VALUES} values")
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def manifest_type(value: dict[str, object], declared: str = "") -> str:
    """Return the media type of a decoded manifest: the type its source declared, else its own `mediaType`,
    else by its fields.

    Raises ValueError for one that can be read in two ways (both an index and a manifest, or a declared type
    that contradicts its own): readers must not differ in what they see.
    """
    own = value.get("mediaType")
    own = own if isinstance(own, str) else ""
    if "manifests" in value and ("layers" in value or "config" in value):
        raise ValueError("it is both an index and a manifest")
    known = MANIFESTS | INDEXES
    if declared in known and own and own != declared:
        raise ValueError(f"it is declared as {declared} but calls itself {own}")
    media_type = declared if declared in known else own
    if not media_type:
        if value.get("schemaVersion") == 1:
            return DOCKER_SCHEMA1
        media_type = OCI_INDEX if "manifests" in value else OCI_MANIFEST if "layers" in value else declared
    if (media_type in INDEXES) is not ("manifests" in value) and media_type in known:
        raise ValueError(f"its fields are not those of {media_type}")
    return media_type


def parse(data: bytes, declared: str = "") -> Manifest | Index | str:
    """Decode the manifest or index in `data`. Returns the media type alone when it is neither. Raises
    ValueError."""
    value = decode(data)
    media_type = manifest_type(value, declared)
    if media_type in INDEXES:
        return Index(media_type, _descriptors(value, "manifests"))
    if media_type in MANIFESTS:
        config = Descriptor.from_json(value.get("config"))
        return Manifest(media_type, config, _descriptors(value, "layers"))
    return media_type


def _descriptors(value: dict[str, object], name: str) -> list[Descriptor]:
    entries = value.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ValueError(f"its {name} are not a list")
    if len(entries) > MOST_ENTRIES:
        raise ValueError(f"it has {len(entries)} {name}, more than {MOST_ENTRIES}")
    return [Descriptor.from_json(entry) for entry in entries]


def diff_ids(config: bytes) -> list[str]:
    """Return the `rootfs.diff_ids` of an image config. Raises ValueError when it is no image config."""
    rootfs = decode(config).get("rootfs")
    ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if ids is None and isinstance(rootfs, dict):
        return []
    if not isinstance(ids, list) or not all(is_digest(entry) for entry in ids):
        raise ValueError("its config lists no diff IDs")
    return [str(entry) for entry in ids]


def config_platform(config: bytes) -> dict[str, object]:
    """Return the platform of an image config, as the JSON object of an index entry. Raises ValueError."""
    value = decode(config)
    names = ("architecture", "os", "variant", "os.version", "os.features")
    return {name: value[name] for name in names if value.get(name)}


def image_content(digest: str, manifest: Manifest, config: bytes) -> ImageContent:
    """Return the image's layers with their diff IDs. Raises ValueError when manifest and config disagree."""
    ids = diff_ids(config)
    if len(ids) != len(manifest.layers):
        raise ValueError(f"it has {len(manifest.layers)} layers, but its config lists {len(ids)}")
    layers = [layer.with_diff_id(id) for layer, id in zip(manifest.layers, ids, strict=True)]
    return ImageContent(digest, config, layers)


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest in the canonical form: the specification's field order, no spaces."""
    import json

    value = {
        "schemaVersion": 2,
        "mediaType": manifest.media_type,
        "config": manifest.config.to_json(),
        "layers": [layer.to_json() for layer in manifest.layers],
    }
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
