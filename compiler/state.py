"""A fluent interface for building graphs: a `State` is a file system with the settings that its commands inherit.

    base = State.image("alpine:3.20")
    context = State.local("context", include=["src"])
    built = base.dir("/src").file(copy(context, "src", "."))
    done = built.run(["make"], mounts=[cache("/root/.cache", "make")])
    edge = done.edge

States are immutable; every method returns another one. The vertices are exactly those of BuildKit's Go client
(`client/llb`) for the same calls, so that digests are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from pybuild.compiler.exec_process import arguments, exec_caps, process
from pybuild.compiler.file_actions import (
    Actions,
    BoundActions,
    Owner,
    absolute,
    copy,
    file_op,
    mkdir,
    mkfile,
    rm,
    symlink,
)
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge
from pybuild.compiler.mounts import (
    AnyMount,
    FileMount,
    SecretMount,
    SSHMount,
    bind,
    cache,
    number_mounts,
    secret,
    ssh,
    tmpfs,
)
from pybuild.compiler.ops import (
    EMPTY,
    BuildOp,
    CDIDevice,
    DiffOp,
    ExecOp,
    HostIP,
    MergeOp,
    NetMode,
    Platform,
    ProxyEnv,
    SecurityMode,
    SourceOp,
    Ulimit,
)
from pybuild.compiler.options import DEFAULT, Options
from pybuild.compiler.platforms import default as default_platform
from pybuild.compiler.platforms import normalize as normalize_platform
from pybuild.compiler.sources import (
    git_source,
    http_source,
    image_source,
    local_source,
    oci_layout_source,
    platform_specific,
)
from pybuild.lang.diagnostics import UserError

__all__ = [
    "Actions",
    "AnyMount",
    "BoundActions",
    "ExecState",
    "FileMount",
    "Options",
    "Owner",
    "SSHMount",
    "SecretMount",
    "State",
    "bind",
    "cache",
    "copy",
    "diff",
    "merge",
    "mkdir",
    "mkfile",
    "rm",
    "secret",
    "ssh",
    "symlink",
    "tmpfs",
]


@frozen
class State:
    """A file system, `edge` (None: the empty one), and the settings that commands on it inherit.

    `environment` is ordered by the last assignment of each name. With `platform` None, ops that carry a platform get
    this machine's (`platforms.default`).
    """

    edge: Edge | None = None
    cwd: str = "/"
    environment: tuple[tuple[str, str], ...] = ()
    user_name: str = ""
    host_name: str = ""
    platform: Platform | None = None
    network_mode: NetMode = NetMode.UNSET
    security_mode: SecurityMode = SecurityMode.SANDBOX
    extra_hosts: tuple[HostIP, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    valid_exit_codes: tuple[int, ...] = ()

    # Sources

    @staticmethod
    def scratch() -> State:
        """Return the empty file system."""
        return State()

    @staticmethod
    def image(
        ref: str,
        *,
        resolve_mode: str = "",
        record_type: str = "",
        layer_limit: int | None = None,
        checksum: str = "",
        options: Options = DEFAULT,
    ) -> State:
        """Return an image of a registry. `ref` gets Docker's defaults (`docker.io/library/`, `:latest`).

        `resolve_mode` is `default`, `pull`, `local` or "", which writes none. The image's config isn't read: the
        state starts in directory `/` with no environment. Raises `UserError` for an invalid reference.
        """
        op, caps = image_source(ref, resolve_mode, record_type, layer_limit, checksum)
        return State.source(op, caps=caps, options=options)

    @staticmethod
    def local(
        name: str,
        *,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        follow_paths: Iterable[str] = (),
        shared_key: str = "",
        session: str = "",
        unique: str = "",
        differ: str = "",
        metadata_only: bool = False,
        metadata_exceptions: Iterable[str] = (),
        options: Options = DEFAULT,
    ) -> State:
        """Return directory `name` of the client.

        `shared_key` is `local.sharedkeyhint`; `differ` is "", `none` or `metadata`. BuildKit's client sets `unique`
        to a random word in each build that names no session; an empty one is left out.
        """
        op, caps = local_source(
            name,
            include=include,
            exclude=exclude,
            follow_paths=follow_paths,
            shared_key=shared_key,
            session=session,
            unique=unique,
            differ=differ,
            metadata_only=metadata_only,
            metadata_exceptions=metadata_exceptions,
        )
        return State.source(op, caps=caps, options=options)

    @staticmethod
    def oci_layout(
        ref: str,
        *,
        session: str = "",
        store: str = "",
        layer_limit: int | None = None,
        options: Options = DEFAULT,
    ) -> State:
        """Return an image of an OCI layout. `ref` is `name@sha256:…` or `name:tag@sha256:…`, and is used as it is."""
        op, caps = oci_layout_source(ref, session, store, layer_limit)
        return State.source(op, caps=caps, options=options)

    @staticmethod
    def http(
        url: str,
        *,
        checksum: str = "",
        filename: str = "",
        mode: int | None = None,
        uid: int = 0,
        gid: int = 0,
        auth_header_secret: str = "",
        headers: Mapping[str, str] | None = None,
        options: Options = DEFAULT,
    ) -> State:
        """Return the file at an `http://` or `https://` address. `headers` may hold `accept` and `user-agent`."""
        op, caps = http_source(
            url,
            checksum=checksum,
            filename=filename,
            mode=mode,
            uid=uid,
            gid=gid,
            auth_header_secret=auth_header_secret,
            headers=headers,
        )
        return State.source(op, caps=caps, options=options)

    @staticmethod
    def git(
        remote: str,
        ref: str = "",
        *,
        subdir: str = "",
        keep_git_dir: bool = False,
        checksum: str = "",
        skip_submodules: bool = False,
        mtime: str = "",
        fetch_by_commit: bool = False,
        auth_token_secret: str | None = None,
        auth_header_secret: str | None = None,
        known_ssh_hosts: str = "",
        ssh_socket: str = "",
        options: Options = DEFAULT,
    ) -> State:
        """Return a repository at a branch, tag or commit. `remote` is an address in any of git's forms.

        The secrets' names default to `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER`; "" uses none. Unlike BuildKit's client,
        host keys aren't fetched: `known_ssh_hosts` has them. Raises `UserError` for an address of no known form.
        """
        op, caps = git_source(
            remote,
            ref,
            subdir=subdir,
            keep_git_dir=keep_git_dir,
            checksum=checksum,
            skip_submodules=skip_submodules,
            mtime=mtime,
            fetch_by_commit=fetch_by_commit,
            auth_token_secret=auth_token_secret,
            auth_header_secret=auth_header_secret,
            known_ssh_hosts=known_ssh_hosts,
            ssh_socket=ssh_socket,
        )
        return State.source(op, caps=caps, options=options)

    @staticmethod
    def source(op: SourceOp, *, caps: Iterable[str] = (), options: Options = DEFAULT) -> State:
        """Return the state of a source op. Only images and OCI layouts carry a platform."""
        platform = (options.platform or default_platform()) if platform_specific(op.identifier) else None
        vertex = options.vertex(op, platform=platform, caps=caps)
        return State(Edge(vertex), platform=_normalized(options.platform))

    # Settings that commands inherit

    def dir(self, path: str) -> State:
        """Set the working directory; a relative path is taken from the present one."""
        return evolve(self, cwd=path if path.startswith("/") else absolute(self.cwd, path))

    def env(self, name: str, value: str) -> State:
        """Set a variable. A variable that is set again moves to the end."""
        kept = tuple(pair for pair in self.environment if pair[0] != name)
        return evolve(self, environment=(*kept, (name, value)))

    def unset_env(self, name: str) -> State:
        return evolve(self, environment=tuple(pair for pair in self.environment if pair[0] != name))

    def get_env(self, name: str) -> str | None:
        return dict(self.environment).get(name)

    def user(self, name: str) -> State:
        """Set the user of commands: `user[:group]`, names or numbers."""
        return evolve(self, user_name=name)

    def hostname(self, name: str) -> State:
        return evolve(self, host_name=name)

    def on_platform(self, platform: Platform | None) -> State:
        """Set the platform of later ops that carry one."""
        return evolve(self, platform=_normalized(platform))

    def network(self, mode: NetMode) -> State:
        return evolve(self, network_mode=mode)

    def security(self, mode: SecurityMode) -> State:
        return evolve(self, security_mode=mode)

    def add_host(self, host: str, ip: str) -> State:
        """Add a line to the /etc/hosts of commands."""
        return evolve(self, extra_hosts=(*self.extra_hosts, HostIP(host, ip)))

    def add_ulimit(self, name: str, soft: int, hard: int) -> State:
        return evolve(self, ulimits=(*self.ulimits, Ulimit(name, soft, hard)))

    def in_cgroup(self, parent: str) -> State:
        return evolve(self, cgroup_parent=parent)

    def with_valid_exit_codes(self, codes: Iterable[int]) -> State:
        """Set the exit codes that count as success; without any it is 0 alone."""
        return evolve(self, valid_exit_codes=tuple(codes))

    def at(self, edge: Edge | None) -> State:
        """Return another file system with the settings of this state."""
        return State(edge, **{name: getattr(self, name) for name in _INHERITED})

    # Ops

    def run(
        self,
        args: Sequence[str] = (),
        *,
        shell: str | None = None,
        mounts: Iterable[AnyMount] = (),
        readonly_root: bool = False,
        network: NetMode | None = None,
        security: SecurityMode | None = None,
        proxy: ProxyEnv | None = None,
        devices: Iterable[CDIDevice] = (),
        options: Options = DEFAULT,
    ) -> ExecState:
        """Run a command on this file system; return the state after it.

        `args` is the argument vector; a string is split into words as by a shell. `shell` is run by `/bin/sh -c`
        instead. `mounts` come from `bind`, `cache`, `tmpfs`, `secret` and `ssh`; `.mount(target)` of the returned
        state is a bind mount after the command. `network` and `security` None take the state's. Raises `UserError`
        if there is no command, or two.
        """
        mounts = tuple(mounts)
        root = FileMount("/", self.edge, readonly=readonly_root)
        numbered = number_mounts(root, mounts)
        op = ExecOp(
            meta=process(self, arguments(args, shell), mounts, proxy),
            mounts=numbered.mounts,
            network=self.network_mode if network is None else network,
            security=self.security_mode if security is None else security,
            secret_env=numbered.secret_env,
            cdi_devices=tuple(devices),
        )
        platform = options.platform or self.platform or default_platform()
        caps = numbered.caps | exec_caps(op)
        vertex = options.vertex(op, numbered.inputs, platform=platform, caps=caps)
        # A read-only mount is unchanged by the command. Writes to others without an output are dropped.
        edges = {
            mount.target: Edge(vertex, numbered.outputs[mount.target]) if mount.has_output else mount.edge
            for mount in (root, *(mount for mount in mounts if isinstance(mount, FileMount)))
            if mount.has_output or mount.readonly
        }
        after = self.at(edges["/"])
        if options.platform is not None:
            after = after.on_platform(options.platform)
        return ExecState(**{name: getattr(after, name) for name in ("edge", *_INHERITED)}, edges=edges)

    def file(self, actions: Actions, *, options: Options = DEFAULT) -> State:
        """Apply a chain of `copy`, `mkfile`, `mkdir`, `rm` and `symlink` as one file op."""
        op, inputs, caps = file_op(actions, self)
        return self.at(Edge(options.vertex(op, inputs, caps=caps)))

    def build(self, *, filename: str = "", options: Options = DEFAULT) -> State:
        """Solve the definition in the file `filename` of this file system; "" means `buildkit.llb.definition`."""
        if self.edge is None:
            raise UserError("a nested build has no definition", help="build it on a state that holds one")
        inputs: Any = {"buildkit.llb.definition": 0}
        attrs: Any = {"llbbuild.filename": filename} if filename else {}
        op = BuildOp(builder=EMPTY, inputs=inputs, attrs=attrs)
        platform = options.platform or default_platform()
        caps = ("source.buildop.llbfilename",)
        return self.at(Edge(options.vertex(op, (self.edge,), platform=platform, caps=caps)))

    def apply(self, *changes: Callable[[State], State]) -> State:
        """Apply `changes` to this state, one after the other."""
        state = self
        for change in changes:
            state = change(state)
        return state


_INHERITED = tuple(name for name in State.__annotations__ if name != "edge")


def _edges(items: Mapping[str, Edge | None]) -> FrozenMap[Edge | None]:
    return FrozenMap(items)


@frozen
class ExecState(State):
    """The state after a command: its root as the state itself, and its other mounts by target (`edges`)."""

    edges: Mapping[str, Edge | None] = field(factory=FrozenMap, converter=_edges)

    def mount(self, target: str) -> State:
        """Return the mount at `target` after the command. Raises `UserError` if the mount has no output."""
        if target not in self.edges:
            raise UserError(
                f"no output of the mount at {target}",
                help="cache, tmpfs, secret and ssh mounts and mounts with output=False keep nothing",
            )
        return State(self.edges[target], platform=self.platform)


def merge(states: Iterable[State], *, options: Options = DEFAULT) -> State:
    """Lay the file systems of states over each other, the last one on top. Empty ones are left out."""
    kept = [state for state in states if state.edge is not None]
    if not kept:
        return State.scratch()
    if len(kept) == 1:
        return kept[0]
    inputs = [state.edge for state in kept if state.edge is not None]
    op = MergeOp(tuple(range(len(inputs))))
    return State(Edge(options.vertex(op, inputs, caps=("mergeop",))))


def diff(lower: State, upper: State, *, options: Options = DEFAULT) -> State:
    """Return the difference that, laid over `lower`, gives `upper`; `upper` itself if `lower` is empty."""
    if lower.edge is None:
        return upper if upper.edge is not None else State.scratch()
    if upper.edge is None:
        op, inputs = DiffOp(0, EMPTY), [lower.edge]
    else:
        op, inputs = DiffOp(0, 1), [lower.edge, upper.edge]
    return lower.at(Edge(options.vertex(op, inputs, caps=("diffop",))))


def _normalized(platform: Platform | None) -> Platform | None:
    return normalize_platform(platform) if platform is not None else None
