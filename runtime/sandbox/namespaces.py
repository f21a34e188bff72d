"""Enter the build's own namespaces, once, before any thread exists.

For root that is a mount namespace. For an ordinary user it is a user namespace, in which this process is uid 0 and
the user's sub-ids are 1 and up, with a mount namespace that belongs to it. The process needs no re-exec to get
there: a helper forked before, which is still outside, runs newuidmap and newgidmap to write the maps.

`runtime/engine.py` enters them for a build. `pybuild prune` and the process that reads states for a program
(`builder/state_server.py`) enter them without an engine.

Mounts made inside are not seen outside. They propagate to namespaces made from this one, so that the runner
(`runner.py`) sees later mounts.
"""

from __future__ import annotations

import os
import threading

from pybuild.runtime.sandbox import environments, libc, subids
from pybuild.runtime.sandbox.errors import SandboxError

UNIFIED = "/sys/fs/cgroup/unified"
"""The mount point of control groups version 2 on a hybrid host. crun refuses to use version 1 while one is
there."""


def enter(store_root: str) -> None:
    """Move this process into the build's namespaces. Steps will run programs from the store at `store_root`.

    Call it once, in the main thread. Raises RuntimeError if another thread is alive, SandboxError if sub-ids or
    newuidmap are missing, namespaces are refused, or programs in the store can't be executed.
    """
    # unshare(2) moves the calling thread only, and refuses a user namespace to a process with several threads.
    if threading.active_count() != 1:
        raise RuntimeError("namespaces must be entered before any thread is started")
    _check_executable(store_root)
    if os.geteuid() == 0:
        _unshare(libc.CLONE_NEWNS)
    else:
        _enter_user_namespace()
    try:
        # Private first, which cuts the tie to the host's mounts; then shared, among this namespace's own children.
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_SHARED)
        _hide_unified()
    except OSError as error:
        raise _refused(error) from None


def refused() -> SandboxError | None:
    """Return the reason why the namespaces can't be made here, sub-ids aside; None if they can. A child tries."""
    flags = libc.CLONE_NEWNS if os.geteuid() == 0 else libc.CLONE_NEWUSER | libc.CLONE_NEWNS
    child = os.fork()
    if child == 0:
        code = 0
        try:
            libc.unshare(flags)
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return _refused(OSError(code, os.strerror(code))) if code > 0 else None


def rootless() -> bool:
    """Report whether this process is in a user namespace that doesn't map all ids onto themselves."""
    with open("/proc/thread-self/uid_map", encoding="ascii") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _hide_unified() -> None:
    """Cover the version 2 part of a hybrid host by a tmpfs.

    Unmounting it won't do. A user may not unmount what a more privileged namespace mounted, and for root the
    host's own tmpfs would be beneath, into which crun would write directories in the belief that they are control
    groups."""
    if os.path.ismount(UNIFIED):
        flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", UNIFIED, "tmpfs", flags, "mode=755")


def _enter_user_namespace() -> None:
    """Enter a user namespace with the user's sub-ids, and its mount namespace; become uid 0 in it.

    1. Fork the helper, which waits.
    2. Make the namespaces, and tell the helper, over a pipe.
    3. Wait for its report: it has written the maps.
    4. Become uid and gid 0, which are mapped from then on.
    """
    gains_nothing = environments.gains_nothing()
    if gains_nothing is not None:
        raise refused() or gains_nothing  # nothing is entered then, as nobody could write the maps
    try:
        maps = subids.maps(os.getuid(), os.getgid())
    except SandboxError:
        # Sub-ids would not help where the kernel refuses the namespace.
        refusal = refused()
        if refusal is not None:
            raise refusal from None
        raise
    go_read, go_write = os.pipe()
    result_read, result_write = os.pipe()
    outer = os.getpid()
    helper = os.fork()
    if helper == 0:
        _write_maps(outer, maps, go_read, go_write, result_write)
    os.close(go_read)
    os.close(result_write)
    try:
        _unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNS)
        os.write(go_write, b"1")
        with open(result_read, "rb", closefd=False) as file:
            failure = file.read().decode("utf-8", "replace").strip()
    finally:
        os.close(go_write)
        os.close(result_read)
        os.waitpid(helper, 0)
    if failure:
        raise SandboxError(
            f"the user namespace's id maps could not be written: {failure}",
            help="newuidmap and newgidmap need the set-user-id bit or file capabilities, and ranges that match "
            "/etc/subuid and /etc/subgid",
        )
    try:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    except OSError as error:
        raise _refused(error) from None


def _write_maps(outer: int, maps: subids.Maps, go_read: int, go_write: int, result: int) -> None:
    """Be the helper: wait for `go`, write the maps of process `outer`, report and exit. The report is empty if
    both maps are written, else it is the reason."""
    report = "the helper ended early"
    try:
        # Else the read below would not see the other side hang up.
        os.close(go_write)
        # Nothing to read: there are no namespaces, and the other side reports that itself.
        report = subids.write(maps, outer) if os.read(go_read, 1) else ""
    except BaseException as error:
        report = str(error)
    finally:
        os.write(result, report.encode("utf-8", "replace"))
        os._exit(0)


def _unshare(flags: int) -> None:
    try:
        libc.unshare(flags)
    except OSError as error:
        raise _refused(error) from None


def _refused(error: OSError) -> SandboxError:
    return environments.refused(error, root=os.geteuid() == 0)


def _check_executable(store_root: str) -> None:
    if os.statvfs(store_root).f_flag & os.ST_NOEXEC:
        raise SandboxError(
            f"the store {store_root} is on a file system mounted noexec, where no step could run a program",
            help="set PYBUILD_ROOT to a directory on another file system",
        )
