"""The OCI runtime configuration (`config.json`) of a step.

Values are those that BuildKit's executor and containerd's default specification give a build step: default
capabilities without inheritable or ambient ones, `noNewPrivileges` false, no `/run` tmpfs, no rlimits unless
asked for, hostname `buildkitsandbox`.
"""

from __future__ import annotations

import json
import os

from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.seccomp import profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
"""Docker's default set."""

_ALL_CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
"""By number: the name of capability n is the n-th, without its CAP_."""

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
_PTS_OPTIONS = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]

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


class Surroundings:
    """What a configuration depends on besides the step.

    `rootless`: the build is in a user namespace of its own. `unified`: control groups are version 2, the step's
    own one visible at /sys/fs/cgroup. `cgroup`: path of the step's control group, None for none. `netns`: path
    of a network namespace; "" makes a fresh one with only loopback; None is the host's.
    """

    __slots__ = ("cgroup", "hosts", "netns", "resolv_conf", "rootless", "unified")

    def __init__(
        self,
        *,
        hosts: str,
        resolv_conf: str,
        netns: str | None,
        cgroup: str | None,
        rootless: bool,
        unified: bool,
    ) -> None:
        self.hosts = hosts
        self.resolv_conf = resolv_conf
        self.netns = netns
        self.cgroup = cgroup
        self.rootless = rootless
        self.unified = unified


def configuration(step: Step, around: Surroundings, limits: Mapping[str, object]) -> str:
    """The text of `config.json`. `limits` is the OCI `linux.resources` object without devices."""
    linux: dict[str, object] = {
        "namespaces": _namespaces(around),
        "maskedPaths": [] if step.insecure else _MASKED,
        "readonlyPaths": [] if step.insecure else _READONLY,
        "resources": {**limits, "devices": _device_rules(step)},
    }
    if around.cgroup is not None:
        linux["cgroupsPath"] = around.cgroup
    devices = _insecure_devices() if step.insecure and not around.rootless else []
    if step.devices is not None:
        devices += step.devices.devices
    if devices:
        linux["devices"] = devices
    document: dict[str, object] = {
        "ociVersion": "1.0.2",
        "root": {"path": os.fsdecode(step.rootfs), "readonly": step.readonly},
        "hostname": step.meta.hostname or HOSTNAME,
        "process": _process(step),
        "mounts": mounts(step, around),
    }
    if step.devices is not None and step.devices.hooks:
        document["hooks"] = step.devices.hooks
    document["linux"] = linux
    text = json.dumps(document, separators=(",", ":"))
    filter = None if step.insecure else profile(os.uname().machine)
    # "linux" is the last member of the document: the prebuilt profile goes in before the two closing braces.
    return text if filter is None else f'{text[:-2]},"seccomp":{filter}}}}}'


def process_text(step: Step) -> str:
    """The text of a `process.json`: a process that joins a container."""
    return json.dumps(_process(step), separators=(",", ":"))


def environment(meta: Meta, secret_env: Iterable[str], home: str) -> list[str]:
    """The step's variables: the image's, the proxies, a default PATH, secrets, and HOME where none is set.

    The runtimes take HOME from the image's passwd file; it is set here so that both do the same.
    """
    found = [pair for pair in meta.env if "=" in pair]
    if meta.proxy_env is not None:
        found += _proxies(meta.proxy_env)
    if not any(pair.startswith("PATH=") for pair in found):
        found.append(f"PATH={PATH}")
    found += secret_env
    if not any(pair.startswith("HOME=") for pair in found):
        found.append(f"HOME={home}")
    return found


def mounts(step: Step, around: Surroundings) -> list[dict[str, object]]:
    """All mounts in the order they are made. A later one at the same place replaces an earlier one, so a step's
    own mount at /dev/shm or /etc/hosts wins."""
    default = [
        _mount("/proc", "proc", "proc", _QUIET),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", "devpts", _PTS_OPTIONS),
        _mount("/dev/shm", "tmpfs", "shm", [*_QUIET, "mode=1777", f"size={step.shm_size}"]),
        _mount("/dev/mqueue", "mqueue", "mqueue", _QUIET),
        *_sys(step, around),
        _mount("/etc/resolv.conf", "bind", around.resolv_conf, [*_QUIET, "rbind", "ro"]),
        _mount("/etc/hosts", "bind", around.hosts, [*_QUIET, "rbind", "ro"]),
    ]
    ordered: dict[str, dict[str, object]] = {}
    own = sorted(step.mounts, key=lambda mount: os.path.normpath(mount.dest).split("/"))
    of_devices = step.devices.mounts if step.devices is not None else []
    for mount in [*default, *(_own_mount(mount) for mount in own), *of_devices]:
        dest = str(mount["destination"])
        ordered.pop(dest, None)
        ordered[dest] = mount
    return list(ordered.values())


