"""Graphs as LLB: `pb.Op` bytes of a vertex, `pb.Definition` bytes of a graph.

Canonical order (that of BuildKit's Go client, so digests are equal): fields by number, members of a oneof after
all other fields of their message, map entries by key, zero values left out, present messages always written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.llb.sourcemap import encode_source
from pybuild.compiler.llb.wire import (
    DefinitionError,
    block,
    data,
    mapping,
    number,
    packed,
    present_number,
    text,
    texts,
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
    Platform,
    ProxyEnv,
    Rm,
    SecretOpt,
    SourceOp,
    SSHOpt,
    Symlink,
)


def encode_op(vertex: Vertex) -> bytes:
    """Canonical `pb.Op` bytes: inputs, platform, constraints, then the op (a oneof).

    Raises `DefinitionError` for text that isn't Unicode or a number beyond its type.
    """
    field, write = _OPS[type(vertex.op)]
    return b"".join(
        (
            *(block(1, _input(edge)) for edge in vertex.inputs),
            b"" if vertex.platform is None else block(10, encode_platform(vertex.platform)),
            b"" if vertex.constraints is None else block(11, texts(1, vertex.constraints)),
            block(field, write(vertex.op)),
        )
    )


def encode_definition(edge: Edge | None) -> bytes:
    """`pb.Definition` bytes: ops with inputs first, last one without an op that points to `edge`.

    None, the empty file system, is the empty definition. Vertices with equal digests become one op; their
    metadata is merged, the later winning, as BuildKit does.
    """
    if edge is None:
        return b""
    ops: dict[str, bytes] = {}
    metadata: dict[str, Metadata] = {}
    for vertex in _vertices(edge.vertex):
        digest = vertex.digest
        known = metadata.get(digest)
        metadata[digest] = vertex.metadata if known is None else _merged(known, vertex.metadata)
        ops[digest] = vertex.payload
    terminal = block(1, _input(edge))
    spans = {digest: record.spans for digest, record in metadata.items()}
    metadata[_digest(terminal)] = _terminal_metadata(metadata)
    return b"".join(
        (
            *(block(1, payload) for payload in ops.values()),
            block(1, terminal),
            mapping(2, metadata, lambda record: block(2, encode_metadata(record))),
            block(3, encode_source(spans)),
        )
    )


def encode_metadata(metadata: Metadata) -> bytes:
    """`pb.OpMetadata` bytes; spans are not in them but in the definition's source map."""
    out = number(1, metadata.ignore_cache)
    out += mapping(2, metadata.description, lambda value: block(2, utf8(value)))
    if metadata.export_cache is not None:
        out += block(4, number(1, metadata.export_cache))
    out += mapping(5, metadata.caps, lambda value: present_number(2, value))
    if metadata.progress_group is not None:
        out += block(6, encode_progress_group(metadata.progress_group))
    if metadata.linux_resources is not None:
        out += block(7, _linux_resources(metadata.linux_resources))
    return out


def encode_platform(platform: Platform) -> bytes:
    return b"".join(
        (
            text(1, platform.architecture),
            text(2, platform.os),
            text(3, platform.variant),
            text(4, platform.os_version),
            texts(5, platform.os_features),
        )
    )


def encode_progress_group(group: ProgressGroup) -> bytes:
    return text(1, group.id) + text(2, group.name) + number(3, group.weak)


def _digest(payload: bytes) -> str:
    from hashlib import sha256

    return "sha256:" + sha256(payload).hexdigest()


def _vertices(root: Vertex) -> Iterator[Vertex]:
    """Every vertex object once, inputs first: unlike `graph.walk`, equal ones each with its metadata."""
    done: set[int] = set()
    stack = [(root, False)]
    while stack:
        vertex, ready = stack.pop()
        if id(vertex) in done:
            continue
        if ready:
            done.add(id(vertex))
            yield vertex
        else:
            stack.append((vertex, True))
            stack.extend((edge.vertex, False) for edge in reversed(vertex.inputs))


def _merged(first: Metadata, second: Metadata) -> Metadata:
    """Metadata of two vertices that are one op. Spans of both are kept."""
    if first is second or first == second:
        return first
    description: Any = {**first.description, **second.description}
    caps: Any = {**first.caps, **second.caps}
    return Metadata(
        ignore_cache=first.ignore_cache or second.ignore_cache,
        description=description,
        export_cache=first.export_cache if second.export_cache is None else second.export_cache,
        caps=caps,
        progress_group=second.progress_group or first.progress_group,
        linux_resources=second.linux_resources or first.linux_resources,
        spans=tuple(dict.fromkeys(first.spans + second.spans)),
    )


def _terminal_metadata(metadata: dict[str, Metadata]) -> Metadata:
    """What the last op says: the capabilities that the definition as a whole needs of a solver."""
    caps = {"constraints", "platform"}
    for record in metadata.values():
        if record.ignore_cache:
            caps.add("meta.ignorecache")
        if record.description:
            caps.add("meta.description")
        if record.export_cache is not None:
            caps.add("meta.exportcache")
    needed: Any = dict.fromkeys(caps, True)
    return Metadata(caps=needed)


def _linux_resources(resources: LinuxResources) -> bytes:
    return b"".join(
        (
            number(1, resources.memory),
            number(2, resources.memory_swap),
            number(3, resources.cpu_shares),
            number(4, resources.cpu_period),
            number(5, resources.cpu_quota),
            text(6, resources.cpuset_cpus),
            text(7, resources.cpuset_mems),
        )
    )


def _input(edge: Edge) -> bytes:
    return text(1, edge.vertex.digest) + number(2, edge.index)


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
            packed(12, meta.valid_exit_codes),
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
            number(2, option.uid),
            number(3, option.gid),
            number(4, option.mode),
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
            number(4, copy.mode),
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
            number(2, file.mode),
            data(3, file.data),
            _owner(4, file.owner),
            number(5, file.timestamp),
        )
    )


def _mkdir(directory: MkDir) -> bytes:
    return b"".join(
        (
            text(1, directory.path),
            number(2, directory.mode),
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
    """A `pb.UserOpt`, whose one field is a oneof: id 0 is written."""
    if user is None:
        return b""
    if isinstance(user, NamedUser):
        return block(field, block(1, text(1, user.name) + number(2, user.input)))
    if not 0 <= user < 1 << 32:
        raise DefinitionError(f"the owner id {user} does not fit into 32 bits")
    return block(field, present_number(2, user))


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


_OPS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    ExecOp: (2, _exec),
    SourceOp: (3, _source),
    FileOp: (4, _file),
    BuildOp: (5, _build),
    MergeOp: (6, _merge),
    DiffOp: (7, _diff),
    PassthroughOp: (8, _passthrough),
}
"""Field number in the oneof `op` of `pb.Op`, and what writes the message."""

_ACTIONS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    Copy: (4, _copy),
    MkFile: (5, _mkfile),
    MkDir: (6, _mkdir),
    Rm: (7, _rm),
    Symlink: (8, _symlink),
}
"""Field number in the oneof `action` of `pb.FileAction`, and what writes the message."""
