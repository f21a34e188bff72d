"""The schema of `buildkitd.toml`, buildkitd's reference: docs/buildkitd.toml.md of moby/buildkit.

Keys of buildkitd that this daemon has no use for are not in it: the file is read leniently. Keys that ask for what
the daemon can't do are refused.
"""

from __future__ import annotations

from pybuild.daemon import values
from pybuild.daemon.amounts import parse_space
from pybuild.lang.dockerfile.durations import parse_duration
from pybuild.request.config.schema import Kind, flag, integer, list_of, number_or_text, table, table_of, text
from pybuild.request.config.user_file import registry_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.request.config.schema import Place, Schema

SECOND = 1_000_000_000


def _duration(value: int | str, place: Place) -> int:
    """Return the nanoseconds of `"48h"`, or of the seconds `"172800"` or 172800."""
    length = str(number_or_text("a duration").read(value, place)).strip('"')
    if not length:
        return 0
    if length.lstrip("-").isdecimal():
        return int(length) * SECOND
    try:
        return parse_duration(length)
    except ValueError as error:
        raise place.wrong(f"a duration: {length!r} {error}") from None


def _space(value: int | str, place: Place) -> tuple[int, int]:
    """Return bytes, and percents of the disk if the bytes are 0."""
    amount = number_or_text("an amount of disk space").read(value, place)
    try:
        return parse_space(str(amount))
    except ValueError as error:
        raise place.wrong(f"an amount of disk space: {error}") from None


def _refused_kind(kind: Kind, why: str) -> Kind:
    """Return the kind of a key that may only be false or empty."""

    def read(value: object, place: Place) -> object:
        if kind.read(value, place):
            raise place.error(f"{place.name} is not supported: {why}", "remove the key")
        return kind.default

    return Kind(read, kind.default)


_duration_kind = Kind(_duration, 0)
_space_kind = Kind(_space, (0, 0))
_texts = list_of(text)
_limits: Schema = {
    "reservedSpace": _space_kind,
    "maxUsedSpace": _space_kind,
    "minFreeSpace": _space_kind,
}
_policy: Schema = {
    "all": flag,
    "filters": _texts,
    "keepDuration": _duration_kind,
    "keepBytes": _space_kind,
    **_limits,
}
OCI: Schema = {
    "enabled": flag.default_to(None),
    "labels": table_of(text),
    "platforms": _texts.then(values.platforms),
    "snapshotter": text.then(values.snapshotter),
    "rootless": flag,
    "noProcessSandbox": _refused_kind(flag, "a step always has a pid namespace of its own"),
    "gc": flag.default_to(None),
    "gckeepstorage": _space_kind,
    **_limits,
    "gcpolicy": list_of(table(_policy)),
    "networkMode": text.then(values.network).default_to("auto"),
    "cniConfigPath": text,
    "binary": text,
    "proxySnapshotterPath": _refused_kind(text, "snapshotters of other processes are not used"),
    "defaultCgroupParent": text,
    "apparmor-profile": _refused_kind(text, "AppArmor profiles are not applied"),
    "selinux": _refused_kind(flag, "SELinux labels are not applied"),
    "max-parallelism": number_or_text("a number of steps, or num-cpu").then(values.parallelism),
}
_frontend = table({"enabled": flag.default_to(True), "allowedRepositories": _texts})

DAEMON_FILE: Schema = {
    "debug": flag,
    "trace": flag,
    "root": text,
    "insecure-entitlements": _texts.then(values.entitlements),
    "log": table({"format": text.then(values.log_format).default_to("text")}),
    "grpc": table(
        {
            "address": _texts,
            "debugAddress": text,
            "uid": integer().default_to(None),
            "gid": integer().default_to(None),
            "tls": table({"cert": text, "key": text, "ca": text}),
        }
    ),
    "cdi": table({"disabled": flag, "specDirs": _texts.default_to(None), "autoAllowed": _texts}),
    "worker": table(
        {
            "oci": table(OCI),
            "containerd": table({"enabled": _refused_kind(flag, "there is no containerd worker")}),
        }
    ),
    # Directories with authorities (`*.crt`) and pairs of a certificate and its key (`*.cert`, `*.key`).
    "registry": table_of(table({**registry_keys(text), "tlsconfigdir": _texts})),
    "dns": table({"nameservers": _texts, "options": _texts, "searchDomains": _texts}),
    "history": table({"maxAge": _duration_kind, "maxEntries": integer()}).default_to(None),
    "frontend": table({"dockerfile.v0": _frontend, "gateway.v0": _frontend}),
}
