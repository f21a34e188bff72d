"""Local directories as sources: read in place, filtered by ignore patterns, digested with a stat cache.

As in BuildKit, everything belongs to root (unless the tree is `owned`), modes are kept except that of the directory
itself, which is 0755, and sockets are left out. Only what an op names is read. A build sees one state: lists, link
targets and digests stay as they were first seen. A file that changes is read again, and if it then differs from a
digest that was used, the build fails.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from bisect import bisect_left
from hashlib import sha256

from pybuild.runtime.snapshots.types import Node, Resolution
from pybuild.runtime.sources.expansion import Unresolvable, expand, look_up
from pybuild.runtime.sources.filestates import FileStates
from pybuild.runtime.sources.leftout import Judgement
from pybuild.runtime.sources.reading import ContextError, restless, unreadable, vanished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.sources.leftout import LeftOut
    from pybuild.runtime.sources.statcache import StatCache

    Below = Callable[[Tree, bytes], Iterable[Node]]

MAX_LINKS = 40
_ROOT_MODE = 0o755
_TYPE, _FILE, _DIRECTORY, _LINK, _SOCKET = 0o170000, 0o100000, 0o040000, 0o120000, 0o140000


class LocalTree:
    """The tree of a local directory, without the entries that `ignored` leaves out. Thread-safe.

    `selected` are the paths that ops may read, with wildcards, links followed (BuildKit's `local.followpaths`); empty
    means all. They bound `digest` only. With `owned`, entries have their owners on disk.
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
        self._files = FileStates(cache)
        self._ignored = None if ignored is None else Judgement(ignored)
        self._selected = tuple(selected)
        # Reentrant: scanning a directory looks into ignored ones below for exceptions. Reads of the dictionaries need
        # no lock, as their values don't change.
        self._lock = threading.RLock()
        self._lists: dict[bytes, Sequence[Node]] = {}
        self._records: dict[bytes, bytes] = {}
        self._links: dict[bytes, bytes] = {}
        self._nodes: dict[bytes, Node | None] = {}

    # The interface of Tree

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
                parts.extend(reversed([name for name in target.split(b"/") if name not in (b"", b".")]))
                node = self._at(here)
            else:
                here.append(part)
        return Resolution(b"/".join(here), node, tuple(links))

    def list(self, path: bytes) -> Sequence[Node]:
        nodes = self._lists.get(path)
        if nodes is None:
            # Once more under the lock: all threads must get the same list.
            with self._lock:
                nodes = self._lists.get(path)
                if nodes is None:
                    nodes = self._lists[path] = self._scan(path)
        return nodes

    def walk(self, path: bytes) -> Iterator[Node]:
        pending = [iter(self.list(path))]
        while pending:
            node = next(pending[-1], None)
            if node is None:
                pending.pop()
                continue
            yield node
            if stat.S_ISDIR(node.stat.st_mode):
                pending.append(iter(self.list(node.path)))

    # Bytes of files, see `FileStates`

    def file_digest(self, node: Node) -> bytes:
        return self._files.of(node)[5]

    def known_digest(self, node: Node) -> bytes | None:
        return self._files.digest(node)

    def attributes(self, node: Node) -> Sequence[tuple[str, bytes]]:
        return self._files.attributes(node)

    def small(self, node: Node) -> bytes | None:
        return self._files.small(node)

    def copy(self, node: Node, target: int) -> None:
        self._files.copy(node, target)

    def save(self) -> None:
        self._files.save()

    # Beyond a tree

    @property
    def selected(self) -> Sequence[bytes]:
        """The paths that ops may read, with wildcards; empty means everything."""
        return self._selected

    @property
    def filtered(self) -> bool:
        """True if there are patterns that may leave out entries."""
        return self._ignored is not None

    def readlink(self, node: Node) -> bytes:
        """Return a symlink's target, the same throughout a build."""
        target = self._links.get(node.path)
        if target is None:
            try:
                target = self._links.setdefault(node.path, os.readlink(node.real))
            except FileNotFoundError:
                raise vanished(node.path) from None
            except OSError:
                raise restless(node.path) from None
        return target

    def entry_digest(self, path: bytes) -> bytes:
        """Return the digest of the entry at a resolved path and everything below it; computed once in a build."""
        node = self._at([part for part in path.split(b"/") if part])
        return sha256(b"" if node is None else self._record(node)).digest()

    def selected_digest(
        self, path: bytes, name: bytes | None, *, follow: bool, below: Below | None = None
    ) -> str:
        """Return the digest of the entry at `path` under the name `name`, and of the symlinks on the way. `below`
        yields the entries of a directory that count, as in `snapshots.digests.selected_digest`."""
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
        """Return the digest of everything that ops may read."""
        state = sha256(b"local 2\n")
        for pattern in self._selected or (b"",):
            state.update(_field(pattern))
            try:
                self._select(state.update, os.fsdecode(pattern))
            except Unresolvable:
                state.update(b"unresolvable")  # the copy reports it, with its instruction
        return "sha256:" + state.hexdigest()

    def _select(self, update: Callable[[bytes], object], pattern: str) -> None:
        expansion = expand(self, pattern, follow=True)
        if expansion.base is not None:
            self._walked(update, expansion.base)
        for path in expansion.paths:
            where = look_up(self, path)
            self._walked(update, where)
            update(_field(path) + _field(where.path) + self.entry_digest(where.path))

    def ignored(self, path: bytes) -> Sequence[tuple[bytes, bool]]:
        """Return the names in the directory `path` that ignore patterns leave out, each with whether it is a
        directory.

        A directory that may have exceptions below is included only if it was searched for them.
        """
        if self._ignored is None:
            return []
        names = []
        with os.scandir(os.path.join(self.root, path)) as entries:
            for entry in entries:
                directory = entry.is_dir(follow_symlinks=False)
                below = path + b"/" + entry.name if path else entry.name
                with self._lock:
                    if not self._ignored.ignores(below):
                        continue
                    if directory and self._ignored.at(below).exceptions_below and not self.searched(below):
                        continue
                names.append((entry.name, directory))
        return names

    def searched(self, path: bytes) -> bool:
        """Report whether this build listed the directory at `path`."""
        return path in self._lists

    def left_out(self, path: bytes) -> bool:
        """Report whether `path` exists on disk and patterns may have left it out. Call for paths that the tree
        lacks."""
        return self._ignored is not None and os.path.lexists(os.path.join(self.root, path))

    # Records: an unambiguous encoding of everything that counts of an entry

    def _record(self, node: Node) -> bytes:
        mode = node.stat.st_mode
        if mode & _TYPE == _FILE:
            known = self._files.of(node)
            record = b"%o " % mode + known[5] + self._owner(node.stat)
            return record + self._attributed(node) if known[6] else record
        if mode & _TYPE == _DIRECTORY and node.path not in self._records:
            self._record_below(node)
        saved = self._records.get(node.path)
        if saved is None:
            saved = self._records[node.path] = self._header(node)
        return saved

    def _record_below(self, directory: Node) -> None:
        """Make the records of a directory and of those in it, the innermost first."""
        records, pending = self._records, [directory]
        while pending:
            node = pending[-1]
            below = self.list(node.path)
            inner = [one for one in below if stat.S_ISDIR(one.stat.st_mode) and one.path not in records]
            pending += inner
            if not inner:
                records[node.path] = self._header(node) + b" " + self._content(node.path)
                pending.pop()

    def _header(self, node: Node) -> bytes:
        """Return the record of an entry without its content."""
        mode = node.stat.st_mode
        kind = mode & _TYPE
        header = b"%o" % (mode if node.path else kind | _ROOT_MODE) + self._owner(node.stat)
        if kind == _LINK:
            header += b" " + self.readlink(node)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            header += b" %d" % node.stat.st_rdev
        return header + self._attributed(node) if node.path else header

    def _owner(self, status: os.stat_result) -> bytes:
        """Return the record of an owner, b"" for root."""
        if not self.owned or not (status.st_uid or status.st_gid):
            return b""
        return b" %d:%d" % (status.st_uid, status.st_gid)

    def _attributed(self, node: Node) -> bytes:
        try:
            extended = self.attributes(node)
        except FileNotFoundError:
            raise vanished(node.path) from None
        return b"".join(b"\0" + _field(os.fsencode(name)) + _field(value) for name, value in extended)

    def _content(self, path: bytes) -> bytes:
        """Return the digest of a directory's entries."""
        start = len(path) + 1 if path else 0
        known, cached, owned = self._files.known, self._files.cache.get, self.owned
        parts = []
        for node in self.list(path):
            below, status = node.path, node.stat
            mode = status.st_mode
            if mode & _TYPE == _FILE:
                # The most frequent case, written out: no call for a file that the cache knows.
                file = known.get(below) or cached(below, status)
                if file is not None and not file[6] and not (owned and self._owner(status)):
                    known[below] = file
                    parts.append(b"%d:%b39:%o " % (len(below) - start, below[start:], mode) + file[5])
                    continue
            record = self._record(node)
            parts.append(b"%d:%b%d:%b" % (len(below) - start, below[start:], len(record), record))
        return sha256(b"".join(parts)).digest()

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
        if path not in self._nodes:
            self._nodes[path] = self._look(path, name)
        return self._nodes[path]

    def _look(self, path: bytes, name: bytes) -> Node | None:
        if b"\0" in name:
            return None
        real = os.path.join(self.root, path)
        try:
            status = os.lstat(real)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(error, path) from None
        node = Node(path, real, status)
        return node if not stat.S_ISSOCK(status.st_mode) and self._kept(node) else None

    def _scan(self, path: bytes) -> Sequence[Node]:
        """List a directory, after those in it on whose entries it depends whether they are in the tree."""
        read: dict[bytes, Sequence[Node]] = {}
        pending = [path]
        while pending:
            at = pending[-1]
            if at not in read:
                read[at] = self._read(at)
            searched = () if self._ignored is None else filter(self._ignored.searches, read[at])
            first = [node.path for node in searched if node.path not in self._lists]
            pending += first
            if not first:
                self._lists[at] = [node for node in read[at] if self._kept(node)]
                pending.pop()
        return self._lists[path]

    def _read(self, path: bytes) -> Sequence[Node]:
        prefix = path + b"/" if path else b""
        nodes = []
        try:
            with os.scandir(os.path.join(self.root, path)) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if status.st_mode & _TYPE != _SOCKET:
                        nodes.append(Node(prefix + entry.name, entry.path, status))
        except (FileNotFoundError, NotADirectoryError):
            raise vanished(path) from None
        except OSError as error:
            raise unreadable(error, path) from None
        return sorted(nodes, key=_by_path)

    def _kept(self, node: Node) -> bool:
        """Report whether an entry is in the tree: not ignored, or a directory with an exception below."""
        if self._ignored is None:
            return True
        with self._lock:
            if not self._ignored.ignores(node.path):
                return True
            return self._ignored.searches(node) and bool(self.list(node.path))


def _field(data: bytes) -> bytes:
    return b"%d:" % len(data) + data


def _by_path(node: Node) -> bytes:
    return node.path
