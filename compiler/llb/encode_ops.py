"""Encoding of LLB's op messages: one function for each message, in tables keyed by type. The order of fields is
that of `encode`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybuild.compiler.llb.wire import (
    block,
    data,
    int32,
    mapping,
    number,
    packed,
    present_number,
    text,
    texts,
    uint32,
    utf8,
)
from pybuild.compiler.ops import (
    BuildOp,
    ChownOpt,
    Copy,
    DiffOp,
    ExecOp,
    FileAction,
    FileOp,
    MergeOp,
    Meta,
    MkDir,
    MkFile,
    Mount,
    NamedUser,
    PassthroughOp,
    ProxyEnv,
    Rm,
    SecretOpt,
    SourceOp,
    SSHOpt,
    Symlink,
)


def _source(op: SourceOp) -> bytes:
    return text(1, op.identifier) + mapping(2, op.attrs, lambda value: block(2, utf8(value)))


def _exec(op: ExecOp) -> bytes:
    return b"".join(
        (
            block(1, _meta(op.meta)),
            *(block(2, _mount(mount)) for mount in op.mounts),
            number(3, op.network),
            number(4, op.security),
            *(
                block(5, text(1, env.id) + text(2, env.name) + number(3, env.optional))
                for env in op.secret_env
            ),
            *(block(6, text(1, device.name) + number(2, device.optional)) for device in op.cdi_devices),
        )
    )


def _meta(meta: Meta) -> bytes:
    return b"".join(
        (
            texts(1, meta.args),
            texts(2, meta.env),
            text(3, meta.cwd),
            text(4, meta.user),
            b"" if meta.proxy_env is None else block(5, _proxy(meta.proxy_env)),
            *(block(6, text(1, host.host) + text(2, host.ip)) for host in meta.extra_hosts),
            text(7, meta.hostname),
            *(
                block(9, text(1, limit.name) + number(2, limit.soft) + number(3, limit.hard))
                for limit in meta.ulimit
            ),
            text(10, meta.cgroup_parent),
            number(11, meta.remove_mount_stubs_recursive),
            packed(12, meta.valid_exit_codes, bits=32),
        )
    )


def _proxy(proxy: ProxyEnv) -> bytes:
    return b"".join(
        (
            text(1, proxy.http_proxy),
            text(2, proxy.https_proxy),
            text(3, proxy.ftp_proxy),
            text(4, proxy.no_proxy),
            text(5, proxy.all_proxy),
        )
    )


def _mount(mount: Mount) -> bytes:
    tmpfs, cache, secret, ssh = mount.tmpfs_opt, mount.cache_opt, mount.secret_opt, mount.ssh_opt
    return b"".join(
        (
            number(1, mount.input),
            text(2, mount.selector),
            text(3, mount.dest),
            number(4, mount.output),
            number(5, mount.readonly),
            number(6, mount.mount_type),
            b"" if tmpfs is None else block(19, number(1, tmpfs.size)),
            b"" if cache is None else block(20, text(1, cache.id) + number(2, cache.sharing)),
            b"" if secret is None else block(21, _offered(secret)),
            b"" if ssh is None else block(22, _offered(ssh)),
            text(23, mount.result_id),
            number(24, mount.content_cache),
        )
    )


def _offered(option: SecretOpt | SSHOpt) -> bytes:
    return b"".join(
        (
            text(1, option.id),
            uint32(2, option.uid),
            uint32(3, option.gid),
            uint32(4, option.mode),
            number(5, option.optional),
        )
    )


def _file(op: FileOp) -> bytes:
    return b"".join(block(2, _action(action)) for action in op.actions)


def _action(action: FileAction) -> bytes:
    field, write = _ACTIONS[type(action.action)]
    return b"".join(
        (
            number(1, action.input),
            number(2, action.secondary_input),
            number(3, action.output),
            block(field, write(action.action)),
        )
    )


def _copy(copy: Copy) -> bytes:
    return b"".join(
        (
            text(1, copy.src),
            text(2, copy.dest),
            _owner(3, copy.owner),
            int32(4, copy.mode),
            number(5, copy.follow_symlink),
            number(6, copy.dir_copy_contents),
            number(7, copy.attempt_unpack),
            number(8, copy.create_dest_path),
            number(9, copy.allow_wildcard),
            number(10, copy.allow_empty_wildcard),
            number(11, copy.timestamp),
            texts(12, copy.include_patterns),
            texts(13, copy.exclude_patterns),
            number(14, copy.always_replace_existing_dest_paths),
            text(15, copy.mode_str),
            texts(16, copy.required_paths),
        )
    )


def _mkfile(file: MkFile) -> bytes:
    return b"".join(
        (
            text(1, file.path),
            int32(2, file.mode),
            data(3, file.data),
            _owner(4, file.owner),
            number(5, file.timestamp),
        )
    )


def _mkdir(directory: MkDir) -> bytes:
    return b"".join(
        (
            text(1, directory.path),
            int32(2, directory.mode),
            number(3, directory.make_parents),
            _owner(4, directory.owner),
            number(5, directory.timestamp),
        )
    )


def _rm(rm: Rm) -> bytes:
    return text(1, rm.path) + number(2, rm.allow_not_found) + number(3, rm.allow_wildcard)


def _symlink(link: Symlink) -> bytes:
    return b"".join(
        (
            text(1, link.oldpath),
            text(2, link.newpath),
            _owner(3, link.owner),
            number(4, link.timestamp),
        )
    )


def _owner(field: int, owner: ChownOpt | None) -> bytes:
    return b"" if owner is None else block(field, _user(1, owner.user) + _user(2, owner.group))


def _user(field: int, user: NamedUser | int | None) -> bytes:
    """Encode a `pb.UserOpt`. Its one field is a oneof, so that id 0 is written too."""
    if user is None:
        return b""
    if isinstance(user, NamedUser):
        return block(field, block(1, text(1, user.name) + number(2, user.input)))
    return block(field, uint32(2, user) or present_number(2, 0))


def _build(op: BuildOp) -> bytes:
    return b"".join(
        (
            number(1, op.builder),
            mapping(2, op.inputs, lambda value: block(2, number(1, value))),
            b"" if op.definition is None else block(3, op.definition),
            mapping(4, op.attrs, lambda value: block(2, utf8(value))),
        )
    )


def _merge(op: MergeOp) -> bytes:
    return b"".join(block(1, number(1, value)) for value in op.inputs)


def _diff(op: DiffOp) -> bytes:
    return block(1, number(1, op.lower)) + block(2, number(1, op.upper))


def _passthrough(op: PassthroughOp) -> bytes:
    return text(1, op.id) + packed(2, op.outputs)


OPS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    ExecOp: (2, _exec),
    SourceOp: (3, _source),
    FileOp: (4, _file),
    BuildOp: (5, _build),
    MergeOp: (6, _merge),
    DiffOp: (7, _diff),
    PassthroughOp: (8, _passthrough),
}
"""The field number in the oneof `op` of `pb.Op`, and the encoder of the message."""

_ACTIONS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    Copy: (4, _copy),
    MkFile: (5, _mkfile),
    MkDir: (6, _mkdir),
    Rm: (7, _rm),
    Symlink: (8, _symlink),
}
"""The field number in the oneof `action` of `pb.FileAction`, and the encoder of the message."""
