"""The daemon's description of itself as a worker: ID, labels, platforms."""

from __future__ import annotations

import os
import secrets
import socket

from pybuild.compiler import platforms
from pybuild.compiler.ops import Platform
from pybuild.compiler.protos.worker_pb2 import BuildkitVersion, CDIDevice, GCPolicy, WorkerRecord
from pybuild.daemon.version import DOCKERFILE, PACKAGE, REVISION, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.daemon.settings import Settings

_PREFIX = "org.mobyproject.buildkit.worker."
_SNAPSHOTTERS = {"overlay": "overlayfs", "fuse-overlayfs": "fuse-overlayfs", "copy": "native"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BINFMT = "/proc/sys/fs/binfmt_misc"
_EMULATED = {
    "aarch64": ("arm64",),
    "arm": ("arm/v7", "arm/v6"),
    "riscv64": ("riscv64",),
    "ppc64le": ("ppc64le",),
    "s390x": ("s390x",),
    "mips64el": ("mips64le",),
    "mips64": ("mips64",),
    "loongarch64": ("loong64",),
    "i386": ("386",),
    "x86_64": ("amd64",),
}
"""The platforms that QEMU emulates, by its names of machines, in the order in which BuildKit lists them."""
_LEVELS = (
    ("v2", ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")),
    ("v3", ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe")),
    ("v4", ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
)
"""The CPU flags that each level of amd64 adds to the level before."""


def worker_record(settings: Settings) -> WorkerRecord:
    record = WorkerRecord(
        ID=worker_id(settings.root),
        Labels={**_labels(settings), **settings.labels},
        BuildkitVersion=buildkit_version(),
    )
    for platform in _platforms(settings):
        record.platforms.add(
            OS=platform.os,
            Architecture=platform.architecture,
            Variant=platform.variant,
            OSVersion=platform.os_version,
        )
    record.GCPolicy.extend(
        GCPolicy(
            all=policy.all,
            keepDuration=policy.keep_duration,
            filters=policy.filters,
            reservedSpace=policy.reserved_space,
            maxUsedSpace=policy.max_used_space,
            minFreeSpace=policy.min_free_space,
        )
        for policy in settings.policies
    )
    record.CDIDevices.extend(_devices(settings))
    return record


def worker_platforms(record: WorkerRecord) -> tuple[Platform, ...]:
    """Return the platforms of a record."""
    return tuple(
        Platform(
            os=platform.OS,
            architecture=platform.Architecture,
            variant=platform.Variant,
            os_version=platform.OSVersion,
        )
        for platform in record.platforms
    )


def buildkit_version() -> BuildkitVersion:
    return BuildkitVersion(package=PACKAGE, version=VERSION, revision=REVISION, dockerfileVersion=DOCKERFILE)


def worker_id(root: str) -> str:
    """Return the ID of a store's worker, 25 digits of base 36, made at the first call."""
    path = os.path.join(root, "workerid")
    try:
        with open(path, encoding="ascii") as file:
            stored_id = file.read().strip()
        if stored_id:
            return stored_id
    except OSError:
        pass
    new_id = "".join(secrets.choice(_DIGITS) for _ in range(25))
    with open(f"{path}.{os.getpid()}", "w", encoding="ascii") as file:
        file.write(new_id)
    # Renamed, so that no other process reads a part of it.
    os.replace(f"{path}.{os.getpid()}", path)
    return new_id


def _labels(settings: Settings) -> dict[str, str]:
    return {
        _PREFIX + "executor": "oci",
        _PREFIX + "hostname": socket.gethostname(),
        _PREFIX + "network": "host" if settings.network == "host" else "bridge",
        _PREFIX + "oci.process-mode": "sandbox",
        _PREFIX + "selinux.enabled": "false",
        _PREFIX + "snapshotter": _SNAPSHOTTERS.get(_snapshotter(settings), "overlayfs"),
    }


def _snapshotter(settings: Settings) -> str:
    """Return the configured snapshotter, else the one that the store has been set up with."""
    if settings.snapshotter:
        return settings.snapshotter
    from pybuild.runtime.snapshots.choose import REMEMBERED

    try:
        with open(os.path.join(settings.root, REMEMBERED), encoding="utf-8") as file:
            return file.read().split("\n", 1)[0].split(" ", 1)[0]
    except OSError:
        return ""


def _platforms(settings: Settings) -> list[Platform]:
    """Return the configured platforms, else those that this machine runs, its own first."""
    if settings.platforms:
        return [platforms.parse(text) for text in settings.platforms]
    host = platforms.default()
    supported = [host]
    if host.architecture == "amd64":
        supported += [platforms.parse(f"linux/amd64/{level}") for level in _levels()]
        supported.append(platforms.parse("linux/386"))
    for machine, names in _EMULATED.items():
        if _emulates(machine):
            supported += [platforms.parse(f"linux/{name}") for name in names]
    return list(dict.fromkeys(supported))


def _levels() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            line = next((cpu_line for cpu_line in file if cpu_line.startswith("flags")), "")
    except OSError:
        return []
    flags = frozenset(line.partition(":")[2].split())
    levels = []
    for level, needed in _LEVELS:
        if not flags.issuperset(needed):
            break
        levels.append(level)
    return levels


def _emulates(machine: str) -> bool:
    try:
        with open(os.path.join(_BINFMT, f"qemu-{machine}"), encoding="ascii") as file:
            return file.readline().strip() == "enabled"
    except OSError:
        return False


def _devices(settings: Settings) -> list[CDIDevice]:
    from pybuild.runtime.sandbox.devices import DIRECTORIES, Devices

    directories = DIRECTORIES if settings.devices is None else settings.devices
    return [
        CDIDevice(Name=name, AutoAllow=device.allowed, Annotations=dict(device.annotations))
        for name, device in Devices(directories).all().items()
    ]
