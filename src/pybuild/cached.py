"""Replays a build of which nothing changed, without importing the rest of the program.

An *invocation record* says what an earlier build of the same command line depended on: variables, files read or
looked for, directories and the state of every file in them, the store's generation, the outputs it left. If each
of these is as it was, the outputs are too, and the record's messages are printed. Any difference, or a record
that cannot be read, lets the ordinary path run, which writes a new one (`invocation.py`).

Only modules that the interpreter has loaded anyway, or that cost next to nothing, are imported here.
"""

from __future__ import annotations

import marshal
import os
import sys
from time import time_ns
from zlib import crc32

try:
    from _blake2 import blake2b  # without hashlib's OpenSSL, which takes longer than all of this
except ImportError:  # pragma: no cover
    from hashlib import blake2b

from pybuild.runtime.content.place import UID, default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Signature = tuple[int, ...]
    Directory = tuple[bytes, Mapping[bytes, bool] | None]
    """A directory, and the names in it that are ignored: whether each is a directory itself. None: only the names
    in it count, and which of them are directories and links."""

    Part = tuple[tuple[Directory, ...], tuple[bytes, ...], bytes]

BEGUN = time_ns()
"""When this process began, near enough: no file was read before."""

FORMAT = b"pybuild invocation 2\n"
UNKNOWN: Signature = ()
"""The state of a file that can't be looked at. It is never the same as any other."""
PREFIXES = ("PYBUILD_", "BUILDKIT_", "BUILDX_", "DOCKER_", "XDG_", "SOURCE_DATE_EPOCH", "SSL_CERT_")
NAMES = ("HOME", "PATH", "NO_COLOR", "TERM", "COLUMNS", "LANG")
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
"""Variables that a build may look at, besides those that `--build-arg NAME` names."""

FORKED = 4000
"""Files from which two processes look at them side by side."""


def replay(argv: Sequence[str]) -> int | None:
    """The exit code of a replayed build; None when the ordinary path must run.

    Where the command means the same, but files of the context or outputs changed, the build starts from the
    record's plan, without a frontend.
    """
    if not argv or argv[0] != "build":
        return None
    try:
        record = load(argv)
        if record is None or not same_command(record):
            return None
        same = same_result(record)
        said, printed = record["stderr"], record["stdout"]
    except Exception:
        return None  # whatever is wrong with a record or the files it names, the ordinary path says it better
    if not same:
        from pybuild.rebuild import rebuild

        return rebuild(record)
    return _say(said, printed)


def _say(said: str, printed: str) -> int | None:
    """Write what a replayed build says. Progress isn't the build: who doesn't listen to it doesn't fail it."""
    try:
        if said and sys.stderr is not None:
            sys.stderr.write(said)
            sys.stderr.flush()
    except (OSError, ValueError):
        pass
    try:
        if printed and sys.stdout is not None:
            sys.stdout.write(printed)
            sys.stdout.flush()
    except (OSError, ValueError):
        return None
    return 0


def record_path(argv: Sequence[str]) -> str:
    """Where the record of a command line lies: by its words, the working directory, the kind of terminal, where
    packages are looked for, and the program itself."""
    parts = [*argv, os.getcwd(), str(os.isatty(2)), str(UID), sys.version, *sys.path, program()]
    key = blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=16)
    return os.path.join(default_root(), "invocations", key.hexdigest())


def program() -> str:
    """What the program is: every source file of the package with its size and time."""
    package = os.path.dirname(os.path.abspath(__file__))
    found = []
    stack = [package]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    stat = entry.stat()
                    found.append(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}")
                elif not entry.name.startswith(("__", ".")) and entry.is_dir():
                    stack.append(entry.path)
    found.sort()
    return "\n".join(found)


