"""OCI image layouts and Docker archives: their files, and writing them as a tar archive.

The order and the attributes of the tar's members are those of containerd's exporter: sorted names, mode 0444
for blobs, times zero, so equal images give equal bytes.
"""

from __future__ import annotations

from pybuild.runtime.image.descriptor import CONTAINERD_NAME, OCI_INDEX, REF_NAME, Descriptor
from pybuild.runtime.image.gojson import compact
from pybuild.runtime.image.tarwriter import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.assemble import Image

    class Sink(Protocol):
        """A writable target of an archive."""

        def write(self, data: bytes, /) -> None: ...

        def copy(self, source: str, /) -> None:
            """Append the whole file at `source`."""


LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'
CREATED = "org.opencontainers.image.created"

_END = bytes(1024)


def index_entries(image: Image, names: Sequence[Reference]) -> list[dict[str, object]]:
    """Return the entries of `index.json`: one for each name, or one without a name."""
    target = described(image)
    entries = []
    unnamed: list[Reference | None] = [None]
    for name in names or unnamed:
        annotations = dict(target.annotations)
        if name is not None:
            annotations[CONTAINERD_NAME] = name.canonical
            annotations[REF_NAME] = name.tag or "latest"
        entries.append(
            Descriptor(target.media_type, target.digest, target.size, annotations, target.platform).to_json()
        )
    return entries


def described(image: Image, *, dated: bool = True) -> Descriptor:
    """Return the image's descriptor with its platform, if it has only one, and its creation time."""
    target = image.target
    annotations = dict(target.annotations)
    if image.created and dated:
        annotations[CREATED] = image.created
    platform = image.platform if target.platform is None and target.is_manifest else target.platform
    return Descriptor(target.media_type, target.digest, target.size, annotations, platform)


def index_json(entries: Sequence[dict[str, object]]) -> bytes:
    return compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)})


def docker_manifest(image: Image, names: Sequence[Reference]) -> bytes:
    """Return Docker's `manifest.json`: the config, the layers and the short names of the image's only
    manifest."""
    value = {
        "Config": blob_name(image.configs[0].digest),
        "RepoTags": [name.familiar if name.tag else name.with_tag("latest").familiar for name in names]
        or None,
        "Layers": [blob_name(layer.digest) for layer in image.layers[0]],
    }
    return compact([value])


def blob_name(digest: str) -> str:
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def write_tar(file: Sink, store: Store, blobs: Sequence[Descriptor], files: dict[str, bytes]) -> None:
    """Write a layout with `blobs` of the store and the small `files` (by name) as a tar archive."""
    members: dict[str, Descriptor | bytes] = {blob_name(blob.digest): blob for blob in blobs}
    members.update(files)
    file.write(header(b"blobs/", b"5", 0o755) + header(b"blobs/sha256/", b"5", 0o755))
    for name in sorted(members):
        member = members[name]
        if isinstance(member, bytes):
            mode = 0o444 if name == "oci-layout" else 0o644
            file.write(header(name.encode(), b"0", mode, size=len(member)) + member)
            size = len(member)
        else:
            file.write(header(name.encode(), b"0", 0o444, size=member.size))
            file.copy(store.blobs.path(member.digest))
            size = member.size
        file.write(bytes(-size % 512))
    file.write(_END)
