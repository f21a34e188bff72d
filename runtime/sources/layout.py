"""Images in OCI image layouts (image-layout.md of the OCI image specification): directories and tar archives.

Blobs are copied into the store and verified on the way. They are never linked: a file that its owner later
changes in place must not change under the store.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.image.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor, is_digest
from pybuild.runtime.image.manifest import LONGEST_MANIFEST, decode
from pybuild.runtime.registry.transfer import Transfer, fetch_blobs, read_blob
from pybuild.runtime.sources.choice import choose, choose_entry
from pybuild.runtime.sources.errors import SourceFailed
from pybuild.runtime.sources.place import open_place
from pybuild.runtime.sources.resolve import Resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.ops import Platform
    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.sources.place import Archive, Directory


class LayoutError(SourceFailed):
    """A layout is malformed, or lacks the requested image."""


def not_a_layout(path: str, problem: str) -> LayoutError:
    """Return the error for a malformed layout."""
    return LayoutError(
        f"{path} is not an OCI image layout: {problem}",
        help="a layout has the files oci-layout and index.json; `docker save` archives are docker-archive:PATH",
    )


def tag_not_found(path: str, tag: str, tags: Sequence[str]) -> LayoutError:
    """Return the error for a tag that no image of a layout has."""
    diagnostic = Diagnostic(
        f"the layout {path} has no image {tag}", notes=[("tags", ", ".join(tags) or "none")]
    )
    return LayoutError(diagnostic, help=f"name one of them: {path}:TAG" if tags else f"name {path} alone")


def ambiguous(path: str, tags: Sequence[str]) -> LayoutError:
    """Return the error for a name that several images of a layout match."""
    diagnostic = Diagnostic(
        f"the layout {path} has several images", notes=[("tags", ", ".join(tags) or "none")]
    )
    return LayoutError(diagnostic, help=f"name one: {path}:TAG or {path}@sha256:…")


def blob_missing(path: str, digest: str) -> LayoutError:
    """Return the error for an incomplete layout."""
    return LayoutError(f"the layout {path} lacks the blob {digest}", help="it is incomplete: make it again")


class LayoutName:
    """The text after `oci-layout://`: `PATH[:TAG][@DIGEST]`."""

    __slots__ = ("digest", "path", "tag")

    def __init__(self, path: str, tag: str = "", digest: str = "") -> None:
        self.path = path
        self.tag = tag
        self.digest = digest


def parse_layout_name(text: str) -> LayoutName:
    """Split `PATH[:TAG][@DIGEST]`. If all of it before the digest exists, it is the path. Raises LayoutError."""
    path, at, digest = text.rpartition("@")
    if not at or not digest.startswith("sha"):
        path, digest = text, ""
    elif not is_digest(digest):
        raise LayoutError(f"'{digest}' is not a sha256 digest", help="write PATH@sha256:… with 64 digits")
    tag = ""
    if not os.path.exists(path):
        head, colon, tail = path.rpartition(":")
        if colon and head and "/" not in tail:
            path, tag = head, tail
    if not path:
        raise LayoutError("a layout needs a path", help="write oci-layout://PATH[:TAG][@DIGEST]")
    return LayoutName(path, tag, digest)


class Layout:
    """An open layout; a provider of its blobs. Close it."""

    __slots__ = ("_place", "path")

    def __init__(self, path: str, place: Directory | Archive) -> None:
        self.path = path
        self._place = place
        marker = self._json("oci-layout")
        version = marker.get("imageLayoutVersion")
        if not isinstance(version, str) or not version.startswith("1."):
            raise not_a_layout(path, f"its version is {version!r}, not 1.x")

    @property
    def entries(self) -> list[Descriptor]:
        """The entries of index.json, read at each access. Raises LayoutError."""
        manifests = self._json("index.json").get("manifests")
        if not isinstance(manifests, list):
            raise not_a_layout(self.path, "its index.json lists no manifests")
        try:
            return [Descriptor.from_json(entry) for entry in manifests]
        except ValueError as error:
            raise not_a_layout(self.path, f"in its index.json {error}") from None

    def _json(self, name: str) -> dict[str, object]:
        try:
            with self._place.open(name) as piece:
                return decode(piece.read(LONGEST_MANIFEST, f"{self.path}: {name}"))
        except FileNotFoundError:
            raise not_a_layout(self.path, f"it has no {name}") from None
        except ValueError as error:
            raise not_a_layout(self.path, f"{name}: {error}") from None

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Write a blob. Raises LayoutError if it is missing or has another size than described."""
        try:
            piece = self._place.open(_blob_name(descriptor.digest))
        except FileNotFoundError:
            raise blob_missing(self.path, descriptor.digest) from None
        with piece:
            if piece.size != descriptor.size:
                raise LayoutError(
                    f"the blob {descriptor.digest} of {self.path} has {piece.size} bytes, "
                    f"but the image describes {descriptor.size}",
                    help="it is damaged: make the layout again",
                )
            if writer.offset > piece.size:
                writer.restart()
            piece.copy(writer, report)

    def find(self, name: LayoutName) -> list[Descriptor]:
        """Return the entries that `name` selects: one, or one for each platform of an image. Raises LayoutError."""
        entries = self.entries
        if name.digest:
            return [self._by_digest(entries, name.digest)]
        if name.tag:
            selected = [entry for entry in entries if name.tag in _tags(entry)]
            if not selected:
                raise tag_not_found(self.path, name.tag, self.tags(entries))
        else:
            latest = [entry for entry in entries if "latest" in _tags(entry)]
            selected = entries if len(entries) == 1 else latest or entries
        selected = list({entry.digest: entry for entry in selected}.values())
        if not selected:
            raise not_a_layout(self.path, "its index.json is empty")
        # Several entries are one image only if they have the same tags and different platforms.
        platforms = [repr(sorted((entry.platform or {}).items(), key=repr)) for entry in selected]
        alike = len({tuple(_tags(entry)) for entry in selected}) == 1
        if len(selected) > 1 and not (
            alike and all(entry.platform for entry in selected) and len(set(platforms)) == len(selected)
        ):
            raise ambiguous(self.path, self.tags(selected))
        return selected

    def _by_digest(self, entries: list[Descriptor], digest: str) -> Descriptor:
        for entry in entries:
            if entry.digest == digest:
                return entry
        try:
            with self._place.open(_blob_name(digest)) as piece:
                return Descriptor("", digest, piece.size)
        except FileNotFoundError:
            raise blob_missing(self.path, digest) from None

    def tags(self, entries: list[Descriptor]) -> list[str]:
        """Return the first tag of each entry, for messages."""
        return sorted({_tags(entry)[0] for entry in entries if _tags(entry)})

    def close(self) -> None:
        """Close the layout. Idempotent."""
        self._place.close()


