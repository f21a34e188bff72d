"""The OCI runtime configuration (`config.json`) of a step.

The values are those that BuildKit's executor and containerd's default specification give a build step: Docker's
default capabilities, none of them inheritable or ambient, `noNewPrivileges` false, no `/run` tmpfs, no rlimits
unless requested, hostname `buildkitsandbox`. The format is https://github.com/opencontainers/runtime-spec, version
1.0.2.
"""

from __future__ import annotations

import json
import os

from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.seccomp import profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.compiler.ops import Meta, ProxyEnv, Ulimit
    from pybuild.runtime.sandbox.devices import Edits
    from pybuild.runtime.sandbox.step import Step, StepMount
    from pybuild.runtime.sandbox.users import Identity

HOSTNAME = "buildkitsandbox"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""Docker's default set of capabilities."""

_ALL_CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
"""The names of the capabilities in the order of their numbers, without CAP_."""

# Docker's masked and read-only paths: parts of /proc and /sys that namespaces don't cover.
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_QUIET = ["nosuid", "noexec", "nodev"]
# At the end of a destination: crun takes no mount at "/", and a plain path would replace the mount that it names.
_ITSELF = "/."
# gid 5 is the group `tty` of every common distribution.
_PTS_OPTIONS = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]

# Device nodes of an insecure step, by major and minor number, with those of loop devices: as in BuildKit.
_INSECURE_DEVICES = (
    ("/dev/kmsg", 1, 11),
    ("/dev/cuse", 10, 203),
    ("/dev/fuse", 10, 229),
    ("/dev/kvm", 10, 232),
    ("/dev/net/tun", 10, 200),
    ("/dev/loop-control", 10, 237),
)
_LOOP_MAJOR = 7
_LOOPS = 8

RLIMITS = """
as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack
"""
"""The kernel's resource limits by their names in `--ulimit`."""


class StepContext:
    """The facts besides the step itself that its configuration depends on.

    `hosts` and `resolv_conf` are paths of the files for the step's /etc. `rootless`: the build is in a user
    namespace of its own. `unified`: control groups are version 2, and the step sees its own at /sys/fs/cgroup.
    `cgroup`: the path of the step's control group, None without one. `netns`: the path of a network namespace; ""
    for a fresh one with only loopback; None for the host's. `unfiltered`: no control group keeps the step from the
    machine's devices, so it can't make device nodes, nor open those in its root and its own mounts.
    """

    __slots__ = ("cgroup", "hosts", "netns", "resolv_conf", "rootless", "unfiltered", "unified")

    def __init__(
        self,
        *,
        hosts: str,
        resolv_conf: str,
        netns: str | None,
        cgroup: str | None,
        rootless: bool,
        unified: bool,
        unfiltered: bool,
    ) -> None:
        self.hosts = hosts
        self.resolv_conf = resolv_conf
        self.netns = netns
        self.cgroup = cgroup
        self.rootless = rootless
        self.unified = unified
        self.unfiltered = unfiltered


def configuration(step: Step, context: StepContext, limits: Mapping[str, object]) -> str:
    """The text of a step's `config.json`. `limits` is the OCI `linux.resources` object without devices. Raises
    SandboxError for a zero byte in an argument or a variable, and for an unknown ulimit."""
    linux: dict[str, object] = {
        "namespaces": _namespaces(context),
        "maskedPaths": [] if step.insecure else _masked(context),
        "readonlyPaths": [] if step.insecure else _READONLY,
        "resources": dict(limits),
    }
    if not context.unfiltered:
        linux["resources"] = {**limits, "devices": _device_rules(step)}
    if context.cgroup is not None:
        linux["cgroupsPath"] = context.cgroup
    devices = _insecure_devices() if step.insecure and not context.rootless else []
    if step.devices is not None:
        devices += step.devices.devices
    if devices:
        linux["devices"] = devices
    document: dict[str, object] = {
        "ociVersion": "1.0.2",
        "root": {"path": os.fsdecode(step.rootfs), "readonly": step.readonly and not context.unfiltered},
        "hostname": step.meta.hostname or HOSTNAME,
        "process": _process(step, context.unfiltered),
        "mounts": mounts(step, context),
    }
    if step.devices is not None and step.devices.hooks:
        document["hooks"] = step.devices.hooks
    document["linux"] = linux
    text = json.dumps(document, separators=(",", ":"))
    filter = None if step.insecure else profile(os.uname().machine)
    # "linux" is the last member of the document: the prebuilt profile goes in before the two closing braces.
    return text if filter is None else f'{text[:-2]},"seccomp":{filter}}}}}'


