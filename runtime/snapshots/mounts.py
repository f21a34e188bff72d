"""System calls that `os` lacks: mount(2), the mount API by file descriptors (fsopen(2)), openat2(2) and syncfs(2).

Import this only where something is mounted or synced: `ctypes` costs 5 ms. Every failure is an OSError with the
call's errno. Paths are absolute `bytes`. Nothing here changes the process's working directory: other threads run.

Where the kernel takes an overlay's layers one by one (`lowerdir+`, Linux 6.8), an overlay is assembled by
fsopen/fsconfig/fsmount. Then neither the page that limits mount(2)'s options nor a separator in a path matters.
Elsewhere it is mounted by mount(2) with paths relative to the directory that holds the layers, which keeps the
options short, in a thread that has a working directory of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_RELATIME, _ST_RELATIME = 1024, 2048, 1 << 21, 4096
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
CLONE_FS, CLONE_NEWNS = 0x200, 0x20000

LOWER_LIMIT = 500
"""Lower directories one overlay takes (OVL_MAX_STACK of the kernel)."""
OPTIONS_LIMIT = 4095
"""Bytes of mount(2)'s options: a page with its closing zero."""
BUSY_SECONDS = 2.0
"""The time that an unmount waits for the last user of a writable mount, such as a process of the step that is about
to die."""

# Numbers of the system calls added since Linux 5.2, which are the same on every architecture.
_MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 429, 430, 431, 432
_OPENAT2, _RESOLVE_IN_ROOT = 437, 16
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_MOVE_MOUNT_F_EMPTY_PATH = 4
_AT_FDCWD = -100
_STRING_LIMIT = 255
# Kernels differ in their defaults, and these three decide what is written into upper directories. A layer has to
# mean the same over any other layers and on any machine: no index that ties an upper directory to one set of
# layers (index), no renamed directories that refer to other layers (redirect_dir), no files with their data in
# other layers (metacopy).
_PLAIN_OVERLAY = ((b"index", b"off"), (b"redirect_dir", b"nofollow"), (b"metacopy", b"off"))

_libc = ctypes.CDLL(None, use_errno=True)


class Overlay:
    """The parts of an overlay: lower directories, top first, and for a writable one `upper` and `work`.

    `base` is the directory that holds the lower directories; mount(2) gets paths relative to it. Redirects are
    neither made nor followed (`redirect_dir=nofollow`, stricter than `off`), so a directory's path in a layer is
    its path in the state. `userxattr` is for a user namespace, where `trusted.*` attributes can't be written;
    `volatile` skips the sync at unmount."""

    __slots__ = ("base", "lower", "upper", "userxattr", "volatile", "work")

    def __init__(
        self,
        base: bytes,
        lower: Sequence[bytes],
        upper: bytes | None = None,
        work: bytes | None = None,
        *,
        userxattr: bool = False,
        volatile: bool = False,
    ) -> None:
        self.base = base
        self.lower = lower
        self.upper = upper
        self.work = work
        self.userxattr = userxattr
        self.volatile = volatile and upper is not None


class Mounted:
    """A mount that lasts for a `with` block, or a mere directory (`mounted=False`). `after` is called once it is
    unmounted.

    Leaving the block unmounts. A read-only mount that is busy is detached at once. A writable one is waited for up
    to BUSY_SECONDS, then detached, with OSError(EBUSY): its upper directory may still change.
    """

    __slots__ = ("_after", "_mounted", "_writable", "target")

    def __init__(
        self,
        target: bytes,
        *,
        mounted: bool = True,
        writable: bool = False,
        after: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.target = target
        self._mounted = mounted
        self._writable = writable
        self._after = after

    def __enter__(self) -> bytes:
        return self.target

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._mounted:
                self._mounted = False
                unmount_or_detach(self.target, wait=BUSY_SECONDS if self._writable else 0.0)
        finally:
            for action in self._after:
                action()


def mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int = 0, options: bytes | None = None
) -> None:
    """Call mount(2)."""
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), options), target)


