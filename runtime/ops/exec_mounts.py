"""The mounts and secrets of one step.

Roots and writable binds are active snapshots; caches are directories of the store; secrets and agents come from the
client, and are in memory and beside the step's root for as long as it runs.
"""

from __future__ import annotations

import os
import stat

from pybuild.compiler.ops import EMPTY, ContentCache, ExecOp, Mount, MountType
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.content.space import SpaceWatch
from pybuild.runtime.ops.files.failures import SourceNotFound
from pybuild.runtime.ops.labelling import mount_description
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.session.types import MissingAgent, MissingSecret
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from pybuild.compiler.ops import SecretEnv
    from pybuild.runtime.ops.caches import CacheKey, Caches, Held
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.step import StepMount
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.snapshots.types import Active, Snapshotter, Tree
    from pybuild.runtime.solver.types import Cancellation


class StepResources:
    """Everything that steps need besides their inputs: sandbox, caches, secrets, agents.

    `materialize` copies a view into a snapshot, for mounts of local directories; `lease` keeps a snapshot while this
    process lives; `project` is the key of the project that caches of project scope belong to.
    """

    __slots__ = (
        "agents",
        "caches",
        "lease",
        "materialize",
        "project",
        "sandbox",
        "secrets",
        "snapshotter",
    )

    def __init__(
        self,
        snapshotter: Snapshotter,
        sandbox: Callable[[], Sandbox],
        materialize: Callable[[View, Cancellation], Snapshot],
        caches: Caches,
        secrets: Secrets,
        agents: Agents,
        lease: Callable[[int], None],
        project: str = "",
    ) -> None:
        self.snapshotter = snapshotter
        self.sandbox = sandbox
        self.materialize = materialize
        self.caches = caches
        self.secrets = secrets
        self.agents = agents
        self.lease = lease
        self.project = project


def selectors(op: ExecOp, index: int) -> list[str] | None:
    """Return the paths at which input `index` is mounted, if a step depends on the content there only; None if it may
    depend on all of the input.

    The rules are BuildKit's (`ContentCache` of a mount): the step's changes to the mount must be invisible, and the
    root never counts by default. Raises UserError for a mount that requests this and does not qualify.
    """
    paths: list[str] = []
    whole = False
    for mount in op.mounts:
        if mount.input != index or mount.mount_type not in (MountType.BIND, MountType.CACHE):
            continue
        path = os.path.normpath("/" + mount.selector).strip("/")
        unseen = mount.output == EMPTY or mount.readonly or not path
        if mount.content_cache == ContentCache.ON and not unseen:
            raise UserError(
                f"the mount at {mount.dest} can't be known by its content: the step may change it"
            )
        off = mount.content_cache == ContentCache.OFF
        default_root = mount.dest == "/" and mount.content_cache == ContentCache.DEFAULT
        whole = whole or off or default_root or not unseen or not path
        paths.append(path)
    return None if whole else paths


