"""Cache mounts: directories that outlive the steps that use them.

    caches/DIGEST OF THE ID[-DIGEST OF THE PROJECT]/DIGEST OF THE INITIAL STATE/
        lock          held while a directory is chosen, created or retired
        0/ 1/ …       the directories
        0.lock …      held by the users of a directory: a shared lock by `shared` users, an exclusive one by others
        gone-…        a retired directory; deleted when its last user has left

Keys and sharing modes are BuildKit's. A cache is keyed by its id and by the identity of its initial state (with the
path that is mounted of it); a cache of project scope also by the project. `shared` users share one directory; a
`private` user takes a directory without a user, or a fresh one; a `locked` user waits if there are any directories.

A directory is filled aside and renamed into place, so a process that dies leaves none half filled. What a step writes
stays in the cache, also when the step fails or is killed.
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
from pybuild.runtime.snapshots.copies import copy_entry, copy_metadata
from pybuild.runtime.snapshots.livetree import LiveNode, LiveTree
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Resolution, Snapshotter, Tree

DIRECTORY = "caches"
"""The directory of caches in the store."""

NOTHING = "-"
"""The part of a cache's path that stands for an empty initial state."""


class CacheKey:
    """The identity of a cache: its `id`, the project unless `project` is None, and its initial state: a snapshot
    (None if it starts empty) and a path in it."""

    __slots__ = ("id", "path", "selector", "snapshot")

    def __init__(
        self, id: str, snapshot: int | None, selector: str, identity: str, project: str | None = None
    ) -> None:
        """`identity` is that of the snapshot, "" for none."""
        self.id = id
        self.snapshot = snapshot
        self.selector = os.fsencode(os.path.normpath("/" + selector).strip("/"))
        origin = _name(identity + "\0" + os.fsdecode(self.selector)) if identity else NOTHING
        self.path = os.path.join(_place(id, project), origin)


class Held:
    """A cache directory in use, until `release` or the end of the process."""

    __slots__ = ("_lock", "path")

    def __init__(self, path: str, lock: Lock) -> None:
        self.path = path
        self._lock = lock

    def part(self, key: CacheKey) -> int | None:
        """Return an O_PATH descriptor of the selected part of a cache that started empty; the caller closes it. None
        if the directory itself is mounted. Raises UserError if there is no such part.

        The part has to be held by a descriptor: other users of the cache may put a symlink at its path meanwhile.
        """
        if key.snapshot is not None or not key.selector:
            return None
        try:
            found = LiveTree(os.fsencode(self.path)).resolve(key.selector)
            if found.node is None or not found.path:
                raise missing(key.selector)
            assert isinstance(found.node, LiveNode)
            part = found.node.open()
        except OSError:
            raise missing(key.selector) from None
        # One that another user put there since the resolution.
        if stat.S_ISLNK(os.fstat(part).st_mode):
            os.close(part)
            raise missing(key.selector)
        return part

    def release(self) -> None:
        """Unlock the directory. Idempotent."""
        self._lock.release()


