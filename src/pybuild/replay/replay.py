"""Replay an unchanged build without importing the rest of the program.

An *invocation record* says what an earlier build of the same command line depended on: variables, files read or
looked for, directories and the state of every file in them, the store's generation, the outputs it left. If each
of these is as it was, the outputs are too, and the record's messages are printed. After any difference, or for a
record that cannot be read, the ordinary path runs and writes a new one (`record.py`).

Only modules that the interpreter has loaded anyway, or that cost next to nothing, are imported here.
"""

from __future__ import annotations

import marshal
import os
import sys
from zlib import crc32

from pybuild.replay.signatures import generation, hasher, same_parts, signature_of
from pybuild.runtime.content.place import UID, default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


FORMAT = b"pybuild invocation 3\n"
PREFIXES = ("PYBUILD_", "BUILDKIT_", "BUILDX_", "DOCKER_", "XDG_", "SOURCE_DATE_EPOCH", "SSL_CERT_")
NAMES = ("HOME", "PATH", "NO_COLOR", "TERM", "COLUMNS", "LANG", "SUDO_UID")
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
"""Variables that a build may look at, besides those that `--build-arg NAME` names."""


def replay(argv: Sequence[str]) -> int | Mapping[str, Any] | None:
    """Return the exit code of a replayed build; None when the ordinary path must run.

    If the command means the same, but files of the context or outputs changed, the record is returned: the build can
    start from its plan, without a frontend.
    """
    if not argv or argv[0] != "build":
        return None
    try:
        record = load(argv)
        if record is None or not same_command(record):
            return None
        same = same_result(record)
        messages, printed = record["stderr"], record["stdout"]
    except Exception:
        return None  # whatever is wrong with a record or the files it names, the ordinary path says it better
    if not same:
        return record
    return _print_messages(messages, printed)


def _print_messages(messages: str, printed: str) -> int | None:
    """Print the messages of a replayed build. A progress stream that nobody reads does not fail the build."""
    try:
        if messages and sys.stderr is not None:
            sys.stderr.write(messages)
            sys.stderr.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what is in the buffer is written again at the end
    try:
        if printed and sys.stdout is not None:
            sys.stdout.write(printed)
            sys.stdout.flush()
    except (OSError, ValueError):
        return None
    return 0


def record_path(argv: Sequence[str]) -> str:
    """Return the path of a command line's record. It depends on the words, the working directory, the kind of
    terminal, the search path of packages, and the program itself."""
    parts = [*argv, os.getcwd(), str(os.isatty(2)), str(UID), sys.version, *sys.path, program()]
    key = hasher()
    key.update("\0".join(parts).encode("utf-8", "surrogateescape"))
    return os.path.join(default_root(), "invocations", key.hexdigest())


def program() -> str:
    """Return the identity of the program: every source file of the package with its size and time."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    files = []
    stack = [package]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    stat = entry.stat()
                    files.append(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}")
                elif not entry.name.startswith(("__", ".")) and entry.is_dir():
                    stack.append(entry.path)
    files.sort()
    return "\n".join(files)


def load(argv: Sequence[str]) -> dict[str, Any] | None:
    """Return the record of a command line, None without a valid one."""
    try:
        with open(record_path(argv), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    start = len(FORMAT) + 4
    # Records are not synced, so after a loss of power one may be incomplete.
    expected = int.from_bytes(data[len(FORMAT) : start], "little")
    if len(data) <= start or not data.startswith(FORMAT) or crc32(data[start:]) != expected:
        return None
    record = marshal.loads(data[start:])
    return record if isinstance(record, dict) else None


def same_command(record: Mapping[str, Any]) -> bool:
    """Report whether the command line means the same as when it was recorded: variables, build files, what was
    granted to them, names in the store, and what a frontend read of local directories."""
    plan = record["plan"]
    return (
        variables(plan["names"]) == record["variables"]
        and all(signature_of(path) == expected for path, expected in plan["consulted"].items())
        and all(os.path.realpath(path) == real for path, real in record["request"]["places"])
        and generation(default_root()) == record["generation"]
        and all(os.path.isdir(path) for path in plan["directories"].values())
        and same_parts(plan["parts"])
    )


def same_result(record: Mapping[str, Any]) -> bool:
    """Report whether the context's files are unchanged and the outputs still there."""
    return (
        all(signature_of(path) == expected for path, expected in record["outputs"])
        and all(os.path.exists(path) for path in record["blobs"])
        and same_parts(record["parts"])
    )


def variables(names: Iterable[str]) -> dict[str, str]:
    """Return the variables that may matter and `names`, as far as they are set."""
    requested = set(names)
    return {
        name: value
        for name, value in os.environ.items()
        if name in requested or name in NAMES or name.startswith(PREFIXES) or name.lower() in PROXIES
    }
