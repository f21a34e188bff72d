"""Local directories as sources: read in place, filtered by ignore patterns, digested with a stat cache.

As in BuildKit a context has no owners (everything belongs to root) and keeps modes. Only what an op names is
read. A file that changes while it is read is read again, and after some tries the build stops.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from hashlib import sha256

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.snapshots.types import Node, Resolution
from pybuild.runtime.sources.statcache import StatCache, settled, signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pybuild.lang.dockerfile.ignore import Matcher, State

MAX_LINKS = 40
TRIES = 5
CHUNK = 1 << 20


class ContextError(UserError):
    """A local directory can't be read as it is."""


class LocalTree:
    """The tree of a local directory without what `ignored` matches. Thread-safe.

    `selected` are the paths an op below may read, links followed, wildcards allowed (BuildKit's
    `local.followpaths`); empty means all. They bound `digest`, not what can be read.
    """

    def __init__(
        self,
        root: bytes,
        cache: StatCache,
        *,
        ignored: Matcher | None = None,
        selected: Sequence[bytes] = (),
    ) -> None:
        self.root = root
        self._cache = cache
        self._ignored = ignored
        self._selected = tuple(selected)
        self._lock = threading.RLock()
        self._lists: dict[bytes, Sequence[Node]] = {}
        self._states: dict[bytes, State] = {}
        self._digests: dict[bytes, bytes] = {}
        self._used: dict[bytes, bytes] = {}  # what this build took each file to be

    # Tree

    def lstat(self, path: bytes) -> Node | None:
        parent, _, name = path.rpartition(b"/")
        where = self.resolve(parent)
        if where.node is None:
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
            if part == b"..":
                del here[-1:]
                node = self._at(here)
                continue
            if node is None:
                here.append(part)
                continue
            if not stat.S_ISDIR(node.stat.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(node.path))
            node = self._child(b"/".join(here), part)
            if node is not None and stat.S_ISLNK(node.stat.st_mode) and (parts or follow_last):
                links.append(node)
                if len(links) > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
                target = os.readlink(node.real)
                if target.startswith(b"/"):
                    here = []
                parts.extend(reversed([one for one in target.split(b"/") if one not in (b"", b".")]))
                node = self._at(here)
            else:
                here.append(part)
        return Resolution(b"/".join(here), node, tuple(links))

    def list(self, path: bytes) -> Sequence[Node]:
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
        with self._lock:
            found = self._used.get(node.path) or self._cache.get(node.path, node.stat)
            if found is not None:
                self._used[node.path] = found
                return found
        return self.read(node, lambda _: None)[0]

    def entry_digest(self, path: bytes) -> bytes:
        """Digest of the entry at a resolved path and of all below it; computed once."""
        with self._lock:
            found = self._digests.get(path)
            if found is None:
                node = self._at([part for part in path.split(b"/") if part])
                found = self._digests[path] = b"" if node is None else self._digest(node)
            return found

    # Beyond a tree

    def read(self, node: Node, sink: Callable[[bytes | None], object]) -> tuple[bytes, os.stat_result]:
        """Feed the file's bytes to `sink` (called with each chunk; with None to start over when the file
        changed meanwhile). Its sha256 and final stat. Raises ContextError when it won't hold still."""
        for _ in range(TRIES):
            with open(_open(node), "rb", buffering=0) as file:
                before = os.fstat(file.fileno())
                state = sha256()
                while data := file.read(CHUNK):
                    state.update(data)
                    sink(data)
                after = os.fstat(file.fileno())
            if signature(before) == signature(after):
                self._enter(node.path, after, state.digest())
                return state.digest(), after
            sink(None)
        raise _restless(node.path)

    def copy(self, node: Node, target: int) -> None:
        """Write the file's bytes to the descriptor `target`, which is empty."""

        def sink(data: bytes | None) -> None:
            if data is None:
                os.ftruncate(target, 0)
                os.lseek(target, 0, os.SEEK_SET)
            else:
                view = memoryview(data)
                while view:
                    view = view[os.write(target, view) :]

        self.read(node, sink)

    def selected_digest(self, path: bytes, name: bytes | None, *, follow: bool) -> str:
        """Digest of what `path` leads to under `name`, and of every symlink walked to get there."""
        where = self.resolve(path, follow_last=follow)
        state = sha256(b"selected 1\n")
        for link in where.links:
            state.update(_field(link.path) + _field(os.readlink(link.real)))
        state.update(_field(name or b"") + self.entry_digest(where.path))
        return "sha256:" + state.hexdigest()

    def _enter(self, path: bytes, found: os.stat_result, digest: bytes) -> None:
        """Note the digest of a file that was read whole; it must be the one this build took it to have."""
        with self._lock:
            if self._used.setdefault(path, digest) != digest:
                raise _restless(path)
            if settled(found, time.time_ns()):
                self._cache.put(path, found, digest)

    def digest(self) -> str:
        """Digest of all that may be selected. A selected path with a wildcard counts from its last
        component without one."""
        state = sha256(b"local 1\n")
        for path in self._selected or (b"",):
            plain = _before_wildcard(path)
            where = self.resolve(plain)
            for link in where.links:
                state.update(_field(link.path) + _field(os.readlink(link.real)))
            state.update(_field(plain) + _field(where.path) + self.entry_digest(where.path))
        return "sha256:" + state.hexdigest()

    def save(self) -> None:
        with self._lock:
            self._cache.save()

    # Parts

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
        if parent not in self._lists:
            real = os.path.join(self.root, path)
            try:
                found = os.lstat(real)
            except (FileNotFoundError, NotADirectoryError):
                return None
            node = Node(path, real, found)
            return node if self._kept(node, name) else None
        return next((node for node in self._lists[parent] if node.path == path), None)

    def _scan(self, path: bytes) -> Sequence[Node]:
        prefix = path + b"/" if path else b""
        out = []
        try:
            with os.scandir(os.path.join(self.root, path)) as entries:
                for entry in entries:
                    try:
                        out.append(Node(prefix + entry.name, entry.path, entry.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue
        except PermissionError as error:
            raise _unreadable(error, path) from None
        out.sort(key=lambda node: node.path)
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

    def _state(self, path: bytes) -> State:
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

    def _digest(self, node: Node) -> bytes:
        kind = stat.S_IFMT(node.stat.st_mode)
        state = sha256(b"%o %o\n" % (kind, stat.S_IMODE(node.stat.st_mode)))
        for name, value in attributes(node.real):
            state.update(_field(os.fsencode(name)) + _field(value))
        if kind == stat.S_IFREG:
            state.update(self.file_digest(node))
        elif kind == stat.S_IFDIR:
            for child in self.list(node.path):
                state.update(_field(child.path.rpartition(b"/")[2]) + self.entry_digest_of(child))
        elif kind == stat.S_IFLNK:
            state.update(_field(os.readlink(node.real)))
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            state.update(b"%d" % node.stat.st_rdev)
        return state.digest()

    def entry_digest_of(self, node: Node) -> bytes:
        found = self._digests.get(node.path)
        if found is None:
            found = self._digests[node.path] = self._digest(node)
        return found


def _open(node: Node) -> int:
    try:
        return os.open(node.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError as error:
        raise _unreadable(error, node.path) from None
    except FileNotFoundError:
        raise ContextError(f"{os.fsdecode(node.path)} went away while the context was read") from None


def _unreadable(error: OSError, path: bytes) -> ContextError:
    return ContextError(
        f"cannot read {os.fsdecode(path) or '.'} of the context: {error.strerror}",
        help="make it readable, or leave it out by .dockerignore",
    )


def _restless(path: bytes) -> ContextError:
    return ContextError(
        f"{os.fsdecode(path)} changes while it is read",
        help="stop what writes to it during the build, or leave it out by .dockerignore",
    )


def _before_wildcard(path: bytes) -> bytes:
    parts = []
    for part in path.split(b"/"):
        if any(mark in part for mark in b"*?[\\"):
            break
        parts.append(part)
    return b"/".join(parts)


def _field(data: bytes) -> bytes:
    return b"%d:" % len(data) + data