class Caches:
    """The cache directories of a store. Thread-safe, and safe among processes."""

    def __init__(self, store: Store, snapshotter: Snapshotter, notice: Callable[[str], None]) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._notice = notice
        self._renewed: set[tuple[str, str | None, bool]] = set()

    def key(self, id: str, snapshot: int | None, selector: str, project: str | None = None) -> CacheKey:
        """Return the key of a cache that starts from the path `selector` of a snapshot."""
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
        """Take a directory of the cache for a step, waiting if `sharing` says so. `user` is the step's name, for
        messages of those who wait; `description` is the directory's in disk usage. Raises Cancelled, UserError if the
        initial state lacks the key's path."""
        place = self._store.path(DIRECTORY, key.path)
        # Polled: any of several directories may become free, and no call waits for one of several locks.
        noticed = False
        while True:
            with self._choosing(place, cancelled):
                held = self._free(place, sharing)
                if held is None and (sharing != CacheSharing.LOCKED or not _numbers(place)):
                    held = self._create(key, place, sharing)
            if held is not None:
                _sign(held, user)
                path = os.path.relpath(held.path, self._store.root)
                note_use(self._store, path, path + ".lock", CACHE_MOUNT, description)
                return held
            if not noticed:
                noticed = True
                self._notice(f"waiting for {_user_of(place)}, which uses the cache {key.id}")
            if cancelled():
                raise Cancelled
            time.sleep(POLL)

    def renew(self, vertices: Iterable[Vertex], project: str = "") -> None:
        """Retire the caches of steps that ignore the cache, as BuildKit does; each once in a build. `project` is the
        key of the project that is built."""
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
        """Take the directories of an id out of use, so that the next user starts from the initial state. `started`
        selects caches that start from a state, or those that start empty. Present users keep their directories."""
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
        """Take the lock under which directories are chosen, created and retired."""
        while True:
            try:
                os.makedirs(place, mode=0o700, exist_ok=True)
                lock = wait_lock(os.path.join(place, "lock"), cancelled=cancelled)
            except FileNotFoundError:
                continue  # pruned, with the last directory, between the two calls
            except FileExistsError:
                # `makedirs` of a directory that is pruned after its mkdir(2) has failed
                if os.path.isfile(place):
                    raise
                continue
            if lock is None:
                raise Cancelled
            return lock

    def _free(self, place: str, sharing: CacheSharing) -> Held | None:
        """Take a directory that may be used: for a `shared` user preferably one that others share already."""
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

    def _create(self, key: CacheKey, place: str, sharing: CacheSharing) -> Held:
        _delete_gone(place)
        number = max(_numbers(place), default=-1) + 1
        path = os.path.join(place, str(number))
        # In the work directory, which is swept if this process dies, and on the same file system for the rename.
        aside = os.path.join(self._store.work, f"cache-{os.urandom(6).hex()}")
        try:
            self._fill(key, os.fsencode(aside))
            os.rename(aside, path)
        except BaseException:
            remove_tree(aside)
            raise
        if sharing == CacheSharing.SHARED:
            return _shared(path)
        # Can't fail: the number is unused, and the caller holds the lock under which users choose.
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

            # A directory in place counts as complete, so its files have to survive a loss of power.
            sync_file_system(os.fsencode(self._store.root))


def missing(selector: bytes) -> SourceNotFound:
    """Return the error for a cache whose initial state lacks the mounted path."""
    return SourceNotFound(
        f"/{os.fsdecode(selector)}: no such file or directory to mount as a cache",
        help="source= is a path in what the cache starts from, which from= names",
    )


def _copied(tree: Tree, where: Resolution, target: bytes) -> bool:
    """Copy the file or directory at a path of a tree; report whether any bytes were written."""
    node = where.node
    assert node is not None
    copy_entry(node.real, node.stat, target)
    if not stat.S_ISDIR(node.stat.st_mode):
        return node.stat.st_size > 0
    written = False
    above = len(where.path) + 1 if where.path else 0
    copies: dict[tuple[int, int], bytes] = {}
    directories = [(node, target)]
    for entry in tree.walk(where.path):
        there = target + b"/" + entry.path[above:]
        inode = (entry.stat.st_dev, entry.stat.st_ino)
        if stat.S_ISDIR(entry.stat.st_mode):
            directories.append((entry, there))
        elif inode in copies:
            os.link(copies[inode], there, follow_symlinks=False)
            continue
        elif entry.stat.st_nlink > 1:
            copies[inode] = there
        copy_entry(entry.real, entry.stat, there)
        written = written or stat.S_ISREG(entry.stat.st_mode)
    # Last and from the bottom up: writing into a directory changes its times.
    for entry, there in reversed(directories):
        copy_metadata(entry.real, entry.stat, there)
    return written


def _place(id: str, project: str | None) -> str:
    """Return the directory of an id's caches, relative to all caches."""
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
    """Take a shared lock on a directory that has no exclusive user."""
    lock = try_lock(path + ".lock", shared=True)
    assert lock is not None
    return Held(path, lock)


def _sign(held: Held, user: str) -> None:
    """Write the user into the lock file; of several that share a directory, the last one's name stays."""
    with open(held.path + ".lock", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"pid {os.getpid()} ({user[:200]})")


def _user_of(place: str) -> str:
    """Return the user that the first lock file names. Called while all directories are in use."""
    return next((holder(os.path.join(place, f"{number}.lock")) for number in _numbers(place)), "a step")


def _rename_if_there(path: str, target: str) -> None:
    try:
        os.rename(path, target)
    except FileNotFoundError:
        pass


def _delete_gone(place: str) -> None:
    """Delete the retired directories that have no user left."""
    for name in _names(place):
        if not name.startswith(GONE) or name.endswith(".lock"):
            continue
        path = os.path.join(place, name)
        lock = try_lock(path + ".lock")
        if lock is not None:  # no user left
            remove_tree(path)
            lock.remove()
