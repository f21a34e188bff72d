"""The public interface of frontends: the inputs of a frontend of an installed package, and its result.

    frontend.build(bridge, inputs) -> Built        called once a build, after the build file was read

A frontend makes states (`compiler.state`) from bases and contexts, asks the bridge for facts, and returns a state and
an image config (`compiler.image`) for each platform. Only vertices that its questions or its result need are run,
pulled or copied. The defaults of steps (networks, hosts, limits, proxies, `--no-cache`) and the settings of images
(labels, tags, annotations, outputs) are applied to the result, and are no concern of a frontend.

A frontend depends only on its inputs, its package and the bridge's answers, so that an unchanged build need not call
it. A frontend that depends on anything else declares it in its result (`Built.repeatable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from attrs import evolve, field, frozen

from pybuild.compiler import image as images
from pybuild.compiler import reference
from pybuild.compiler.bridge import Bridge, FileStat
from pybuild.compiler.contextfile import read_context_file
from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.lower.commands import PROXIES
from pybuild.compiler.lower.dockerfile.contexts import ContextContent, NamedContexts
from pybuild.compiler.lower.dockerfile.options import DirectoryContext, LoweredTarget, StateContext
from pybuild.compiler.lower.dockerfile.pending import settle
from pybuild.compiler.lower.images import is_empty, pinned
from pybuild.compiler.lower.paths import follow_paths, used_path
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.source import Source

SCRATCH = "scratch"
_IN_OTHER_FIELDS = ("BUILDKIT_SYNTAX", "SOURCE_DATE_EPOCH")
"""Build arguments that a frontend gets as other fields of its inputs."""


def plain_args(args: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments of a frontend: without proxies and without those that are other fields."""
    return {
        name: value
        for name, value in args.items()
        if name not in _IN_OTHER_FIELDS and name.lower() not in PROXIES
    }


class Frontend(Protocol):
    """The object of an entry point of the group `pybuild.frontends`; it may be a module with a function `build`.

    An attribute `versions` lists the versions of the build file that it supports; without one it gets any version.
    """

    def build(self, bridge: Bridge, inputs: FrontendInputs) -> Built:
        """Make the graph of a build file. It is called in the main thread.

        Raises `UserError`; with a span into `inputs.source` the message points at the place in the file
        (`lang.diagnostics.source_error`).
        """


@frozen
class Context:
    """The files of a build: the client's directory `name` without what `exclude` matches, or the state `edge` of a
    remote context.

    Of a directory only the paths that calls name are read, and only changes of these paths make a build look again.
    The path of a directory includes everything in it; wildcards are allowed.
    """

    name: str = "context"
    edge: Edge | None = None
    exclude: tuple[str, ...] = ()

    def state(self, *paths: str) -> State:
        """Return the context's files, to copy `paths` from; without `paths` all of them are read."""
        if self.edge is not None:
            return State(self.edge)
        return State.local(
            self.name,
            exclude=self.exclude,
            follow_paths=follow_paths(map(used_path, paths)),
            shared_key=self.name,
            options=Options(name="[internal] load build context"),
        )

    def read_file(self, path: str, bridge: Bridge) -> bytes:
        """Read a file of the context. Raises FileNotFoundError, `UserError`."""
        relative = used_path(path).lstrip("/")
        return read_context_file(
            relative, bridge, context=self.edge, local_name=self.name, excludes=self.exclude
        )

    def read_dir(self, path: str, bridge: Bridge) -> list[FileStat]:
        """List a directory of the context, ordered by name. Raises FileNotFoundError, `UserError`."""
        edge = self.state(path).edge
        assert edge is not None
        return bridge.read_dir(edge, path)


@frozen
class Base:
    """The base of an image: a state whose commands run with the config's environment, directory and user; the image
    config to build on; and the raw config of the base image, None without one."""

    state: State
    image: Image
    config: bytes | None = None

    @staticmethod
    def scratch(platform: Platform) -> Base:
        """Return an empty base."""
        return Base(State.scratch().on_platform(platform), images.empty(platform))

    def built(self, state: State, image: Image | None = None) -> BuiltImage:
        """Return the image of a state that is built on this base; `image` None keeps the base's config."""
        return BuiltImage(state, image if image is not None else self.image, self.config)


