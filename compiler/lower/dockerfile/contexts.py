"""Build contexts: the main one, and named contexts, which replace images and stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from pybuild.compiler import image, platforms, reference
from pybuild.compiler.bridge import Bridge, NotAnImage, ResolvedImage
from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.lower.dockerfile.options import (
    DirectoryContext,
    LoweredTarget,
    LowerOptions,
    StateContext,
)
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending, settled
from pybuild.compiler.lower.images import host_of_other_platform, pinned
from pybuild.compiler.lower.paths import follow_paths
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.remote import git_state, http_context
from pybuild.compiler.state import State
from pybuild.compiler.urls import is_http
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.ignore import read_patterns

IGNORE_FILE = ".dockerignore"
_KINDS = "docker-image://REF, oci-layout://NAME@DIGEST, local:NAME, target:STAGE or a git or HTTP address"


Paths = Callable[[], Iterable[str]]
LowerTarget = Callable[[str, str], LoweredTarget]


@frozen
class ContextContent:
    """The content of a named context. `image` None means files without a config; `files` None the empty file
    system."""

    files: Pending | None
    image: Image | None = None
    config: bytes | None = None


@frozen
class NamedContext:
    """A named context. `key` is the name under which it was given, perhaps with a platform. `session` and
    `shared_key` are those of a directory."""

    key: str
    source: str
    platform: Platform | None
    given: StateContext | DirectoryContext | None = None
    session: str = ""
    shared_key: str = ""

    def load(self, bridge: Bridge, paths: Paths, lower: LowerTarget) -> ContextContent:
        """Resolve the context. `paths` returns the paths that are used of a directory, once everything is lowered;
        `lower` lowers another target of the same file, without this context.

        Raises `UsageError` for a specification of no known form.
        """
        if isinstance(self.given, StateContext):
            return ContextContent(settled(self.given.edge), self.given.image, self.given.config)
        if self.given is not None:
            return _load_directory(self, self.given.name, self.given.exclude, paths)
        context = self
        for _ in range(_MOST_SOURCES):
            try:
                return context._loaded(bridge, paths, lower)
            except NotAnImage as error:
                context = evolve(context, source=error.identifier.replace("local://", "local:"))
        raise UsageError(
            "context recursion limit exceeded; this may indicate a cycle in the provided source policies: "
            f"{context.source}"
        )

    def _loaded(self, bridge: Bridge, paths: Paths, lower: LowerTarget) -> ContextContent:
        kind, colon, rest = self.source.partition(":")
        if colon and kind == "target":
            return _load_target(lower(rest, self.key))
        load = _LOADERS.get("git" if kind.startswith("git@") else kind)
        if not colon or load is None:
            raise UsageError(
                f"unsupported context source {kind} for {self.key}"
                if colon
                else f"invalid context specifier {self.source} for {self.key}",
                help=f"write {self.key}={_KINDS}",
            )
        return load(self, rest, bridge, paths)


_MOST_SOURCES = 10
"""The most sources of one context: a policy may replace each by another one."""


class NamedContexts:
    """Named contexts, looked up by name. Names are image references: `x`, `x:latest` and `docker.io/library/x` are
    equal."""

    def __init__(
        self,
        contexts: Mapping[str, str],
        target: Platform,
        states: Mapping[str, StateContext | DirectoryContext] | None = None,
        *,
        sessions: Mapping[str, str] | None = None,
        shared_keys: Mapping[str, str] | None = None,
    ) -> None:
        self._states = {_context_key(name): state for name, state in (states or {}).items()}
        self._sources = {_context_key(name): source for name, source in contexts.items()}
        self._sources |= dict.fromkeys(self._states, "")
        self._sessions = sessions or {}
        self._shared_keys = {_context_key(name): key for name, key in (shared_keys or {}).items()}
        self._target = target

    def names(self) -> list[str]:
        """Return the names, as `familiar` writes them and without platforms."""
        return [name.partition("::")[0] for name in self._sources]

    def find(self, name: str, platform: Platform | None) -> NamedContext | None:
        """Return the context `name` for a platform (None: the target's), else the one for all platforms; None if
        there is none."""
        if name.lower() in ("scratch", "context") or not self._sources:
            return None
        platform = platform or self._target
        short = familiar(name)
        for key in (f"{short}::{platforms.format_all(platforms.normalize(platform))}", short):
            if key in self._sources:
                return self._context(key, platform)
        return None

    def _context(self, key: str, platform: Platform) -> NamedContext:
        source, given = self._sources[key], self._states.get(key)
        directory = given.name if isinstance(given, DirectoryContext) else source.removeprefix("local:")
        session = self._sessions.get(directory, "")
        return NamedContext(key, source, platform, given, session, self._shared_keys.get(key, ""))


def _context_key(name: str) -> str:
    bare, separator, platform = name.partition("::")
    return familiar(bare) + separator + platform


def familiar(name: str) -> str:
    """Return a reference in its short form: without Docker Hub's name, `library/` and `:latest`."""
    return reference.parse(name).familiar.removesuffix(":latest")


def main_context(options: LowerOptions, paths: Paths) -> Pending | None:
    """Return the main context. Of a local directory only `paths` are read; they are asked once everything is
    lowered."""
    if options.context is not None:
        return settled(options.context)

    def make(inputs: Inputs) -> Edge | None:
        return State.local(
            options.context_local_name,
            exclude=options.excludes,
            follow_paths=follow_paths(paths()),
            shared_key=options.context_local_name,
            session=options.sessions.get(options.context_local_name, ""),
            options=Options(name="[internal] load build context"),
        ).edge

    return Pending(make)


def _load_target(lowered: LoweredTarget) -> ContextContent:
    return ContextContent(settled(lowered.edge), lowered.image, lowered.base_config)


def _load_image(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    ref = rest.removeprefix("//")
    if ref == "scratch":
        return ContextContent(None)
    platform = context.platform or platforms.default()
    log_name = f"[context {context.key}] load metadata for {ref}"
    resolved = bridge.resolve_image(reference.parse(ref).canonical, platform, log_name=log_name)
    options = Options(platform=platform, name=f"[context {context.key}] {ref}")
    files = State.image(pinned(resolved), options=options)
    return _with_config(files, resolved)


def _with_config(files: State, resolved: ResolvedImage) -> ContextContent:
    config = evolve(image.parse(resolved.config), created=None)
    return ContextContent(settled(files.edge), config, resolved.config)


def _load_layout(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    platform = context.platform or platforms.default()
    ref = rest.removeprefix("//")
    log_name = f"[context {context.key}] load metadata for {ref}"
    resolved = bridge.resolve_layout(ref, platform, log_name=log_name)
    options = Options(platform=platform, name=f"[context {context.key}] OCI load from client")
    return _with_config(State.oci_layout(pinned(resolved), store=resolved.store, options=options), resolved)


def _load_host(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    """Load the layout `rest` of this machine's commands. Raises SourceError for another platform."""
    loaded = _load_layout(context, rest, bridge, paths)
    assert loaded.image is not None
    own, platform = loaded.image.platform, context.platform or platforms.default()
    if not platforms.matches(platform, own):
        raise host_of_other_platform(own, platform, "from a stage with `FROM --platform=$BUILDPLATFORM`")
    return loaded


def _load_local(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    return _load_directory(context, rest, _ignore_patterns(context, rest, bridge), paths)


def _load_directory(
    context: NamedContext, name: str, excludes: Sequence[str], paths: Paths
) -> ContextContent:
    def make(inputs: Inputs) -> Edge | None:
        return State.local(
            name,
            exclude=excludes,
            follow_paths=follow_paths(paths()),
            shared_key=f"context:{context.key}-{context.shared_key}",
            session=context.session,
            options=Options(name=f"[context {context.key}] load from client"),
        ).edge

    return ContextContent(Pending(make))


def _ignore_patterns(context: NamedContext, name: str, bridge: Bridge) -> list[str]:
    edge = State.local(
        name,
        follow_paths=[IGNORE_FILE],
        shared_key=f"context:{context.key}-{IGNORE_FILE}",
        session=context.session,
        differ="none",
        options=Options(name=f"[context {context.key}] load {IGNORE_FILE}"),
    ).edge
    assert edge is not None
    try:
        data = bridge.read_file(edge, IGNORE_FILE)
    except FileNotFoundError:
        return []
    return read_patterns(data.decode(errors="surrogateescape"), IGNORE_FILE)


def _load_input(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    raise UsageError(f"invalid input {rest} for {context.key}", help="the client gave no state of that name")


def _load_remote(context: NamedContext, rest: str, bridge: Bridge, paths: Paths) -> ContextContent:
    """Load a git repository, or the file at an HTTP address."""
    repository = parse_git_ref(context.source)
    if repository is not None:
        return ContextContent(
            settled(git_state(repository, f"[internal] load git source {context.source}").edge)
        )
    if not is_http(context.source):
        raise UsageError(f"invalid git context {context.source}")
    state, _ = http_context(context.source, f"[context {context.key}] {context.source}", bridge)
    return ContextContent(settled(state.edge))


_LOADERS = {
    "docker-image": _load_image,
    "git": _load_remote,
    "host": _load_host,
    "http": _load_remote,
    "https": _load_remote,
    "input": _load_input,
    "local": _load_local,
    "oci-layout": _load_layout,
    "ssh": _load_remote,
}
