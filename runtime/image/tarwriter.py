"""The writer of layer archives: a snapshot's changes as containerd's differ archives them.

Headers are ustar; what a ustar field cannot hold goes into a PAX extended header before it, under the rules
of Go's archive/tar in PAX format, so that equal trees give the diff ID BuildKit gives: modification times cut
to whole seconds, no user or group names, `.wh.` entries with mode and time zero, directories with a trailing
slash. Beyond containerd, `user.*` attributes are kept as well as `security.capability`.
"""

from __future__ import annotations

import errno
import os
import stat
from zlib import adler32

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.space import NO_ROOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.runtime.snapshots.types import Change, Content, Node, Tree

    Sink = Callable[[bytes], object]

BLOCK = 512
BATCH = 1 << 20
"""Bytes gathered before the sink is called; a larger file is passed on in pieces of this size."""

WHITEOUT = b".wh."

_ZEROS = bytes(BLOCK)
_HOLE = bytes(BATCH)
_TAIL = b"ustar\x0000" + bytes(64) + b"0000000\x000000000\x00" + bytes(167)
_DEVICE_TAIL = b"ustar\x0000%b%07o\x00%07o\x00%b"
_PLAIN_TAIL = b"ustar\x0000" + bytes(247)
_FIELDS = b"%07o\x00%07o\x00%07o\x00%011o\x00%011o\x00        %b"
_NO_LINK = bytes(100)
_PADDING = tuple(bytes(-size % BLOCK) for size in range(BLOCK))

_MAX_ID = 1 << 21
_MAX_SIZE = 1 << 33

_TYPES = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}


class LayerReadError(UserError):
    """A file of a snapshot could not be read as its record says."""


def write_layer(
    changes: Iterable[Change], sink: Sink, *, clamp: int | None = None, parents: Tree | None = None
) -> int:
    """Write `changes` as a layer archive to `sink`, in pieces of any size. Returns the number of entries
    written.

    The same changes give the same bytes. With `clamp` (seconds since the epoch) later modification times
    become that time. `parents` is the state the changes lead to: a directory that only leads to a change is
    taken from there, for readers give a directory the layer does not name other attributes. Sockets and the
    root directory itself are left out. Raises LayerReadError when a file vanishes or is shorter than its
    size, and whatever `sink` raises.
    """
    return LayerWriter(sink, clamp, parents).write(changes)


