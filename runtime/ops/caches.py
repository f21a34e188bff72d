"""Cache mounts: directories that outlive the steps that use them.

    caches/DIGEST OF THE ID[-DIGEST OF THE PROJECT]/DIGEST OF WHAT IT STARTED FROM/
        lock          held while one of the directories is chosen, made or taken away
        0/ 1/ …       the directories
        0.lock …      held by those who use it: shared among `shared` users, alone by all others
        gone-…        taken out of use; deleted when its last user has left

What a cache is keyed by and how its users share it is BuildKit's: its id, and the identity of the state it starts
from (with the part of that state that is mounted). Caches of one project's scope are apart from those of the same
id elsewhere. `shared` users share one directory; a `private` one takes a
directory that nobody uses, or gets another; a `locked` one waits for one if there are any.

A directory is made aside and renamed into place, so a dead process leaves none half made. What a step writes into
it is the step's, also when it fails or is killed.
"""

from __future__ import annotations

import os
import stat
import time
from hashlib import sha256

from pybuild.compiler.descriptions import KEEPS_CACHES
from pybuild.compiler.ops import EMPTY, CacheSharing, ExecOp, MountType
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.directories import GONE, note_use
from pybuild.runtime.content.labels import CACHE_MOUNT
from pybuild.runtime.content.locks import POLL, Lock, holder, try_lock, wait_lock
from pybuild.runtime.ops.descriptions import project_caches
from pybuild.runtime.ops.files.failures import SourceNotFound
from pybuild.runtime.sandbox.rootpath import open_directory
from pybuild.runtime.snapshots.copies import copy_entry, copy_metadata
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.snapshots.tree import DirectoryTree
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Resolution, Snapshotter, Tree

DIRECTORY = "caches"
"""Where caches lie in the store."""

NOTHING = "-"
"""What a cache without a state starts from, in its path."""


class CacheKey:
    """What a cache is known by: the `id`, within a project unless `project` is None, and the snapshot it starts from
    (None is nothing) with the path in it."""

    __slots__ = ("id", "path", "selector", "snapshot")

    def __init__(
        self, id: str, snapshot: int | None, selector: str, identity: str, project: str | None = None
    ) -> None:
        """`identity` is the snapshot's, "" for none."""
        self.id = id
        self.snapshot = snapshot
        self.selector = os.fsencode(os.path.normpath("/" + selector).strip("/"))
        origin = _name(identity + "\0" + os.fsdecode(self.selector)) if identity else NOTHING
        self.path = os.path.join(_place(id, project), origin)


class Held:
    """A cache directory in use. `release` it; the end of the process does too."""

    __slots__ = ("_lock", "path")

    def __init__(self, path: str, lock: Lock) -> None:
        self.path = path
        self._lock = lock

    def part(self, key: CacheKey) -> int | None:
        """A descriptor of what is to be mounted where that is not the directory: of a cache that started from
        nothing, the part of it that is selected. The caller closes it. Others that share the cache may be changing
        it, so its path says nothing: a symlink may be there a moment later. Raises UserError: there is no such
        part."""
        if key.snapshot is not None or not key.selector:
            return None
        root = os.fsencode(self.path)
        try:
            found = DirectoryTree(root).resolve(key.selector)
            if found.node is None or not found.path:
                raise missing(key.selector)
            *above, name = found.path.split(b"/")
            parent = open_directory(root, above)
            try:
                part = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            finally:
                os.close(parent)
        except OSError:
            raise missing(key.selector) from None
        if stat.S_ISLNK(os.fstat(part).st_mode):
            os.close(part)
            raise missing(key.selector)
        return part

    def release(self) -> None:
        """Idempotent."""
        self._lock.release()


