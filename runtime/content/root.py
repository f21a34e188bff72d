"""The directory that holds a store: what lies in it, and the checks before a process works there.

store.json          schema version, and the version of pybuild that wrote it
in-use.lock         held shared by every process that works here, exclusively by a structural change
records-v4.sqlite   the record database; 4 is the version of its tables (`schema.py`)
blobs/              content by digest (`blobs.py`)
ingest/             blobs whose transfer has not ended (`blobs.py`)
snapshots/          committed snapshots (`runtime.snapshots.committed`)
snapshotter         the kind of snapshotter that works here (`runtime.snapshots.choose`)
work/               work/NAME/ is what one process makes before it commits; it holds NAME.lock while it lives
locks/              files that processes lock by name: a cache key being computed, a git repository
stat/               digests of local files (`runtime.sources.statcache`)
ballast             room for whatever frees space on a full file system (`space.py`)
generation          changes when content was deleted or a name in the store means something else
invocations/        records of whole builds (`pybuild.replay.replay`)
host/               images of the host's own files (`runtime.sources.host`)
caches/             cache mounts (`directories.py`)
git/                repositories that were fetched from (`runtime.sources.gitrepository`)
filesync/           clients' directories as they were sent last (`runtime.sources.filesync.pool`)
history/            builds of the daemon (`pybuild.daemon.history`)
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.schema import VERSION
from pybuild.runtime.content.space import BALLAST, NO_ROOM, NoRoom, make_ballast

IN_USE = "in-use.lock"
ENTRIES = (
    "store.json",
    "records-v",
    "blobs",
    "ingest",
    "snapshots",
    "snapshotter",
    "work",
    "locks",
    "stat",
    BALLAST,
    "generation",
    "invocations",
    "host",
    "caches",
    "git",
    "filesync",
    "history",
)
"""The beginnings of the names of everything in a store's directory except IN_USE. Removing a store deletes
these."""

DIRECTORIES = ("locks", "work", "snapshots", "ingest", os.path.join("blobs", "sha256"))
"""Directories that every store has."""

REMOTE_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "fuse.sshfs", "fuse.glusterfs"}
)


class StoreError(UserError):
    """The store can't be used."""


def make_root(root: str) -> None:
    """Make the store's directory if it is missing. Call it before the process enters a user namespace, where the
    owner's number is another. Raises StoreError: it can't be made, or holds the store of another user."""
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        owner = os.stat(os.path.join(root, "store.json")).st_uid
    except FileNotFoundError as error:
        if not os.path.isdir(root):
            raise _unusable(root, error) from None
        return
    except OSError as error:
        raise _unusable(root, error) from None
    if owner != os.geteuid():
        raise StoreError(
            f"the store {root} is that of another user ({_user_name(owner)}): one store serves one user",
            help="set PYBUILD_ROOT to a directory of your own, or unset it",
        )


def prepare_root(root: str) -> None:
    """Make the store's directory with all that every store has in it. Raises StoreError: no permission, a remote
    file system, a store written by a newer version."""
    try:
        # The root on its own: `makedirs` gives `mode` to the last directory of a path only.
        os.makedirs(root, mode=0o700, exist_ok=True)
        for name in DIRECTORIES:
            os.makedirs(os.path.join(root, name), mode=0o700, exist_ok=True)
        _check_file_system(root)
        _check_schema(root)
    except OSError as error:
        raise _unusable(root, error) from None


def is_prepared(root: str) -> bool:
    """Report whether everything that `prepare_root` makes is there."""
    return all(os.path.exists(os.path.join(root, name)) for name in ("store.json", *DIRECTORIES))


def _unusable(root: str, error: OSError) -> UserError:
    import errno

    if error.errno in NO_ROOM:
        return NoRoom(error.errno or 0, _nearest(root), root)

    reason = "a file is there" if error.errno == errno.EEXIST else error.strerror or str(error)
    help = "set PYBUILD_ROOT to a directory you can write"
    if error.errno == errno.EACCES:
        try:
            reason += f", it belongs to {_user_name(os.stat(root).st_uid)}"
        except OSError:
            pass
    return StoreError(f"cannot use {root} as the store: {reason}", help=help)


def _nearest(path: str) -> str:
    """Return the nearest directory above a path, or itself, that is there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _user_name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _check_schema(root: str) -> None:
    path = os.path.join(root, "store.json")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except IsADirectoryError:
        text = b""
    except FileNotFoundError:
        claim(root)
        make_ballast(root)
        return
    import json

    try:
        document = json.loads(text)
        schema, writer = int(document["schema"]), str(document["written_by"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(
            f"{path} is damaged", help=f"move {root} away, or set PYBUILD_ROOT to another directory"
        ) from None
    if schema > VERSION:
        raise StoreError(
            f"the store {root} was written by pybuild {writer} (schema {schema}); this version reads {VERSION}",
            help="use that version or a newer one, or set PYBUILD_ROOT to another directory",
        )


def claim(root: str) -> None:
    """Write `store.json`: the store has this version's schema from here on, and older programs refuse it."""
    from pybuild import __version__

    path = os.path.join(root, "store.json")
    temporary = f"{path}.{os.urandom(6).hex()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(f'{{"schema": {VERSION}, "written_by": "{__version__}"}}\n')
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def _check_file_system(root: str) -> None:
    kind = file_system(root)
    if kind in REMOTE_FILE_SYSTEMS:
        raise StoreError(
            f"the store {root} is on {kind}, which supports neither its locks nor overlay mounts",
            help="set PYBUILD_ROOT to a directory on a local file system",
        )


def file_system(path: str) -> str:
    """The type of the file system that holds `path` (`ext4`, `nfs4`); "" if no mount point is above it."""
    path = os.path.realpath(path)
    longest, kind = -1, ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            # The kernel writes a blank in a path as \040 (proc(5)).
            point = fields.split(" ")[4].replace("\\040", " ")
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            # Of two mounts on the same point the later one is on top.
            if inside and len(point) >= longest:
                longest, kind = len(point), rest.split(" ", 1)[0]
    return kind