def process_text(step: Step, *, unfiltered: bool) -> str:
    """The text of a `process.json`, for a process that joins a container. Raises as `configuration`."""
    return json.dumps(_process(step, unfiltered), separators=(",", ":"))


def environment(meta: Meta, secret_env: Iterable[str], home: str) -> list[str]:
    """The step's variables: the image's, the proxies, a default PATH, secrets, and HOME where none is set.

    A runtime would take HOME from the image's passwd file. It is set here so that all runtimes do the same.
    """
    env = [pair for pair in meta.env if "=" in pair]
    if meta.proxy_env is not None:
        env += _proxies(meta.proxy_env)
    if not any(pair.startswith("PATH=") for pair in env):
        env.append(f"PATH={PATH}")
    env += secret_env
    if not any(pair.startswith("HOME=") for pair in env):
        env.append(f"HOME={home}")
    return env


def mounts(step: Step, context: StepContext) -> list[dict[str, object]]:
    """The OCI mounts of a step in the order of mounting. A later one at the same place replaces an earlier one, so
    a step's own mount at /dev/shm or /etc/hosts wins."""
    default = [
        _mount("/proc", "proc", "proc", _QUIET),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", _PTS_OPTIONS),
        _mount("/dev/shm", "tmpfs", "shm", [*_QUIET, "mode=1777", f"size={step.shm_size}"]),
        _mount("/dev/mqueue", "mqueue", "mqueue", _QUIET),
        *_sys(step, context),
        _mount("/etc/resolv.conf", "bind", context.resolv_conf, [*_QUIET, "rbind", "ro"]),
        _mount("/etc/hosts", "bind", context.hosts, [*_QUIET, "rbind", "ro"]),
    ]
    ordered: dict[str, dict[str, object]] = {}
    # By path components: a mount inside another has to come after it.
    own = sorted(step.mounts, key=lambda mount: os.path.normpath(mount.dest).split("/"))
    of_devices = step.devices.mounts if step.devices is not None else []
    nodev = context.unfiltered
    for mount in [*default, *(_own_mount(mount, nodev) for mount in own), *of_devices]:
        dest = str(mount["destination"])
        ordered.pop(dest, None)
        ordered.pop(dest + _ITSELF, None)
        ordered[dest] = mount
    # The runtimes bind the root anew, without the flags of its mount and with no way to name others.
    of_root = [_remount("", ["nodev", *(["ro"] if step.readonly else [])])] if nodev else []
    return [*ordered.values(), *of_root]


def _mount(dest: str, kind: str, source: str, options: list[str]) -> dict[str, object]:
    return {"destination": dest, "type": kind, "source": source, "options": options}


def _remount(dest: str, options: list[str]) -> dict[str, object]:
    """Change the flags of what the runtime has mounted at `dest`, and not of the mounts inside it."""
    return _mount(dest + _ITSELF, "bind", "/", ["remount", "bind", *options])


def _own_mount(mount: StepMount, nodev: bool) -> dict[str, object]:
    access = ["ro" if mount.readonly else "rw", *(["nodev"] if nodev else [])]
    dest = os.path.normpath("/" + mount.dest.lstrip("/"))
    if mount.source is not None:
        return _mount(dest, "bind", mount.source, ["rbind", *access, *mount.options])
    size = [f"size={mount.size}"] if mount.size else []
    return _mount(dest, "tmpfs", "tmpfs", ["nosuid", *size, *access, *mount.options])


def _sys(step: Step, context: StepContext) -> list[dict[str, object]]:
    access = [] if step.insecure else ["ro"]
    if context.rootless and context.netns is None:
        # sysfs shows the network namespace's devices, so only a process that owns that namespace may mount it.
        return [_mount("/sys", "none", "/sys", ["rbind", *_QUIET, "ro"])]
    mounts = [_mount("/sys", "sysfs", "sysfs", [*_QUIET, *access])]
    if context.cgroup is not None:
        mounts.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", [*_QUIET, "relatime", *access]))
        if access and not context.unified:
            # For version 1 the runtimes mount a tmpfs there, which they leave writable.
            mounts.append(_remount("/sys/fs/cgroup", [*_QUIET, "ro"]))
    return mounts


def _masked(context: StepContext) -> Sequence[str]:
    """The paths to hide. Where /sys is the host's, its control groups would be writable: `ro` is not recursive."""
    return (*_MASKED, "/sys/fs/cgroup") if context.rootless and context.netns is None else _MASKED


