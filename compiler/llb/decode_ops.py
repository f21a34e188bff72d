"""Decoding of LLB's op messages: one function for each message, in tables keyed by field number.

Messages are read strictly. An unknown field or enum value is refused, because an op without it would be another op.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, TypeVar

from pybuild.compiler.llb.wire import BYTES, DefinitionError, Message, fields
from pybuild.compiler.ops import (
    BuildOp,
    CacheOpt,
    CacheSharing,
    CDIDevice,
    ChownOpt,
    ContentCache,
    Copy,
    DiffOp,
    ExecOp,
    FileAction,
    FileOp,
    HostIP,
    MergeOp,
    Meta,
    MkDir,
    MkFile,
    Mount,
    MountType,
    NamedUser,
    NetMode,
    Op,
    PassthroughOp,
    Platform,
    ProxyEnv,
    Rm,
    SecretEnv,
    SecretOpt,
    SecurityMode,
    SourceOp,
    SSHOpt,
    Symlink,
    TmpfsOpt,
    Ulimit,
)

E = TypeVar("E", bound=enum.IntEnum)
T = TypeVar("T")


def last_member(name: str, payload: bytes, members: dict[int, Callable[[bytes], T]]) -> T | None:
    """Return the last member of a oneof, which is the one that counts, with its adjacent pieces joined; None without
    one."""
    current, pieces = 0, b""
    for field, wire, value in fields(name, payload):
        if field not in members:
            continue
        if wire != BYTES or not isinstance(value, bytes):
            raise DefinitionError(f"{name}: field {field} has the wrong wire type {wire}")
        pieces = pieces + value if field == current else value
        current = field
    return members[current](pieces) if current else None


def decode_platform(payload: bytes) -> Platform:
    m = Message("pb.Platform", payload, range(1, 6))
    return Platform(m.text(1), m.text(2), m.text(3), m.text(4), m.texts(5))


def _enum(message: Message, field: int, kind: type[E]) -> E:
    value = message.int32(field)
    try:
        return kind(value)
    except ValueError:
        raise DefinitionError(
            f"{message.name}: field {field} has the value {value}, which {kind.__name__} does not know",
            help="the definition was made by a later client",
        ) from None


def _optional(message: Message, field: int, read: Callable[[bytes], T]) -> T | None:
    payload = message.message(field)
    return None if payload is None else read(payload)


def _source(payload: bytes) -> SourceOp:
    m = Message("pb.SourceOp", payload, (1, 2))
    attrs: Any = m.mapping(2, lambda entry: entry.text(2))
    return SourceOp(m.text(1), attrs)


def _exec(payload: bytes) -> ExecOp:
    m = Message("pb.ExecOp", payload, range(1, 7))
    return ExecOp(
        meta=_meta(m.message(1) or b""),
        mounts=tuple(map(decode_mount, m.messages(2))),
        network=_enum(m, 3, NetMode),
        security=_enum(m, 4, SecurityMode),
        secret_env=tuple(map(_secret_env, m.messages(5))),
        cdi_devices=tuple(map(_device, m.messages(6))),
    )


def _meta(payload: bytes) -> Meta:
    m = Message("pb.Meta", payload, (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12))
    return Meta(
        args=m.texts(1),
        env=m.texts(2),
        cwd=m.text(3),
        user=m.text(4),
        proxy_env=_optional(m, 5, _proxy),
        extra_hosts=tuple(map(_host, m.messages(6))),
        hostname=m.text(7),
        ulimit=tuple(map(_ulimit, m.messages(9))),
        cgroup_parent=m.text(10),
        remove_mount_stubs_recursive=m.boolean(11),
        valid_exit_codes=m.int32s(12),
    )


def _proxy(payload: bytes) -> ProxyEnv:
    m = Message("pb.ProxyEnv", payload, range(1, 6))
    return ProxyEnv(m.text(1), m.text(2), m.text(3), m.text(4), m.text(5))


def _host(payload: bytes) -> HostIP:
    m = Message("pb.HostIP", payload, (1, 2))
    return HostIP(m.text(1), m.text(2))


def _ulimit(payload: bytes) -> Ulimit:
    m = Message("pb.Ulimit", payload, (1, 2, 3))
    return Ulimit(m.text(1), m.int64(2), m.int64(3))


def _secret_env(payload: bytes) -> SecretEnv:
    m = Message("pb.SecretEnv", payload, (1, 2, 3))
    return SecretEnv(m.text(1), m.text(2), m.boolean(3))


def _device(payload: bytes) -> CDIDevice:
    m = Message("pb.CDIDevice", payload, (1, 2))
    return CDIDevice(m.text(1), m.boolean(2))


def decode_mount(payload: bytes) -> Mount:
    m = Message("pb.Mount", payload, (1, 2, 3, 4, 5, 6, 19, 20, 21, 22, 23, 24))
    return Mount(
        input=m.int64(1),
        selector=m.text(2),
        dest=m.text(3),
        output=m.int64(4),
        readonly=m.boolean(5),
        mount_type=_enum(m, 6, MountType),
        tmpfs_opt=_optional(m, 19, _tmpfs),
        cache_opt=_optional(m, 20, _cache),
        secret_opt=_optional(m, 21, _secret),
        ssh_opt=_optional(m, 22, _ssh),
        result_id=m.text(23),
        content_cache=_enum(m, 24, ContentCache),
    )


def _tmpfs(payload: bytes) -> TmpfsOpt:
    return TmpfsOpt(Message("pb.TmpfsOpt", payload, (1,)).int64(1))


def _cache(payload: bytes) -> CacheOpt:
    m = Message("pb.CacheOpt", payload, (1, 2))
    return CacheOpt(m.text(1), _enum(m, 2, CacheSharing))


def _secret(payload: bytes) -> SecretOpt:
    m = Message("pb.SecretOpt", payload, range(1, 6))
    return SecretOpt(m.text(1), m.uint32(2), m.uint32(3), m.uint32(4), m.boolean(5))


def _ssh(payload: bytes) -> SSHOpt:
    m = Message("pb.SSHOpt", payload, range(1, 6))
    return SSHOpt(m.text(1), m.uint32(2), m.uint32(3), m.uint32(4), m.boolean(5))


def _file(payload: bytes) -> FileOp:
    m = Message("pb.FileOp", payload, (2,))
    return FileOp(tuple(map(_action, m.messages(2))))


def _action(payload: bytes) -> FileAction:
    m = Message("pb.FileAction", payload, (1, 2, 3, *_ACTIONS))
    action = last_member("pb.FileAction", payload, _ACTIONS)
    if action is None:
        raise DefinitionError("pb.FileAction: no action (one of fields 4 to 8)")
    return FileAction(m.int64(1), m.int64(2), m.int64(3), action)


def _copy(payload: bytes) -> Copy:
    m = Message("pb.FileActionCopy", payload, range(1, 17))
    return Copy(
        src=m.text(1),
        dest=m.text(2),
        owner=_optional(m, 3, _owner),
        mode=m.int32(4),
        follow_symlink=m.boolean(5),
        dir_copy_contents=m.boolean(6),
        attempt_unpack=m.boolean(7),
        create_dest_path=m.boolean(8),
        allow_wildcard=m.boolean(9),
        allow_empty_wildcard=m.boolean(10),
        timestamp=m.int64(11),
        include_patterns=m.texts(12),
        exclude_patterns=m.texts(13),
        always_replace_existing_dest_paths=m.boolean(14),
        mode_str=m.text(15),
        required_paths=m.texts(16),
    )


def _mkfile(payload: bytes) -> MkFile:
    m = Message("pb.FileActionMkFile", payload, range(1, 6))
    return MkFile(m.text(1), m.int32(2), m.data(3), _optional(m, 4, _owner), m.int64(5))


def _mkdir(payload: bytes) -> MkDir:
    m = Message("pb.FileActionMkDir", payload, range(1, 6))
    return MkDir(m.text(1), m.int32(2), m.boolean(3), _optional(m, 4, _owner), m.int64(5))


def _rm(payload: bytes) -> Rm:
    m = Message("pb.FileActionRm", payload, (1, 2, 3))
    return Rm(m.text(1), m.boolean(2), m.boolean(3))


def _symlink(payload: bytes) -> Symlink:
    m = Message("pb.FileActionSymlink", payload, range(1, 5))
    return Symlink(m.text(1), m.text(2), _optional(m, 3, _owner), m.int64(4))


def _owner(payload: bytes) -> ChownOpt:
    m = Message("pb.ChownOpt", payload, (1, 2))
    return ChownOpt(_optional(m, 1, _user), _optional(m, 2, _user))


def _user(payload: bytes) -> NamedUser | int | None:
    """Decode a `pb.UserOpt`; None if it has neither name nor id. If it has both, the last one on the wire counts."""
    m = Message("pb.UserOpt", payload, (1, 2))
    if 1 in m and 2 in m:
        last = [field for field, _, _ in fields(m.name, payload)][-1]
        return m.uint32(2) if last == 2 else _named_user(m.message(1) or b"")
    if 2 in m:
        return m.uint32(2)
    return _optional(m, 1, _named_user)


def _named_user(payload: bytes) -> NamedUser:
    m = Message("pb.NamedUserOpt", payload, (1, 2))
    return NamedUser(m.text(1), m.int64(2))


def _build(payload: bytes) -> BuildOp:
    m = Message("pb.BuildOp", payload, range(1, 5))
    inputs: Any = m.mapping(2, lambda entry: _number("pb.BuildInput", entry.message(2) or b""))
    attrs: Any = m.mapping(4, lambda entry: entry.text(2))
    return BuildOp(m.int64(1), inputs, m.message(3), attrs)


def _merge(payload: bytes) -> MergeOp:
    m = Message("pb.MergeOp", payload, (1,))
    return MergeOp(tuple(_number("pb.MergeInput", value) for value in m.messages(1)))


def _diff(payload: bytes) -> DiffOp:
    m = Message("pb.DiffOp", payload, (1, 2))
    lower, upper = m.message(1), m.message(2)
    if lower is None or upper is None:
        raise DefinitionError(f"pb.DiffOp: no {'lower' if lower is None else 'upper'} side")
    return DiffOp(_number("pb.LowerDiffInput", lower), _number("pb.UpperDiffInput", upper))


def _number(name: str, payload: bytes) -> int:
    """Decode an input number from the message that wraps it."""
    return Message(name, payload, (1,)).int64(1)


def _passthrough(payload: bytes) -> PassthroughOp:
    m = Message("pb.PassthroughOp", payload, (1, 2))
    return PassthroughOp(m.text(1), m.int64s(2))


OPS: dict[int, Callable[[bytes], Op]] = {
    2: _exec,
    3: _source,
    4: _file,
    5: _build,
    6: _merge,
    7: _diff,
    8: _passthrough,
}
"""Decoders of the members of the oneof `op` of `pb.Op`, by field number."""

_ACTIONS: dict[int, Callable[[bytes], Copy | MkFile | MkDir | Rm | Symlink]] = {
    4: _copy,
    5: _mkfile,
    6: _mkdir,
    7: _rm,
    8: _symlink,
}
"""Decoders of the members of the oneof `action` of `pb.FileAction`, by field number."""
