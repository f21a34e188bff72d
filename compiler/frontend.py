"""What a frontend of an installed package is given and gives back: the public interface of such packages.

    frontend.build(bridge, inputs) -> Built        called once a build, after the build file was read

It makes states (`compiler.state`) from bases and contexts, asks the bridge what it must know, and returns a state and
an image config (`compiler.image`) for each platform. Nothing is run, pulled or copied but what it asks for and what
its result needs. What the command line says of every step (networks, hosts, limits, proxies, `--no-cache`) and of
every image (labels, tags, annotations, outputs) is applied to the result and is no business of a frontend.

A frontend depends on nothing but its inputs, its package and the bridge's answers, so that a build of which nothing
changed need not call it. One that depends on more says so in what it returns (`Built.repeatable`).
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
from pybuild.compiler.lower.dockerfile.contexts import Loaded, NamedContexts
from pybuild.compiler.lower.dockerfile.options import DirectoryContext, Lowered, StateContext
from pybuild.compiler.lower.dockerfile.pending import settle
from pybuild.compiler.lower.images import is_empty, pinned
from pybuild.compiler.lower.paths import follow_paths, used_path
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.source import Source

SCRATCH = "scratch"
_TOLD_APART = ("BUILDKIT_SYNTAX", "SOURCE_DATE_EPOCH")
"""Build arguments that a frontend has in other form, as it has the proxies."""


def plain_args(args: Mapping[str, str]) -> dict[str, str]:
    """The build arguments that a frontend is told as such."""
    return {
        name: value for name, value in args.items() if name not in _TOLD_APART and name.lower() not in PROXIES
    }


class Frontend(Protocol):
    """What an entry point of the group `pybuild.frontends` names: an object, or a module with a function `build`.

    An attribute `versions`, texts, says which versions of the build file it knows; without one it is given whatever
    stands behind the colon.
    """

    def build(self, bridge: Bridge, inputs: FrontendInputs) -> Built:
        """The graph of a build file. Called in the main thread. Raises `UserError`: with a span into `inputs.source`
        it points at the place in the file (`lang.diagnostics.source_error`)."""


@frozen
class Context:
    """The files a build is given: the client's directory `name` without what `exclude` matches, or the state `edge`
    of what lies elsewhere.

    Of a directory only the paths that a call names are read, and only their change has the build looked at again. A
    directory's path stands for all in it, and wildcards are allowed.
    """

    name: str = "context"
    edge: Edge | None = None
    exclude: tuple[str, ...] = ()

    def state(self, *paths: str) -> State:
        """The context to copy `paths` from; all of it without any."""
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
        """Raises FileNotFoundError, `UserError`."""
        relative = used_path(path).lstrip("/")
        return read_context_file(
            relative, bridge, context=self.edge, local_name=self.name, excludes=self.exclude
        )

    def read_dir(self, path: str, bridge: Bridge) -> list[FileStat]:
        """The entries of a directory, by name. Raises FileNotFoundError, `UserError`."""
        edge = self.state(path).edge
        assert edge is not None
        return bridge.read_dir(edge, path)


@frozen
class Base:
    """What an image starts from: a state whose commands run as the config says (environment, directory, user), the
    config to be changed, and the config as it was found, None without an image."""

    state: State
    image: Image
    config: bytes | None = None

    @staticmethod
    def scratch(platform: Platform) -> Base:
        """The empty file system."""
        return Base(State.scratch().on_platform(platform), images.empty(platform))

    def built(self, state: State, image: Image | None = None) -> BuiltImage:
        """The image of a state that was made from this base; `image` None leaves the config as it is."""
        return BuiltImage(state, image if image is not None else self.image, self.config)


@frozen
class BuiltImage:
    """One platform's result. The platform is that of `image`; `base_config` is the raw config of the image that it
    was made from, whose history stays as it is."""

    state: State
    image: Image
    base_config: bytes | None = None


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


def _images(items: BuiltImage | Iterable[BuiltImage]) -> tuple[BuiltImage, ...]:
    return (items,) if isinstance(items, BuiltImage) else tuple(items)


@frozen
class Built:
    """What a frontend makes of a build: an image for each of the platforms. Several, or `--platform` with several,
    make an index. `repeatable` False: the same inputs may give another result, so it is asked anew each time."""

    images: tuple[BuiltImage, ...] = field(converter=_images)
    repeatable: bool = True


@frozen
class FrontendInputs:
    """What a frontend is told of a build.

    `source` is the build file, syntax line and all: its name as the user calls it, and its text, into which spans
    point. `version` is what stands behind the name in the syntax line, "" without a colon. `target` is the one asked
    for. `platforms` are those to build for, this machine's (`build_platform`) unless others are asked for; never
    empty. `build_args` are those given, without proxies. `epoch` is SOURCE_DATE_EPOCH in seconds: the time that files
    made by the build should have, None for that of the build. `contexts` has the values of named contexts and
    `states` those that are known already, which `named` and `base` look up; `resolve_mode` is `default` or `pull`.
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
        """The image `ref` for a platform: the named context of that name if there is one, `scratch`, else the
        registry's image, resolved to its digest. Raises `UserError`."""
        named = self.named(ref, platform, bridge)
        if named is not None:
            return named
        if ref == SCRATCH:
            return Base.scratch(platform)
        found = bridge.resolve_image(reference.parse(ref).canonical, platform)
        mode = "" if self.resolve_mode == "default" else self.resolve_mode
        options = Options(platform=platform, name=f"from {pinned(found)}")
        files = State.image(pinned(found), resolve_mode=mode, options=options)
        return _with_image(files.edge, images.parse(found.config), found.config, platform)

    def named(self, name: str, platform: Platform, bridge: Bridge, *paths: str) -> Base | None:
        """The named context `name` for a platform, None if there is none. One that is no image has an empty config;
        of a directory the `paths` are read, all of it without any. Raises `UserError`."""
        contexts = NamedContexts(self.contexts, platform, self.states)
        found = contexts.find(name, platform)
        if found is None:
            return None

        def target(stage: str, key: str) -> Lowered:
            raise UsageError(
                f"the build context {key} is a target of a Dockerfile, and this file is none: target:{stage}",
                help="give a directory, docker-image://REF, oci-layout://PATH or an address",
            )

        loaded: Loaded = found.load(bridge, lambda: map(used_path, paths or ("/",)), target)
        edge = settle(loaded.files)
        if loaded.image is None:
            return Base(State(edge).on_platform(platform), images.empty(platform))
        return _with_image(edge, loaded.image, loaded.config, platform)


def _with_image(edge: Edge | None, found: Image, config: bytes | None, platform: Platform) -> Base:
    """An image without layers is the empty file system. Triggers (ONBUILD) are a Dockerfile's."""
    kept = evolve(found, created=None).with_config(on_build=())
    pairs = [entry.partition("=") for entry in kept.config.env]
    state = State(
        None if is_empty(found) else edge,
        cwd=kept.config.working_dir or "/",
        environment=tuple({name: value for name, _, value in pairs}.items()),
        user_name=kept.config.user,
    )
    return Base(state.on_platform(platform), kept, config)
