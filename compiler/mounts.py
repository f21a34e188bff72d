"""The mounts, secrets and agent sockets of a command, and how they are numbered in an exec op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import (
    EMPTY,
    CacheOpt,
    CacheSharing,
    ContentCache,
    Mount,
    MountType,
    SecretEnv,
    SecretOpt,
    SSHOpt,
    TmpfsOpt,
)

if TYPE_CHECKING:
    from pybuild.compiler.state import State


@frozen
class FileMount:
    """A file system mounted at `target`: another state (`edge`), an empty one (None), a cache or a tmpfs."""

    target: str
    edge: Edge | None = None
    selector: str = ""
    readonly: bool = False
    output: bool = True
    cache: CacheOpt | None = None
    tmpfs: TmpfsOpt | None = None
    content_cache: ContentCache = ContentCache.DEFAULT

    @property
    def has_output(self) -> bool:
        """True if the mount's contents after the command are an output of the vertex."""
        return self.output and not self.readonly and self.cache is None and self.tmpfs is None


@frozen
class SecretMount:
    """A secret as a file at `target` (None: no file) and as the environment variable `env` (None: no variable)."""

    id: str
    target: str | None = None
    env: str | None = None
    uid: int = 0
    gid: int = 0
    mode: int = 0o400
    optional: bool = False


@frozen
class SSHMount:
    """The socket of an SSH agent at `target`; "" becomes `/run/buildkit/ssh_agent.N`."""

    id: str = ""
    target: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o600
    optional: bool = False


AnyMount = FileMount | SecretMount | SSHMount


def bind(
    target: str,
    source: State,
    *,
    selector: str = "",
    readonly: bool = False,
    output: bool = True,
    content_cache: ContentCache = ContentCache.DEFAULT,
) -> FileMount:
    """Mount `source`, or its part at `selector`, at `target`. Without `output` writes are dropped."""
    return FileMount(target, source.edge, selector, readonly, output, content_cache=content_cache)


def cache(
    target: str,
    id: str,
    *,
    source: State | None = None,
    selector: str = "",
    sharing: CacheSharing = CacheSharing.SHARED,
    readonly: bool = False,
) -> FileMount:
    """Mount a directory that is kept between builds under `id`; it starts with the files of `source`."""
    edge = source.edge if source is not None else None
    return FileMount(target, edge, selector, readonly, cache=CacheOpt(id, sharing))


def tmpfs(target: str, *, size: int = 0) -> FileMount:
    """Mount an empty file system in memory. `size` is in bytes; 0 sets no limit."""
    return FileMount(target, tmpfs=TmpfsOpt(size))


def secret(
    target: str | None,
    *,
    id: str = "",
    env: str | None = None,
    uid: int = 0,
    gid: int = 0,
    mode: int = 0o400,
    optional: bool = False,
) -> SecretMount:
    """Show a secret as a file, as an environment variable, or as both. `id` defaults to `target`, then to `env`."""
    return SecretMount(id or target or env or "", target, env, uid, gid, mode, optional)


def ssh(
    target: str = "",
    *,
    id: str = "",
    uid: int = 0,
    gid: int = 0,
    mode: int = 0o600,
    optional: bool = False,
) -> SSHMount:
    """Mount the socket of the client's agent `id`. `SSH_AUTH_SOCK` names the socket of the first agent."""
    return SSHMount(id, target, uid, gid, mode, optional)


def number_ssh(mounts: Sequence[AnyMount]) -> list[SSHMount]:
    """Return the agent sockets in the given order, each with a target."""
    sockets = [mount for mount in mounts if isinstance(mount, SSHMount)]
    return [
        SSHMount(m.id, m.target or f"/run/buildkit/ssh_agent.{number}", m.uid, m.gid, m.mode, m.optional)
        for number, m in enumerate(sockets)
    ]