class Caches:
    """The cache directories of a store. Thread-safe, and safe among processes."""

    def __init__(self, store: Store, snapshotter: Snapshotter, notice: Callable[[str], None]) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._notice = notice
        self._renewed: set[tuple[str, str | None, bool]] = set()

    def key(self, id: str, snapshot: int | None, selector: str, project: str | None = None) -> CacheKey:
        identity = "" if snapshot is None else self._snapshotter.identity(snapshot)
        return CacheKey(id, snapshot, selector, identity, project)

    def take(
        self,
        key: CacheKey,
        sharing: CacheSharing,
        user: str,
        cancelled: Callable[[], bool],
        description: str = "cached mount",
    ) -> Held:
        """A directory of the cache for `user`, a step's name. Waits for a `locked` one. `description` is what disk
        usage calls it. Raises Cancelled, UserError: the part of the state that it starts from isn't there."""
        place = self._store.path(DIRECTORY, key.path)
        told = False
        while True:
            with self._choosing(place, cancelled):
                held = self._free(place, sharing)
                if held is None and (sharing != CacheSharing.LOCKED or not _numbers(place)):
                    held = self._made(key, place, sharing)
            if held is not None:
                _sign(held, user)
                path = os.path.relpath(held.path, self._store.root)
                note_use(self._store, path, path + ".lock", CACHE_MOUNT, description)
                return held
            if not told:
                told = True
                self._notice(f"waiting for {_user_of(place)}, which uses the cache {key.id}")
            if cancelled():
                raise Cancelled
            time.sleep(POLL)

    def renew(self, vertices: Iterable[Vertex], project: str = "") -> None:
        """Have the caches of steps that must run anew start anew, as BuildKit does; each once a build. `project` is
        the one that is built."""
        for vertex in vertices:
            if not isinstance(vertex.op, ExecOp) or not vertex.metadata.ignore_cache:
                continue
            if KEEPS_CACHES in vertex.metadata.description:
                continue
            mounts = [mount for mount in vertex.op.mounts if mount.mount_type == MountType.CACHE]
            scoped = project_caches(vertex) if mounts else frozenset()
            for mount in mounts:
                if mount.cache_opt is None:
                    continue
                id = mount.cache_opt.id or mount.dest
                cache = (id, project if id in scoped else None, mount.input != EMPTY)
                if cache not in self._renewed:
                    self._renewed.add(cache)
                    self.retire(id, cache[1], started=cache[2])

    def retire(self, id: str, project: str | None = None, *, started: bool) -> None:
        """Take the caches of an id out of use, so that the next user starts anew: those that started from a
        state, or those that did not. Who uses one keeps it."""
        above = self._store.path(DIRECTORY, _place(id, project))
        for name in _names(above):
            if (name != NOTHING) != started:
                continue
            place = os.path.join(above, name)
            with self._choosing(place, lambda: False):
                for number in _numbers(place):
                    gone = os.path.join(place, GONE + os.urandom(6).hex())
                    os.rename(os.path.join(place, str(number)), gone)
                    _rename_if_there(os.path.join(place, f"{number}.lock"), gone + ".lock")
                _delete_gone(place)

    # Parts

    def _choosing(self, place: str, cancelled: Callable[[], bool]) -> Lock:
        while True:
            try:
                os.makedirs(place, mode=0o700, exist_ok=True)
                lock = wait_lock(os.path.join(place, "lock"), cancelled=cancelled)
            except FileNotFoundError:
                continue  # the place was removed with the last directory in it
            if lock is None:
                raise Cancelled
            return lock

    def _free(self, place: str, sharing: CacheSharing) -> Held | None:
        """A directory that may be used as it is: for a `shared` user, best one that others share already."""
        free: str | None = None
        for number in _numbers(place):
            path = os.path.join(place, str(number))
            lock = try_lock(path + ".lock")
            if lock is None:
                lock = try_lock(path + ".lock", shared=True) if sharing == CacheSharing.SHARED else None
                if lock is not None:
                    return Held(path, lock)
            elif sharing != CacheSharing.SHARED:
                return Held(path, lock)
            else:
                lock.release()
                free = free or path
        return None if free is None else _shared(free)

    def _made(self, key: CacheKey, place: str, sharing: CacheSharing) -> Held:
        _delete_gone(place)
        number = max(_numbers(place), default=-1) + 1
        path = os.path.join(place, str(number))
        aside = os.path.join(self._store.work, f"cache-{os.urandom(6).hex()}")
        try:
            self._fill(key, os.fsencode(aside))
            os.rename(aside, path)
        except BaseException:
            remove_tree(aside)
            raise
        if sharing == CacheSharing.SHARED:
            return _shared(path)
        lock = try_lock(path + ".lock")
        assert lock is not None
        return Held(path, lock)

    def _fill(self, key: CacheKey, target: bytes) -> None:
        if key.snapshot is None:
            os.mkdir(target)
            os.chmod(target, 0o755)
            return
        tree = self._snapshotter.tree(key.snapshot)
        where = look_up(tree, key.selector)
        if where.node is None:
            raise missing(key.selector)
        if _copied(tree, where, target):
            from pybuild.runtime.snapshots.mounts import sync_file_system

            # Once renamed it is taken for whole, also after a loss of power.
            sync_file_system(os.fsencode(self._store.root))


