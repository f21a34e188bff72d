"""Images in `docker save` archives, as OCI manifests over the archive's own configs and layers.

Docker before 25 and podman write manifest.json with configs and layer.tar files, which may be links to each other.
Docker 25 and later write the same beside an OCI layout, whose manifests are then used. One archive always gives the
same manifest digest.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.image.descriptor import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    Descriptor,
)
from pybuild.runtime.image.manifest import (
    LONGEST_CONFIG,
    LONGEST_MANIFEST,
    Manifest,
    diff_ids,
    encode_manifest,
)
from pybuild.runtime.registry.transfer import Transfer, fetch_blobs
from pybuild.runtime.sources.choice import Chosen
from pybuild.runtime.sources.errors import SourceFailed
from pybuild.runtime.sources.layout import Layout, LayoutError, LayoutName, resolve_in_layout
from pybuild.runtime.sources.place import open_place
from pybuild.runtime.sources.resolve import Resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.ops import Platform
    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.sources.place import Archive, Directory, Piece

_TYPES = {"none": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


class ImageArchiveError(SourceFailed):
    """An archive has no images, or not the requested one."""


def not_an_archive(path: str, problem: str) -> ImageArchiveError:
    """Return the error for a malformed archive."""
    return ImageArchiveError(
        f"{path} is not an archive of `docker save`: {problem}",
        help="make it with `docker save -o FILE IMAGE`; an OCI layout is oci-layout://PATH",
    )


def image_not_found(path: str, ref: str, tags: Sequence[str]) -> ImageArchiveError:
    """Return the error for a reference that no image of an archive has."""
    diagnostic = Diagnostic(
        f"{path} has no image {ref}", notes=[("images", ", ".join(tags) or "unnamed ones")]
    )
    return ImageArchiveError(diagnostic, help=f"name one of them: docker-archive:{path}:NAME:TAG")


def several_images(path: str, tags: Sequence[str]) -> ImageArchiveError:
    """Return the error for an archive of several images, named without a reference."""
    diagnostic = Diagnostic(
        f"{path} has several images", notes=[("images", ", ".join(tags) or "unnamed ones")]
    )
    return ImageArchiveError(diagnostic, help=f"name one: docker-archive:{path}:NAME:TAG, or :@N by number")


class ArchiveName:
    """The text after `docker-archive:`: `PATH[:REFERENCE]`, or `PATH:@N` for the N-th image, counted from 0."""

    __slots__ = ("path", "ref")

    def __init__(self, path: str, ref: str = "") -> None:
        self.path = path
        self.ref = ref


def parse_archive_name(text: str) -> ArchiveName:
    """Split `PATH[:REFERENCE]`. The path is all of `text` if that exists, else the shortest part before a colon that
    exists, else the part before the first colon."""
    if not os.path.exists(text):
        at = text.find(":")
        first = at
        while at >= 0:
            if os.path.exists(text[:at]):
                return ArchiveName(text[:at], text[at + 1 :])
            at = text.find(":", at + 1)
        if first > 0:
            return ArchiveName(text[:first], text[first + 1 :])
    return ArchiveName(text)


class _Item:
    """An image of manifest.json."""

    __slots__ = ("config", "layers", "tags")

    def __init__(self, config: str, tags: list[str], layers: list[str]) -> None:
        self.config = config
        self.tags = tags
        self.layers = layers


class ImageArchive:
    """An open archive; a provider of its images' blobs. Close it."""

    def __init__(self, path: str, place: Archive | Directory) -> None:
        self.path = path
        self._place = place
        self._names: dict[str, str] = {}
        self.layout: Layout | None = None
        if self._has("index.json") and self._has("oci-layout"):
            self.layout = Layout(path, place)

    def items(self) -> list[_Item]:
        """Return the images of manifest.json. Raises ImageArchiveError."""
        import json

        try:
            with self._place.open("manifest.json") as piece:
                value = json.loads(piece.read(LONGEST_MANIFEST, f"{self.path}: manifest.json"))
        except FileNotFoundError:
            old = " (archives of Docker before 1.10 are not supported)" if self._has("repositories") else ""
            raise not_an_archive(self.path, f"it has no manifest.json{old}") from None
        except (ValueError, RecursionError):
            raise not_an_archive(self.path, "its manifest.json is not JSON") from None
        if not isinstance(value, list) or not value:
            raise not_an_archive(self.path, "its manifest.json lists no images")
        return [self._item(entry) for entry in value]

    def _item(self, entry: object) -> _Item:
        if isinstance(entry, dict):
            config, tags, layers = entry.get("Config"), entry.get("RepoTags") or [], entry.get("Layers") or []
            if isinstance(config, str) and _strings(tags) and _strings(layers):
                return _Item(config, tags, layers)
        raise not_an_archive(self.path, "an entry of its manifest.json has no config, tags or layers")

    @property
    def has_manifest(self) -> bool:
        """True if there is a manifest.json."""
        return self._has("manifest.json")

    def _has(self, name: str) -> bool:
        try:
            with self._place.open(name):
                return True
        except FileNotFoundError:
            return False

    def select(self, ref: str) -> _Item:
        """Return the image with the tag `ref` or the number `@N`; with "" the only image. Raises
        ImageArchiveError."""
        items = self.items()
        tags = [tag for item in items for tag in item.tags]
        if not ref:
            if len(items) > 1:
                raise several_images(self.path, tags)
            return items[0]
        if ref.startswith("@"):
            if ref[1:].isdecimal() and int(ref[1:]) < len(items):
                return items[int(ref[1:])]
            raise image_not_found(self.path, ref, tags)
        from pybuild.compiler.reference import parse

        wanted = parse(ref).canonical
        for item in items:
            if any(_canonical(tag) == wanted for tag in item.tags):
                return item
        raise image_not_found(self.path, ref, tags)

    def piece(self, name: str) -> Piece:
        """Open a file of the archive. Raises ImageArchiveError if it is missing."""
        try:
            return self._place.open(name)
        except FileNotFoundError:
            raise not_an_archive(self.path, f"it lacks {name}") from None

    def read_config(self, item: _Item) -> bytes:
        """Return the bytes of a config, verified if its file is named by digest. Raises DigestMismatch."""
        from hashlib import sha256

        with self.piece(item.config) as piece:
            data = piece.read(LONGEST_CONFIG, f"{self.path}: {item.config}")
        stated = _stated_digest(item.config)
        digest = "sha256:" + sha256(data).hexdigest()
        if stated and stated != digest:
            raise DigestMismatch(f"the config of {self.path}", stated, digest)
        return data

    def layer(self, name: str, diff_id: str, store: Store) -> Descriptor:
        """Return the descriptor of a layer file. The digest of an uncompressed one is its diff ID, so it is not
        read; a compressed one without a digest in its name is copied to the store, which computes the digest."""
        from pybuild.runtime.image.decompression import detect_compression

        with self.piece(name) as piece:
            kind = detect_compression(piece.head(6))
            if kind not in _TYPES:
                raise not_an_archive(self.path, f"the layer {name} is compressed with {kind}")
            digest = diff_id if kind == "none" else _stated_digest(name)
            if not digest:
                with store.blobs.writer() as writer:
                    piece.copy(writer, lambda offset: None)
                    digest, _ = writer.commit()
            self._names[digest] = name
            return Descriptor(_TYPES[kind], digest, piece.size, diff_id=diff_id)

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Write a blob of a selected image. Raises ImageArchiveError."""
        name = self._names.get(descriptor.digest)
        if name is None:
            if self.layout is not None:
                return self.layout.fetch(descriptor, writer, report)
            raise not_an_archive(self.path, f"it lacks {descriptor.digest}")
        with self.piece(name) as piece:
            if writer.offset > piece.size:
                writer.restart()
            piece.copy(writer, report)

    def close(self) -> None:
        """Close the archive. Idempotent."""
        self._place.close()


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _canonical(tag: str) -> str:
    from pybuild.compiler.reference import InvalidReference, parse

    try:
        return parse(tag).canonical
    except InvalidReference:
        return ""


def _stated_digest(name: str) -> str:
    """Return the digest in a file's name (`HEX.json`, `HEX.tar`, `blobs/sha256/HEX`), "" without one."""
    value = os.path.basename(name).partition(".")[0]
    return f"sha256:{value}" if len(value) == 64 and set(value) <= set("0123456789abcdef") else ""


