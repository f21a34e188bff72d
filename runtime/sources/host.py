"""The building machine as a source: writes commands and the libraries they need to an OCI image layout.

Layouts are in directories named by their image's digest:

    DIRECTORY/HEX/         an OCI image layout; renamed to this name when complete
    DIRECTORY/seen/HEX     the digest of the image for a state of files
    DIRECTORY/lock         held while writing, so that unfinished files of others can be removed

The image has one layer, whose bytes depend on the selected files only: entries are sorted by path, belong to root and
have modification time zero; directories have fixed modes; `/etc/passwd`, `/etc/group` and `/etc/nsswitch.conf` have
fixed content, as the machine's would name its users.
"""

from __future__ import annotations

import os
from hashlib import sha256

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.compression import Compression, Compressor
from pybuild.runtime.image.descriptor import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from pybuild.runtime.image.manifest import Manifest, encode_manifest
from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.sources.hostselect import SEARCHED, HostError, NotRunnable, Selection
from pybuild.runtime.sources.hosttree import DIRECTORY, FILE, LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.runtime.content.locks import Lock
    from pybuild.runtime.sources.hosttree import Entry, HostTree

VERSION = 1
"""Version of the image's form. Raise it whenever the same files lead to another image."""

EPOCH = "1970-01-01T00:00:00Z"
GRAIN = 2.0
"""Seconds in which a file may change again without a change of its times."""

DIRECTORIES = {
    "/dev": 0o755,
    "/etc": 0o755,
    "/home": 0o755,
    "/proc": 0o755,
    "/root": 0o700,
    "/run": 0o755,
    "/sys": 0o755,
    "/tmp": 0o1777,
    "/usr/bin": 0o755,
    "/usr/local/bin": 0o755,
    "/var/tmp": 0o1777,
}
FILES = {
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n",
    "/etc/group": b"root:x:0:\nnobody:x:65534:\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
}


class HostLayout:
    """An image of the machine's files: the layout's directory and the manifest's digest. `files` are the sorted
    absolute paths whose state decided the result: files read, symlinks followed, and paths that were looked up and
    missing."""

    __slots__ = ("digest", "files", "path")

    def __init__(self, path: str, digest: str, files: list[str]) -> None:
        self.path = path
        self.digest = digest
        self.files = files


def materialize(commands: Sequence[str], directory: str) -> HostLayout:
    """Write the layout of a root file system with commands (names or absolute paths) under `directory`.

    Order and repetition of commands make no difference. An existing layout is reused; another one appears complete or
    not at all. Raises HostError; UserError if `directory` can't be written.
    """
    names = sorted(set(commands))
    if not names:
        raise HostError("a host file system needs at least one command", help="host:sh,cat,ls")
    tree = select(names)
    state = _state(tree, names)
    digest = _remembered(directory, state)
    if not digest:
        try:
            for place in (os.path.dirname(directory), directory, os.path.join(directory, "seen")):
                os.makedirs(place, mode=0o700, exist_ok=True)
            with _exclusive(directory):
                digest = _remembered(directory, state) or _make(tree, names, state, directory)
        except _Unreadable as error:
            raise NotRunnable(error.path, error.problem, "build as a user who can read it") from None
        except OSError as error:
            raise UserError(
                f"cannot write the host file system under {directory}: {error.strerror}"
            ) from None
    return HostLayout(_place(directory, digest), digest, sorted(tree.consulted))


def select(names: Iterable[str]) -> HostTree:
    """Return the file system with these commands. Raises HostError."""
    selection = Selection()
    for name in names:
        selection.command(name)
    tree = selection.tree
    for path, mode in DIRECTORIES.items():
        tree.directory(path, mode)
    for path, data in FILES.items():
        tree.file(path, data)
    return tree


class _Unreadable(OSError):
    def __init__(self, path: str, problem: str) -> None:
        super().__init__(0, problem)
        self.path = path
        self.problem = problem


# Reuse


def _state(tree: HostTree, names: Iterable[str]) -> str:
    """Return a digest of everything that decides the image, with the inodes and times of files in place of their
    bytes."""
    parts = [VERSION, Compression("gzip").compressor, os.uname().machine, *names]
    for path, entry in sorted(tree.entries.items()):
        parts += [path, entry.kind, entry.mode, entry.target, entry.data]
        if entry.real:
            status = os.lstat(entry.real)
            parts += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _at_rest(tree: HostTree) -> bool:
    """Report whether all files are old enough for a later change to show in their times."""
    from time import time

    limit = time() - GRAIN
    return all(os.lstat(entry.real).st_ctime < limit for entry in tree.entries.values() if entry.real)


def _remembered(directory: str, state: str) -> str:
    """Return the digest of the image for a state of files if its layout exists, else ""."""
    from pybuild.runtime.image.descriptor import is_digest

    try:
        with open(os.path.join(directory, "seen", state), encoding="ascii", errors="replace") as file:
            digest = file.read(80)
    except OSError:
        return ""
    return digest if is_digest(digest) and os.path.isdir(_place(directory, digest)) else ""


def _remember(directory: str, state: str, digest: str) -> None:
    part = os.path.join(directory, "seen", ".part")
    _file(part, digest.encode())
    os.rename(part, os.path.join(directory, "seen", state))