@frozen
class Numbered:
    """The mounts of an exec op and the vertex's inputs; `outputs` maps targets to output numbers."""

    mounts: tuple[Mount, ...]
    inputs: tuple[Edge, ...]
    secret_env: tuple[SecretEnv, ...]
    outputs: dict[str, int]
    caps: frozenset[str]


def number_mounts(root: FileMount, mounts: Sequence[AnyMount]) -> Numbered:
    """Order and number mounts as BuildKit's client does (`client/llb/exec.go`): the numbers are part of the digest.

    1. File mounts, the root among them, are sorted by target. Their inputs are numbered in that order, equal edges
       once; their outputs are counted over the mounts that have one.
    2. Secrets follow in the given order, then sockets. Both carry output 0: it means nothing for their types, but
       BuildKit's client writes it.
    """
    files = [root, *(mount for mount in mounts if isinstance(mount, FileMount))]
    files.sort(key=lambda mount: mount.target)
    inputs: list[Edge] = []
    outputs: dict[str, int] = {}
    count = 0
    numbered = []
    for mount in files:
        number = EMPTY
        if mount.edge is not None:
            if mount.edge not in inputs:
                inputs.append(mount.edge)
            number = inputs.index(mount.edge)
        output = EMPTY
        if mount.has_output:
            output, count = count, count + 1
            outputs.setdefault(mount.target, output)
        numbered.append(_file_mount(mount, number, output))
    secrets = [mount for mount in mounts if isinstance(mount, SecretMount)]
    numbered.extend(_secret_mount(mount, mount.target) for mount in secrets if mount.target is not None)
    numbered.extend(_ssh_mount(mount) for mount in number_ssh(mounts))
    env = tuple(SecretEnv(s.id, s.env, s.optional) for s in secrets if s.env is not None)
    return Numbered(tuple(numbered), tuple(inputs), env, outputs, frozenset(_caps(files, mounts)))


def _file_mount(mount: FileMount, number: int, output: int) -> Mount:
    kind = MountType.BIND
    if mount.cache is not None:
        kind = MountType.CACHE
    elif mount.tmpfs is not None:
        kind = MountType.TMPFS
    return Mount(
        input=number,
        selector=mount.selector,
        dest=mount.target,
        output=output,
        readonly=mount.readonly,
        mount_type=kind,
        tmpfs_opt=mount.tmpfs,
        cache_opt=mount.cache,
        content_cache=mount.content_cache,
    )


def _secret_mount(mount: SecretMount, target: str) -> Mount:
    option = SecretOpt(mount.id, mount.uid, mount.gid, mount.mode, mount.optional)
    return Mount(input=EMPTY, dest=target, mount_type=MountType.SECRET, secret_opt=option)


def _ssh_mount(mount: SSHMount) -> Mount:
    option = SSHOpt(mount.id, mount.uid, mount.gid, mount.mode, mount.optional)
    return Mount(input=EMPTY, dest=mount.target, mount_type=MountType.SSH, ssh_opt=option)


def _caps(files: Sequence[FileMount], mounts: Sequence[AnyMount]) -> set[str]:
    caps = set()
    for mount in files:
        if mount.selector:
            caps.add("exec.mount.selector")
        if mount.cache is not None:
            caps.update(("exec.mount.cache", "exec.mount.cache.sharing"))
        elif mount.tmpfs is not None:
            caps.add("exec.mount.tmpfs")
            if mount.tmpfs.size > 0:
                caps.add("exec.mount.tmpfs.size")
        elif mount.edge is not None:
            caps.add("exec.mount.bind")
        if mount.content_cache is not ContentCache.DEFAULT:
            caps.add("exec.mount.cache.content")
    for other in mounts:
        if isinstance(other, SecretMount):
            caps.add("exec.mount.secret")
            if other.env is not None:
                caps.add("exec.secretenv")
        elif isinstance(other, SSHMount):
            caps.add("exec.mount.ssh")
    return caps
