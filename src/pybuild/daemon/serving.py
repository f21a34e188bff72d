"""`pybuild serve`, from its command line to its end."""

from __future__ import annotations

import os
import shutil
import sys
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
"""The name under which the program is `pybuild serve`."""
_LOCK = "buildkitd.lock"
_ENDING = 10.0
"""Seconds that processes of a killed daemon may hold its lock. They take a small part of that."""


def serve(words: Sequence[str]) -> int:
    """Run the daemon; return its exit code. Raises UserError."""
    flags = parse(words)
    if flags.get("help"):
        sys.stdout.write(help_text())
        return 0
    if flags.get("version"):
        from pybuild.daemon.version import PACKAGE, REVISION, VERSION

        sys.stdout.write(f"{NAME} {PACKAGE} {VERSION} {REVISION}\n")
        return 0
    from pybuild.daemon import addresses
    from pybuild.daemon.journal import Journal
    from pybuild.daemon.settings import settings_of

    settings = settings_of(flags)
    places = [addresses.parse(text) for text in settings.addresses]
    need_extra("the daemon")
    journal = Journal(as_json=settings.json_log, debug=settings.debug)
    for notice in (*settings.notices, *addresses.insecure(places, settings)):
        journal.warning(notice)
    with _alone(settings.root) as lock, _private_directory() as directory:
        return _run(settings, places, journal, directory, lock)


def _run(settings: Settings, places: Sequence[Address], journal: Journal, directory: str, lock: int) -> int:
    """Fork the fork server, then serve. The fork comes before the first thread and before gRPC is imported."""
    from pybuild.daemon.fork_server import start_fork_server

    os.environ["PYBUILD_ROOT"] = settings.root
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if settings.snapshotter:
        os.environ["PYBUILD_SNAPSHOTTER"] = settings.snapshotter
    if settings.runtime:
        os.environ["PYBUILD_RUNTIME"] = settings.runtime
    fork_server = start_fork_server(settings, directory, lock)
    # Imported after the fork, in which this process may have neither threads nor gRPC.
    import asyncio

    from pybuild.daemon.front_process import FrontProcess

    async def main() -> int:
        return await FrontProcess(settings, journal, directory, fork_server).run(places)

    return asyncio.run(main())


@contextmanager
def _alone(root: str) -> Iterator[int]:
    """Hold the store's lock, so that no other daemon serves it; yield the lock's descriptor. It is locked as long
    as a process has the descriptor. Raises UserError."""
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
    """Lock the file. Processes of a killed daemon may still hold the lock: wait for their end. Raises UserError."""
    import fcntl

    end = time.monotonic() + _ENDING
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            # The pid in the file is the owner's: if that lives, the lock won't become free.
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
    """Make a directory for the sockets between the daemon's processes."""
    from pybuild.runtime.session.sockets import make_private_directory

    directory = make_private_directory(os.environ.get("XDG_RUNTIME_DIR", ""))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
