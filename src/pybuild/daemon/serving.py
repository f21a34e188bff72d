"""`pybuild serve`, from its words to its end."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager

from pybuild.daemon.commandline import help_text, parse
from pybuild.frontends.buildkit_extra import need_extra
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.daemon.addresses import Address
    from pybuild.daemon.journal import Journal
    from pybuild.daemon.settings import Settings

NAME = "buildkitd"
"""A program of this name is `pybuild serve`."""
_LOCK = "buildkitd.lock"
_ENDING = 10.0
"""Seconds that processes of a daemon that was killed may hold its lock; they take a small part of that."""


def serve(words: Sequence[str]) -> int:
    """The exit code. Raises UserError."""
    given = parse(words)
    if given.get("help"):
        sys.stdout.write(help_text())
        return 0
    if given.get("version"):
        from pybuild.daemon.version import PACKAGE, REVISION, VERSION

        sys.stdout.write(f"{NAME} {PACKAGE} {VERSION} {REVISION}\n")
        return 0
    from pybuild.daemon import addresses
    from pybuild.daemon.journal import Journal
    from pybuild.daemon.settings import settings_of

    settings = settings_of(given)
    places = [addresses.parse(text) for text in settings.addresses]
    need_extra("the daemon")
    journal = Journal(as_json=settings.json_log, debug=settings.debug)
    for notice in settings.notices:
        journal.warning(notice)
    with _alone(settings.root) as lock, _private_directory() as directory:
        return _run(settings, places, journal, directory, lock)


def _run(settings: Settings, places: Sequence[Address], journal: Journal, directory: str, lock: int) -> int:
    """The zygote is forked before there is a thread or gRPC."""
    from pybuild.daemon.zygote import fork_zygote

    os.environ["PYBUILD_ROOT"] = settings.root
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if settings.snapshotter:
        os.environ["PYBUILD_SNAPSHOTTER"] = settings.snapshotter
    if settings.runtime:
        os.environ["PYBUILD_RUNTIME"] = settings.runtime
    zygote = fork_zygote(settings, directory, lock)
    import asyncio

    from pybuild.daemon.door import Door

    async def main() -> int:
        return await Door(settings, journal, directory, zygote).run(places)

    return asyncio.run(main())


@contextmanager
def _alone(root: str) -> Iterator[int]:
    """Within, no other daemon serves this store: the descriptor of its lock, which lasts as long as a process has it.
    Raises UserError."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    path = os.path.join(root, _LOCK)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd, path)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d" % os.getpid(), 0)
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int, path: str) -> None:
    """A daemon that was killed is waited for: its processes are ending. Raises UserError."""
    import fcntl

    end = time.monotonic() + _ENDING
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end or _lives(os.pread(fd, 20, 0)):
                raise UserError(
                    f"could not lock {path}, another instance running?", help="end it, or give another --root"
                ) from None
        time.sleep(0.01)


def _lives(pid: bytes) -> bool:
    try:
        with open(b"/proc/%s/stat" % pid, "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False


@contextmanager
def _private_directory() -> Iterator[str]:
    """A directory for the sockets between the daemon's processes; its path is short."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    directory = tempfile.mkdtemp(prefix="pybuild-", dir=parent if os.path.isdir(parent) else None)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