class ArchiveSource:
    """The archives of one build, each opened once. Thread-safe. Close it."""

    def __init__(self, store: Store) -> None:
        from threading import Lock

        self._store = store
        self._open: dict[str, ImageArchive] = {}
        self._lock = Lock()

    def resolve(
        self, name: ArchiveName | str, platform: Platform, transfer: Transfer | None = None
    ) -> Resolved:
        """Resolve `PATH[:REFERENCE]` to an image, and copy its manifest and config to the store. Raises
        ImageArchiveError, DigestMismatch, BadContent, NoSuchPlatform."""
        name = parse_archive_name(name) if isinstance(name, str) else name
        archive = self._archive(name.path)
        with self._lock:
            if archive.layout is not None and not name.ref.startswith("@"):
                if not name.ref and archive.has_manifest:
                    archive.select("")  # raises if there are several images
                layout_name = LayoutName(name.path, _canonical(name.ref) if name.ref else "")
                try:
                    return resolve_in_layout(
                        self._store, archive.layout, layout_name, platform, transfer or Transfer()
                    )
                except LayoutError:
                    pass  # manifest.json may have tags that the layout's annotations lack
            return self._from_manifest(archive, name)

    def _from_manifest(self, archive: ImageArchive, name: ArchiveName) -> Resolved:
        item = archive.select(name.ref)
        data = archive.read_config(item)
        try:
            ids = diff_ids(data)
        except ValueError as error:
            raise not_an_archive(name.path, str(error)) from None
        if len(ids) != len(item.layers):
            raise not_an_archive(
                name.path, f"an image has {len(item.layers)} layers, but its config lists {len(ids)}"
            )
        layers = [archive.layer(*pair, self._store) for pair in zip(item.layers, ids, strict=True)]
        config = Descriptor(OCI_CONFIG, self._store.blobs.put(data), len(data))
        manifest = Manifest(OCI_MANIFEST, config, layers)
        encoded = encode_manifest(manifest)
        digest = self._store.blobs.put(encoded)
        chosen = Chosen(Descriptor(OCI_MANIFEST, digest, len(encoded)), manifest, data)
        return Resolved(f"{name.path}@{digest}", digest, chosen)

    def fetch(
        self, name: ArchiveName | str, layers: Sequence[Descriptor], transfer: Transfer | None = None
    ) -> None:
        """Copy layers to the store, leased for this process. They must be those of an image that this source
        resolved."""
        name = parse_archive_name(name) if isinstance(name, str) else name
        fetch_blobs(self._store, self._archive(name.path), layers, transfer or Transfer())

    def _archive(self, path: str) -> ImageArchive:
        with self._lock:
            if path not in self._open:
                place = open_place(path, self._store)
                try:
                    self._open[path] = ImageArchive(path, place)
                except BaseException:
                    place.close()
                    raise
            return self._open[path]

    def close(self) -> None:
        """Close all archives. Idempotent."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()