def unmount(target: bytes, *, detach: bool = False) -> None:
    """Call umount2(2), not following a symlink at `target`."""
    _check(_libc.umount2(target, UMOUNT_NOFOLLOW | (MNT_DETACH if detach else 0)), target)


def unmount_or_detach(target: bytes, *, wait: float) -> None:
    """Unmount `target`. If it is busy for longer than `wait` seconds, detach it, and raise OSError(EBUSY) unless
    `wait` is zero."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return unmount(target)
        except OSError as failure:
            if failure.errno != errno.EBUSY:
                raise
            if time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            unmount(target, detach=True)
            if wait:
                raise
            return


def bind(source: bytes, target: bytes, *, readonly: bool = False, recursive: bool = False) -> None:
    """Bind-mount directory or file `source` at `target`. `readonly` covers the mount itself, not mounts below."""
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))
    if not readonly:
        return
    # A bind mount takes over the source's flags, whatever flags it is made with: they need a second call.
    flags = MS_BIND | MS_REMOUNT | MS_RDONLY
    try:
        # A user namespace may not drop flags that the source's mount is locked to, so name them all again.
        mount(None, target, None, flags | _locked_flags(target))
    except OSError:
        unmount(target, detach=True)
        raise


def _locked_flags(path: bytes) -> int:
    """Flags of the mount at `path` as mount(2) takes them; statvfs(3) spells one of them differently."""
    flags = os.statvfs(path).f_flag
    kept = flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
    return kept | (MS_RELATIME if flags & _ST_RELATIME else 0)


def overlay(plan: Overlay, target: bytes) -> None:
    """Mount `plan` at `target`. Raises OSError; EINVAL also for more than LOWER_LIMIT lower directories."""
    if len(plan.lower) > LOWER_LIMIT:
        raise OSError(errno.EINVAL, f"{len(plan.lower)} lower directories, the kernel takes {LOWER_LIMIT}")
    fd = overlay_detached(plan)
    if fd is None:
        _overlay_by_options(plan, target)
        return
    try:
        _check(
            _libc.syscall(_MOVE_MOUNT, fd, b"", _AT_FDCWD, target, ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH)),
            target,
        )
    finally:
        os.close(fd)


_layers_one_by_one: bool | None = None  # None until it was tried


def takes_layers_one_by_one() -> bool:
    """Report whether the kernel's overlay has `lowerdir+`; otherwise the options must fit `OPTIONS_LIMIT`."""
    global _layers_one_by_one
    if _layers_one_by_one is None:
        try:
            fd = _fsopen(b"overlay")
        except OSError:
            return False
        try:
            _set(fd, b"lowerdir+", b"/")
            _layers_one_by_one = True
        except OSError:
            _layers_one_by_one = False
        finally:
            os.close(fd)
    return _layers_one_by_one


def overlay_detached(plan: Overlay) -> int | None:
    """Make the overlay without mounting it anywhere, and return a descriptor of its root. It ends when that is
    closed. Returns None where the kernel can't."""
    if not takes_layers_one_by_one():
        return None
    fd = _fsopen(b"overlay")
    held: list[int] = []
    try:
        _set(fd, b"source", b"pybuild")
        # With `userxattr` the kernel turns redirect_dir and metacopy off itself, and refuses "nofollow".
        for name, value in _PLAIN_OVERLAY[: 2 if plan.userxattr else 3]:
            if not (plan.userxattr and name == b"redirect_dir"):
                _set(fd, name, value)
        for flag, wanted in ((b"userxattr", plan.userxattr), (b"volatile", plan.volatile)):
            if wanted:
                _config(fd, _SET_FLAG, flag, None)
        for lower in plan.lower:
            _set(fd, b"lowerdir+", _argument(lower, held))
        if plan.upper is not None and plan.work is not None:
            _set(fd, b"upperdir", _argument(plan.upper, held))
            _set(fd, b"workdir", _argument(plan.work, held))
        _config(fd, _CREATE, None, None)
        return _check(_libc.syscall(_FSMOUNT, fd, ctypes.c_uint(1), ctypes.c_uint(0)), b"overlay")
    except OSError as failure:
        raise OSError(failure.errno, _complaint(fd) or failure.strerror) from None
    finally:
        os.close(fd)
        for other in held:
            os.close(other)


