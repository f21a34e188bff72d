"""The trees of clients' directories that a store keeps, so that the next build is sent only what has changed.

    filesync/KEY-N/tree/        the files
    filesync/KEY-N/stat/        digests of them (`sources.statcache`)
    filesync/KEY-N/state.json   what of the directory is in it
    filesync/KEY-N.lock         held alone by a transfer, shared by builds that use the tree

KEY says whose directory it is. A tree in use doesn't change: a build at the same time that wants something else gets
a tree of its own, numbered N. All builds of one session that want the same share one, and see what the first was
sent. What a transfer that broke off left is put right by the next one. After another boot a tree is made anew:
nothing syncs its files. Trees are listed and deleted as `content.directories` does it.
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
    """What a build wants of a directory. `key` is the directory's, `selection` names the part of it, `session` whose
    builds share it; `description` is what disk usage says of it."""

    __slots__ = ("description", "key", "selection", "session")

    def __init__(self, key: str, selection: str, session: str, description: str) -> None:
        self.key = key
        self.selection = selection
        self.session = session
        self.description = description


class State:
    """What is in a tree, of which boot. `whole` from the end of its transfer on; `mark` is one transfer's own."""

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
        """Whether it is, or is about to be, what another build of the session was sent."""
        found = (self.boot, self.selection, self.session)
        return found == (boot, wanted.selection, wanted.session)


class Held:
    """A tree that stays as it is until `release`. If it is not `whole` it is this build's alone, to be brought until
    `end`. `files` is its directory, `stats` that of its stat cache."""

    __slots__ = ("_lock", "_state", "path")

    def __init__(self, path: str, lock: Lock, state: State) -> None:
        self.path = path
        self._lock = lock
        self._state = state

    @property
    def files(self) -> str:
        return os.path.join(self.path, "tree")

    @property
    def stats(self) -> str:
        return os.path.join(self.path, "stat")

    @property
    def whole(self) -> bool:
        return self._state.whole

    def begin(self) -> None:
        """What is in the tree is only part of something until `end`."""
        if os.path.lexists(self.path) and _state(self.path).boot != self._state.boot:
            remove_tree(self.path)
        os.makedirs(self.files, mode=0o755, exist_ok=True)
        _save(self.path, self._state)

    def end(self) -> bool:
        """The tree is whole, and other builds may use it too. False: one of them had it at the very moment for
        something else."""
        self._state.whole = True
        self._state.mark = os.urandom(8).hex()
        _save(self.path, self._state)
        return self._lock.share() and _state(self.path).mark == self._state.mark

    def release(self) -> None:
        """Idempotent."""
        self._lock.release()


def key_of(*parts: object) -> str:
    return sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


def hold(store: Store, wanted: Wanted, cancelled: Callable[[], bool]) -> Held:
    """The tree that another build of the session was sent, or is being sent; else one that nobody uses, of the same
    selection if there is one; else a new one. Raises Cancelled."""
    while True:
        choosing = store.lock(f"{FOLDER}-{wanted.key}", cancelled=cancelled)
        if choosing is None:
            raise Cancelled
        try:
            path = _sent_already(store, wanted)
            held = _own(store, wanted) if path is None else None
        finally:
            choosing.remove()
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
    """The tree at `path` once it is whole; None if it doesn't become what is wanted."""
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
    """A transfer broke off: nobody is to wait for it again."""
    lock.release()
    alone = try_lock(path + ".lock")
    if alone is not None:
        with alone:
            if os.path.lexists(path) and not _state(path).whole:
                _save(path, State(_state(path).boot))


def _own(store: Store, wanted: Wanted) -> Held:
    """A tree for this build alone, of which others know what it is to be."""
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
    """Those of the key's trees."""
    try:
        names = os.listdir(store.path(FOLDER))
    except FileNotFoundError:
        return []
    parts = (name.rpartition("-") for name in names)
    return sorted(int(number) for key, _, number in parts if key == wanted.key and number.isdecimal())


def _state(path: str) -> State:
    """What is known of a tree: nothing where none is, or its state is damaged."""
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
