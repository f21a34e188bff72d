"""The copy action, with the rules of BuildKit's file backend (`solver/llbsolver/file`, fsutil's `copy`).

A file is copied into the destination if that is a directory, else to the destination's path. With
`dir_copy_contents`, a directory's entries are merged into the destination, which is created with mode 0755 if
missing; without, the directory itself is copied like a file. Symlinks below the source are never followed. An
existing directory is kept and takes the metadata of the source's, but the topmost one takes its time only. Hard
links within one source stay linked.
"""

from __future__ import annotations

import os
import stat
from functools import partial

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.ops.files.failures import no_directory, not_a_directory, not_found
from pybuild.runtime.ops.files.filedata import copy_bytes, write_all
from pybuild.runtime.ops.files.filters import filtered
from pybuild.runtime.ops.files.modes import change_mode
from pybuild.runtime.ops.files.selection import readlink, required_paths, sources
from pybuild.runtime.sources.expansion import look_up
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pybuild.compiler.ops import Copy
    from pybuild.runtime.ops.files.filters import Below
    from pybuild.runtime.ops.files.owners import Owner
    from pybuild.runtime.ops.files.writer import Writer
    from pybuild.runtime.snapshots.types import Node, Tree
    from pybuild.runtime.solver.types import Cancellation

_TYPE, _FILE, _DIRECTORY, _LINK = 0o170000, 0o100000, 0o040000, 0o120000
_ROOT = (0, 0)