def _namespaces(context: StepContext) -> list[dict[str, str]]:
    namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    if context.netns is not None:
        namespaces.append(
            {"type": "network", "path": context.netns} if context.netns else {"type": "network"}
        )
    if context.unified and context.cgroup is not None:
        namespaces.append({"type": "cgroup"})
    return namespaces


def _additional(identity: Identity, devices: Edits | None) -> tuple[int, ...]:
    """The supplementary groups of a step: its own, with the primary group among them as in BuildKit, and its
    devices'."""
    own = identity.groups if identity.gid in identity.groups else (identity.gid, *identity.groups)
    return tuple(dict.fromkeys((*own, *(devices.gids if devices is not None else ()))))


def _with_devices(env: list[str], devices: Edits | None) -> list[str]:
    """Add the variables of devices, which replace others of the same name."""
    if devices is None or not devices.env:
        return env
    names = {pair.partition("=")[0] for pair in devices.env}
    return [*(pair for pair in env if pair.partition("=")[0] not in names), *devices.env]


def _process(step: Step, unfiltered: bool) -> dict[str, object]:
    meta = step.meta
    env = _with_devices(environment(meta, step.secret_env, step.identity.home), step.devices)
    _check_texts(meta, env)
    capabilities = list(_own_capabilities()) if step.insecure else list(CAPABILITIES)
    if unfiltered:
        capabilities.remove("CAP_MKNOD")
    sets = ("bounding", "effective", "permitted", *(("inheritable", "ambient") if step.insecure else ()))
    return {
        "terminal": step.terminal,
        "user": {
            "uid": step.identity.uid,
            "gid": step.identity.gid,
            "additionalGids": _additional(step.identity, step.devices),
            "umask": 0o022,
        },
        "args": meta.args,
        "env": env,
        "cwd": meta.cwd or "/",
        "capabilities": dict.fromkeys(sets, capabilities),
        "noNewPrivileges": False,
        "rlimits": [_rlimit(limit) for limit in meta.ulimit],
    }


def _check_texts(meta: Meta, env: Iterable[str]) -> None:
    """Refuse zero bytes: they would end the argument or variable early. Raises SandboxError."""
    if any("\0" in arg for arg in meta.args):
        raise SandboxError(
            "the command holds a zero byte, which no argument of a program can",
            help="remove the byte; to write one to a file: printf '\\000'",
        )
    for name, _, value in (pair.partition("=") for pair in env):
        if "\0" in name or "\0" in value:
            raise SandboxError(
                f"the variable {name!r} holds a zero byte, which no variable can", help="remove the byte"
            )


def _rlimit(limit: Ulimit) -> dict[str, object]:
    if limit.name.lower() not in RLIMITS.split():
        raise SandboxError(
            f"unknown ulimit {limit.name!r}", help="the names are " + ", ".join(RLIMITS.split())
        )
    unlimited = (1 << 64) - 1  # RLIM_INFINITY, for which a frontend sends -1
    return {
        "type": "RLIMIT_" + limit.name.upper(),
        "hard": limit.hard & unlimited,
        "soft": limit.soft & unlimited,
    }


def _proxies(proxy: ProxyEnv) -> list[str]:
    env = []
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"):
        value: str = getattr(proxy, name)
        if value:
            env += [f"{name.upper()}={value}", f"{name}={value}"]
    return env


def _own_capabilities() -> tuple[str, ...]:
    """The capabilities that this process may pass on: its bounding set, without those newer than this module."""
    with open("/proc/thread-self/status", encoding="ascii", errors="replace") as file:
        bounding = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return tuple(
        f"CAP_{name}" for number, name in enumerate(_ALL_CAPABILITIES.split()) if bounding >> number & 1
    )


def _device_rules(step: Step) -> list[dict[str, object]]:
    """The device rules: all are allowed for an insecure step; else all are denied, except those of its devices, to
    which the runtimes add the default ones (null, zero, tty, …)."""
    if step.insecure:
        return [{"allow": True, "type": kind, "access": "rwm"} for kind in "cb"]
    denied: list[dict[str, object]] = [{"allow": False, "access": "rwm"}]
    return denied + (step.devices.rules if step.devices is not None else [])


def _insecure_devices() -> list[dict[str, object]]:
    devices: list[dict[str, object]] = [
        {"path": path, "type": "c", "major": major, "minor": minor}
        for path, major, minor in _INSECURE_DEVICES
    ]
    devices += [
        {"path": f"/dev/loop{number}", "type": "b", "major": _LOOP_MAJOR, "minor": number}
        for number in range(_LOOPS)
    ]
    return devices
