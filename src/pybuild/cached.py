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
from zlib import crc32

try:
    from _blake2 import blake2b  # without hashlib's OpenSSL, which takes longer than all of this
except ImportError:  # pragma: no cover
    from hashlib import blake2b

from pybuild.runtime.content.place import UID, default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Signature = tuple[int, int, int, int, int, int]
    Directory = tuple[bytes, frozenset[bytes]]
    Part = tuple[tuple[Directory, ...], tuple[bytes, ...], bytes]

FORMAT = b"pybuild invocation 1\n"
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
        if not same_result(record):
            from pybuild.rebuild import rebuild

            return rebuild(record)
    except (OSError, ValueError, EOFError, TypeError, KeyError):
        return None
    sys.stderr.write(record["stderr"])
    sys.stdout.write(record["stdout"])
    return 0


def record_path(argv: Sequence[str]) -> str:
    """Where the record of a command line lies: by its words, the working directory, the kind of terminal and
    the program itself."""
    parts = [*argv, os.getcwd(), str(os.isatty(2)), str(UID), sys.version, program()]
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
    if not data.startswith(FORMAT) or crc32(data[start:]) != int.from_bytes(
        data[start - 4 : start], "little"
    ):
        return None
    found = marshal.loads(data[start:])
    return found if isinstance(found, dict) else None


def same_command(record: dict[str, Any]) -> bool:
    """Whether the command line means what it meant: variables, build files, names in the store."""
    return (
        variables(record["plan"]["names"]) == record["variables"]
        and all(signature_of(path) == expected for path, expected in record["files"])
        and generation(default_root()) == record["generation"]
    )


def same_result(record: dict[str, Any]) -> bool:
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
    """What tells a file's state without reading it; None if nothing is there."""
    try:
        return signature(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def signature(stat: os.stat_result) -> Signature:
    return stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev


def generation(store: str) -> str:
    """Changes whenever a name in the store gets another meaning or content is deleted; "" at first."""
    try:
        with open(os.path.join(store, "generation"), encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def same_parts(parts: Sequence[Part]) -> bool:
    """Whether the directories and files of every part are in the state of its digest. Large sets are shared
    with a forked process; no thread exists yet."""
    if len(parts) < 2:
        return all(part_digest(directories, files) == digest for directories, files, digest in parts)
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = all(part_digest(one, files) == digest for one, files, digest in parts[1::2])
        finally:
            os._exit(0 if same else 1)
    ours = all(part_digest(one, files) == digest for one, files, digest in parts[0::2])
    _, status = os.waitpid(child, 0)
    return ours and status == 0


def part_digest(directories: Sequence[Directory], files: Sequence[bytes]) -> bytes:
    """Digest of the names and states in some directories, without their ignored names, and of single files."""
    state = hasher()
    for path, ignored in directories:
        rows = []
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name not in ignored:
                    rows.append(row(name, entry.stat(follow_symlinks=False)))
        rows.sort()
        state.update(b"%d %s\n" % (len(rows), path))
        state.update(b"".join(rows))
    state.update(singles(files))
    return state.digest()


def hasher() -> blake2b:
    return blake2b(digest_size=16)


def singles(files: Iterable[bytes]) -> bytes:
    """The states of single files."""
    rows = []
    for path in files:
        try:
            rows.append(row(path, os.lstat(path)))
        except (FileNotFoundError, NotADirectoryError):
            rows.append(b"absent %s\n" % path)
    return b"".join(rows)


def row(name: bytes, stat: os.stat_result) -> bytes:
    """One entry's state. A directory's size and times say nothing that its entries don't."""
    if stat.st_mode & 0o170000 == 0o040000:
        return b"%s/%o\n" % (name, stat.st_mode)
    return b"%s\0%o %d %d %d %d\n" % (
        name,
        stat.st_mode,
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
        stat.st_ino,
    )
