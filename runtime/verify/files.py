"""The files of an image by name: a directory, or an uncompressed tar archive. No name leads out of either."""

from __future__ import annotations

import os
import stat

from pybuild.runtime.verify import tarheaders as tar
from pybuild.runtime.verify.findings import CHANGED, HOSTILE, UNUSUAL, Tally, Unreadable, quoted
from pybuild.runtime.verify.limits import LONGEST_PATH, MOST_MEMBERS
from pybuild.runtime.verify.streams import compression
from pybuild.runtime.verify.tarheaders import Damaged
from pybuild.runtime.verify.tarstream import Member, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.verify.findings import Report
    from pybuild.runtime.verify.streams import Blob

_MOST_LINKS = 8
"""Links from member to member: `docker save` of old had one for a layer that several images share."""
_MOST_LISTED = 1_000_000
"""Files of a directory that are looked at for blobs that nothing refers to."""


def open_files(path: str) -> DirectoryFiles | ArchiveFiles:
    """Return the files at `path`. Raises Unreadable."""
    try:
        if os.path.isdir(path):
            return DirectoryFiles(path)
        # Without O_NONBLOCK, opening a pipe that nobody writes to never returns.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Unreadable(f"cannot read {path}: {error.strerror or error}", help="check the path") from None
    except ValueError:
        raise Unreadable(f"cannot read {path!r}: the path has a zero byte") from None
    try:
        return ArchiveFiles(path, fd)
    except BaseException:
        os.close(fd)
        raise


class DirectoryFiles:
    """The files of a layout in a directory. `opened` are the names that were asked for."""

    def __init__(self, path: str) -> None:
        self._root = os.path.realpath(path)
        self.opened: set[str] = set()

    def open(self, name: str) -> Blob:
        """Open a file. Raises OSError: FileNotFoundError if there is none, also for a name that leads outside."""
        self.opened.add(name)
        path = os.path.realpath(os.path.join(self._root, _inside(name)))
        if os.path.commonpath([path, self._root]) != self._root:
            raise FileNotFoundError(2, "it is a link that leads outside", name)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise FileNotFoundError(2, "it is no file", name)
        return open(fd, "rb", buffering=0)

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the files below and their sizes."""
        count = 0
        for directory, _, names in os.walk(self._root):
            for name in names:
                count += 1
                if count > _MOST_LISTED:
                    return
                path = os.path.join(directory, name)
                try:
                    size = os.lstat(path).st_size
                except OSError:
                    continue
                yield os.path.relpath(path, self._root), size

    @property
    def fault(self) -> str:
        """A directory has no form that could be wrong."""
        return ""

    def report_to(self, report: Report) -> None:
        """Report nothing: see `fault`."""

    def close(self) -> None:
        """Nothing is held open."""


class ArchiveFiles:
    """The files of an image in a tar archive. `opened` are the names that were asked for. Owns the descriptor."""

    def __init__(self, path: str, fd: int) -> None:
        self._fd = fd
        self._members: dict[str, Member] = {}
        self._tally = Tally()
        self._path = path
        self.opened: set[str] = set()
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable(f"cannot read {path}: it is no file", help="save it to a file first")
        kind = compression(os.pread(fd, 8, 0))
        if kind != "none":
            raise Unreadable(f"{path} is compressed with {kind}", help=f"decompress it first, with {kind} -d")
        self._read(_Positioned(fd, state.st_size))

    def _read(self, archive: _Positioned) -> None:
        try:
            for member in members(archive, self._tally):
                self._add(member)
                if len(self._members) > MOST_MEMBERS:
                    self._tally.problem("members", f"has more than {MOST_MEMBERS} members")
                    break
        except Damaged as error:
            if archive.position <= tar.BLOCK:
                text = f"{self._path} is neither a directory nor a tar archive"
                raise Unreadable(
                    text, help="give an OCI layout, or an archive of docker save or pybuild"
                ) from None
            self._tally.problem("damage", f"is damaged at byte {archive.position}: {error}", CHANGED)

    def _add(self, member: Member) -> None:
        name = member.name
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        if name.startswith(b"/") or b".." in parts or len(name) > LONGEST_PATH:
            self._tally.problem("outside", f"has a member {quoted(name)} that leads outside", HOSTILE)
            return
        key = os.fsdecode(b"/".join(parts))
        if member.type == tar.DIRECTORY:
            return
        if key in self._members:
            self._tally.problem("twice", f"has the member {quoted(name)} twice", UNUSUAL)
        self._members[key] = member

    def open(self, name: str) -> Blob:
        """Open a member, through links among the members. Raises FileNotFoundError."""
        self.opened.add(name)
        name = _inside(name)
        for _ in range(_MOST_LINKS):
            member = self._members.get(name)
            if member is None:
                raise FileNotFoundError(2, "no such file in the archive", name)
            if member.is_file:
                self.opened.add(name)
                return _Window(self._fd, member.offset, member.size)
            if member.type not in (tar.LINK, tar.SYMLINK):
                break
            target = os.fsdecode(member.link)
            base = os.path.dirname(name) if member.type == tar.SYMLINK else ""
            name = os.path.normpath(os.path.join(base, target))
        raise FileNotFoundError(2, "it is no file in the archive", name)

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the members that are files and their sizes."""
        for name, member in self._members.items():
            if member.is_file:
                yield name, member.size

    @property
    def fault(self) -> str:
        """The first thing that is wrong with the archive itself, "" if nothing is."""
        return next((what for what, _, note in self._tally.facts() if not note), "")

    def report_to(self, report: Report) -> None:
        """Report what is wrong with the archive itself."""
        for what, help, note in self._tally.facts():
            if note:
                report.note("the archive", what)
            else:
                report.problem("the archive", what, help=help)

    def close(self) -> None:
        os.close(self._fd)


class _Positioned:
    """A regular file as the input of `members`, which passes over contents without reading them."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        self.position = 0

    def take(self, size: int) -> bytes:
        data = os.pread(self._fd, size, self.position)
        self.position += len(data)
        return data

    def skip(self, size: int) -> int:
        step = max(min(size, self._size - self.position), 0)
        self.position += step
        return step


class _Window:
    """The content of a member as an open file."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self._fd = fd
        self._at = offset
        self._left = size

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._fd, min(size, self._left), self._at)
        self._at += len(data)
        self._left -= len(data)
        return data

    def __enter__(self) -> _Window:
        return self

    def __exit__(self, *_: object) -> None:
        """The descriptor is the archive's."""


def _inside(name: str) -> str:
    """Return a name that an image's own JSON gives. Raises FileNotFoundError for one that leads outside."""
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "\0" in name or len(name) > LONGEST_PATH:
        raise FileNotFoundError(2, "its name leads outside", name)
    return "/".join(part for part in parts if part not in ("", "."))
