"""`type=local`: the files of the result in a directory.

On this machine files belong to the user who builds, as with buildx; modes, times, links and attributes are the
result's. Files of the directory that the result does not have are left alone; each file that it has is replaced by a
rename.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.export.output import Output
    from pybuild.runtime.export.receiver import Part
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.snapshots.types import Node, Tree


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the files through the output's receiver. Raises ExportError."""
    output.receiver.files(parts(output, build), build, tracked)
    return {}


def write(dest: str, found: Sequence[Part], build: Build) -> None:
    """Write the files into the directory `dest` of this machine. Raises ExportError, Cancelled."""
    for part in found:
        writer = _Writer(os.path.join(os.fsencode(dest), part.prefix), part, build)
        writer.run(part.tree)
        if writer.skipped:
            build.observer.notice(
                f"{dest}: left out {os.fsdecode(writer.skipped[0])!r}"
                + (f" and {len(writer.skipped) - 1} more" if len(writer.skipped) > 1 else "")
                + ": this user may not make device nodes"
            )


class _Writer:
    """A writer of one part into one directory."""

    def __init__(self, root: bytes, part: Part, build: Build) -> None:
        self._root = root
        self._files = part.files
        self._time = None if part.time is None else part.time * 1_000_000_000
        self._cancelled = build.cancelled
        self._links: dict[tuple[int, int], bytes] = {}
        self._directories: list[tuple[bytes, Node]] = []
        self.skipped: list[bytes] = []

    def run(self, tree: Tree) -> None:
        target = self._root
        try:
            os.makedirs(self._root, exist_ok=True)
            for node in tree.walk(b""):
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled
                target = os.path.join(self._root, node.path)
                self._write(node, target)
            for name, data in self._files.items():
                put_file(os.path.join(os.fsdecode(self._root), os.fsdecode(name)), data)
            for target, node in reversed(self._directories):
                copy_attributes(node, target, capabilities=True)
                os.chmod(target, stat.S_IMODE(node.stat.st_mode))
                self._times(node, target)
        except OSError as error:
            raise failure(os.fsdecode(target), error) from None

    def _write(self, node: Node, target: bytes) -> None:
        kind = stat.S_IFMT(node.stat.st_mode)
        if kind == stat.S_IFDIR:
            self._directory(node, target)
            return
        if kind == stat.S_IFSOCK:
            return
        inode = (node.stat.st_dev, node.stat.st_ino)
        first = self._links.get(inode) if node.stat.st_nlink > 1 else None
        temporary = os.path.join(os.path.dirname(target), b".pybuild-" + os.urandom(6).hex().encode())
        try:
            if first is not None:
                os.link(first, temporary, follow_symlinks=False)
            elif not self._make(node, kind, temporary):
                return
            self._replace(temporary, target)
            temporary = b""
        finally:
            if temporary and os.path.lexists(temporary):
                os.unlink(temporary)
        if node.stat.st_nlink > 1:
            self._links.setdefault(inode, target)

    def _replace(self, temporary: bytes, target: bytes) -> None:
        try:
            os.rename(temporary, target)
        except OSError as error:
            if error.errno != errno.EISDIR:
                raise
            try:
                os.rmdir(target)
            except OSError:
                raise ExportError(
                    f"{os.fsdecode(target)} is a directory with files in it, where the result has a file",
                    help="remove the directory, or choose another destination",
                ) from None
            os.rename(temporary, target)

    def _directory(self, node: Node, target: bytes) -> None:
        try:
            os.mkdir(target, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(target).st_mode):
                os.unlink(target)
                os.mkdir(target, 0o700)
        self._directories.append((target, node))

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
