"""The mounts of RUN.

The rules are those of BuildKit's `frontend/dockerfile/dockerfile2llb/convert_runmount.go`, `convert_secrets.go`
and `convert_ssh.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve, frozen

from pybuild.compiler.file_actions import absolute, clean, mkdir
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.options import Used
from pybuild.compiler.lower.dockerfile.pending import Pending
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.mounts import AnyMount, FileMount, SecretMount, SSHMount, bind, cache
from pybuild.compiler.ops import CacheSharing, TmpfsOpt
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import source_error
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.instructions import RunInstruction, RunMount
from pybuild.lang.dockerfile.mount_options import MountOptions, read_options
from pybuild.lang.source import Span

NAMESPACE_ARG = "BUILDKIT_CACHE_MOUNT_NS"
"""The build argument whose value prefixes the ids of cache mounts."""

_SHARING = {"private": CacheSharing.PRIVATE, "locked": CacheSharing.LOCKED}
_OWNED = "/cache"
"""The path of the directory that a new cache starts with if it has an owner or a mode."""


@frozen
class StepMount:
    """A mount that is made later: `make` gets the edge of `source` (None: the empty file system)."""

    make: Callable[[Edge | None], AnyMount]
    source: Pending | None = None


ReadMount = tuple[RunMount, MountOptions]


def read_mounts(lowering: Lowering, stage: StageState, instruction: RunInstruction) -> list[ReadMount]:
    """Read the options of all mounts, expanded with the command's variables. Raises `SourceError`."""

    def read(mount: RunMount) -> MountOptions:
        return read_options(mount, lambda text: lowering.words.one(text, stage.environment, mount.span))

    return [(mount, read(mount)) for mount in instruction.mounts]


def shown_environment(environment: Mapping[str, str], mounts: Iterable[ReadMount]) -> dict[str, str]:
    """Return the environment for names of steps: the values of secrets are replaced by stars."""
    secret = (options.env for _, options in mounts if options.type == "secret")
    return {**environment, **{name: "****" for name in secret if name is not None}}


def step_mounts(
    lowering: Lowering, stage: StageState, mounts: Iterable[ReadMount], sources: Mapping[str, StageState]
) -> list[StepMount]:
    """Return the mounts in order, and note the paths that they use of contexts and stages. Raises `SourceError`."""
    out = []
    for mount, options in mounts:
        source = sources.get(mount.from_name)
        if source is not None and not source.dispatched:
            raise source_error(
                f"cannot mount from stage {quote(mount.from_name)} to {quote(options.target)}, "
                "stage needs to be defined before current command",
                mount.span,
                help="a stage can only mount files of stages above it",
            )
        if options.type == "secret":
            out.append(_secret(stage, options, mount.span))
        elif options.type == "ssh":
            out.append(_ssh(stage, options, mount.span))
        else:
            out.append(_files(lowering, stage, options, mount.span, source if options.from_name else None))
    return out


def _files(
    lowering: Lowering, stage: StageState, options: MountOptions, span: Span, source: StageState | None
) -> StepMount:
    """Return a bind, cache or tmpfs mount."""
    target = options.target
    if not target.startswith("/"):
        target = absolute(stage.cwd, target)
    if clean(target) == "/":
        raise source_error(
            f"invalid mount target {quote(target)}", span, help="name the directory to mount at with target=…"
        )
    selector = used_path(options.source)
    selector = "" if selector == "/" else selector
    readonly = not options.writable
    if options.type == "tmpfs":
        memory = FileMount(target, None, selector, readonly, tmpfs=TmpfsOpt(options.size))
        return StepMount(lambda edge: memory)
    if options.type == "cache":
        return _cache(lowering, stage, options, span, target, selector, source)
    if source is not None:
        source.paths.add(used_path(options.source))
    else:
        stage.context_paths.add(used_path(options.source))
    files = lowering.context if source is None else source.files
    return StepMount(
        lambda edge: bind(target, State(edge), selector=selector, readonly=readonly, output=False), files
    )


def _cache(
    lowering: Lowering,
    stage: StageState,
    options: MountOptions,
    span: Span,
    target: str,
    selector: str,
    source: StageState | None,
) -> StepMount:
    """Return a cache mount; without `from` a new cache is empty."""
    id = options.id or clean(options.target)
    _note(stage.caches, id, False, span)
    if source is not None:
        source.paths.add(used_path(options.source))
    owned = options.has_owner and not selector
    namespaced = f"{lowering.build_args.get(NAMESPACE_ARG, '')}/{id}"

    def make(edge: Edge | None) -> AnyMount:
        files = State(edge)
        return cache(
            target,
            namespaced,
            source=_with_owned_directory(files, options) if owned else files,
            selector=_OWNED if owned else selector,
            sharing=_SHARING.get(options.sharing, CacheSharing.SHARED),
            readonly=not options.writable,
        )

    return StepMount(make, source.files if source is not None else None)


def _with_owned_directory(files: State, options: MountOptions) -> State:
    mode = 0o755 if options.mode is None else options.mode
    action = mkdir(_OWNED, mode=mode, owner=(options.uid or 0, options.gid or 0))
    return files.file(action, options=Options(name="[internal] settings cache mount permissions"))


def _secret(stage: StageState, options: MountOptions, span: Span) -> StepMount:
    """Return a secret mount: a file, a variable if only `env` is given, or both."""
    id = options.source or options.id or _base(options.target)
    _note(stage.secrets, id, options.required, span)
    target: str | None = options.target
    if not target:
        target = "/run/secrets/" + _base(id) if options.env is None else None
    mode = 0o400 if options.mode is None else options.mode
    secret = SecretMount(
        id, target, options.env, options.uid or 0, options.gid or 0, mode, optional=not options.required
    )
    return StepMount(lambda edge: secret)


def _ssh(stage: StageState, options: MountOptions, span: Span) -> StepMount:
    if options.source:
        raise source_error(
            "ssh does not support source", span, help="name the agent or key of --ssh with id=…"
        )
    _note(stage.agents, options.id or "default", options.required, span)
    mode = 0o600 if options.mode is None else options.mode
    agent = SSHMount(
        options.id,
        options.target,
        options.uid or 0,
        options.gid or 0,
        mode,
        optional=not options.required,
    )
    return StepMount(lambda edge: agent)


def _note(uses: dict[str, Used], id: str, required: bool, span: Span) -> None:
    known = uses.get(id)
    if known is None:
        uses[id] = Used(id, required, span)
    elif required and not known.required:
        uses[id] = evolve(known, required=True)


def _base(path: str) -> str:
    """Return the last component of a path that isn't empty, as Go's path.Base."""
    return path.rstrip("/").rpartition("/")[2] or "/"