class StepMounts:
    """The mounts of one step. The caller unwinds `stack` after the outputs are committed, and the `mounted` of each
    method when the process has ended. `scoped` are the ids of caches of project scope."""

    def __init__(
        self,
        resources: StepResources,
        op: ExecOp,
        inputs: Sequence[Result],
        stack: ExitStack,
        cancellation: Cancellation,
        scoped: frozenset[str] = frozenset(),
    ) -> None:
        self._scoped = scoped
        self._resources = resources
        self._op = op
        self._inputs = inputs
        self._stack = stack
        self._cancellation = cancellation
        self._actives: dict[str, Active] = {}
        self._held: dict[str, Held] = {}
        self._roots: dict[str, bytes] = {}

    def snapshot(self, mount: Mount) -> int | None:
        """Return the snapshot of a mount's input, None for an empty one."""
        if mount.input == EMPTY:
            return None
        result = self._inputs[mount.input]
        if isinstance(result, View):
            result = self._resources.materialize(result, self._cancellation)
        return result.id

    def tree(self, mount: Mount) -> Tree:
        """Return read access to a mount's input."""
        return self._resources.snapshotter.tree(self.snapshot(mount))

    def root(self, mount: Mount, mounted: ExitStack) -> bytes:
        """Mount the root, or the whole state of a bind, and return the path.

        Even a root that the step may not change is mounted writable, as the runtime creates mount points in it.
        """
        if mount.readonly and mount.output == EMPTY and mount.dest != "/":
            mounting = self._resources.snapshotter.mount(self.snapshot(mount))
        else:
            mounting = self._active(mount).mount()
        root = self._roots[mount.dest] = mounted.enter_context(mounting)
        return root

    def directory(self, mount: Mount) -> bytes | None:
        """Return where the whole of a bind, which has been mounted, or of a cache is, ignoring the selector; None for
        other kinds of mounts."""
        if mount.mount_type == MountType.CACHE:
            return os.fsencode(self._held[self._cache_key(mount).path].path)
        return self._roots[mount.dest] if mount.mount_type == MountType.BIND else None

    def take_caches(self, user: str, mounted: ExitStack) -> None:
        """Lock the caches of all mounts, in the order of their paths, so that no two steps wait for each other."""
        wanted: dict[str, tuple[CacheKey, Mount]] = {}
        for mount in self._op.mounts:
            if mount.mount_type == MountType.CACHE:
                key = self._cache_key(mount)
                wanted.setdefault(key.path, (key, mount))
        for path, (key, mount) in sorted(wanted.items()):
            assert mount.cache_opt is not None
            held = self._resources.caches.take(
                key, mount.cache_opt.sharing, user, self._cancellation, mount_description(self._op, mount)
            )
            mounted.callback(held.release)
            self._held[path] = held

    def step_mounts(self, mount: Mount, mounted: ExitStack) -> list[StepMount]:
        """Return the sandbox's mount for one of the op's; an empty list for an optional secret or agent that the
        client doesn't have."""
        step_mount = _KINDS[mount.mount_type](self, mount, mounted)
        return [] if step_mount is None else [step_mount]

    def secret_env(self, wanted: Sequence[SecretEnv] | None = None) -> list[str]:
        """Return `NAME=value` of each secret for the environment: `wanted`, or those of the op. Raises UserError."""
        entries = []
        for one in self._op.secret_env if wanted is None else wanted:
            if not one.id:
                raise UserError(f"secret ID missing for {one.name!r} environment variable")
            value = self._secret(one.id, optional=one.optional) or b""
            if b"\0" in value:
                raise UserError(
                    f"secret {one.id} holds a zero byte, which no environment variable can",
                    help="mount it as a file: --mount=type=secret,id=" + one.id,
                )
            try:
                entries.append(f"{one.name}={value.decode()}")
            except UnicodeDecodeError:
                raise UserError(
                    f"secret {one.id} is not UTF-8 text, which the runtimes want of environment variables",
                    help="mount it as a file: --mount=type=secret,id=" + one.id,
                ) from None
        return entries

    def has_output(self, mount: Mount) -> bool:
        """Report whether a mount has an output: for secrets and agents, LLB's number means nothing."""
        kind = mount.mount_type
        return kind == MountType.BIND or (kind == MountType.CACHE and mount.input != EMPTY)

    def output(self, mount: Mount) -> Result:
        """Commit a bind after a step and return its result; the output of a cache is its initial state."""
        active = self._actives.get(mount.dest)
        return Snapshot(self.snapshot(mount)) if active is None else Snapshot(active.commit())

    def keep(self, mount: Mount) -> int | None:
        """Commit a bind after a failed step, leased, and return the snapshot; no lookup by content finds it."""
        active = self._actives.get(mount.dest)
        left = self.snapshot(mount) if active is None else active.commit(unmatched=True)
        if left is not None:
            self._resources.lease(left)
        return left

    # Kinds of mounts

    def _bind(self, mount: Mount, mounted: ExitStack) -> StepMount:
        from pybuild.runtime.sandbox.step import StepMount

        path = self.root(mount, mounted)
        selector = os.fsencode(mount.selector)
        where = look_up(self.tree(mount), selector) if selector.strip(b"/") else None
        if where is not None and where.node is None:
            missing = SourceNotFound(
                f"{mount.selector}: no such file or directory to mount at {mount.dest}",
                help="source= is a path in the build context, or in the stage or image that from= names; "
                ".dockerignore may leave it out",
            )
            missing.diagnostic = missing.diagnostic.known_as(f"{quote(mount.selector)}: not found")
            raise missing
        source = os.path.join(path, where.path) if where is not None else path
        return StepMount(self._dest(mount), os.fsdecode(source), readonly=mount.readonly)

    def _tmpfs(self, mount: Mount, mounted: ExitStack) -> StepMount:
        from pybuild.runtime.sandbox.step import StepMount

        size = mount.tmpfs_opt.size if mount.tmpfs_opt is not None else 0
        dest = self._dest(mount)
        mode = ["mode=1777"] if self._is_missing(dest) else []
        return StepMount(dest, size=size, readonly=mount.readonly, options=mode)

    def _cache(self, mount: Mount, mounted: ExitStack) -> StepMount:
        from pybuild.runtime.sandbox.step import StepMount

        key = self._cache_key(mount)
        held = self._held[key.path]
        part = held.part(key)
        path = held.path if part is None else _bound(self._resources.sandbox(), part, mounted)
        return StepMount(self._dest(mount), path, readonly=mount.readonly)

    def _secret_file(self, mount: Mount, mounted: ExitStack) -> StepMount | None:
        from pybuild.runtime.sandbox.step import StepMount

        option = mount.secret_opt
        if option is None or not option.id:
            raise UserError("secret ID missing from mount options")
        value = self._secret(option.id, optional=option.optional)
        if value is None:
            return None
        sandbox = self._resources.sandbox()
        path = sandbox.private_path("secret")
        # Before the write, so that a partly written file is removed too.
        mounted.callback(_remove, path)
        _write(path, value, option.uid, option.gid, option.mode & 0o777)
        flags = ["nosuid", "nodev", *([] if option.mode & 0o111 else ["noexec"])]
        return StepMount(self._dest(mount), path, readonly=True, options=flags)

    def _agent(self, mount: Mount, mounted: ExitStack) -> StepMount | None:
        from pybuild.runtime.sandbox.step import StepMount
        from pybuild.runtime.session.forward import Forward

        option = mount.ssh_opt
        id = (option.id if option is not None else "") or "default"
        agents = self._resources.agents
        socket = agents.socket(id)
        if socket is None:
            if option is not None and option.optional:
                return None
            raise MissingAgent(
                agents.missing(id),
                id,
                help=f"give the build an agent of that id: --ssh {id}, --ssh {id}=SOCKET or --ssh {id}=KEY",
            )
        uid, gid, mode = (option.uid, option.gid, option.mode) if option is not None else (0, 0, 0o600)
        path = self._resources.sandbox().private_path("agent")
        try:
            forward = Forward(path, socket, uid=uid, gid=gid, mode=mode, raw=agents.raw(id))
        except OSError as error:
            raise _no_owner(uid, gid, error) from None
        mounted.callback(forward.close)
        return StepMount(self._dest(mount), path)

    # Space

    def watch(self, store: str, uid: int) -> SpaceWatch:
        """Return a watch over the space of the store, for a step that runs as `uid`."""
        sandbox, snapshotter = self._resources.sandbox(), self._resources.snapshotter
        # The kernel's overlay writes as whoever has mounted it. What is bound is written as the step's user.
        mounter = snapshotter.name == "overlay" and not self._held
        return SpaceWatch(store, root=not sandbox.rootless and (uid == 0 or mounter))

    def written(self, watch: SpaceWatch) -> bool:
        """Report whether the step has written to the store, after its end."""
        places = [active.upper for active in self._actives.values()]
        places += [os.fsencode(held.path) for held in self._held.values()]
        return any(watch.written(place) for place in places)

    # Parts

    def _dest(self, mount: Mount) -> str:
        """Return the absolute path of a mount point; LLB has relative ones, for secrets and agents."""
        return "/" + os.path.normpath(os.path.join("/", self._op.meta.cwd, mount.dest)).lstrip("/")

    def _is_missing(self, dest: str) -> bool:
        """Report whether nothing is at `dest` before the step.

        The runtimes give a tmpfs the mode of the directory that it covers, in the root or in another mount. Without
        one it has to get the kernel's default, 1777, by an option.
        """
        others = (self._dest(mount).rstrip("/") + "/" for mount in self._op.mounts if mount.dest != "/")
        if any(dest.startswith(other) for other in others):
            return False
        root = next(mount for mount in self._op.mounts if mount.dest == "/")
        return look_up(self.tree(root), os.fsencode(dest)).node is None

    def _secret(self, id: str, *, optional: bool) -> bytes | None:
        value = self._resources.secrets.get(id)
        if value is None and not optional:
            raise MissingSecret(
                f"secret {id}: not found",
                id,
                help=f"give it to the build: --secret id={id},src=PATH or --secret id={id},env=NAME",
            )
        return value

    def _cache_key(self, mount: Mount) -> CacheKey:
        option = mount.cache_opt
        if option is None:
            raise UserError("missing cache mount options")
        id = option.id or mount.dest
        project = self._resources.project if id in self._scoped else None
        return self._resources.caches.key(id, self.snapshot(mount), mount.selector, project)

    def _active(self, mount: Mount) -> Active:
        active = self._resources.snapshotter.prepare(self.snapshot(mount))
        self._stack.callback(active.abort)
        self._actives[mount.dest] = active
        return active