def _mount(dest: str, kind: str, source: str, options: list[str]) -> dict[str, object]:
    return {"destination": dest, "type": kind, "source": source, "options": options}


def _own_mount(mount: StepMount) -> dict[str, object]:
    access = ["ro" if mount.readonly else "rw"]
    dest = os.path.normpath("/" + mount.dest.lstrip("/"))
    if mount.source is not None:
        return _mount(dest, "bind", mount.source, ["rbind", *access, *mount.options])
    size = [f"size={mount.size}"] if mount.size else []
    return _mount(dest, "tmpfs", "tmpfs", ["nosuid", *size, *access, *mount.options])


def _sys(step: Step, around: Surroundings) -> list[dict[str, object]]:
    access = [] if step.insecure else ["ro"]
    if around.rootless and around.netns is None:
        # sysfs shows the network namespace's devices, so only the owner of that namespace may mount it.
        return [_mount("/sys", "none", "/sys", ["rbind", *_QUIET, "ro"])]
    found = [_mount("/sys", "sysfs", "sysfs", [*_QUIET, *access])]
    if around.cgroup is not None:
        found.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", [*_QUIET, "relatime", *access]))
    return found


def _namespaces(around: Surroundings) -> list[dict[str, str]]:
    found = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    if around.netns is not None:
        found.append({"type": "network", "path": around.netns} if around.netns else {"type": "network"})
    if around.unified and around.cgroup is not None:
        found.append({"type": "cgroup"})
    return found


def _additional(identity: Identity, devices: Edits | None) -> tuple[int, ...]:
    """The supplementary groups with the primary one among them, as BuildKit has it, and those of devices."""
    own = identity.groups if identity.gid in identity.groups else (identity.gid, *identity.groups)
    return tuple(dict.fromkeys((*own, *(devices.gids if devices is not None else ()))))


def _with_devices(env: list[str], devices: Edits | None) -> list[str]:
    """The variables with those of devices, which take the place of others of the same name."""
    if devices is None or not devices.env:
        return env
    names = {pair.partition("=")[0] for pair in devices.env}
    return [*(pair for pair in env if pair.partition("=")[0] not in names), *devices.env]


def _process(step: Step) -> dict[str, object]:
    meta = step.meta
    env = _with_devices(environment(meta, step.secret_env, step.identity.home), step.devices)
    _check_texts(meta, env)
    capabilities = list(_own_capabilities()) if step.insecure else list(CAPABILITIES)
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
    """What holds a zero byte would reach the program cut short."""
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
    unlimited = (1 << 64) - 1
    return {
        "type": "RLIMIT_" + limit.name.upper(),
        "hard": limit.hard & unlimited,
        "soft": limit.soft & unlimited,
    }


def _proxies(proxy: ProxyEnv) -> list[str]:
    found = []
    for name in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"):
        value: str = getattr(proxy, name)
        if value:
            found += [f"{name.upper()}={value}", f"{name}={value}"]
    return found


def _own_capabilities() -> tuple[str, ...]:
    """What this process may give away: its bounding set, by the names this module knows."""
    with open("/proc/thread-self/status", encoding="ascii", errors="replace") as file:
        bounding = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return tuple(
        f"CAP_{name}" for number, name in enumerate(_ALL_CAPABILITIES.split()) if bounding >> number & 1
    )


def _device_rules(step: Step) -> list[dict[str, object]]:
    """The runtimes add their default devices to the denial of all others."""
    if step.insecure:
        return [{"allow": True, "type": kind, "access": "rwm"} for kind in "cb"]
    denied: list[dict[str, object]] = [{"allow": False, "access": "rwm"}]
    return denied + (step.devices.rules if step.devices is not None else [])


def _insecure_devices() -> list[dict[str, object]]:
    found: list[dict[str, object]] = [
        {"path": path, "type": "c", "major": major, "minor": minor}
        for path, major, minor in _INSECURE_DEVICES
    ]
    found += [
        {"path": f"/dev/loop{number}", "type": "b", "major": _LOOP_MAJOR, "minor": number}
        for number in range(_LOOPS)
    ]
    return found
