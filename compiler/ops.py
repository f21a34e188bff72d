"""LLB operations: the `op` of a vertex, as frozen values.

Names and meaning are those of BuildKit's `solver/pb/ops.proto`; fields are in the order of their numbers there. Input
numbers (`Mount.input`, `FileAction.input`, …) index the vertex's inputs; -1 (`EMPTY`) means none. Properties that
must not change the identity of a vertex are in `graph.Metadata`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map

EMPTY = -1
"""An input or output number that refers to nothing: the empty file system, or an output that isn't kept."""


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


def _numbers(items: Mapping[str, int]) -> FrozenMap[int]:
    return frozen_map(items)


class NetMode(enum.IntEnum):
    UNSET = 0
    HOST = 1
    NONE = 2


class SecurityMode(enum.IntEnum):
    SANDBOX = 0
    INSECURE = 1


class MountType(enum.IntEnum):
    BIND = 0
    SECRET = 1
    SSH = 2
    CACHE = 3
    TMPFS = 4


class ContentCache(enum.IntEnum):
    DEFAULT = 0
    ON = 1
    OFF = 2


class CacheSharing(enum.IntEnum):
    SHARED = 0
    PRIVATE = 1
    LOCKED = 2


@frozen
class Platform:
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()


@frozen
class SourceOp:
    """A source: `docker-image://`, `oci-layout://`, `local://`, `git://`, `http://` or `https://`."""

    identifier: str = ""
    attrs: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)


@frozen
class HostIP:
    host: str = ""
    ip: str = ""


@frozen
class Ulimit:
    name: str = ""
    soft: int = 0
    hard: int = 0


@frozen
class ProxyEnv:
    http_proxy: str = ""
    https_proxy: str = ""
    ftp_proxy: str = ""
    no_proxy: str = ""
    all_proxy: str = ""


@frozen
class Meta:
    """The process of an exec op. `env` holds `NAME=value` strings."""

    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str = ""
    user: str = ""
    proxy_env: ProxyEnv | None = None
    extra_hosts: tuple[HostIP, ...] = ()
    hostname: str = ""
    ulimit: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    remove_mount_stubs_recursive: bool = False
    valid_exit_codes: tuple[int, ...] = ()


@frozen
class TmpfsOpt:
    size: int = 0


@frozen
class CacheOpt:
    id: str = ""
    sharing: CacheSharing = CacheSharing.SHARED


@frozen
class SecretOpt:
    id: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0
    optional: bool = False


@frozen
class SSHOpt:
    id: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0
    optional: bool = False


@frozen
class Mount:
    input: int = 0
    selector: str = ""
    dest: str = ""
    output: int = 0
    readonly: bool = False
    mount_type: MountType = MountType.BIND
    tmpfs_opt: TmpfsOpt | None = None
    cache_opt: CacheOpt | None = None
    secret_opt: SecretOpt | None = None
    ssh_opt: SSHOpt | None = None
    result_id: str = ""
    content_cache: ContentCache = ContentCache.DEFAULT


@frozen
class SecretEnv:
    id: str = ""
    name: str = ""
    optional: bool = False


@frozen
class CDIDevice:
    name: str = ""
    optional: bool = False


@frozen
class ExecOp:
    meta: Meta = Meta()
    mounts: tuple[Mount, ...] = ()
    network: NetMode = NetMode.UNSET
    security: SecurityMode = SecurityMode.SANDBOX
    secret_env: tuple[SecretEnv, ...] = ()
    cdi_devices: tuple[CDIDevice, ...] = ()


@frozen
class NamedUser:
    """A user or group name, looked up in /etc/passwd or /etc/group of input number `input`."""

    name: str = ""
    input: int = 0


@frozen
class ChownOpt:
    """The owner of files that a file action makes. An int is an id; None is the default, root."""

    user: NamedUser | int | None = None
    group: NamedUser | int | None = None


@frozen
class Copy:
    src: str = ""
    dest: str = ""
    owner: ChownOpt | None = None
    mode: int = -1
    follow_symlink: bool = False
    dir_copy_contents: bool = False
    attempt_unpack: bool = False
    create_dest_path: bool = False
    allow_wildcard: bool = False
    allow_empty_wildcard: bool = False
    timestamp: int = -1
    include_patterns: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    always_replace_existing_dest_paths: bool = False
    mode_str: str = ""
    required_paths: tuple[str, ...] = ()


@frozen
class MkFile:
    path: str = ""
    mode: int = 0
    data: bytes = b""
    owner: ChownOpt | None = None
    timestamp: int = -1


@frozen
class MkDir:
    path: str = ""
    mode: int = 0
    make_parents: bool = False
    owner: ChownOpt | None = None
    timestamp: int = -1


@frozen
class Rm:
    path: str = ""
    allow_not_found: bool = False
    allow_wildcard: bool = False


@frozen
class Symlink:
    oldpath: str = ""
    newpath: str = ""
    owner: ChownOpt | None = None
    timestamp: int = -1


@frozen
class FileAction:
    """An action of a file op.

    `input` and `secondary_input` count the vertex's inputs first, then the results of the earlier actions. `output`
    is the vertex output that the result becomes, or -1.
    """

    input: int = 0
    secondary_input: int = EMPTY
    output: int = EMPTY
    action: Copy | MkFile | MkDir | Rm | Symlink = Copy()


@frozen
class FileOp:
    actions: tuple[FileAction, ...] = ()


@frozen
class BuildOp:
    """A nested build: its definition is made by another vertex (`builder`), or is `definition`."""

    builder: int = 0
    inputs: Mapping[str, int] = field(factory=FrozenMap, converter=_numbers)
    definition: bytes | None = None
    attrs: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)


@frozen
class MergeOp:
    inputs: tuple[int, ...] = ()


@frozen
class DiffOp:
    lower: int = EMPTY
    upper: int = EMPTY


@frozen
class PassthroughOp:
    id: str = ""
    outputs: tuple[int, ...] = ()


Op = SourceOp | ExecOp | FileOp | BuildOp | MergeOp | DiffOp | PassthroughOp
