"""What an image holds, read from the archive `-o type=oci` writes: its config, and the merged tree of its
layers as a dictionary.

Each layer is applied to the dictionary in two passes: first what it hides (whiteouts, opaque directories,
whatever is replaced by another type), then what it adds. Times are left out.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

_OPAQUE = b".wh..wh..opq"
_XATTR = "SCHILY.xattr."


@frozen
class Entry:
    """A path of the tree. `links` are all names of a file that has more than one."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: bytes = b""
    target: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, str], ...] = ()
    links: frozenset[bytes] = frozenset()


Tree = dict[bytes, Entry]
_IMPLIED = Entry("directory", 0o755, 0, 0)
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


@frozen
class ReadImage:
    config: dict[str, Any]
    tree: Tree
    layers: int


def read_images(path: Path) -> dict[str, ReadImage]:
    """The images of an OCI archive by platform; those of an index within it have `index: ` before that."""
    with tarfile.open(path) as archive:

        def blob(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

        def named(descriptor: dict[str, Any]) -> bytes:
            return blob("blobs/" + descriptor["digest"].replace(":", "/"))

        def image(manifest: dict[str, Any]) -> ReadImage:
            tree: Tree = {}
            for number, layer in enumerate(manifest["layers"] or []):
                data = named(layer)
                if number == 0:
                    tree = dict(_lowest(data))
                else:
                    apply_layer(tree, _decompressed(data))
            return ReadImage(json.loads(named(manifest["config"])), tree, len(manifest["layers"] or []))

        def images(index: dict[str, Any], prefix: str) -> Iterator[tuple[str, ReadImage]]:
            for descriptor in index["manifests"]:
                value = json.loads(named(descriptor))
                if "manifests" in value:
                    yield from images(value, prefix + "index: ")
                else:
                    read = image(value)
                    yield prefix + platform_name(read.config), read

        return dict(images(json.loads(blob("index.json")), ""))


@lru_cache(4)
def _lowest(data: bytes) -> Tree:
    """The tree of the lowest layer, which many images have in common."""
    tree: Tree = {}
    apply_layer(tree, _decompressed(data))
    return tree


def _decompressed(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def read_image(path: Path) -> ReadImage:
    """The single image of an OCI archive."""
    (image,) = read_images(path).values()
    return image


def platform_name(config: dict[str, Any]) -> str:
    return "/".join(config[part] for part in ("os", "architecture", "variant") if config.get(part))


def apply_layer(tree: Tree, data: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as archive:
        members = [(_path(member.name), member) for member in archive]
        for path, _ in members:
            _hide(tree, path)
        for path, member in members:
            if os.path.basename(path).startswith(b".wh.") or not path:
                continue
            _make_parents(tree, path)
            if member.islnk():
                _link(tree, path, _path(member.linkname))
            else:
                _put(tree, path, _entry(archive, member))


def _path(name: str) -> bytes:
    return os.fsencode(os.path.normpath("/" + name).lstrip("/"))


def _hide(tree: Tree, path: bytes) -> None:
    parent, name = os.path.split(path)
    if name == _OPAQUE:
        _remove_below(tree, parent)
    elif name.startswith(b".wh."):
        _remove(tree, os.path.join(parent, name[4:]))


def _put(tree: Tree, path: bytes, entry: Entry) -> None:
    stays = entry.kind == "directory" and path in tree and tree[path].kind == "directory"
    if not stays:
        _remove(tree, path)
    tree[path] = entry


def _link(tree: Tree, path: bytes, target: bytes) -> None:
    """Both names, and all that the target has, hold the same file."""
    _remove(tree, path)
    names = (tree[target].links or frozenset({target})) | {path}
    shared = evolve(tree[target], links=names)
    for name in names:
        tree[name] = shared


def _make_parents(tree: Tree, path: bytes) -> None:
    parent = os.path.dirname(path)
    if parent and (parent not in tree or tree[parent].kind != "directory"):
        _make_parents(tree, parent)
        _put(tree, parent, _IMPLIED)


def _remove(tree: Tree, path: bytes) -> None:
    _remove_below(tree, path)
    removed = tree.pop(path, None)
    if removed is None or not removed.links:
        return
    left = removed.links - {path}
    for name in left:
        tree[name] = evolve(tree[name], links=left if len(left) > 1 else frozenset())


def _remove_below(tree: Tree, directory: bytes) -> None:
    below = directory + b"/" if directory else b""
    for path in [path for path in tree if path.startswith(below)]:
        _remove(tree, path)


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    content = archive.extractfile(member) if member.isreg() else None
    xattrs = [(key, value) for key, value in member.pax_headers.items() if key.startswith(_XATTR)]
    return Entry(
        kind=_KINDS[member.type],
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        content=content.read() if content is not None else b"",
        target=os.fsencode(member.linkname),
        device=(member.devmajor, member.devminor) if member.isdev() and not member.isfifo() else (0, 0),
        xattrs=tuple(sorted((key.removeprefix(_XATTR), value) for key, value in xattrs)),
    )