def _blob_name(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"


def _tags(entry: Descriptor) -> list[str]:
    """Return the tags of an entry: its annotations (`v1`, `docker.io/library/app:v1`), and the tags in them."""
    tags = []
    for annotation in (REF_NAME, CONTAINERD_NAME):
        name = entry.annotations.get(annotation, "")
        if name and name not in tags:
            tags.append(name)
    for name in list(tags):
        tag = name.rpartition(":")[2]
        if "/" in name and "/" not in tag and tag not in tags:
            tags.append(tag)
    return tags


def resolve_in_layout(
    store: Store, layout: Layout, name: LayoutName, platform: Platform, transfer: Transfer
) -> Resolved:
    """Resolve `name` to the image of a platform, and copy its manifest and config to the store.

    Raises LayoutError, NoSuchPlatform, DigestMismatch, BadContent.
    """

    def read(descriptor: Descriptor) -> bytes:
        return read_blob(store, layout, descriptor, transfer)

    entries, what = layout.find(name), f"{name.path}{':' + name.tag if name.tag else ''}"
    if len(entries) == 1:
        chosen = choose(entries[0], read, platform, what)
        digest = entries[0].digest
    else:
        chosen = choose_entry(entries, read, platform, what)
        digest = chosen.descriptor.digest
    return Resolved(f"{name.path}@{digest}", digest, chosen)


class LayoutSource:
    """The layouts of one build, each opened once. Thread-safe. Close it."""

    def __init__(self, store: Store) -> None:
        from threading import Lock

        self._store = store
        self._open: dict[str, Layout] = {}
        self._lock = Lock()

    def resolve(
        self, name: LayoutName | str, platform: Platform, transfer: Transfer | None = None
    ) -> Resolved:
        """Resolve `PATH[:TAG][@DIGEST]` like `resolve_in_layout`."""
        name = parse_layout_name(name) if isinstance(name, str) else name
        return resolve_in_layout(self._store, self.layout(name.path), name, platform, transfer or Transfer())

    def fetch(self, path: str, layers: Sequence[Descriptor], transfer: Transfer | None = None) -> None:
        """Copy layers to the store, leased for this process. Raises LayoutError, DigestMismatch."""
        self._store.lease("blob", *(layer.digest for layer in layers))
        if not all(self._store.blobs.has(layer.digest) for layer in layers):
            fetch_blobs(self._store, self.layout(path), layers, transfer or Transfer())

    def layout(self, path: str) -> Layout:
        """Open a layout, or return the open one."""
        with self._lock:
            layout = self._open.get(path)
            if layout is None:
                place = open_place(path, self._store)
                try:
                    layout = Layout(path, place)
                except BaseException:
                    place.close()
                    raise
                self._open[path] = layout
            return layout

    def close(self) -> None:
        """Close all layouts. Idempotent."""
        with self._lock:
            for layout in self._open.values():
                layout.close()
            self._open.clear()
