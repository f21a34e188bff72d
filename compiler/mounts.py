"""What a command is run with besides its root: mounts, secrets and agent sockets, not yet numbered."""

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
    """A file system at `target`: of another state (`edge`), empty (None), a cache or tmpfs."""

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
        """Whether what the command leaves in the mount is an output of the vertex."""
        return self.output and not self.readonly and self.cache is None and self.tmpfs is None


@frozen
class SecretMount:
    """A secret as a file at `target` (None: no file) and as the environment variable `env` (None: none)."""

    id: str
    target: str | None = None
    env: str | None = None
    uid: int = 0
    gid: int = 0
    mode: int = 0o400
    optional: bool = False


@frozen
class SSHMount:
    """An agent's socket at `target`; "" is numbered `/run/buildkit/ssh_agent.N`."""

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
    """`source` (or its part at `selector`) at `target`. With `output` false, writes are dropped."""
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
    """A directory kept between builds under `id`, first filled from `source`."""
    edge = source.edge if source is not None else None
    return FileMount(target, edge, selector, readonly, cache=CacheOpt(id, sharing))


def tmpfs(target: str, *, size: int = 0) -> FileMount:
    """An empty file system in memory; `size` in bytes, 0 for no limit."""
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
    """A secret as a file, an environment variable, or both; `id` defaults to `target`."""
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
    """The agent the client offers as `id`; `SSH_AUTH_SOCK` names the first one's socket."""
    return SSHMount(id, target, uid, gid, mode, optional)


def number_ssh(mounts: Sequence[AnyMount]) -> list[SSHMount]:
    """The agent sockets in the order given, each with a target."""
    found = [mount for mount in mounts if isinstance(mount, SSHMount)]
    return [
        SSHMount(m.id, m.target or f"/run/buildkit/ssh_agent.{number}", m.uid, m.gid, m.mode, m.optional)
        for number, m in enumerate(found)
    ]


@frozen
class Numbered:
    """The mounts of an exec op with its inputs; `outputs` maps a target to its output number."""

    mounts: tuple[Mount, ...]
    inputs: tuple[Edge, ...]
    secret_env: tuple[SecretEnv, ...]
    outputs: dict[str, int]
    caps: frozenset[str]


def number_mounts(root: FileMount, mounts: Sequence[AnyMount]) -> Numbered:
    """Orders and numbers mounts as BuildKit's client does.

    File mounts (the root among them) by target; inputs in that order, each once; outputs counted over those
    that have one; then secrets, then sockets, in the order given. The last two carry output 0, which means
    nothing for their types but is part of the identity.
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