_KINDS: dict[MountType, Callable[[StepMounts, Mount, ExitStack], StepMount | None]] = {
    MountType.BIND: StepMounts._bind,
    MountType.TMPFS: StepMounts._tmpfs,
    MountType.CACHE: StepMounts._cache,
    MountType.SECRET: StepMounts._secret_file,
    MountType.SSH: StepMounts._agent,
}


def _bound(sandbox: Sandbox, part: int, mounted: ExitStack) -> str:
    """Bind the file or directory of the descriptor `part` to a private path of the sandbox, and close `part`."""
    from pybuild.runtime.sandbox import libc

    try:
        path = sandbox.private_path("part")
        if stat.S_ISDIR(os.fstat(part).st_mode):
            os.mkdir(path, 0o700)
            mounted.callback(os.rmdir, path)
        else:
            _write(path, b"", os.geteuid(), os.getegid(), 0o600)
            mounted.callback(_remove, path)
        # Mounting the descriptor and not its path: other users of the cache may change the path meanwhile.
        libc.mount(f"/proc/self/fd/{part}", path, flags=libc.MS_BIND)
        mounted.callback(libc.umount, path, libc.MNT_DETACH)
        return path
    finally:
        os.close(part)


def _write(path: str, value: bytes, uid: int, gid: int, mode: int) -> None:
    """Write a file with an owner and a mode. Raises UserError for an owner that the user namespace lacks."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(value)
        # The mode last: chown clears set-id bits, and before that nobody else may read the file.
        try:
            os.fchown(fd, uid, gid)
        except OSError as error:
            raise _no_owner(uid, gid, error) from None
        os.fchmod(fd, mode)


def _no_owner(uid: int, gid: int, error: OSError) -> UserError:
    return UserError(
        f"a mount can't be given the owner {uid}:{gid}: {(error.strerror or str(error)).lower()}",
        help="an ordinary user's build has as many ids as /etc/subuid and /etc/subgid give the user",
    )


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
