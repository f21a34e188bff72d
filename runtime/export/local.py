"""`type=local`: the files of the result in a directory.

On this machine files belong to the user who builds, as with buildx; modes, times, links and attributes are the
result's. Files of the directory that the result does not have are left alone.

1. Everything is written into `.pybuild-…`, a directory in the destination: what can't be read or has no room fails
   here, with the destination as it was.
2. What can't be put in place is looked for.
3. Each file is renamed over the one that was there, and each directory that was not there is renamed with all in it.
4. The directories get their attributes.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.export.build import Build
from pybuild.runtime.export.destination import ExportError, failure, put_file
from pybuild.runtime.export.filecopy import copy_attributes, copy_file
from pybuild.runtime.export.parts import parts
from pybuild.runtime.snapshots.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.export.output import Output
    from pybuild.runtime.export.protected import ProtectedFiles
    from pybuild.runtime.export.receiver import Part
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.snapshots.types import Node, Tree


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the files through the output's receiver. Raises ExportError."""
    output.receiver.files(parts(output, build), build, tracked)
    return {}


def write(dest: str, found: Sequence[Part], build: Build) -> None:
    """Write the files into the directory `dest` of this machine. Raises ExportError, ProtectedPath,
    Cancelled."""
    try:
        with _Stage(os.fsencode(dest)) as stage:
            writers = [_Writer(stage, part, build) for part in found]
            for part, writer in zip(found, writers, strict=True):
                writer.run(part.tree)
            if build.protected is not None:
                stage.refuse(build.protected)
            stage.move()
            for writer in writers:
                writer.finish()
    except OSError as error:
        raise failure(dest, error) from None
    for writer in writers:
        if writer.skipped:
            build.observer.notice(
                f"{dest}: left out {os.fsdecode(writer.skipped[0])!r}"
                + (f" and {len(writer.skipped) - 1} more" if len(writer.skipped) > 1 else "")
                + ": this user may not make device nodes"
            )
        if writer.owned and os.geteuid() != 0:
            build.observer.notice(
                f"{dest}: {os.fsdecode(writer.owned)!r} and whatever else isn't root's in the result belongs to you; "
                "type=tar keeps owners"
            )