def _argument(path: bytes, held: list[int]) -> bytes:
    """A path of directory `path` that fsconfig takes: within its length limit and without a backslash, which
    overlay reads as an escape. A descriptor opened for it is added to `held` and must stay open until the overlay
    is made."""
    if len(path) <= _STRING_LIMIT and b"\\" not in path:
        return path
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    held.append(fd)
    return b"/proc/self/fd/%d" % fd


def _fsopen(kind: bytes) -> int:
    return _check(_libc.syscall(_FSOPEN, kind, ctypes.c_uint(1)), kind)


def _set(fd: int, name: bytes, value: bytes) -> None:
    _config(fd, _SET_STRING, name, value)


def _config(fd: int, command: int, name: bytes | None, value: bytes | None) -> None:
    _check(_libc.syscall(_FSCONFIG, fd, ctypes.c_uint(command), name, value, 0), name or b"overlay")


def _complaint(fd: int) -> str:
    """The kernel's messages about a failed fsconfig, without their level: they read `e overlay: …`."""
    lines = []
    while True:
        try:
            lines.append(os.read(fd, 4096).decode("utf-8", "replace")[2:].strip())
        except OSError:
            return "; ".join(lines)


def option_string(plan: Overlay) -> bytes:
    """The options for mount(2), with paths relative to `plan.base`. Raises OSError(ENAMETOOLONG) beyond a page."""
    names = [
        b"lowerdir=" + b":".join(_escaped(os.path.relpath(each, plan.base), b":") for each in plan.lower)
    ]
    if plan.upper is not None and plan.work is not None:
        names.append(b"upperdir=" + _escaped(os.path.relpath(plan.upper, plan.base)))
        names.append(b"workdir=" + _escaped(os.path.relpath(plan.work, plan.base)))
    if plan.userxattr:
        names += [b"index=off", b"userxattr"]
    else:
        names += [b"%b=%b" % pair for pair in _PLAIN_OVERLAY]
    if plan.volatile:
        names.append(b"volatile")
    options = b",".join(names)
    if len(options) > OPTIONS_LIMIT:
        raise OSError(errno.ENAMETOOLONG, f"{len(options)} bytes of overlay options, the kernel takes a page")
    return options


def _escaped(path: bytes, also: bytes = b"") -> bytes:
    """Escape what the kernel reads as separators in mount options: commas, and `also`."""
    out = path.replace(b"\\", b"\\\\").replace(b",", b"\\,")
    return out.replace(also, b"\\" + also) if also else out


def _overlay_by_options(plan: Overlay, target: bytes) -> None:
    """Mount by mount(2) in a thread of its own, which can change its working directory for itself alone."""
    import threading

    options = option_string(plan)
    failures: list[OSError] = []

    def run() -> None:
        try:
            # Threads share one working directory until one of them leaves the sharing.
            _check(_libc.unshare(CLONE_FS), b"")
            os.chdir(plan.base)
            mount(b"pybuild", target, b"overlay", 0, options)
        except OSError as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def unshare_mounts() -> None:
    """Move the process into a mount namespace of its own; mounts propagate neither into it nor out of it. Threads
    that already run stay in the old one, so call this before any thread exists."""
    _check(_libc.unshare(CLONE_NEWNS), b"")
    mount(None, b"/", None, MS_REC | MS_PRIVATE)


def sync_file_system(path: bytes) -> None:
    """Call syncfs(2): write everything on the file system of `path` to the disk. Raises OSError if a write was
    lost."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check(_libc.syncfs(fd), path)
    finally:
        os.close(fd)


def _check(result: int, path: bytes) -> int:
    """Return the result of a system call. Raises OSError if it failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(path) or None)
    return result
