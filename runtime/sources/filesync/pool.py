"""Trees of clients' directories in the store, so that a client sends only what changed since an earlier build.

    filesync/KEY-N/tree/        the files
    filesync/KEY-N/stat/        their digests (`sources.statcache`)
    filesync/KEY-N/state.json   the selection that is in the tree, and whose it is
    filesync/KEY-N.lock         held exclusively by a transfer, shared by builds that use the tree

KEY identifies the client's directory. A tree in use doesn't change: a concurrent build that needs another selection
gets a tree of its own, with another number N. All builds of one session that need the same selection share a tree,
and so see the files that the first was sent. A transfer repairs what a broken one left. After a reboot a tree is
created again, as its files are never synced. `content.directories` lists and deletes trees.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from itertools import chain, count

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.directories import note_use
from pybuild.runtime.content.labels import LOCAL_SOURCE
from pybuild.runtime.content.locks import try_lock, wait_lock
from pybuild.runtime.snapshots.removal import remove_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.content.locks import Lock
    from pybuild.runtime.content.store import Store

FOLDER = "filesync"
_STATE = "state.json"


class Wanted:
    """The tree that a build needs: `key` identifies the client's directory, `selection` the part of it, `session` the
    session whose builds share it. `description` is for disk usage."""

    __slots__ = ("description", "key", "selection", "session")

    def __init__(self, key: str, selection: str, session: str, description: str) -> None:
        self.key = key
        self.selection = selection
        self.session = session
        self.description = description


class State:
    """The state of a tree: boot, selection and session of its transfer. `whole` is True once that is complete;
    `mark` is unique to it."""

    __slots__ = ("boot", "mark", "selection", "session", "whole")

    def __init__(
        self, boot: str = "", selection: str = "", session: str = "", *, whole: bool = False, mark: str = ""
    ) -> None:
        self.boot = boot
        self.selection = selection
        self.session = session
        self.whole = whole
        self.mark = mark

    def serves(self, wanted: Wanted, boot: str) -> bool:
        """Report whether the tree has, or is going to have, the files that another build of the session was sent."""
        return (self.boot, self.selection, self.session) == (boot, wanted.selection, wanted.session)


class Held:
    """A locked tree, which does not change until `release`. One that is not `whole` is exclusive to this build,
    which has to receive its files and call `end`."""

    __slots__ = ("_lock", "_state", "path")

    def __init__(self, path: str, lock: Lock, state: State) -> None:
        self.path = path
        self._lock = lock
        self._state = state

    @property
    def files(self) -> str:
        """The directory of the files."""
        return os.path.join(self.path, "tree")

    @property
    def stats(self) -> str:
        """The directory of the stat cache."""
        return os.path.join(self.path, "stat")

    @property
    def whole(self) -> bool:
        """True if the tree is complete."""
        return self._state.whole

    def begin(self) -> None:
        """Mark the tree as incomplete, until `end`; a tree of an earlier boot is removed."""
        if os.path.lexists(self.path) and _state(self.path).boot != self._state.boot:
            remove_tree(self.path)
        os.makedirs(self.files, mode=0o755, exist_ok=True)
        _save(self.path, self._state)

    def end(self) -> bool:
        """Mark the tree as complete, and share it with other builds. Return False if another build took it for
        another selection in the moment between the two locks."""
        self._state.whole = True
        self._state.mark = os.urandom(8).hex()
        _save(self.path, self._state)
        # flock gives up the exclusive lock before it takes the shared one: meanwhile another build may take the tree,
        # and write its own state.
        return self._lock.share() and _state(self.path).mark == self._state.mark

    def release(self) -> None:
        """Unlock the tree. Idempotent."""
        self._lock.release()


def key_of(*parts: object) -> str:
    """Return a digest of JSON values."""
    return sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


def hold(store: Store, wanted: Wanted, cancelled: Callable[[], bool]) -> Held:
    """Take a tree: that of another build of the session, waiting for its transfer; else an unused one, preferably
    of the same selection; else another one. Raises Cancelled."""
    while True:
        choosing = store.lock(f"{FOLDER}-{wanted.key}", cancelled=cancelled)
        if choosing is None:
            raise Cancelled
        try:
            path = _sent_already(store, wanted)
            held = _own(store, wanted) if path is None else None
        finally:
            choosing.remove()
        # After the choice, as waiting for a transfer must not keep others from choosing.
        if path is not None:
            held = _joined(store, path, wanted, cancelled)
        if held is not None:
            name = f"{FOLDER}/{os.path.basename(held.path)}"
            note_use(store, name, name + ".lock", LOCAL_SOURCE, wanted.description)
            return held


def _sent_already(store: Store, wanted: Wanted) -> str | None:
    paths = (_path(store, wanted, number) for number in _numbers(store, wanted))
    return next((path for path in paths if _state(path).serves(wanted, store.boot)), None)


def _joined(store: Store, path: str, wanted: Wanted, cancelled: Callable[[], bool]) -> Held | None:
    """Take the tree at `path` once its transfer has ended; None if that failed."""
    lock = wait_lock(path + ".lock", shared=True, cancelled=cancelled)
    if lock is None:
        raise Cancelled
    state = _state(path)
    if state.whole and state.serves(wanted, store.boot):
        return Held(path, lock, state)
    if os.path.lexists(path):
        _forget(path, lock)
    else:
        lock.release()
    return None


def _forget(path: str, lock: Lock) -> None:
    """Reset the state of a tree whose transfer failed, so that no build waits for it again."""
    # Only with an exclusive lock: meanwhile another build may have begun a transfer.
    lock.release()
    exclusive = try_lock(path + ".lock")
    if exclusive is not None:
        with exclusive:
            if os.path.lexists(path) and not _state(path).whole:
                _save(path, State(_state(path).boot))


def _own(store: Store, wanted: Wanted) -> Held:
    """Take an unused tree, or create one, exclusively; its state tells other builds what it is going to have."""
    os.makedirs(store.path(FOLDER), mode=0o700, exist_ok=True)
    known = _numbers(store, wanted)

    def other(number: int) -> bool:
        return _state(_path(store, wanted, number)).selection != wanted.selection

    for number in chain(sorted(known, key=other), (number for number in count() if number not in known)):
        path = _path(store, wanted, number)
        lock = try_lock(path + ".lock")
        if lock is not None:
            held = Held(path, lock, State(store.boot, wanted.selection, wanted.session))
            held.begin()
            return held
    raise AssertionError("numbers don't end")


def _path(store: Store, wanted: Wanted, number: int) -> str:
    return store.path(FOLDER, f"{wanted.key}-{number}")


def _numbers(store: Store, wanted: Wanted) -> list[int]:
    """Return the numbers of the key's trees."""
    try:
        names = os.listdir(store.path(FOLDER))
    except FileNotFoundError:
        return []
    parts = (name.rpartition("-") for name in names)
    return sorted(int(number) for key, _, number in parts if key == wanted.key and number.isdecimal())


def _state(path: str) -> State:
    """Read the state of a tree; an empty one if the tree is missing or the state damaged."""
    try:
        with open(os.path.join(path, _STATE), encoding="utf-8") as file:
            return State(**json.load(file))
    except (OSError, ValueError, TypeError):
        return State()


def _save(path: str, state: State) -> None:
    temporary = os.path.join(path, f"{_STATE}.{os.urandom(6).hex()}")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump({name: getattr(state, name) for name in State.__slots__}, file)
    os.rename(temporary, os.path.join(path, _STATE))
