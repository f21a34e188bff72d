"""Archives read into states of index entries: layers and archives for ADD, with the rules of `extract.py`,
`layering.py` and `unarchive.py`.

Nothing of an archive is written to the disk but, for an archive that is no layer, its contents. Devices, owners and
attributes are entries that need no permission. A layer's own entries are those that belong to the snapshot under
construction; whiteouts and opaque marks hide the others, and only a layer's own symlinks lead its paths.
"""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256

from pybuild.runtime.image.extract import MAX_ID, Extracted, clean
from pybuild.runtime.image.filecontent import write_content
from pybuild.runtime.image.tarreader import CHARACTER, DEVICE, DIRECTORY, FIFO, FILE, LINK, SYMLINK, TarReader
from pybuild.runtime.image.ways import MAX_LINKS, ExtractError
from pybuild.runtime.snapshots.contents import is_content_attribute
from pybuild.runtime.snapshots.index import STREAM, Directory, Entry, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image import tarreader
    from pybuild.runtime.image.decompression import Pull
    from pybuild.runtime.snapshots.indexactive import IndexActive

    Member = tarreader.Entry

OPAQUE = b".wh..wh..opq"
MAX_TIME = (1 << 63) - 1
"""Nanoseconds since the epoch: in the year 2262."""

_KINDS = {
    FILE: stat.S_IFREG,
    SYMLINK: stat.S_IFLNK,
    CHARACTER: stat.S_IFCHR,
    DEVICE: stat.S_IFBLK,
    FIFO: stat.S_IFIFO,
}


def read_layer(pull: Pull, active: IndexActive, archive: str) -> Extracted:
    """Add the entries of an uncompressed layer to a snapshot under construction, whose contents lie in the layer
    then, and read the stream to its end. Raises ArchiveError, ExtractError."""
    return _LayerReader(active, active.root, archive).run(pull)


def read_archive(
    pull: Pull, active: IndexActive, directory: bytes, archive: str, owner: tuple[int, int] | None
) -> Extracted:
    """Unpack an archive into an existing directory of a state under construction, and read the stream to its end.
    Entries keep their owners unless `owner` is given. Raises ArchiveError, ExtractError."""
    return _ArchiveReader(active, active.directory(directory), archive, owner).run(pull)