class LayerWriter:
    """The state of one archive: the bytes not passed on yet, the directories written and the inodes seen."""

    __slots__ = ("_clamp", "_directories", "_fixed", "_inodes", "_parents", "_parts", "_sink", "_size")

    def __init__(
        self, sink: Sink, clamp: int | None = None, parents: Tree | None = None, *, fixed: bool = False
    ) -> None:
        """`clamp` bounds modification times; with `fixed` every one becomes `clamp`, earlier ones too."""
        self._sink = sink
        self._clamp = clamp
        self._fixed = fixed
        self._parents = parents
        self._parts: list[bytes] = []
        self._size = 0
        self._inodes: dict[tuple[int, int], bytes] = {}
        self._directories = {b""}

    def write(self, changes: Iterable[Change]) -> int:
        """Write every change and the end of the archive. Returns the number of entries written."""
        count = 0
        directories = self._directories
        for change in changes:
            path = change.path
            if not path:
                continue
            parent, slash, name = path.rpartition(b"/")
            if parent not in directories:
                count += self._lead(parent)
            if change.kind == "add":
                assert change.node is not None
                if stat.S_ISDIR(change.node.stat.st_mode):
                    directories.add(path)
                count += self.add(path, change.node)
            else:
                self._append(header(parent + slash + WHITEOUT + name))
                count += 1
        self.finish()
        return count

    def directory(self, path: bytes, *, mtime: int) -> None:
        """Write a directory that is not on disk: root's, mode 0755."""
        self._append(header(path + b"/", b"5", 0o755, mtime=mtime))

    def file(self, path: bytes, data: bytes, *, mtime: int) -> None:
        """Write a file that is not on disk: root's, mode 0600."""
        head = header(path, b"0", 0o600, size=len(data), mtime=mtime)
        self._append(head + data + _PADDING[len(data) % BLOCK])

    def finish(self) -> None:
        """Write the end of the archive and pass everything on."""
        self._append(_ZEROS + _ZEROS)
        self.flush()

    def _lead(self, path: bytes) -> int:
        """Write directory `path` and its parents if they are not written yet. Returns how many were."""
        if path in self._directories:
            return 0
        self._directories.add(path)
        count = self._lead(path.rpartition(b"/")[0])
        node = self._parents.lstat(path) if self._parents is not None else None
        if node is None or not stat.S_ISDIR(node.stat.st_mode):
            return count
        return count + self.add(path, node)

    def add(self, path: bytes, node: Node) -> bool:
        """Write one entry under `path`. Returns False for a socket, which a layer cannot hold."""
        found = node.stat
        mode = found.st_mode
        kind = _TYPES.get(mode & 0o170000)
        if kind is None:
            return False
        link = b""
        size = 0
        device = None
        if kind == b"0":
            size = found.st_size
        elif kind == b"5":
            path += b"/"
        elif kind == b"2":
            link = _target(node)
        elif kind != b"6":
            device = (os.major(found.st_rdev), os.minor(found.st_rdev))
        if found.st_nlink > 1 and kind != b"5":
            inode = (found.st_dev, found.st_ino)
            first = self._inodes.get(inode)
            # The first name of an inode holds the content, later ones are hard links to it.
            if first is None:
                self._inodes[inode] = path
            else:
                kind, link, size, device = b"1", first, 0, None
        # Whole seconds, as Go's writer cuts them in ustar; rounding up would give another diff ID.
        mtime = found.st_mtime_ns // 1_000_000_000
        if self._clamp is not None and (mtime > self._clamp or self._fixed):
            mtime = self._clamp
        attributes = _attributes(node)
        head = header(
            path, kind, mode & 0o7777, found.st_uid, found.st_gid, size, mtime, link, device, attributes
        )
        if size:
            self._file(node, head, size)
        else:
            self._append(head)
        return True

    def _append(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Pass on the gathered bytes."""
        if self._parts:
            self._sink(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
            self._parts = []
            self._size = 0

    def _file(self, node: Node, head: bytes, size: int) -> None:
        try:
            content = node.content()
        except OSError as error:
            raise _unreadable(node, error) from None
        try:
            with content:
                if size <= BATCH:
                    data = content.read(size)
                    if len(data) == size:
                        self._parts += (head, data, _PADDING[size % BLOCK])
                        self._size += BLOCK + size
                        if self._size >= BATCH:
                            self.flush()
                        return
                self._append(head)
                self._large(content, node, size)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise  # where the layer is written: reading needs no space
            raise _unreadable(node, error) from None

    def _large(self, content: Content, node: Node, size: int) -> None:
        left = size
        while left:
            hole = _hole(content, size - left, left)
            if hole:
                for start in range(0, hole, BATCH):
                    self._append(_HOLE[: hole - start])
                left -= hole
                continue
            content.seek(size - left)
            data = content.read(min(left, BATCH))
            if not data:
                raise LayerReadError(
                    f"{_name(node)} ended {left} bytes early while its layer was written",
                    help="something outside pybuild changed the store, or its disk is damaged",
                )
            left -= len(data)
            self._append(data)
        self._append(_PADDING[size % BLOCK])


def header(
    name: bytes,
    kind: bytes = b"0",
    mode: int = 0,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: tuple[int, int] | None = None,
    attributes: dict[bytes, bytes] | None = None,
) -> bytes:
    """Return one entry's header: a ustar block, after a PAX extended header if a value does not fit into it.
    `kind` is the type flag; `mtime` is in seconds; `device` has the major and minor numbers; `attributes` are
    extended attributes by full name."""
    extended = b""
    if (
        attributes
        or len(name) > 100
        or len(link) > 100
        or uid >= _MAX_ID
        or gid >= _MAX_ID
        or size >= _MAX_SIZE
        or not 0 <= mtime < _MAX_SIZE
        or not name.isascii()
        or not link.isascii()
    ):
        records = _records(name, uid, gid, size, mtime, link, attributes)
        extended = _extended(name, records)
        name, link = _ascii(name), _ascii(link)
        uid = 0 if uid >= _MAX_ID else uid
        gid = 0 if gid >= _MAX_ID else gid
        size = 0 if size >= _MAX_SIZE else size
        mtime = mtime if 0 <= mtime < _MAX_SIZE else 0
    tail = _TAIL if device is None else _DEVICE_TAIL % (bytes(64), *device, bytes(167))
    block = name.ljust(100, b"\0") + _FIELDS % (mode, uid, gid, size, mtime, kind)
    block += (link.ljust(100, b"\0") if link else _NO_LINK) + tail
    return b"%b%b%06o\x00 %b" % (extended, block[:148], (adler32(block) & 0xFFFF) - 1, block[156:])


# The checksum is the sum of the block's bytes, which the low half of Adler-32 is (plus one) below 65521. All
# text in the block is ASCII and at most 330 bytes are set, so the sum stays under 330 * 127.


def _ascii(text: bytes) -> bytes:
    """Return the ASCII bytes of `text`, at most 100; a cut never leaves a trailing slash."""
    if not text.isascii():
        text = bytes(byte for byte in text if byte < 0x80)
    if len(text) > 100:
        cut = text[:100]
        text = cut.rstrip(b"/") if cut.endswith(b"/") else cut
    return text


def _records(
    name: bytes,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    link: bytes,
    attributes: dict[bytes, bytes] | None,
) -> bytes:
    records = {b"SCHILY.xattr." + key: value for key, value in (attributes or {}).items()}
    if len(name) > 100 or not name.isascii():
        records[b"path"] = name
    if len(link) > 100 or not link.isascii():
        records[b"linkpath"] = link
    if uid >= _MAX_ID:
        records[b"uid"] = b"%d" % uid
    if gid >= _MAX_ID:
        records[b"gid"] = b"%d" % gid
    if size >= _MAX_SIZE:
        records[b"size"] = b"%d" % size
    if not 0 <= mtime < _MAX_SIZE:
        records[b"mtime"] = b"%d" % mtime
    return b"".join(_record(key, records[key]) for key in sorted(records))


def _record(key: bytes, value: bytes) -> bytes:
    """Return the record `LENGTH KEY=VALUE\\n`, LENGTH counting the record with its own digits."""
    # The space, the equals sign and the line feed. LENGTH counts its own digits, which may add one more: 98, 100,
    # 101.
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _extended(name: bytes, records: bytes) -> bytes:
    parent, _, base = name.rstrip(b"/").rpartition(b"/")
    if name.endswith(b"/"):
        parent, base = name.rstrip(b"/"), b""
    title = b"/".join(part for part in (parent, b"PaxHeaders.0", base) if part)
    block = _ascii_title(title).ljust(100, b"\0")
    block += _FIELDS % (0, 0, 0, len(records), 0, b"x") + _NO_LINK + _PLAIN_TAIL
    sealed = b"%b%06o\x00 %b" % (block[:148], (adler32(block) & 0xFFFF) - 1, block[156:])
    return sealed + records + _PADDING[len(records) % BLOCK]


def _ascii_title(title: bytes) -> bytes:
    if not title.isascii():
        title = bytes(byte for byte in title if byte < 0x80)
    return title[:100].rstrip(b"/")


def _target(node: Node) -> bytes:
    try:
        return node.readlink()
    except OSError as error:
        raise _unreadable(node, error) from None


def _attributes(node: Node) -> dict[bytes, bytes]:
    try:
        return {os.fsencode(name): value for name, value in node.attributes()}
    except OSError as error:
        raise _unreadable(node, error) from None


def _hole(content: Content, position: int, left: int) -> int:
    """Return the length of the hole at `position`, 0 where there is data."""
    # Looking for a hole costs more than reading a piece.
    if left <= BATCH:
        return 0
    fd, at = content.fd, content.offset + position
    try:
        data = os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: no data up to the end. A file that has become shorter meanwhile is no hole.
        whole = error.errno == errno.ENXIO and os.fstat(fd).st_size >= at + left
        return left if whole else 0
    return min(data - at, left)


def _name(node: Node) -> str:
    return os.fsdecode(node.real or node.path)


def _unreadable(node: Node, error: OSError) -> LayerReadError:
    return LayerReadError(
        f"cannot read {_name(node)} for its layer: {error.strerror}",
        help="something outside pybuild changed the store, or its disk is damaged",
    )