def load(argv: Sequence[str]) -> dict[str, Any] | None:
    """The record of a command line, if there is a sound one."""
    try:
        with open(record_path(argv), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    start = len(FORMAT) + 4
    expected = int.from_bytes(data[len(FORMAT) : start], "little")
    if len(data) <= start or not data.startswith(FORMAT) or crc32(data[start:]) != expected:
        return None
    found = marshal.loads(data[start:])
    return found if isinstance(found, dict) else None


def same_command(record: Mapping[str, Any]) -> bool:
    """Whether the command line means what it meant: variables, build files, names in the store, and what a
    frontend read of local directories."""
    plan = record["plan"]
    return (
        variables(plan["names"]) == record["variables"]
        and all(signature_of(path) == expected for path, expected in plan["consulted"].items())
        and generation(default_root()) == record["generation"]
        and all(os.path.isdir(path) for path in plan["directories"].values())
        and same_parts(plan["parts"])
    )


def same_result(record: Mapping[str, Any]) -> bool:
    """Whether the context's files are as they were and the outputs still there."""
    return (
        all(signature_of(path) == expected for path, expected in record["outputs"])
        and all(os.path.exists(path) for path in record["blobs"])
        and same_parts(record["parts"])
    )


def variables(names: Iterable[str]) -> dict[str, str]:
    """The variables that may matter, and `names`, as far as they are set."""
    wanted = set(names)
    return {
        name: value
        for name, value in os.environ.items()
        if name in wanted or name in NAMES or name.startswith(PREFIXES) or name.lower() in PROXIES
    }


def signature_of(path: str) -> Signature | None:
    """What tells a file's state without reading it; None if nothing is there. Raises OSError."""
    try:
        return signature(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def signature(stat: os.stat_result) -> Signature:
    """Of a directory only its kind and mode: what is in it, is looked at by name."""
    if stat.st_mode & 0o170000 == 0o040000:
        return (stat.st_mode,)
    return stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def note(path: str, states: dict[str, Signature | None]) -> None:
    """Note the state of a file that is about to be read or looked for, if it is not noted yet. So a change while
    it is read shows at the next build."""
    if path not in states:
        try:
            states[path] = signature_of(path)
        except (OSError, ValueError):
            states[path] = UNKNOWN


def generation(store: str) -> str:
    """Changes whenever a name in the store gets another meaning or content is deleted; "" at first."""
    try:
        with open(os.path.join(store, "generation"), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def same_parts(parts: Sequence[Part]) -> bool:
    """Whether the directories and files of every part are in the state of its digest. A large set comes in two
    parts, of which a forked process takes one; no thread exists yet."""
    if len(parts) < 2:
        return all(map(_same_part, parts))
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = all(map(_same_part, parts[1::2]))
        finally:
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
    """Digest of the names and states in some directories, without their ignored names, and of single files.
    Raises OSError."""
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
                    found = row(name, entry.stat(follow_symlinks=False))
                    if found:
                        rows.append(found)
        state.update(listing(path, rows) if ignored is not None else names(path, rows))
    for path in files:
        state.update(single(path))
    return state.digest()


def hasher() -> blake2b:
    return blake2b(digest_size=16)


def listing(path: bytes, rows: list[bytes]) -> bytes:
    """The state of a directory with these entries: their rows, and extended attributes of its own."""
    rows.sort()
    return b"%d %b\n" % (len(rows), path) + b"".join(rows) + _attributes(path)


def names(path: bytes, rows: list[bytes]) -> bytes:
    """The names in a directory."""
    rows.sort()
    return b"names %d %b\n" % (len(rows), path) + b"".join(rows)


def _attributes(path: bytes) -> bytes:
    try:
        names = sorted(os.listxattr(path))
    except OSError:
        return b""  # a file system without them
    return b"".join(b"%b=%b\n" % (os.fsencode(name), os.getxattr(path, name)) for name in names)


def single(path: bytes) -> bytes:
    """The state of a single file."""
    try:
        return row(path, os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return absent(path)


def absent(path: bytes) -> bytes:
    return b"absent %b\n" % path


def row(name: bytes, stat: os.stat_result) -> bytes:
    """One entry's state; empty for a socket, which is no content. A directory's size and times say nothing that
    its entries don't."""
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
