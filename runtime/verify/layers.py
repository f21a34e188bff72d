"""Rules about the archive of a layer (OCI image specification, layer.md), and a layer's digests."""

from __future__ import annotations

from hashlib import blake2b

from pybuild.runtime.verify import tarheaders as tar
from pybuild.runtime.verify.findings import CHANGED, UNUSUAL, Tally, quoted
from pybuild.runtime.verify.limits import LONGEST_PATH
from pybuild.runtime.verify.streams import (
    Exact,
    Hashed,
    Rejoined,
    TooLarge,
    compression,
    damage,
    decompressed,
)
from pybuild.runtime.verify.tarheaders import Damaged
from pybuild.runtime.verify.tarstream import Member, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.verify.limits import Limits
    from pybuild.runtime.verify.streams import Readable

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_RESERVED = b".wh..wh."
"""Names of AUFS' own, of which only OPAQUE means something to others."""

_IMPLIED, _DIRECTORY, _FILE, _SYMLINK = range(4)
"""Kinds of paths by the entries so far; _IMPLIED is a directory that has no entry of its own yet."""

TOO_LONG = "raise --max-layer-size if you trust the image"


class LayerFacts:
    """A layer as its bytes are: `compression`, `size` and `digest` of the blob, `diff_id` ("" where it can't be read
    to its end), and what is wrong (`text, help, note`)."""

    __slots__ = ("compression", "diff_id", "digest", "facts", "size")

    def __init__(self) -> None:
        self.compression = ""
        self.digest = ""
        self.size = 0
        self.diff_id = ""
        self.facts: list[tuple[str, str, bool]] = []

    @property
    def sound(self) -> bool:
        return all(note for _, _, note in self.facts)


def read_layer(file: Readable, algorithm: str, diff_algorithm: str, limits: Limits) -> LayerFacts:
    """Read a layer's blob to its end and return what it is. Never raises for what the blob holds."""
    layer = LayerFacts()
    blob = Hashed(file, algorithm)
    tally = Tally()
    try:
        start = blob.read(8)
        layer.compression = compression(start)
        if layer.compression in ("xz", "bzip2"):
            raise ValueError(f"it is compressed with {layer.compression}, which no media type allows")
        archive = Hashed(decompressed(Rejoined(start, blob), layer.compression), diff_algorithm, limits.layer)
        _read_archive(archive, tally, limits)
        archive.drain()
        layer.diff_id = archive.digest()
    except TooLarge:
        text = f"is longer than {limits.layer} bytes when it is decompressed: the rest was not looked at"
        tally.problem("size", text, TOO_LONG)
    except damage() as error:
        tally.problem("damage", f"can't be read: {getattr(error, 'strerror', None) or error}", CHANGED)
    try:
        blob.drain()
    except OSError as error:
        tally.problem("damage", f"can't be read: {error.strerror or error}", CHANGED)
    layer.facts = tally.facts()
    layer.digest, layer.size = blob.digest(), blob.size
    return layer


def _read_archive(archive: Hashed, tally: Tally, limits: Limits) -> None:
    reader = Exact(archive)
    entries = Entries(tally, limits)
    try:
        for member in members(reader, tally):
            if not entries.add(member):
                break
    except Damaged as error:
        if reader.position <= tar.BLOCK:
            tally.problem("archive", f"is no tar archive: {error}", CHANGED)
        else:
            tally.problem("archive", f"is damaged at byte {reader.position}: {error}", CHANGED)