class _Reader:
    """The reading of one archive into directory `root`, which no path leads out of."""

    def __init__(self, active: IndexActive, root: Directory, archive: str) -> None:
        self._active = active
        self._root = root
        self._archive = archive
        self._reader: TarReader
        self._last = b"", [root]
        self.done = Extracted()

    def run(self, pull: Pull) -> Extracted:
        self._reader = TarReader(pull, self._archive)
        for member in self._reader:
            try:
                self._place(member)
            except OSError as error:
                raise self._refused(member, error.strerror or str(error)) from None
        self._reader.drain()
        return self.done

    def _place(self, member: Member) -> None:
        if b"\0" in member.name or b"\0" in member.link:
            raise self._refused(member, "its name or its link's target has a zero byte")
        parts = self._parts(member.name, member)
        if not parts:
            return
        if not (0 <= member.uid <= MAX_ID and 0 <= member.gid <= MAX_ID):
            raise self._refused(member, f"owner {member.uid}:{member.gid} is out of range")
        name = parts.pop()
        trail = self._walk(parts, member)
        if self._mark(trail[-1], name, member):
            return
        if member.kind == LINK:
            self._link(member, trail, name)
        elif member.kind == DIRECTORY:
            self._directory(member, trail, name)
        else:
            entry = self._entry(member)
            if entry is not None:
                self._drop(trail[-1], name)
                trail[-1].children[name] = entry
        self.done.entries += 1

    # Finding places

    def _parts(self, name: bytes, member: Member) -> list[bytes]:
        return clean(name)

    def _mark(self, directory: Directory, name: bytes, member: Member) -> bool:
        """Apply a whiteout or an opaque mark; False if the name is none."""
        return False

    def _foreign(self, entry: Entry) -> bool:
        """Report whether an entry in the way gives way to a directory."""
        return False

    def _above(self, trail: list[Directory], member: Member) -> None:
        """Go up by one directory."""
        del trail[max(1, len(trail) - 1) :]

    def _walk(self, parts: list[bytes], member: Member) -> list[Directory]:
        """Return the directories that a path leads through, the root first; missing ones are made."""
        key = b"/".join(parts)
        known, lead = self._last
        if key == known:
            return lead
        # From the last one on, if this lies beneath: a deep path is not walked once for each level.
        names = known.split(b"/") if known and key.startswith(known + b"/") else []
        trail = [*lead] if names else [self._root]
        rest = parts[len(names) :][::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part == b"..":
                self._above(trail, member)
                del names[len(trail) - 1 :]
                continue
            here = trail[-1]
            entry = here.children.get(part)
            if isinstance(entry, Directory):
                trail.append(self._active.own(here, part, entry))
                names.append(part)
            elif entry is None or self._foreign(entry):
                made = self._active.make(stat.S_IFDIR | 0o755, 0, 0, None)
                assert isinstance(made, Directory)
                here.children[part] = made
                trail.append(made)
                names.append(part)
            elif stat.S_ISLNK(entry.mode):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                # An absolute link starts at the root of what is unpacked.
                if entry.link.startswith(b"/"):
                    del trail[1:], names[:]
                rest += [step for step in entry.link.split(b"/") if step not in (b"", b".")][::-1]
            else:
                path = os.fsdecode(b"/".join((*names, part)))
                raise self._refused(member, f"{path!r} is not a directory")
        # Only the last one: members of a directory mostly come together.
        self._last = key, trail
        return trail

    def _drop(self, directory: Directory, name: bytes) -> None:
        """Take away what has a name, before something else gets it."""
        entry = directory.children.get(name)
        if entry is None:
            return
        if isinstance(entry, Directory) or stat.S_ISLNK(entry.mode):
            self._last = b"", [self._root]  # the known path may lead through it
        if entry.owner is self._active and entry.names > 1:
            entry.names -= 1
        del directory.children[name]

    # Making entries

    def _directory(self, member: Member, trail: list[Directory], name: bytes) -> None:
        above = trail[-1]
        there = above.children.get(name)
        if isinstance(there, Directory):
            directory = self._active.own(above, name, there)
        else:
            self._drop(above, name)
            made = self._active.make(stat.S_IFDIR | 0o755, 0, 0, 0)
            assert isinstance(made, Directory)
            directory = above.children[name] = made
        self._describe(directory, member)

    def _entry(self, member: Member) -> Entry | None:
        """Return the new entry of a member that is no directory or link; None for one that is left out."""
        device = 0
        if member.kind in (CHARACTER, DEVICE):
            major, minor = member.device
            if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
                raise self._refused(member, f"device number {major}:{minor} is out of range")
            if member.kind == CHARACTER and (major, minor) == (0, 0):
                self.done.skip(member.name, "a device 0:0 means a deletion in a snapshot")
                return None
            device = os.makedev(major, minor)
        kind = _KINDS[member.kind]
        entry = self._active.make(kind, 0, 0, member.mtime)
        self._describe(entry, member)
        entry.device = device
        if member.kind == SYMLINK:
            entry.link = member.link
            entry.size = len(member.link)
            entry.mode = kind | 0o777
        elif member.kind == FILE:
            self._content(entry, member)
            self.done.size += member.size
        return entry

    def _content(self, entry: Entry, member: Member) -> None:
        self._active.fill(entry, lambda fd: write_content(member, fd, self._reader))

    def _describe(self, entry: Entry, member: Member) -> None:
        """Give an entry a member's owner, mode, time and attributes."""
        entry.mode = stat.S_IFMT(entry.mode) | member.mode & 0o7777
        entry.uid, entry.gid, entry.mtime = member.uid, member.gid, member.mtime
        pairs = ((os.fsdecode(key), value) for key, value in (member.attributes or {}).items())
        kept = sorted(pair for pair in pairs if is_content_attribute(pair[0]))
        # The kernel has `user.*` for files and directories only.
        holds = stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode)
        entry.attributes = tuple(kept) if holds else ()

    def _link(self, member: Member, trail: list[Directory], name: bytes) -> None:
        """Make a hard link. As in Docker the file takes the member's owner, mode and times; a symlink keeps its
        own."""
        parts = self._parts(member.link, member)
        if not parts:
            raise self._refused(member, "a hard link without a target")
        last = parts.pop()
        lead = self._walk(parts, member)
        directory, place = lead[-1], trail[-1]
        target = directory.children.get(last)
        if directory is place and last == name:
            if target is None:
                raise self._refused(member, "a hard link to itself")
            return
        shown = os.fsdecode(member.link)
        if target is None or self._foreign(target):
            raise self._refused(member, f"its target {shown!r} is not in the archive")
        if isinstance(target, Directory):
            raise self._refused(member, f"its target {shown!r} is a directory")
        there = place.children.get(name)
        if there is not None and any(each is there for each in lead):
            raise self._refused(member, f"it would replace {shown!r}, its own target")
        if target.owner is not self._active:
            # A file of the parent that is changed: its other names keep the old one.
            target = directory.children[last] = target.copy(self._active)
        if there is not target:
            self._drop(place, name)
            place.children[name] = target
            target.names += 1
        if not stat.S_ISLNK(target.mode):
            attributes = target.attributes
            self._describe(target, member)
            target.attributes = tuple(sorted({**dict(attributes), **dict(target.attributes)}.items()))

    def _refused(self, member: Member, reason: str) -> ExtractError:
        return ExtractError(self._archive, member.name, reason, "make the archive anew without this entry")