@frozen
class BuiltImage:
    """The result for one platform, which is that of `image`. `base_config` is the raw config of the base image, whose
    history is kept unchanged."""

    state: State
    image: Image
    base_config: bytes | None = None


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


def _images(items: BuiltImage | Iterable[BuiltImage]) -> tuple[BuiltImage, ...]:
    return (items,) if isinstance(items, BuiltImage) else tuple(items)


@frozen
class Built:
    """The result of a frontend: an image for each platform. Several images, or several platforms, make an index.

    `repeatable` False means that the same inputs may give another result: each build calls the frontend again.
    """

    images: tuple[BuiltImage, ...] = field(converter=_images)
    repeatable: bool = True


@frozen
class FrontendInputs:
    """The inputs of a frontend.

    `source` is the build file with its syntax line: its name as the user wrote it, and its text, into which spans
    point. `version` is the text after the colon in the syntax line, "" without one. `target` is the requested target.
    `platforms` are those to build for, this machine's (`build_platform`) by default; never empty. `build_args` are
    the given build arguments without proxies. `epoch` is SOURCE_DATE_EPOCH in seconds, the time for files that the
    build makes; None is the time of the build. `contexts` has the values of named contexts, and `states` those that
    are states already; `named` and `base` look both up. `resolve_mode` is `default` or `pull`.
    """

    source: Source = field(eq=False)
    version: str
    platforms: tuple[Platform, ...]
    build_platform: Platform
    target: str | None = None
    build_args: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    context: Context = Context()
    contexts: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    states: Mapping[str, StateContext | DirectoryContext] = field(factory=FrozenMap)
    epoch: int | None = None
    resolve_mode: str = "default"

    def base(self, ref: str, platform: Platform, bridge: Bridge) -> Base:
        """Return the base `ref` for a platform. Raises `UserError`.

        It is the named context of that name if there is one, else the empty base for `scratch`, else an image of a
        registry, pinned to its digest.
        """
        named = self.named(ref, platform, bridge)
        if named is not None:
            return named
        if ref == SCRATCH:
            return Base.scratch(platform)
        resolved = bridge.resolve_image(reference.parse(ref).canonical, platform)
        mode = "" if self.resolve_mode == "default" else self.resolve_mode
        options = Options(platform=platform, name=f"from {pinned(resolved)}")
        files = State.image(pinned(resolved), resolve_mode=mode, options=options)
        return _with_image(files.edge, images.parse(resolved.config), resolved.config, platform)

    def named(self, name: str, platform: Platform, bridge: Bridge, *paths: str) -> Base | None:
        """Return the named context `name` for a platform; None if there is none. Raises `UserError`.

        A context that isn't an image has an empty config. Of a directory only `paths` are read; without any, all.
        """
        contexts = NamedContexts(self.contexts, platform, self.states)
        context = contexts.find(name, platform)
        if context is None:
            return None

        def target(stage: str, key: str) -> LoweredTarget:
            raise UsageError(
                f"the build context {key} is a target of a Dockerfile, and this file is none: target:{stage}",
                help="give a directory, docker-image://REF, oci-layout://PATH or an address",
            )

        loaded: ContextContent = context.load(bridge, lambda: map(used_path, paths or ("/",)), target)
        edge = settle(loaded.files)
        if loaded.image is None:
            return Base(State(edge).on_platform(platform), images.empty(platform))
        return _with_image(edge, loaded.image, loaded.config, platform)


def _with_image(edge: Edge | None, image: Image, config: bytes | None, platform: Platform) -> Base:
    """Return an image as a base. Without layers it is the empty file system; ONBUILD triggers are dropped."""
    empty = is_empty(image)
    image = evolve(image, created=None).with_config(on_build=())
    pairs = [entry.partition("=") for entry in image.config.env]
    state = State(
        None if empty else edge,
        cwd=image.config.working_dir or "/",
        environment=tuple({name: value for name, _, value in pairs}.items()),
        user_name=image.config.user,
    )
    return Base(state.on_platform(platform), image, config)
