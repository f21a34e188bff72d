"""Steps: processes to run, with their root file system, mounts, identity and limits."""

from __future__ import annotations

from pybuild.compiler.ops import Meta, NetMode, SecurityMode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import LinuxResources
    from pybuild.runtime.sandbox.devices import Edits
    from pybuild.runtime.sandbox.users import Identity

DEFAULT_SHM_SIZE = 64 << 20


class StepMount:
    """A mount at `dest` (absolute, in the step's root): a bind mount of the directory or file `source`, or without
    a source a tmpfs of `size` bytes (0 for the kernel's default, half of the memory).

    `options` are further mount options in the form of the OCI runtime specification ("mode=1777", "noexec").
    """

    __slots__ = ("dest", "options", "readonly", "size", "source")

    def __init__(
        self,
        dest: str,
        source: str | None = None,
        *,
        size: int = 0,
        readonly: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.dest = dest
        self.source = source
        self.size = size
        self.readonly = readonly
        self.options = tuple(options)


class Step:
    """A process to run in `rootfs`, the path of a mounted root.

    `secret_env` has `NAME=value` strings that come after every other variable. `shm_size` is the size of /dev/shm
    in bytes. `pids` limits the number of processes, 0 for no limit. `readonly` forbids writes to the root.
    `devices` are the changes that CDI devices need. `terminal`: its streams are a terminal.
    """

    __slots__ = (
        "devices",
        "identity",
        "meta",
        "mounts",
        "network",
        "pids",
        "readonly",
        "resources",
        "rootfs",
        "secret_env",
        "security",
        "shm_size",
        "terminal",
    )

    def __init__(
        self,
        rootfs: bytes,
        meta: Meta,
        identity: Identity,
        *,
        mounts: Sequence[StepMount] = (),
        network: NetMode = NetMode.UNSET,
        security: SecurityMode = SecurityMode.SANDBOX,
        secret_env: Sequence[str] = (),
        resources: LinuxResources | None = None,
        pids: int = 0,
        shm_size: int = DEFAULT_SHM_SIZE,
        readonly: bool = False,
        devices: Edits | None = None,
        terminal: bool = False,
    ) -> None:
        self.rootfs = rootfs
        self.meta = meta
        self.identity = identity
        self.mounts = tuple(mounts)
        self.network = network
        self.security = security
        self.secret_env = tuple(secret_env)
        self.resources = resources
        self.pids = pids
        self.shm_size = shm_size or DEFAULT_SHM_SIZE
        self.readonly = readonly
        self.devices = devices
        self.terminal = terminal

    @property
    def insecure(self) -> bool:
        """Report whether it runs with all capabilities and devices (`RUN --security=insecure`)."""
        return self.security == SecurityMode.INSECURE
