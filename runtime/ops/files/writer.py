"""Writes of file actions to a state under construction. Paths are those of the state, resolved.

Existing directories keep their times, so that the result of a copy does not depend on the time it ran at; a directory
that is made gets the time that is set, else that of the last change in it.
"""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod

from pybuild.runtime.ops.files.failures import not_a_directory, through_a_file
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.ops.files.generation import Generation
    from pybuild.runtime.ops.files.linking import Linking
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.snapshots.types import Content, Node, Resolution, Tree

    Attributes = Sequence[tuple[str, bytes]]
    Fill = Callable[[int], int | None]
    Known = Callable[[], bytes | None]


def unknown() -> None:
    """The digest of a file that nobody has computed."""


class Writer(ABC):
    """Writes entries at resolved paths; `tree` shows the state with all that was written. An `owner` of None is root
    with the directory's group in a set-group-ID directory; an `mtime` of None is the present. The directory of an
    entry was entered or made, and its place is free, unless a method says otherwise. Raises OSError."""

    tree: Tree

    def find(self, path: bytes) -> Resolution:
        """Resolve `path`, which may be missing. Raises UserError for a file in place of a directory on the way, and
        for a cycle of symlinks."""
        try:
            return self.tree.resolve(path)
        except NotADirectoryError:
            raise through_a_file(path.strip(b"/")) from None
        except OSError:
            return look_up(self.tree, path)

    def make_parents(self, path: bytes, owner: Owner | None, mtime: int | None, mode: int = 0o755) -> bytes:
        """Create the directory `path` and those above it where they are missing, following symlinks. Return its
        resolved path. Raises UserError for anything else on the way."""
        here, rest = self._existing([part for part in path.split(b"/") if part not in (b"", b".")])
        empty = False
        for part in rest:
            if empty and part != b"..":
                here = here + b"/" + part
                self.mkdir(here, mode, owner, mtime)
                continue
            where = self.find(here + b"/" + part)
            empty = where.node is None
            if where.node is None:
                if where.path.rpartition(b"/")[0] != here:
                    self.make_parents(where.path.rpartition(b"/")[0], owner, mtime, mode)
                self.mkdir(where.path, mode, owner, mtime)
            elif not stat.S_ISDIR(where.node.stat.st_mode):
                raise not_a_directory(where.path)
            here = where.path
        return here

    def _existing(self, parts: list[bytes]) -> tuple[bytes, list[bytes]]:
        """Return the resolved path of the deepest directory on a way that exists, and the rest of the way. Found by
        bisection: each look-up takes all steps from the root."""
        here, first, last = b"", 0, len(parts)
        while first < last:
            middle = (first + last + 1) // 2
            try:
                where = self.tree.resolve(b"/".join(parts[:middle]))
            except OSError:
                where = None  # `find` tells about it
            if where is not None and where.node is not None and stat.S_ISDIR(where.node.stat.st_mode):
                here, first = where.path, middle
            else:
                last = middle - 1
        return here, parts[first:]

    def look(self, path: bytes) -> Node | None:
        """Return the entry at a resolved path, None if there is none."""
        return self.tree.lstat(path)

    def reuse(self, linking: Linking, generation: Generation | None) -> None:  # noqa: B027 - most writers have no use
        """Allow the files of one copy to be links to others, as far as the form of the state has links."""

    # Directories

    @abstractmethod
    def enter(self, path: bytes) -> bool:
        """Prepare the existing directory `path` for entries. Return True if it can't hold entries of the parent
        snapshot, so that callers need not check for existing ones."""

    @abstractmethod
    def mkdir(
        self, path: bytes, mode: int, owner: Owner | None, mtime: int | None, *, exact: bool = False
    ) -> None:
        """Create a directory in place of any existing entry; its parent exists. Unless `exact`, it inherits
        set-group-ID."""

    @abstractmethod
    def set_owner(self, path: bytes, owner: Owner) -> None:
        """Set the owner of a directory that was entered or made."""

    @abstractmethod
    def set_mode(self, path: bytes, mode: int) -> None:
        """Set the mode of a directory that was entered or made."""

    @abstractmethod
    def set_attributes(self, path: bytes, attributes: Attributes) -> None:
        """Add extended attributes to a directory that was entered or made, as far as the file system has them."""

    @abstractmethod
    def set_time(self, path: bytes, mtime: int) -> None:
        """Set the time of a directory that was entered or made, in nanoseconds."""

    # Places

    @abstractmethod
    def make_room(self, path: bytes, *, directories: bool = False) -> None:
        """Remove an existing entry at `path`, whose directory exists, so that it can be created. Raises UserError for
        a directory, unless `directories` allows to remove it."""

    @abstractmethod
    def remove(self, path: bytes) -> None:
        """Remove the entry at `path` with everything below it."""

    # Other entries

    @abstractmethod
    def file(
        self,
        path: bytes,
        mode: int,
        owner: Owner | None,
        fill: Fill,
        attributes: Attributes = (),
        digest: Known = unknown,
    ) -> None:
        """Create a file. `fill` writes the bytes to a descriptor, at its offset, which is the end of what the
        descriptor's file has, and returns the file's time; `digest`, called after it, gives their sha256 if that is
        known."""

    @abstractmethod
    def file_like(self, path: bytes, node: Node) -> bool:
        """Create a file that is in all respects that of another state without copying its bytes; return False if
        that can't be."""

    @abstractmethod
    def file_again(self, path: bytes, digest: bytes, size: int, mode: int, owner: Owner, mtime: int) -> bool:
        """Create a file as an earlier run of the same copy did, if that made the same one; return False if not."""

    @abstractmethod
    def symlink(
        self,
        path: bytes,
        target: bytes,
        owner: Owner | None,
        mtime: int | None,
        attributes: Attributes = (),
    ) -> None:
        """Create a symlink."""

    @abstractmethod
    def special(
        self, path: bytes, mode: int, device: int, owner: Owner, mtime: int, attributes: Attributes
    ) -> None:
        """Create a device node or a pipe; `mode` has the type."""

    @abstractmethod
    def link(self, first: bytes, path: bytes) -> None:
        """Give the entry `first`, which is no directory, a second name."""

    @abstractmethod
    def unarchive(self, file: Content, path: bytes, archive: str, owner: Owner | None) -> None:
        """Unpack an archive, compressed or not, into a directory that was entered or made. Raises ArchiveError and
        ExtractError."""

    # The end

    @abstractmethod
    def finish(self) -> None:
        """Apply the times of directories."""

    @abstractmethod
    def reset(self) -> None:
        """Forget which directories are empty, after entries were written by other means."""
