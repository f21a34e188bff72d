"""Overlay snapshots mounted by the program `fuse-overlayfs`, for hosts where the kernel refuses an overlay."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time

from pybuild.runtime.snapshots.committed import SnapshotError
from pybuild.runtime.snapshots.contents import is_overlays_own
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.mounts import Overlay

PROGRAM = "fuse-overlayfs"
START_SECONDS, STOP_SECONDS = 10.0, 10.0
OPAQUE_FILE, WHITEOUT_PREFIX = b".wh..wh..opq", b".wh."

# Starts the program such that it ends with the thread that started it (PR_SET_PDEATHSIG): otherwise it would keep
# a dead build's mount namespace alive for ever. The parent may have died before prctl(2), so that is checked after
# it.
_START = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]): os.execvp(sys.argv[2], sys.argv[2:])
"""


class FuseOverlaySnapshotter(OverlaySnapshotter):
    """Snapshots with layers in the form of the kernel's overlay. A mount ends with the thread that made it."""

    __slots__ = ()

    def __init__(self, store: Store, *, userxattr: bool) -> None:
        super().__init__(store, userxattr=userxattr, name=PROGRAM)

    def _limit(self, chain: list[int]) -> int:
        # One argument of a program is at most 128 KiB; every layer is an open directory of it.
        longest = len(self.committed.base) + len(str(max(chain, default=0))) + 64
        return max(129, min(499, (1 << 16) // longest))

    def attach(self, plan: Overlay, target: bytes) -> Callable[[], None]:
        process = _start(plan, target)

        def unmounted() -> None:
            import subprocess

            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if plan.upper is not None:
                to_kernel_form(plan.upper, self.opaque)

        return unmounted


def _start(plan: Overlay, target: bytes) -> subprocess.Popen[bytes]:
    """Start the program and wait until it serves `plan` at `target`. Raises SnapshotError, OSError."""
    import subprocess

    options = [b"lowerdir=" + b":".join(_checked(each) for each in plan.lower)]
    if plan.upper is not None and plan.work is not None:
        options += [b"upperdir=" + _checked(plan.upper), b"workdir=" + _checked(plan.work), b"volatile"]
    command: list[str | bytes] = [PROGRAM, "-f", "-o", b",".join(options), target]
    start: list[str | bytes] = [sys.executable, "-I", "-S", "-c", _START, str(os.getpid())]
    # A file rather than a pipe: nobody reads along, and a full pipe would stop the program.
    with open(target + b".said", "w+b") as log:
        process = subprocess.Popen(
            start + command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        # It is mounted once the target is on another device than its parent directory.
        outside = os.lstat(os.path.dirname(target)).st_dev
        deadline = time.monotonic() + START_SECONDS
        while os.lstat(target).st_dev == outside:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                log.seek(0)
                message = log.read(2000).decode("utf-8", "replace").strip()
                raise OSError(errno.EIO, f"{PROGRAM}: {message or f'it ended with {process.returncode}'}")
            time.sleep(0.002)
    return process


def _checked(path: bytes) -> bytes:
    # In the program's options a comma ends an option, a colon ends a directory, and a backslash begins an escape.
    if any(mark in path for mark in (b":", b",", b"\\")):
        raise SnapshotError(
            f"{PROGRAM} can't mount {os.fsdecode(path)}: a comma, a colon or a backslash is in its path",
            help="set PYBUILD_ROOT to a directory without them, or PYBUILD_SNAPSHOTTER=copy",
        )
    return path


def to_kernel_form(upper: bytes, opaque: str) -> None:
    """Convert the marks that the program leaves in an upper directory to the kernel's form, with `opaque` as the
    attribute of opaque directories. The program writes marks as files (`.wh.…`) where it can't make devices."""
    pending = [upper]
    while pending:
        directory = pending.pop()
        if directory != upper:
            _use_one_mark(directory, opaque)
        with os.scandir(directory) as scan:
            entries = list(scan)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.name == OPAQUE_FILE:
                os.unlink(entry.path)
                if directory != upper:
                    os.setxattr(directory, opaque, b"y", follow_symlinks=False)
            elif entry.name.startswith(WHITEOUT_PREFIX):
                os.unlink(entry.path)
                hidden = os.path.join(directory, entry.name.removeprefix(WHITEOUT_PREFIX))
                if not os.path.lexists(hidden):
                    os.mknod(hidden, stat.S_IFCHR, 0)


def _use_one_mark(directory: bytes, opaque: str) -> None:
    """Replace all opaque marks of a directory, set under any of the attributes the program knows, by `opaque`."""
    marks = [
        name
        for name in os.listxattr(directory, follow_symlinks=False)
        if is_overlays_own(name) and name.endswith(".opaque")
    ]
    hides = any(os.getxattr(directory, name, follow_symlinks=False) == b"y" for name in marks)
    for name in marks:
        if name != opaque:
            os.removexattr(directory, name, follow_symlinks=False)
    if hides and opaque not in marks:
        os.setxattr(directory, opaque, b"y", follow_symlinks=False)