def missing(selector: bytes) -> SourceNotFound:
    return SourceNotFound(
        f"/{os.fsdecode(selector)}: no such file or directory to mount as a cache",
        help="source= is a path in what the cache starts from, which from= names",
    )


def _copied(tree: Tree, where: Resolution, target: bytes) -> bool:
    """Copy what is at a path of a tree; whether that has any bytes."""
    node = where.node
    assert node is not None
    copy_entry(node.real, node.stat, target)
    if not stat.S_ISDIR(node.stat.st_mode):
        return node.stat.st_size > 0
    written = False
    above = len(where.path) + 1 if where.path else 0
    made: dict[tuple[int, int], bytes] = {}
    directories = [(node, target)]
    for one in tree.walk(where.path):
        there = target + b"/" + one.path[above:]
        inode = (one.stat.st_dev, one.stat.st_ino)
        if stat.S_ISDIR(one.stat.st_mode):
            directories.append((one, there))
        elif inode in made:
            os.link(made[inode], there, follow_symlinks=False)
            continue
        elif one.stat.st_nlink > 1:
            made[inode] = there
        copy_entry(one.real, one.stat, there)
        written = written or stat.S_ISREG(one.stat.st_mode)
    for one, there in reversed(directories):
        copy_metadata(one.real, one.stat, there)
    return written


def _place(id: str, project: str | None) -> str:
    """The directory of the caches of an id."""
    return _name(id) if project is None else f"{_name(id)}-{_name(project)}"


def _name(text: str) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:32]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []


def _numbers(place: str) -> list[int]:
    return sorted(int(name) for name in _names(place) if name.isdigit())


def _shared(path: str) -> Held:
    """A shared hold on a directory that nobody holds alone."""
    lock = try_lock(path + ".lock", shared=True)
    assert lock is not None
    return Held(path, lock)


def _sign(held: Held, user: str) -> None:
    """Say in the lock's file who uses the directory; the last one does so for all who share it."""
    with open(held.path + ".lock", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"pid {os.getpid()} ({user[:200]})")


def _user_of(place: str) -> str:
    """Who signed for the first directory, all of which are in use."""
    return next((holder(os.path.join(place, f"{number}.lock")) for number in _numbers(place)), "a step")


def _rename_if_there(path: str, target: str) -> None:
    try:
        os.rename(path, target)
    except FileNotFoundError:
        pass


def _delete_gone(place: str) -> None:
    """Delete the directories out of use that have no user left."""
    for name in _names(place):
        if not name.startswith(GONE) or name.endswith(".lock"):
            continue
        path = os.path.join(place, name)
        lock = try_lock(path + ".lock")
        if lock is not None:
            remove_tree(path)
            lock.remove()
