"""Descriptors and media types (OCI image specification, descriptor.md and media-types.md; Docker's schema 2)."""

from __future__ import annotations

import base64
import hashlib
import re

from pybuild.runtime.verify.findings import quoted
from pybuild.runtime.verify.jsontext import string_map, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"

INDEX = f"{_OCI}.index.v1+json"
INDEXES = frozenset({INDEX, f"{_DOCKER}.distribution.manifest.list.v2+json"})
MANIFESTS = frozenset({f"{_OCI}.manifest.v1+json", f"{_DOCKER}.distribution.manifest.v2+json"})
CONFIGS = frozenset({f"{_OCI}.config.v1+json", f"{_DOCKER}.container.image.v1+json"})
EMPTY = "application/vnd.oci.empty.v1+json"
STATEMENT = "application/vnd.in-toto+json"
FOREIGN = {
    f"{_OCI}.layer.nondistributable.v1.tar": "none",
    f"{_OCI}.layer.nondistributable.v1.tar+gzip": "gzip",
    f"{_OCI}.layer.nondistributable.v1.tar+zstd": "zstd",
    f"{_DOCKER}.image.rootfs.foreign.diff.tar": "none",
    f"{_DOCKER}.image.rootfs.foreign.diff.tar.gzip": "gzip",
}
"""Layers that need not lie beside their manifest, and how they are compressed."""
LAYERS = {
    f"{_OCI}.layer.v1.tar": "none",
    f"{_OCI}.layer.v1.tar+gzip": "gzip",
    f"{_OCI}.layer.v1.tar+zstd": "zstd",
    f"{_DOCKER}.image.rootfs.diff.tar": "none",
    f"{_DOCKER}.image.rootfs.diff.tar.gzip": "gzip",
    f"{_DOCKER}.image.rootfs.diff.tar.zstd": "zstd",
    **FOREIGN,
}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Descriptor:
    """A reference to a blob; `platform` and `annotations` are those of an index entry or a layer. In archives of
    `docker save`, whose descriptors have neither size nor type, `digest` may be the name of a file."""

    __slots__ = ("annotations", "digest", "media_type", "platform", "size")

    def __init__(
        self,
        media_type: str,
        digest: str,
        size: int | None,
        annotations: Mapping[str, str] | None = None,
        platform: Mapping[str, object] | None = None,
    ) -> None:
        self.media_type = media_type
        self.digest = digest
        self.size = size
        self.annotations = annotations or {}
        self.platform = platform

    @property
    def algorithm(self) -> str:
        return "sha512" if self.digest.startswith("sha512:") else "sha256"

    @property
    def label(self) -> str:
        """The blob's name in messages."""
        return self.digest if is_digest(self.digest) else quoted(self.digest)

    def names(self, digest: str) -> bool:
        """Return whether the descriptor allows the blob that has a digest."""
        return digest == self.digest or not is_digest(self.digest)


def is_digest(value: object) -> bool:
    """Return whether a value is a SHA-256 or SHA-512 digest as descriptors have them."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def descriptor(value: object) -> Descriptor:
    """Return the descriptor in a decoded JSON object. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("a descriptor is not an object")
    digest, size, media_type = value.get("digest"), value.get("size"), value.get("mediaType", "")
    if not is_digest(digest):
        raise ValueError(f"a descriptor has the digest {_shown(digest)}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"the descriptor of {digest} has the size {_shown(size)}")
    if not isinstance(media_type, str):
        raise ValueError(f"the descriptor of {digest} has the media type {_shown(media_type)}")
    for name, valid, kind in (
        ("annotations", string_map, "strings by name"),
        ("platform", _is_platform, "a platform"),
        ("urls", strings, "a list of strings"),
        ("artifactType", lambda one: isinstance(one, str), "a string"),
    ):
        if value.get(name) is not None and not valid(value[name]):
            raise ValueError(f"the descriptor of {digest} has a field `{name}` that is not {kind}")
    _check_data(value, str(digest), size)
    return Descriptor(media_type, str(digest), size, value.get("annotations"), value.get("platform"))


def descriptors(value: dict[str, object], name: str) -> list[Descriptor]:
    """Return the descriptors in the list `name` of a manifest or index. Raises ValueError."""
    entries = value.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ValueError(f"its {name} are not a list")
    return [descriptor(entry) for entry in entries]


def _check_data(value: dict[str, object], digest: str, size: int) -> None:
    """Compare the bytes that a descriptor itself holds, if it does, with what it says of them."""
    if value.get("data") is None:
        return
    try:
        data = base64.b64decode(str(value["data"]), validate=True)
    except ValueError:
        raise ValueError(f"the descriptor of {digest} has a field `data` that is not base 64") from None
    algorithm, _, expected = digest.partition(":")
    if len(data) != size or hashlib.new(algorithm, data).hexdigest() != expected:
        raise ValueError(f"the descriptor of {digest} has a field `data` of other bytes")


def _is_platform(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    names = ("architecture", "os", "os.version", "variant")
    texts = all(isinstance(value.get(name, ""), str) for name in names)
    lists = all(value.get(name) is None or strings(value[name]) for name in ("os.features", "features"))
    return texts and lists


def _shown(value: object) -> str:
    return (
        quoted(value) if isinstance(value, str) else quoted(str(value)) if isinstance(value, int) else "none"
    )
