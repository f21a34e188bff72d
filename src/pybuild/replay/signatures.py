"""Signatures of files and directories: their state without their content, by which a later build sees a change.

Only modules that the interpreter has loaded anyway, or that cost next to nothing, are imported here.
"""

from __future__ import annotations

import os
from time import time_ns

try:
    from _blake2 import blake2b  # without hashlib's OpenSSL, which takes longer than all of this
except ImportError:  # pragma: no cover
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Signature = tuple[int, ...]
    Directory = tuple[bytes, Mapping[bytes, bool] | None]
    """A directory, and its ignored names: whether each is a directory itself. None: only the names in it
    count, and which of them are directories and links."""

    Part = tuple[tuple[Directory, ...], tuple[bytes, ...], bytes]
    """Directories and single files that are looked at together, and the digest of their state."""


BEGUN = time_ns()
"""Time when this process began, near enough: no file was read before."""


UNKNOWN: Signature = ()
"""The signature of a file that can't be looked at. It never equals any other."""


FORKED = 4000
"""Number of files from which two processes look at them side by side."""


def signature_of(path: str) -> Signature | None:
    """Return the signature of a path, without reading the file; None if nothing is there. Raises OSError."""
    try:
        return signature(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def signature(stat: os.stat_result) -> Signature:
    """Return the signature for a stat result. A directory's is only its kind, mode and owner: its entries
    are looked at by name."""
    if stat.st_mode & 0o170000 == 0o040000:
        return stat.st_mode, stat.st_uid
    return stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def note(path: str, states: dict[str, Signature | None]) -> None:
    """Note the signature of a file before it is read or looked for, unless it is noted already. A change
    while it is read therefore shows at the next build."""
    if path not in states:
        try:
            states[path] = signature_of(path)
        except (OSError, ValueError):
            states[path] = UNKNOWN


def generation(store: str) -> str:
    """Return the store's generation, which changes whenever a name gets another meaning or content is
    deleted; "" at first."""
    try:
        with open(os.path.join(store, "generation"), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def same_parts(parts: Sequence[Part]) -> bool:
    """Report whether the directories and files of every part have the state of its digest. A large set comes
    in two parts, one of which a forked process takes; no thread exists yet."""
    if len(parts) < 2:
        return all(map(_same_part, parts))
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = all(map(_same_part, parts[1::2]))
        finally:
            # Not sys.exit: exit handlers and buffered output are the parent's.
            os._exit(0 if same else 1)
    try:
        ours = all(map(_same_part, parts[0::2]))
    finally:
        _, status = os.waitpid(child, 0)
    return ours and status == 0


def _same_part(part: Part) -> bool:
    directories, files, digest = part
    try:
        return part_digest(directories, files) == digest
    except OSError:
        return False  # a directory has gone, or can't be read any more


def part_digest(directories: Iterable[Directory], files: Iterable[bytes]) -> bytes:
    """Return the digest of the names and states in some directories, without their ignored names, and of
    single files. Raises OSError."""
    state = hasher()
    for path, ignored in directories:
        rows = []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if ignored is None:
                    rows.append(
                        b"%b\0%d%d\n" % (name, entry.is_dir(follow_symlinks=False), entry.is_symlink())
                    )
                    continue
                if name not in ignored or ignored[name] is not entry.is_dir(follow_symlinks=False):
                    entry_row = row(name, entry.stat(follow_symlinks=False))
                    if entry_row:
                        rows.append(entry_row)
        state.update(listing(path, rows) if ignored is not None else names(path, rows))
    for path in files:
        state.update(single(path))
    return state.digest()


def hasher() -> blake2b:
    return blake2b(digest_size=16)


def listing(path: bytes, rows: list[bytes]) -> bytes:
    """Return the state of a directory with these entries: their rows, and its own extended attributes."""
    rows.sort()
    return b"%d %b\n" % (len(rows), path) + b"".join(rows) + _attributes(path)


def names(path: bytes, rows: list[bytes]) -> bytes:
    """Return the state of a directory of which only the names count."""
    rows.sort()
    return b"names %d %b\n" % (len(rows), path) + b"".join(rows)


def _attributes(path: bytes) -> bytes:
    try:
        names = sorted(os.listxattr(path))
    except OSError:
        return b""  # a file system without them
    return b"".join(b"%b=%b\n" % (os.fsencode(name), os.getxattr(path, name)) for name in names)


def single(path: bytes) -> bytes:
    """Return the state of a single file."""
    try:
        return row(path, os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return absent(path)


def absent(path: bytes) -> bytes:
    return b"absent %b\n" % path


def row(name: bytes, stat: os.stat_result) -> bytes:
    """Return the state of one entry; empty for a socket, which is no content. A directory's size and times
    tell nothing that its entries don't."""
    kind = stat.st_mode & 0o170000
    if kind == 0o040000:
        return b"%b/%o\n" % (name, stat.st_mode)
    if kind == 0o140000:
        return b""
    return b"%b\0%o %d %d %d %d\n" % (
        name,
        stat.st_mode,
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        stat.st_ino,
    )