class Copier:
    """Executes one copy action. `owner` None keeps the owners of the source, or sets root for a local directory that
    isn't `owned`: the ids of this machine's users mean nothing in an image."""

    def __init__(
        self,
        action: Copy,
        source: Tree,
        writer: Writer,
        owner: Owner | None,
        cancellation: Cancellation,
    ) -> None:
        self._action = action
        self._source = source
        self._writer = writer
        self._local = source if isinstance(source, LocalTree) else None
        self._owner = _ROOT if owner is None and self._local is not None and not self._local.owned else owner
        self._cancellation = cancellation
        self._plain_mode = action.mode == -1 and not action.mode_str
        self._as_it_is = self._local is None and self._plain_mode and action.timestamp == -1
        self._modes: dict[int, int] = {}
        self._copies: dict[tuple[int, int], bytes] = {}
        # Directories that no pattern selects: created with the first selected entry in them.
        self._pending: list[tuple[Node, bytes]] = []

    def run(self, unpack: Callable[[Node, bytes], bool]) -> None:
        """Execute the action. If it unpacks archives, `unpack` is called with each source and the destination
        first; it returns False for anything but an archive. Raises UserError, Cancelled."""
        action = self._action
        expansion = sources(action, self._source)
        if not expansion.paths:
            absent = expansion.base is not None and expansion.base.node is None
            if absent or not action.allow_empty_wildcard:
                raise not_found(self._source, os.fsencode(os.path.normpath("/" + action.src).lstrip("/")))
        for path in required_paths(action):
            if look_up(self._source, path).node is None:
                raise not_found(self._source, path)
        optional = action.allow_empty_wildcard and not action.allow_wildcard
        for path in expansion.paths:
            where = look_up(self._source, path, follow=action.follow_symlink)
            if where.node is None:
                if optional:
                    continue
                raise not_found(self._source, path)
            if action.attempt_unpack and unpack(where.node, os.fsencode(action.dest)):
                continue
            # A later source may replace entries of an earlier one, so neither copies nor empty directories are known.
            self._copies.clear()
            self._writer.reset()
            self._top(where.node, self._target(where.node, path.rpartition(b"/")[2]))

    def _target(self, node: Node, name: bytes) -> bytes:
        """Return the resolved path that a source is copied to, and create the directories above it."""
        action, writer = self._action, self._writer
        dest = os.fsencode(os.path.normpath("/" + action.dest))
        if not action.create_dest_path:
            above = writer.find(writer.find(dest).path.rpartition(b"/")[0])
            if above.node is None:
                raise no_directory(above.path)
        into, _, last = os.fsencode("/" + action.dest).rpartition(b"/")
        self._parents(into if last not in (b"", b".") else dest)
        where = writer.find(dest)
        directory = stat.S_ISDIR(node.stat.st_mode)
        there = where.node is not None and stat.S_ISDIR(where.node.stat.st_mode)
        path = where.path
        if directory and action.dir_copy_contents:
            self._parents(path if where.node is None else path.rpartition(b"/")[0])
            return path
        if name and (there or (directory and where.node is not None)):
            path = path + b"/" + name if path else name
        self._parents(path.rpartition(b"/")[0])
        return path

    def _parents(self, path: bytes) -> None:
        timestamp = self._action.timestamp
        owner = None if self._local is not None and self._owner is _ROOT else self._owner
        self._writer.make_parents(path, owner, None if timestamp == -1 else timestamp)

    def _top(self, node: Node, path: bytes) -> None:
        if stat.S_ISDIR(node.stat.st_mode):
            # Not recursively: a path has up to 2,047 directories.
            open_ones = [self._directory(node, path, filtered(self._action), top=True)]
            while open_ones:
                inner = next(open_ones[-1], None)
                if inner is None:
                    open_ones.pop()
                else:
                    open_ones.append(inner)
            return
        parent = path.rpartition(b"/")[0]
        if not self._writer.enter(parent):
            self._writer.make_room(path, directories=self._action.always_replace_existing_dest_paths)
        self._leaf(node, path)

    # Directories

    def _directory(
        self, node: Node, path: bytes, below: Below | None, *, top: bool, kept: bool = True
    ) -> Iterator[Iterator[Any]]:
        """Copy a directory and its selected entries, and yield the copying of each directory in it. A directory that
        is not `kept` by the patterns is created only for selected entries in it."""
        if kept:
            self._make_pending()
            self._make(node, path, top=top)
        else:
            self._pending.append((node, path))
        writer = self._writer
        replace = self._action.always_replace_existing_dest_paths
        prefix = path + b"/" if path else b""
        ready = fresh = False
        for child in self._source.list(node.path):
            if self._cancellation.cancelled:
                raise Cancelled
            name = child.path[child.path.rfind(b"/") + 1 :]
            keep = below is None or below.keeps(name)
            if child.stat.st_mode & _TYPE == _DIRECTORY:
                within = None if below is None else below.enter(name)
                if within is None or keep or not within.nothing:
                    yield self._directory(child, prefix + name, within, top=False, kept=keep)
                continue
            if not keep:
                continue
            if not ready:
                self._make_pending()
                ready, fresh = True, writer.enter(path)
            if not fresh:
                writer.make_room(prefix + name, directories=replace)
            self._leaf(child, prefix + name)
        # Nothing in it was selected.
        if self._pending and self._pending[-1][0] is node:
            self._pending.pop()

    def _make_pending(self) -> None:
        for node, path in self._pending:
            self._make(node, path, top=False, kept=False)
        self._pending.clear()

    def _make(self, node: Node, path: bytes, *, top: bool, kept: bool = True) -> None:
        """Create the directory `path` for the source's entries, or keep an existing one.

        An existing topmost directory keeps its metadata but the time. Others get the source's metadata, or its mode
        only if the directory is not `kept` by the patterns.
        """
        writer, action = self._writer, self._action
        parent = path.rpartition(b"/")[0]
        there = None if not top and writer.enter(parent) else writer.look(path)
        if there is not None and not stat.S_ISDIR(there.stat.st_mode):
            if not action.always_replace_existing_dest_paths:
                raise not_a_directory(path)
            there = None
        mode = self._mode(node)
        if there is None:
            writer.mkdir(path, mode, self._owner_of(node), None, exact=True)
        else:
            writer.enter(path)
            if top:
                if node.path or self._local is None or action.timestamp != -1:
                    writer.set_time(path, self._time(node))
                return
            if not kept:
                writer.set_mode(path, stat.S_IMODE(node.stat.st_mode))
                return
            writer.set_owner(path, self._owner_of(node))
            writer.set_mode(path, mode)
        writer.set_attributes(path, self._attributes(node))
        writer.set_time(path, self._time(node))

    # Other entries

    def _leaf(self, node: Node, path: bytes) -> None:
        """Copy an entry that is no directory to `path`, which is free."""
        writer = self._writer
        # Links first: none of the following applies to a second name of an inode.
        if node.stat.st_nlink > 1:
            inode = (node.stat.st_dev, node.stat.st_ino)
            earlier = self._copies.setdefault(inode, path)
            if earlier is not path:
                writer.link(earlier, path)
                return
        kind = node.stat.st_mode & _TYPE
        if kind == _FILE:
            self._file(node, path)
        elif kind == _LINK:
            target = readlink(self._source, node)
            writer.symlink(path, target, self._owner_of(node), self._time(node), self._attributes(node))
        elif kind != stat.S_IFSOCK:  # which is useless without the process that listens on it
            mode, device = self._mode(node) | kind, node.stat.st_rdev
            owner, mtime = self._owner_of(node), self._time(node)
            writer.special(path, mode, device, owner, mtime, self._attributes(node))

    def _file(self, node: Node, path: bytes) -> None:
        writer, status, local = self._writer, node.stat, self._local
        owner = self._owner or (status.st_uid, status.st_gid)
        if self._as_it_is and owner == (status.st_uid, status.st_gid) and writer.file_like(path, node):
            return
        mode = self._mode(node)
        if local is None:

            def copied(fd: int) -> int:
                copy_bytes(node, fd)
                return self._time(node)

            writer.file(path, mode, owner, copied, self._attributes(node), node.digest)
            return
        digest = local.known_digest(node)
        if digest is not None and writer.file_again(
            path, digest, status.st_size, mode, owner, self._time(node)
        ):
            return
        # Small files of a local directory are read once, for their digest and for the copy.
        data = local.small(node)

        def read(fd: int) -> int:
            if data is not None:
                write_all(fd, data)
            else:
                local.copy(node, fd)
            return self._time(node)  # of the state that was read

        writer.file(path, mode, owner, read, self._attributes(node), partial(local.known_digest, node))

    # Metadata

    def _attributes(self, node: Node) -> Sequence[tuple[str, bytes]]:
        return node.attributes() if self._local is None else self._local.attributes(node)

    def _time(self, node: Node) -> int:
        """Return the time of the copy in nanoseconds: the action's timestamp, else the source's."""
        return node.stat.st_mtime_ns if self._action.timestamp == -1 else self._action.timestamp

    def _owner_of(self, node: Node) -> Owner:
        return self._owner or (node.stat.st_uid, node.stat.st_gid)

    def _mode(self, node: Node) -> int:
        mode = node.stat.st_mode
        if self._plain_mode:
            return mode & 0o7777 if node.path or self._local is None else 0o755
        known = self._modes.get(mode)
        if known is None:
            action = self._action
            if action.mode_str:
                known = change_mode(mode & 0o7777, action.mode_str, stat.S_ISDIR(mode))
            else:
                known = action.mode & 0o7777
            self._modes[mode] = known
        return known