class _Stage:
    """The directory `path` inside the destination `dest`, for as long as the context lasts. Without a `move` the
    destination is left as it was, missing if it was."""

    def __init__(self, dest: bytes) -> None:
        self.dest = dest
        self.path = os.path.join(dest, b".pybuild-" + os.urandom(8).hex().encode())
        self._made: list[bytes] = []
        self._moved = False

    def __enter__(self) -> _Stage:
        here = self.dest
        while not os.path.isdir(here):
            self._made.append(here)
            here = os.path.dirname(here.rstrip(b"/")) or b"."
        try:
            os.makedirs(self.dest, exist_ok=True)
            os.mkdir(self.path, 0o700)
        except BaseException:
            self._unmake()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove_tree(os.fsdecode(self.path))
        if not self._moved:
            self._unmake()

    def _unmake(self) -> None:
        """Remove the directories that were made, unless others have use for them."""
        for directory in self._made:
            try:
                os.rmdir(directory)
            except OSError:
                return

    def refuse(self, protected: ProtectedFiles) -> None:
        """Raise ProtectedPath if a file of the stage would take the place of one that is protected."""
        real = os.path.realpath(os.fsdecode(self.dest))
        top = os.fsdecode(self.path)
        for directory, directories, files in os.walk(top):
            there = os.path.normpath(os.path.join(real, os.path.relpath(directory, top)))
            for name in (*directories, *files):
                protected.refuse(os.path.join(there, name))

    def shown(self, path: bytes) -> str:
        """Return the final place of a path in the stage, for messages."""
        return os.fsdecode(self.dest + path.removeprefix(self.path))

    def move(self) -> None:
        """Put everything in place. Raises OSError and, with nothing changed, ExportError."""
        moves = self._moves()
        self._moved = True
        for source, target in moves:
            _make_way(source, target)
            try:
                os.rename(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy_over(source, target)  # another file system is mounted in the destination

    def _moves(self) -> list[tuple[bytes, bytes]]:
        """Return the renames that put everything in place; of directories only those that are new."""
        moves = []
        pending = [(self.path, self.dest)]
        while pending:
            here, there = pending.pop()
            if not os.access(there, os.W_OK | os.X_OK):
                raise failure(os.fsdecode(there), PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
            for name in sorted(os.listdir(here)):
                source, target = os.path.join(here, name), os.path.join(there, name)
                if not _is_directory(target):
                    moves.append((source, target))
                elif _is_directory(source):
                    pending.append((source, target))
                elif os.listdir(target):
                    raise ExportError(
                        f"{os.fsdecode(target)} is a directory with files in it, where the result has a file",
                        help="remove the directory, or choose another destination",
                    )
                else:
                    moves.append((source, target))
        return moves


def _is_directory(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _make_way(source: bytes, target: bytes) -> None:
    """Remove what a rename can't replace: a file for a directory, an empty directory for a file."""
    if _is_directory(target):
        os.rmdir(target)
    elif _is_directory(source) and os.path.lexists(target):
        os.unlink(target)


def _copy_over(source: bytes, target: bytes) -> None:
    import shutil

    if not _is_directory(source) and os.path.lexists(target):
        os.unlink(target)
    shutil.move(os.fsdecode(source), os.fsdecode(target))


class _Writer:
    """A writer of one part into the stage."""

    def __init__(self, stage: _Stage, part: Part, build: Build) -> None:
        self._stage = stage
        self._prefix = part.prefix
        self._files = part.files
        self._time = None if part.time is None else part.time * 1_000_000_000
        self._cancelled = build.cancelled
        self._links: dict[tuple[int, int], bytes] = {}
        self._directories: list[Node] = []
        self.skipped: list[bytes] = []
        self.owned = b""
        """The first entry that isn't root's."""

    def run(self, tree: Tree) -> None:
        root = target = os.path.join(self._stage.path, self._prefix)
        try:
            os.makedirs(root, exist_ok=True)
            for node in tree.walk(b""):
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled
                target = os.path.join(root, node.path)
                self._write(node, target)
            for name, data in self._files.items():
                put_file(os.path.join(os.fsdecode(root), os.fsdecode(name)), data)
        except OSError as error:
            raise failure(self._stage.shown(target), error) from None

    def finish(self) -> None:
        """Give the directories their attributes, those inside first. Raises ExportError."""
        target = self._stage.dest
        try:
            for node in reversed(self._directories):
                target = os.path.join(self._stage.dest, self._prefix, node.path)
                copy_attributes(node, target, capabilities=True)
                os.chmod(target, stat.S_IMODE(node.stat.st_mode))
                self._times(node, target)
        except OSError as error:
            raise failure(os.fsdecode(target), error) from None

    def _write(self, node: Node, target: bytes) -> None:
        if not self.owned and (node.stat.st_uid or node.stat.st_gid):
            self.owned = node.path
        kind = stat.S_IFMT(node.stat.st_mode)
        if kind == stat.S_IFDIR:
            # Results without directories of their own may share this one.
            if not _is_directory(target):
                os.mkdir(target, 0o700)
            self._directories.append(node)
            return
        if kind == stat.S_IFSOCK:
            return
        inode = (node.stat.st_dev, node.stat.st_ino)
        first = self._links.get(inode) if node.stat.st_nlink > 1 else None
        if first is not None:
            os.link(first, target, follow_symlinks=False)
        elif self._make(node, kind, target) and node.stat.st_nlink > 1:
            self._links[inode] = target

    def _make(self, node: Node, kind: int, target: bytes) -> bool:
        mode = stat.S_IMODE(node.stat.st_mode)
        if kind == stat.S_IFLNK:
            os.symlink(node.readlink(), target)
        elif kind == stat.S_IFREG:
            copy_file(node, target)
        elif kind == stat.S_IFIFO:
            os.mkfifo(target, 0o600)
        else:
            try:
                os.mknod(target, kind | 0o600, node.stat.st_rdev)
            except PermissionError:
                self.skipped.append(node.path)
                return False
        if kind != stat.S_IFLNK:
            copy_attributes(node, target, capabilities=True)
            os.chmod(target, mode)
        self._times(node, target)
        return True

    def _times(self, node: Node, target: bytes) -> None:
        time = node.stat.st_mtime_ns if self._time is None else self._time
        os.utime(target, ns=(time, time), follow_symlinks=False)
