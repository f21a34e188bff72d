"""Local directories as sources: read in place, filtered by ignore patterns, digested with a stat cache.

As in BuildKit a context has no owners (everything belongs to root, unless it is `owned`) and keeps modes, but for
that of the directory itself, which is 0755. Sockets are not part of it. Only what an op names is read, and what a
build has once seen of it (lists, link targets, digests of bytes) stays so for that build: a file that changes is read
again, and when it is no longer what a digest was made of, the build stops.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from bisect import bisect_left
from hashlib import sha256

from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.snapshots.types import Node, Resolution
from pybuild.runtime.sources.expansion import Unresolvable, expand, look_up
from pybuild.runtime.sources.reading import (
    CHUNK,
    ContextError,
    read,
    read_small,
    restless,
    unreadable,
    vanished,
)
from pybuild.runtime.sources.statcache import StatCache, known_of, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.sources.leftout import Directory, LeftOut
    from pybuild.runtime.sources.statcache import Known

    Below = Callable[[Tree, bytes], Iterable[Node]]

MAX_LINKS = 40
_ROOT_MODE = 0o755
_TYPE, _FILE, _DIRECTORY, _LINK, _SOCKET = 0o170000, 0o100000, 0o040000, 0o120000, 0o140000


class LocalTree:
    """The tree of a local directory without what `ignored` leaves out. Thread-safe.

    `selected` are the paths an op below may read, links followed, wildcards allowed (BuildKit's
    `local.followpaths`); empty means all. They bound `digest`, not what can be read. `owned`: entries belong to whom
    they do on disk.
    """

    def __init__(
        self,
        root: bytes,
        cache: StatCache,
        *,
        ignored: LeftOut | None = None,
        selected: Sequence[bytes] = (),
        owned: bool = False,
    ) -> None:
        self.root = root
        self.owned = owned
        self._cache = cache
        self._ignored = ignored
        self._selected = tuple(selected)
        self._lock = threading.RLock()
        self._lists: dict[bytes, Sequence[Node]] = {}
        self._states: dict[bytes, Directory] = {}
        self._records: dict[bytes, bytes] = {}
        self._known: dict[bytes, Known] = {}  # what this build took each file to be
        self._links: dict[bytes, bytes] = {}
        self._found: dict[bytes, Node | None] = {}

    # Tree

    def lstat(self, path: bytes) -> Node | None:
        parent, _, name = path.rpartition(b"/")
        where = look_up(self, parent)
        if where.node is None or not stat.S_ISDIR(where.node.stat.st_mode):
            return None
        return self._child(where.path, name) if name else where.node

    def resolve(self, path: bytes, *, follow_last: bool = True) -> Resolution:
        parts = [part for part in path.split(b"/") if part not in (b"", b".")]
        parts.reverse()
        here: list[bytes] = []
        links: list[Node] = []
        node: Node | None = self._root_node()
        while parts:
            part = parts.pop()
            if node is not None and not stat.S_ISDIR(node.stat.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(node.path))
            if part == b"..":
                del here[-1:]
                node = self._at(here)
                continue
            if node is None:
                here.append(part)
                continue
            node = self._child(b"/".join(here), part)
            if node is not None and stat.S_ISLNK(node.stat.st_mode) and (parts or follow_last):
                links.append(node)
                if len(links) > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
                target = self.readlink(node)
                if target.startswith(b"/"):
                    here = []
                parts.extend(reversed([one for one in target.split(b"/") if one not in (b"", b".")]))
                node = self._at(here)
            else:
                here.append(part)
        return Resolution(b"/".join(here), node, tuple(links))

    def list(self, path: bytes) -> Sequence[Node]:
        found = self._lists.get(path)
        if found is None:
            with self._lock:
                found = self._lists.get(path)
                if found is None:
                    found = self._lists[path] = self._scan(path)
        return found

    def walk(self, path: bytes) -> Iterator[Node]:
        for node in self.list(path):
            yield node
            if stat.S_ISDIR(node.stat.st_mode):
                yield from self.walk(node.path)

    def file_digest(self, node: Node) -> bytes:
        return self._known_of(node)[5]

    # Beyond a tree

    @property
    def selected(self) -> Sequence[bytes]:
        """The paths that may be read, wildcards and all; empty means everything."""
        return self._selected

    @property
    def filtered(self) -> bool:
        """Whether anything of the directory may be left out."""
        return self._ignored is not None

    def readlink(self, node: Node) -> bytes:
        """The symlink's target, the same throughout a build."""
        found = self._links.get(node.path)
        if found is None:
            try:
                found = self._links.setdefault(node.path, os.readlink(node.real))
            except FileNotFoundError:
                raise vanished(node.path) from None
            except OSError:
                raise restless(node.path) from None
        return found

    def attributes(self, node: Node) -> Sequence[tuple[str, bytes]]:
        """The extended attributes of an entry that are content."""
        known = self._known.get(node.path)
        return () if known is not None and not known[6] else attributes(node.real)

    def small(self, node: Node) -> bytes | None:
        """All bytes of a file that is no larger than a chunk and holds still; else None, and `copy` sees to
        it. Raises ContextError when it is no longer what this build took it to be."""
        if node.stat.st_size > CHUNK:
            return None
        found = read_small(node)
        if found is None:
            return None
        data, after = found
        known = self._known.get(node.path)
        if known is None or self._cache.get(node.path, after) is not known:
            if not settled(after, time.time_ns()):
                return None
            known = known_of(after, sha256(data).digest(), bool(attributes(node.real)))
            self._enter(node, known, after)
        return data

    def copy(self, node: Node, target: int) -> None:
        """Write the file's bytes to the descriptor `target`, which is empty; its holes stay holes. Raises
        ContextError like `small`."""
        sparse = node.stat.st_size > node.stat.st_blocks * 512

        def sink(data: bytes | None) -> None:
            if data is None:
                os.ftruncate(target, 0)
                os.lseek(target, 0, os.SEEK_SET)
            elif sparse and not data.strip(b"\0"):
                os.lseek(target, len(data), os.SEEK_CUR)
            else:
                view = memoryview(data)
                while view:
                    view = view[os.write(target, view) :]

        known, after = read(node, sink)
        if sparse:
            os.ftruncate(target, after.st_size)
        self._enter(node, known, after)

    def entry_digest(self, path: bytes) -> bytes:
        """Digest of the entry at a resolved path and of all below it; computed once a build."""
        node = self._at([part for part in path.split(b"/") if part])
        return sha256(b"" if node is None else self._record(node)).digest()

    def selected_digest(
        self, path: bytes, name: bytes | None, *, follow: bool, below: Below | None = None
    ) -> str:
        """Digest of what `path` leads to under `name`, and of every symlink walked to get there. `below` gives
        the entries that count in a directory, as in `snapshots.contents.selected_digest`."""
        where = look_up(self, path, follow=follow)
        state = sha256(b"selected 2\n")
        self._walked(state.update, where)
        state.update(_field(name or b""))
        if below is None or where.node is None or not stat.S_ISDIR(where.node.stat.st_mode):
            state.update(self.entry_digest(where.path))
        else:
            start = len(where.path) + 1 if where.path else 0
            for node in below(self, where.path):
                record = self._header(node) if stat.S_ISDIR(node.stat.st_mode) else self._record(node)
                state.update(_field(node.path[start:]) + _field(record))
        return "sha256:" + state.hexdigest()

    def digest(self) -> str:
        """Digest of all that may be selected."""
        state = sha256(b"local 2\n")
        for pattern in self._selected or (b"",):
            state.update(_field(pattern))
            try:
                self._select(state.update, os.fsdecode(pattern))
            except Unresolvable:
                state.update(b"unresolvable")  # what copies it says so, at its instruction
        return "sha256:" + state.hexdigest()

    def _select(self, update: Callable[[bytes], object], pattern: str) -> None:
        found = expand(self, pattern, follow=True)
        if found.base is not None:
            self._walked(update, found.base)
        for path in found.paths:
            where = look_up(self, path)
            self._walked(update, where)
            update(_field(path) + _field(where.path) + self.entry_digest(where.path))

    def ignored(self, path: bytes) -> Sequence[tuple[bytes, bool]]:
        """Names in the directory at `path` that ignore patterns leave out whatever is in them, each with whether
        it is a directory: those of a directory that was searched for exceptions too, but no other."""
        if self._ignored is None:
            return []
        out = []
        with os.scandir(os.path.join(self.root, path)) as entries:
            for entry in entries:
                directory = entry.is_dir(follow_symlinks=False)
                one = path + b"/" + entry.name if path else entry.name
                with self._lock:
                    if not self._state(path).ignores(os.fsdecode(entry.name)):
                        continue
                    if directory and self._state(one).exceptions_below and not self.searched(one):
                        continue
                out.append((entry.name, directory))
        return out

    def searched(self, path: bytes) -> bool:
        """Whether this build listed the directory at `path`."""
        return path in self._lists

    def known_digest(self, node: Node) -> bytes | None:
        """The sha256 of a file's bytes where it is known without reading them, and the file has no extended
        attributes."""
        known = self._known.get(node.path) or self._cache.get(node.path, node.stat)
        return known[5] if known is not None and not known[6] else None

    def left_out(self, path: bytes) -> bool:
        """Whether something is at `path` that is not part of the tree."""
        return self._ignored is not None and os.path.lexists(os.path.join(self.root, path))

    def save(self) -> None:
        """Keep the digests for the next build. Where they can't be written, only time is lost."""
        with self._lock:
            try:
                self._cache.save(self._known)
            except OSError:
                pass

    # Bytes

    def _known_of(self, node: Node) -> Known:
        known = self._known.get(node.path)
        if known is None:
            known = self._cache.get(node.path, node.stat)
            if known is None:
                known, after = read(node, lambda _: None)
                return self._enter(node, known, after)
            known = self._known.setdefault(node.path, known)
        return known

    def _enter(self, node: Node, known: Known, after: os.stat_result) -> Known:
        """Note what a file was found to be. It must be what this build took it to be."""
        path = node.path
        taken = self._known.setdefault(path, known)
        if taken[5:] != known[5:] or after.st_mode != node.stat.st_mode:
            raise restless(path)
        node.stat = after
        if settled(after, time.time_ns()):
            with self._lock:
                self._cache.put(path, known)
                self._known[path] = known
        return taken

    # Records: what counts of an entry, in bytes that no other entry has.

    def _record(self, node: Node) -> bytes:
        mode = node.stat.st_mode
        if mode & _TYPE == _FILE:
            known = self._known.get(node.path) or self._known_of(node)
            record = b"%o " % mode + known[5] + self._owner(node.stat)
            return record + self._attributed(node) if known[6] else record
        found = self._records.get(node.path)
        if found is None:
            found = self._header(node)
            if mode & _TYPE == _DIRECTORY:
                found += b" " + self._content(node.path)
            self._records[node.path] = found
        return found

    def _header(self, node: Node) -> bytes:
        """The record of an entry without what is in it."""
        mode = node.stat.st_mode
        kind = mode & _TYPE
        header = b"%o" % (mode if node.path else kind | _ROOT_MODE) + self._owner(node.stat)
        if kind == _LINK:
            header += b" " + self.readlink(node)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            header += b" %d" % node.stat.st_rdev
        return header + self._attributed(node) if node.path else header

    def _owner(self, found: os.stat_result) -> bytes:
        """Nothing for root."""
        if not self.owned or not (found.st_uid or found.st_gid):
            return b""
        return b" %d:%d" % (found.st_uid, found.st_gid)

    def _attributed(self, node: Node) -> bytes:
        try:
            found = self.attributes(node)
        except FileNotFoundError:
            raise vanished(node.path) from None
        return b"".join(b"\0" + _field(os.fsencode(name)) + _field(value) for name, value in found)

    def _content(self, path: bytes) -> bytes:
        """Digest of a directory's entries."""
        start = len(path) + 1 if path else 0
        known, cached, owned = self._known, self._cache.get, self.owned
        out = []
        for node in self.list(path):
            one, found = node.path, node.stat
            mode = found.st_mode
            if mode & _TYPE == _FILE:
                taken = known.get(one) or cached(one, found)
                if taken is not None and not taken[6] and not (owned and self._owner(found)):
                    known[one] = taken
                    out.append(b"%d:%b39:%o " % (len(one) - start, one[start:], mode) + taken[5])
                    continue
            record = self._record(node)
            out.append(b"%d:%b%d:%b" % (len(one) - start, one[start:], len(record), record))
        return sha256(b"".join(out)).digest()

    def _walked(self, update: Callable[[bytes], object], where: Resolution) -> None:
        for link in where.links:
            update(b"link" + _field(link.path) + _field(self.readlink(link)))

    # Entries

    def _root_node(self) -> Node:
        try:
            return Node(b"", self.root, os.stat(self.root))
        except FileNotFoundError:
            raise ContextError(f"the directory {os.fsdecode(self.root)} is not there") from None

    def _at(self, parts: Sequence[bytes]) -> Node | None:
        if not parts:
            return self._root_node()
        return self._child(b"/".join(parts[:-1]), parts[-1])

    def _child(self, parent: bytes, name: bytes) -> Node | None:
        path = parent + b"/" + name if parent else name
        listed = self._lists.get(parent)
        if listed is not None:
            at = bisect_left(listed, path, key=_by_path)
            return listed[at] if at < len(listed) and listed[at].path == path else None
        if path not in self._found:
            self._found[path] = self._look(path, name)
        return self._found[path]

    def _look(self, path: bytes, name: bytes) -> Node | None:
        if b"\0" in name:
            return None
        real = os.path.join(self.root, path)
        try:
            found = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(error, path) from None
        node = Node(path, real, found)
        return node if not stat.S_ISSOCK(found.st_mode) and self._kept(node, name) else None

    def _scan(self, path: bytes) -> Sequence[Node]:
        prefix = path + b"/" if path else b""
        out = []
        try:
            with os.scandir(os.path.join(self.root, path)) as entries:
                for entry in entries:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if found.st_mode & _TYPE != _SOCKET:
                        out.append(Node(prefix + entry.name, entry.path, found))
        except (FileNotFoundError, NotADirectoryError):
            raise vanished(path) from None
        except OSError as error:
            raise unreadable(error, path) from None
        out.sort(key=_by_path)
        if self._ignored is None:
            return out
        start = len(prefix)
        return [node for node in out if self._kept(node, node.path[start:])]

    def _kept(self, node: Node, name: bytes) -> bool:
        """Whether an entry is in the tree: not ignored, or a directory that holds an exception."""
        if self._ignored is None:
            return True
        with self._lock:
            parent = node.path[: -len(name) - 1]
            if not self._state(parent).ignores(os.fsdecode(name)):
                return True
            if not stat.S_ISDIR(node.stat.st_mode) or not self._state(node.path).exceptions_below:
                return False
            return bool(self.list(node.path))

    def _state(self, path: bytes) -> Directory:
        assert self._ignored is not None
        found = self._states.get(path)
        if found is None:
            if path:
                parent, _, name = path.rpartition(b"/")
                found = self._state(parent).enter(os.fsdecode(name))
            else:
                found = self._ignored.root()
            self._states[path] = found
        return found


def _field(data: bytes) -> bytes:
    return b"%d:" % len(data) + data


def _by_path(node: Node) -> bytes:
    return node.path
