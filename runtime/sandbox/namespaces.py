"""Entering the build's own namespaces, once, before any thread exists.

As root it is a mount namespace. As an ordinary user it is a user namespace in which this process is uid 0 and
the user's sub-ids are 1 and up, with a mount namespace that belongs to it. The process continues in both; no
re-exec is needed, because a forked helper, still outside, has newuidmap and newgidmap write the maps.

Nothing mounted inside is seen outside. Mounts are shared with namespaces made from this one, so that the runner
(`runner.py`) sees what is mounted later.
"""

from __future__ import annotations

import errno
import os
import threading

from pybuild.runtime.sandbox import libc, subids
from pybuild.runtime.sandbox.errors import SandboxError

UNIFIED = "/sys/fs/cgroup/unified"
"""Where a hybrid host mounts control groups version 2. crun refuses to use version 1 while it is there."""


def enter(store_root: str) -> None:
    """Move this process into the build's namespaces; steps will run from what lies in `store_root`.

    Must be called in the main thread with no other thread alive (RuntimeError), once. Raises SandboxError: no
    sub-ids, newuidmap missing, user namespaces switched off, a store where programs can't be executed.
    """
    if threading.active_count() != 1:
        raise RuntimeError("namespaces must be entered before any thread is started")
    _check_executable(store_root)
    if os.geteuid() == 0:
        _unshare(libc.CLONE_NEWNS)
    else:
        _enter_user_namespace()
    try:
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_PRIVATE)
        libc.mount("none", "/", flags=libc.MS_REC | libc.MS_SHARED)
        _hide_unified()
    except OSError as error:
        raise _refused(error) from None


def rootless() -> bool:
    """Whether this process is in a user namespace that doesn't map all ids onto themselves."""
    with open("/proc/thread-self/uid_map", encoding="ascii") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _hide_unified() -> None:
    """Cover the version 2 part of a hybrid host. A tmpfs does for root and user alike (a user could not unmount
    what came from a more privileged namespace) and takes what crun writes there in the belief that it is a
    control group; unmounting would let that into the host's own tmpfs below."""
    if os.path.ismount(UNIFIED):
        flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", UNIFIED, "tmpfs", flags, "mode=755")


def _enter_user_namespace() -> None:
    maps = subids.maps(os.getuid(), os.getgid())
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
    """The helper's whole life. Its report is empty when both maps are written."""
    report = "the helper ended early"
    try:
        os.close(go_write)
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
    """The error for namespaces the kernel won't make, naming the setting that forbids them where one does."""
    for name, forbids in (
        ("kernel.unprivileged_userns_clone", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
        ("user.max_user_namespaces", "0"),
        ("user.max_mnt_namespaces", "0"),
    ):
        value = _sysctl(name)
        privileged = os.geteuid() == 0 and not rootless()
        if value == forbids and not (privileged and "userns" in name):
            allow = {"0": "1", "1": "0"}[forbids] if name.startswith("kernel.") else "65536"
            return SandboxError(
                f"this machine forbids the namespaces that steps run in ({name} = {value})",
                help=f"as root: sysctl -w {name}={allow}",
            )
    reason = error.strerror or str(error)
    if error.errno == errno.EPERM:
        return SandboxError(
            f"the namespaces that steps run in can't be made: {reason}",
            help="inside a container this needs its default seccomp and AppArmor profiles lifted "
            "(--security-opt seccomp=unconfined --security-opt apparmor=unconfined), or --privileged",
        )
    return SandboxError(f"the namespaces that steps run in can't be made: {reason}")


def _sysctl(name: str) -> str | None:
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _check_executable(store_root: str) -> None:
    if os.statvfs(store_root).f_flag & os.ST_NOEXEC:
        raise SandboxError(
            f"the store {store_root} is on a file system mounted noexec, where no step could run a program",
            help="set PYBUILD_ROOT to a directory on another file system",
        )