class Entries:
    """The entries of a layer, checked one after the other against those before."""

    def __init__(self, tally: Tally, limits: Limits) -> None:
        self._tally = tally
        self._most = limits.entries
        self._kinds: dict[bytes, int] = {}
        self._last: list[bytes] = []

    def add(self, member: Member) -> bool:
        """Check an entry. Returns False when there are too many to go on."""
        if len(self._kinds) > self._most:
            self._tally.problem("entries", f"has more than {self._most} entries", "")
            return False
        path = self._path(member.name, "an entry")
        if path is None:
            return True
        if not path:
            if member.type != tar.DIRECTORY:
                self._tally.problem("root", "has an entry for the root that is no directory")
            return True
        name = path[-1]
        if name.startswith(WHITEOUT):
            self._check_whiteout(member, path)
        self._check_parents(member.name, path)
        self._check_order(member.name, path)
        self._check_twice(member, path)
        if member.type == tar.LINK and not name.startswith(WHITEOUT):
            self._check_link(member, path)
        elif member.type == tar.SYMLINK and not member.link:
            self._tally.problem("symlink", f"has the symbolic link {quoted(member.name)} to nothing")
        return True

    def _path(self, name: bytes, what: str) -> list[bytes] | None:
        """Return the components of a path; None for one that is refused."""
        if not name:
            self._tally.problem("name", f"has {what} without a name")
        elif name.startswith(b"/"):
            self._tally.problem("absolute", f"has {what} {quoted(name)} with an absolute path")
        elif len(name) > LONGEST_PATH:
            self._tally.problem("long", f"has {what} {quoted(name)} of more than {LONGEST_PATH} bytes")
        elif b"\0" in name:
            self._tally.problem("zero", f"has {what} {quoted(name)} with a zero byte in its path")
        else:
            path = [part for part in name.split(b"/") if part not in (b"", b".")]
            if b".." not in path:
                return path
            self._tally.problem("outside", f"has {what} {quoted(name)} that leads outside")
        return None

    def _check_whiteout(self, member: Member, path: list[bytes]) -> None:
        removed = path[-1].removeprefix(WHITEOUT)
        if removed in (b"", b".", b".."):
            self._tally.problem("whiteout", f"has the whiteout {quoted(member.name)} of no name")
        elif not path[-1].startswith(_RESERVED) and not member.is_file:
            # AUFS made whiteouts as hard links, so that old images have some that are no files.
            self._tally.note("kind of whiteout", f"has the whiteout {quoted(member.name)}, which is no file")

    def _check_parents(self, name: bytes, path: list[bytes]) -> None:
        """A program that unpacks follows a link in place of a directory, and writes outside of the root."""
        for depth in range(len(path) - 1, 0, -1):
            parent = path[:depth]
            key = _key(parent)
            kind = self._kinds.get(key)
            if kind is None:
                # Those above were looked at when this one came, so the walk ends at the first that is known.
                self._kinds[key] = _IMPLIED
                if depth == len(path) - 1:
                    self._tally.note("parent", f"has {quoted(name)} without its parent directory before it")
                continue
            if kind == _SYMLINK:
                self._tally.problem("beneath", f"has {quoted(name)} beneath a symbolic link of its own")
            elif kind == _FILE:
                self._tally.problem("beneath", f"has {quoted(name)} beneath an entry that is no directory")
            return

    def _check_order(self, name: bytes, path: list[bytes]) -> None:
        """Entries in the order of a walk make the same layer the same bytes. A whiteout has its file's place."""
        if path[-1] == OPAQUE:
            return
        place = [*path[:-1], path[-1].removeprefix(WHITEOUT)]
        if place < self._last:
            self._tally.note(
                "order", f"is not sorted: {quoted(name)} comes after {quoted(b'/'.join(self._last))}"
            )
        self._last = place

    def _check_twice(self, member: Member, path: list[bytes]) -> None:
        key = _key(path)
        kind = self._kinds.get(key)
        directory = member.type == tar.DIRECTORY
        if kind == _DIRECTORY and directory:
            # The later attributes win everywhere, and what lies beneath is the same.
            self._tally.note("directory-twice", f"has the directory {quoted(member.name)} twice")
        elif kind is not None and kind != _IMPLIED:
            self._tally.problem("twice", f"has the entry {quoted(member.name)} twice", UNUSUAL)
        elif kind == _IMPLIED and not directory:
            self._tally.problem(
                "beneath", f"has entries beneath {quoted(member.name)}, which is no directory"
            )
        self._kinds[key] = _DIRECTORY if directory else _SYMLINK if member.type == tar.SYMLINK else _FILE

    def _check_link(self, member: Member, path: list[bytes]) -> None:
        target = self._path(member.link, f"the hard link {quoted(member.name)} to")
        if target is None:
            return
        kind = self._kinds.get(_key(target))
        if kind is None or kind == _IMPLIED or target == path:
            text = f"has the hard link {quoted(member.name)} to {quoted(member.link)}, which no entry before it is"
            self._tally.problem("link", text)
        elif kind == _DIRECTORY:
            self._tally.problem("link", f"has the hard link {quoted(member.name)} to a directory")


def _key(path: list[bytes]) -> bytes:
    """Return what stands for a path in a table of bounded memory: long ones are hashed."""
    joined = b"/".join(path)
    # The zero byte keeps a hash from being taken for a path.
    return joined if len(joined) <= 64 else b"\0" + blake2b(joined, digest_size=32).digest()
