"""Descriptors: references to the pieces of an image by media type, digest and size.

Shapes are those of the OCI image specification 1.1 (descriptor.md, image-index.md, media-types.md) and of
Docker's image manifest version 2, schema 2, which differ in names only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_FOREIGN_GZIP = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_FOREIGN_ZSTD = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
DOCKER_FOREIGN_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
FOREIGN_LAYERS = frozenset(
    {OCI_FOREIGN, OCI_FOREIGN_GZIP, OCI_FOREIGN_ZSTD, DOCKER_FOREIGN, DOCKER_FOREIGN_GZIP}
)
"""Layers whose bytes a registry need not hold: they come from the descriptor's `urls`."""

COMPRESSIONS = {
    OCI_LAYER: "none",
    OCI_LAYER_GZIP: "gzip",
    OCI_LAYER_ZSTD: "zstd",
    OCI_FOREIGN: "none",
    OCI_FOREIGN_GZIP: "gzip",
    OCI_FOREIGN_ZSTD: "zstd",
    DOCKER_LAYER: "none",
    DOCKER_LAYER_GZIP: "gzip",
    DOCKER_LAYER_ZSTD: "zstd",
    DOCKER_FOREIGN: "none",
    DOCKER_FOREIGN_GZIP: "gzip",
}
"""The compression of each media type of a file system layer."""

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of a layout's index entry: its tag."""
CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation of a layout's index entry: its full reference."""


class Descriptor:
    """A reference to a piece of an image: a manifest, an index, a config or a layer. Immutable.

    `platform` is the JSON object of an index entry (`{"architecture": …, "os": …, "variant": …}`). `diff_id`
    is the digest of a layer's uncompressed bytes where it is known; it is no part of the JSON form.
    """

    __slots__ = ("annotations", "diff_id", "digest", "media_type", "platform", "size", "urls")

    def __init__(
        self,
        media_type: str,
        digest: str,
        size: int,
        annotations: Mapping[str, str] | None = None,
        platform: Mapping[str, object] | None = None,
        urls: Sequence[str] | None = None,
        *,
        diff_id: str = "",
    ) -> None:
        self.media_type = media_type
        self.digest = digest
        self.size = size
        self.annotations = annotations or {}
        self.platform = platform
        self.urls = tuple(urls or ())
        self.diff_id = diff_id

    @property
    def is_manifest(self) -> bool:
        return self.media_type in MANIFESTS

    @property
    def is_foreign(self) -> bool:
        return self.media_type in FOREIGN_LAYERS

    def with_diff_id(self, diff_id: str) -> Descriptor:
        return Descriptor(
            self.media_type,
            self.digest,
            self.size,
            self.annotations,
            self.platform,
            self.urls,
            diff_id=diff_id,
        )

    def to_json(self) -> dict[str, object]:
        """Return the JSON object: fields in the specification's order, empty ones left out."""
        out: dict[str, object] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.urls:
            out["urls"] = list(self.urls)
        if self.annotations:
            out["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform is not None:
            out["platform"] = dict(self.platform)
        return out

    @classmethod
    def from_json(cls, value: object) -> Descriptor:
        """Return the descriptor in a decoded JSON object; unknown fields are ignored. Raises ValueError with
        the reason: not an object, an invalid digest, a size that is no natural number."""
        if not isinstance(value, dict):
            raise ValueError("a descriptor is not an object")
        digest, size = value.get("digest"), value.get("size")
        media_type, platform = value.get("mediaType", ""), value.get("platform")
        if not is_digest(digest):
            raise ValueError(f"a descriptor has the digest {digest!r}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError(f"the descriptor of {digest} has the size {size!r}")
        if not isinstance(media_type, str):
            raise ValueError(f"the descriptor of {digest} has the media type {media_type!r}")
        if platform is not None and not isinstance(platform, dict):
            raise ValueError(f"the descriptor of {digest} has a platform that is not an object")
        annotations, urls = value.get("annotations") or {}, value.get("urls") or []
        if not isinstance(annotations, dict) or not all(isinstance(v, str) for v in annotations.values()):
            raise ValueError(f"the descriptor of {digest} has annotations that are not strings")
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise ValueError(f"the descriptor of {digest} has urls that are not strings")
        return cls(media_type, str(digest), size, annotations, platform, urls)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Descriptor):
            return NotImplemented
        return self.to_json() == other.to_json() and self.diff_id == other.diff_id

    def __hash__(self) -> int:
        return hash((self.media_type, self.digest, self.size))

    def __repr__(self) -> str:
        return f"Descriptor({self.media_type!r}, {self.digest!r}, {self.size})"


class ImageContent:
    """An image for one platform: its manifest's digest, its config's bytes, and its layers from the base up,
    each with its `diff_id`. The layers' blobs need not be in the store yet."""

    __slots__ = ("config", "layers", "manifest")

    def __init__(self, manifest: str, config: bytes, layers: Sequence[Descriptor]) -> None:
        self.manifest = manifest
        self.config = config
        self.layers = tuple(layers)


def is_digest(value: object) -> bool:
    """Return whether `value` is `sha256:` and 64 lower-case hexadecimal digits."""
    return (
        isinstance(value, str)
        and len(value) == 71
        and value.startswith("sha256:")
        and set(value[7:]) <= set("0123456789abcdef")
    )
