"""The model of `buildkitd.toml`. What it asks for and this daemon doesn't do is refused by name (`settings.py`)."""

# ruff: noqa: RUF009 - what is called makes a field

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from pybuild.daemon.configtables import (
    At,
    duration,
    flag,
    named,
    nested,
    number,
    number_or_text,
    read,
    setting,
    space,
    table,
    tables,
    text,
    texts,
)
from pybuild.request.config.tomlfile import read_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Source

NOTHING = (0, 0)


@frozen
class Log:
    format: str = setting(text, "")


@frozen
class Tls:
    cert: str = setting(text, "")
    key: str = setting(text, "")
    ca: str = setting(text, "")


@frozen
class Grpc:
    address: Sequence[str] = setting(texts, ())
    debug_address: str = setting(text, "")
    uid: int | None = setting(number, None)
    gid: int | None = setting(number, None)
    tls: Tls = nested(Tls)


@frozen
class Cdi:
    disabled: bool = setting(flag, False)
    spec_dirs: Sequence[str] | None = setting(texts, None)
    auto_allowed: Sequence[str] = setting(texts, ())


@frozen
class GcPolicy:
    all: bool = setting(flag, False)
    filters: Sequence[str] = setting(texts, ())
    keep_duration: int = setting(duration, 0)
    keep_bytes: tuple[int, int] = setting(space, NOTHING)
    reserved_space: tuple[int, int] = setting(space, NOTHING)
    max_used_space: tuple[int, int] = setting(space, NOTHING)
    min_free_space: tuple[int, int] = setting(space, NOTHING)


@frozen
class Oci:
    enabled: bool | None = setting(flag, None)
    labels: Mapping[str, str] = setting(named(text), {})
    platforms: Sequence[str] = setting(texts, ())
    snapshotter: str = setting(text, "")
    rootless: bool = setting(flag, False)
    no_process_sandbox: bool = setting(flag, False)
    gc: bool | None = setting(flag, None)
    keep_storage: tuple[int, int] = setting(space, NOTHING, "gckeepstorage")
    reserved_space: tuple[int, int] = setting(space, NOTHING)
    max_used_space: tuple[int, int] = setting(space, NOTHING)
    min_free_space: tuple[int, int] = setting(space, NOTHING)
    gc_policy: Sequence[GcPolicy] = setting(tables(GcPolicy), (), "gcpolicy")
    network_mode: str = setting(text, "")
    cni_config_path: str = setting(text, "")
    binary: str = setting(text, "")
    proxy_snapshotter_path: str = setting(text, "")
    default_cgroup_parent: str = setting(text, "")
    apparmor_profile: str = setting(text, "", "apparmor-profile")
    selinux: bool = setting(flag, False)
    max_parallelism: str | int = setting(number_or_text, 0, "max-parallelism")


@frozen
class Containerd:
    enabled: bool | None = setting(flag, None)


@frozen
class Worker:
    oci: Oci = nested(Oci)
    containerd: Containerd = nested(Containerd)


@frozen
class KeyPair:
    key: str = setting(text, "")
    cert: str = setting(text, "")


@frozen
class Registry:
    mirrors: Sequence[str] = setting(texts, ())
    http: bool = setting(flag, False)
    insecure: bool = setting(flag, False)
    ca: Sequence[str] = setting(texts, ())
    keypair: Sequence[KeyPair] = setting(tables(KeyPair), ())
    tls_directories: Sequence[str] = setting(texts, (), "tlsconfigdir")
    """Directories with authorities (`*.crt`) and pairs of a certificate and its key (`*.cert`, `*.key`)."""


@frozen
class Dns:
    nameservers: Sequence[str] = setting(texts, ())
    options: Sequence[str] = setting(texts, ())
    search_domains: Sequence[str] = setting(texts, ())


@frozen
class History:
    max_age: int = setting(duration, 0)
    max_entries: int = setting(number, 0)


@frozen
class Frontend:
    enabled: bool = setting(flag, True)
    allowed_repositories: Sequence[str] = setting(texts, ())


@frozen
class Frontends:
    dockerfile: Frontend = nested(Frontend, "dockerfile.v0")
    gateway: Frontend = nested(Frontend, "gateway.v0")


@frozen
class DaemonFile:
    """The whole file."""

    debug: bool = setting(flag, False)
    trace: bool = setting(flag, False)
    root: str = setting(text, "")
    entitlements: Sequence[str] = setting(texts, (), "insecure-entitlements")
    log: Log = nested(Log)
    grpc: Grpc = nested(Grpc)
    cdi: Cdi = nested(Cdi)
    worker: Worker = nested(Worker)
    registries: Mapping[str, Registry] = setting(named(table(Registry)), {}, "registry")
    dns: Dns = nested(Dns)
    history: History | None = setting(table(History), None)
    frontend: Frontends = nested(Frontends)


def load(source: Source) -> DaemonFile:
    """Raises UsageError with the line that is wrong."""
    return read(DaemonFile, read_table(source), At(source))