def _exclusive(directory: str) -> Lock:
    from pybuild.runtime.content.locks import wait_lock

    lock = wait_lock(os.path.join(directory, "lock"))
    assert lock is not None
    return lock


def _place(directory: str, digest: str) -> str:
    return os.path.join(directory, digest.removeprefix("sha256:"))


# The image


def _make(tree: HostTree, names: Sequence[str], state: str, directory: str) -> str:
    """Write the layout and return the image's digest. Call with the lock held. Raises HostError if a file changed."""
    digest = _write(tree, names, directory)
    # The state was taken before the files were read: a change since then may be in the layer.
    if _state(tree, names) != state:
        raise HostError(
            "files of this machine changed while they were read", help="build again when they are at rest"
        )
    if _at_rest(tree):
        _remember(directory, state, digest)
    return digest


def _write(tree: HostTree, names: Sequence[str], directory: str) -> str:
    """Write the layout and return the manifest's digest. An existing layout of that digest stays."""
    from shutil import rmtree

    part = os.path.join(directory, ".part")
    rmtree(part, ignore_errors=True)
    os.mkdir(part)
    try:
        blobs = os.path.join(part, "blobs", "sha256")
        os.makedirs(blobs)
        layer = _write_layer(tree, blobs)
        config = _put(blobs, OCI_CONFIG, _config(names, layer.diff_id))
        image = Manifest(OCI_MANIFEST, config, [layer])
        manifest = _put(blobs, OCI_MANIFEST, encode_manifest(image))
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [manifest.to_json()]}
        _file(os.path.join(part, "index.json"), _json(index))
        _file(os.path.join(part, "oci-layout"), b'{"imageLayoutVersion":"1.0.0"}')
        try:
            os.rename(part, _place(directory, manifest.digest))
        except OSError:  # the target exists: another state of files had led to the same image
            if not os.path.isdir(_place(directory, manifest.digest)):
                raise
        return manifest.digest
    finally:
        rmtree(part, ignore_errors=True)


def _write_layer(tree: HostTree, blobs: str) -> Descriptor:
    plain, packed = sha256(), sha256()
    part = os.path.join(blobs, "layer")
    with open(part, "wb") as file:

        def sink(data: bytes) -> None:
            packed.update(data)
            file.write(data)

        with Compressor(Compression("gzip"), sink) as compressor:
            for data in _archive(tree):
                plain.update(data)
                compressor.write(data)
            compressor.close()
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    os.rename(part, os.path.join(blobs, packed.hexdigest()))
    diff_id = f"sha256:{plain.hexdigest()}"
    return Descriptor(OCI_LAYER_GZIP, f"sha256:{packed.hexdigest()}", size, diff_id=diff_id)


def _archive(tree: HostTree) -> Iterable[bytes]:
    """Yield the layer's bytes. Hard links of the machine are hard links in the image."""
    inodes: dict[tuple[int, int], bytes] = {}
    for path, entry in sorted((os.fsencode(path[1:]), entry) for path, entry in tree.entries.items()):
        if entry.kind == DIRECTORY:
            yield header(path + b"/", b"5", entry.mode)
        elif entry.kind == LINK:
            yield header(path, b"2", entry.mode, link=os.fsencode(entry.target))
        elif not entry.real:
            yield header(path, b"0", entry.mode, size=len(entry.data)) + _padded(entry.data)
        else:
            status = os.stat(entry.real)
            first = inodes.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                yield header(path, b"1", entry.mode, link=first)
            else:
                data = _content(entry)
                head = header(path, b"0", entry.mode, size=len(data), attributes=_capabilities(entry.real))
                yield head + _padded(data)
    yield bytes(1024)


def _content(entry: Entry) -> bytes:
    assert entry.kind == FILE
    try:
        with open(entry.real, "rb") as file:
            return file.read()
    except OSError as error:
        raise _Unreadable(entry.real, f"it can't be read ({error.strerror})") from None


def _capabilities(path: str) -> dict[bytes, bytes] | None:
    try:
        return {b"security.capability": os.getxattr(path, "security.capability")}
    except OSError:
        return None


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def _config(names: Sequence[str], diff_id: str) -> bytes:
    from pybuild.compiler import platforms

    here = platforms.default()
    config: dict[str, object] = {"Env": [f"PATH={':'.join(SEARCHED)}"]}
    if "sh" in map(os.path.basename, names):
        config["Cmd"] = ["sh"]
    value: dict[str, object] = {"created": EPOCH, "architecture": here.architecture, "os": here.os}
    if here.variant:
        value["variant"] = here.variant
    value["config"] = config
    value["rootfs"] = {"type": "layers", "diff_ids": [diff_id]}
    value["history"] = [{"created": EPOCH, "created_by": f"host:{','.join(names)}"}]
    return _json(value)


def _put(blobs: str, media_type: str, data: bytes) -> Descriptor:
    digest = sha256(data).hexdigest()
    _file(os.path.join(blobs, digest), data)
    return Descriptor(media_type, f"sha256:{digest}", len(data))


def _file(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _json(value: object) -> bytes:
    import json

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
