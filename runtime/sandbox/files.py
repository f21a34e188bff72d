"""Files that a step sees but that are no part of its result: /etc/hosts, /etc/resolv.conf, and mount points.

A mount needs a file or directory to be mounted on. One that the root lacks is made before the step, and removed
after it if it is still empty, so that it never gets into a layer; the directory above it keeps its times. With
`recursive` the directories made above a mount point are removed too (BuildKit's `remove_mount_stubs_recursive`).
"""

from __future__ import annotations

import os
import stat

from pybuild.runtime.sandbox.rootpath import resolve
from pybuild.runtime.sandbox.spec import HOSTNAME
from pybuild.runtime.snapshots.livetree import open_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.compiler.ops import HostIP
    from pybuild.runtime.sandbox.surroundings import Dns

HOST_RESOLV_CONF = "/etc/resolv.conf"
_PUBLIC_RESOLVERS = ("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844")


def hosts_file(hostname: str, extra: Iterable[HostIP]) -> str:
    """The text of a step's /etc/hosts."""
    lines = [f"127.0.0.1\tlocalhost {hostname or HOSTNAME}", "::1\tlocalhost ip6-localhost ip6-loopback"]
    lines += [f"{entry.ip}\t{entry.host}" for entry in extra]
    return "\n".join(lines) + "\n"


def resolv_conf(text: str, forwarder: str | None = None) -> str:
    """Adapt the host's resolv.conf, `text`, to a step in a network of its own.

    Resolvers on the host's loopback can't be reached from there and are left out. If none remains, the address
    `forwarder`, at which the network's tool answers for the host's resolver, takes the place of loopback resolvers.
    Otherwise public resolvers are used.
    """
    kept, servers, local = [], 0, False
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            if _loopback(words[1]):
                local = True
                continue
            servers += 1
        if line[:1] not in ("#", ";") and words:
            kept.append(line)
    if not servers:
        names = (forwarder,) if forwarder and local else _PUBLIC_RESOLVERS
        kept = [*(f"nameserver {name}" for name in names), *kept]
    return "\n".join(kept) + "\n"


def with_dns(text: str, dns: Dns | None) -> str:
    """Replace lines of the host's resolv.conf, `text`, by those of `dns`: each kind of line that it has any of."""
    if dns is None:
        return text
    values = {"nameserver": dns.servers, "options": dns.options, "search": dns.search}
    replaced = {word for word, lines in values.items() if lines} | ({"domain"} if dns.search else set())
    lines = [line for line in text.splitlines() if line.split()[:1] not in [[word] for word in replaced]]
    lines += [f"nameserver {one}" for one in dns.servers]
    lines += [f"{word} {' '.join(values[word])}" for word in ("options", "search") if values[word]]
    return "".join(f"{line}\n" for line in lines)


def read_host_resolv_conf() -> str:
    """The host's resolver configuration; "" if it has none."""
    try:
        with open(HOST_RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _loopback(address: str) -> bool:
    return address.startswith("127.") or address.partition("%")[0] in ("::1", "0:0:0:0:0:0:0:1")


KEPT = (b"/proc", b"/sys", b"/dev")
"""Mount points that stay in the step's result if they had to be made, as in BuildKit."""


class MountPoints:
    """The mount points of one step in the root `rootfs`. Call `prepare` before the step and `clean` after it."""

    __slots__ = ("_made", "_recursive", "_root")

    def __init__(self, rootfs: bytes, *, recursive: bool = False) -> None:
        self._root = rootfs.rstrip(b"/")
        self._recursive = recursive
        self._made: list[bytes] = []

    def prepare(self, mounts: Sequence[dict[str, object]]) -> None:
        """Make the missing mount points of the OCI `mounts`, given in the order of mounting. A mount point inside
        an earlier mount is left to the runtime, since it is not in the root. Raises OSError when something is in
        the way."""
        covered: list[bytes] = []
        for mount in mounts:
            path = resolve(self._root, str(mount["destination"]))
            if path == self._root:
                continue
            if not any(path.startswith(above + b"/") for above in covered):
                source = str(mount["source"])
                self._make(path, file=mount["type"] == "bind" and not os.path.isdir(source))
            covered.append(path)

    def _make(self, path: bytes, *, file: bool) -> None:
        missing = []
        above = path
        while not os.path.lexists(above):
            missing.append(above)
            above = os.path.dirname(above)
        if not missing:
            return
        times = _times(above)
        # chmod after mkdir, whose mode is cut by the umask.
        for directory in reversed(missing[1:]):
            os.mkdir(directory, 0o755)
            os.chmod(directory, 0o755)
        if file:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        else:
            os.mkdir(path, 0o755)
        if path.removeprefix(self._root) not in KEPT:
            self._made += missing if self._recursive else missing[:1]
        # Otherwise directories made in it stay in the result, and its new time belongs to that.
        if self._recursive or len(missing) == 1:
            os.utime(above, ns=times)

    def clean(self) -> None:
        """Remove the entries that `prepare` made and the step left empty. Idempotent."""
        paths, self._made = self._made, []
        # Longest first: a directory after what lies in it.
        for path in sorted(paths, key=len, reverse=True):
            try:
                self._remove(path)
            except OSError:
                # The step removed it, filled it, or put something else there: that is the step's result.
                continue

    def _remove(self, path: bytes) -> None:
        # By descriptors from the root on: the step may have replaced a directory above by a symlink to anywhere.
        *above, name = path.removeprefix(self._root + b"/").split(b"/")
        parent = open_directory(self._root, above)
        try:
            status = os.lstat(name, dir_fd=parent)
            times = _times(parent)
            if stat.S_ISDIR(status.st_mode):
                os.rmdir(name, dir_fd=parent)
            elif status.st_size == 0 and stat.S_ISREG(status.st_mode):
                os.unlink(name, dir_fd=parent)
            else:
                return
            os.utime(parent, ns=times)
        finally:
            os.close(parent)


def _times(path: bytes | int) -> tuple[int, int]:
    status = os.stat(path, follow_symlinks=False) if isinstance(path, bytes) else os.fstat(path)
    return status.st_atime_ns, status.st_mtime_ns


def remove_tree(path: str) -> None:
    """Remove a directory of the sandbox's own, with nothing mounted in it. An absent one is no error."""
    try:
        entries = list(os.scandir(path))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            os.unlink(entry.path)
    os.rmdir(path)