class _LayerReader(_Reader):
    """The reading of a layer."""

    def _foreign(self, entry: Entry) -> bool:
        return entry.owner is not self._active

    def _mark(self, directory: Directory, name: bytes, member: Member) -> bool:
        if not name.startswith(b".wh."):
            return False
        hidden = name[4:]
        if name == OPAQUE:
            self._hide(directory)
        elif not hidden.startswith(b".wh."):  # AUFS's own records mean nothing
            if hidden in (b"", b".", b".."):
                raise self._refused(member, "a whiteout without a name")
            entry = directory.children.get(hidden)
            if isinstance(entry, Directory) and entry.owner is self._active:
                self._hide(entry)
            elif entry is not None and entry.owner is not self._active:
                del directory.children[hidden]
        return True

    def _hide(self, directory: Directory) -> None:
        """Take away everything below a directory that is not the layer's own."""
        self._last = b"", [self._root]  # the known path may lead through one of them
        pending = [directory]
        while pending:
            here = pending.pop()
            if here is not self._root:
                here.base = None
            for name, entry in list(here.children.items()):
                if entry.owner is not self._active:
                    del here.children[name]
                elif isinstance(entry, Directory):
                    pending.append(entry)

    def _content(self, entry: Entry, member: Member) -> None:
        if member.sparse is not None:
            super()._content(entry, member)
            return
        entry.place = Place(None, STREAM, self._reader.position)
        entry.size = member.size
        value = sha256()
        while piece := self._reader.piece():
            value.update(piece)
        entry.digest = value.digest()


class _ArchiveReader(_Reader):
    """The unpacking of an archive for ADD."""

    def __init__(
        self, active: IndexActive, root: Directory, archive: str, owner: tuple[int, int] | None
    ) -> None:
        super().__init__(active, root, archive)
        self._owner = owner

    def _place(self, member: Member) -> None:
        if not 0 <= member.mtime <= MAX_TIME:
            member.mtime = 0
        if self._owner is not None:
            member.uid, member.gid = self._owner
        super()._place(member)

    def _parts(self, name: bytes, member: Member) -> list[bytes]:
        depth = 0
        for part in name.split(b"/"):
            depth += 0 if part in (b"", b".") else -1 if part == b".." else 1
            if depth < 0:
                raise self._refused(member, "it is outside the directory that the archive is unpacked into")
        return clean(name)

    def _above(self, trail: list[Directory], member: Member) -> None:
        if len(trail) == 1:
            raise self._refused(member, "a symlink on its way leads out of the directory")
        super()._above(trail, member)

    def _directory(self, member: Member, trail: list[Directory], name: bytes) -> None:
        there = trail[-1].children.get(name)
        if there is not None and stat.S_ISLNK(there.mode):
            # A directory goes where a symlink in its place leads.
            self._describe(self._walk(self._parts(member.name, member), member)[-1], member)
            return
        super()._directory(member, trail, name)
