"""The options of the lowering of a Dockerfile, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.source import Span


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return FrozenMap(items)


@frozen(eq=False)
class StateContext:
    """A named context that is a state: its edge (None: the empty file system) and, if it is an image, its config,
    parsed and raw."""

    edge: Edge | None
    image: Image | None = None
    config: bytes | None = None


@frozen
class DirectoryContext:
    """A named context that is the client's directory `name`, without what `exclude` matches."""

    name: str
    exclude: tuple[str, ...] = ()


@frozen
class LowerOptions:
    """The options of one build for one platform.

    With `target_platform` None the build platform is used, and the image keeps the platform of its base.
    `build_platforms` are those that steps can run on, this machine's first; empty means this machine's alone.
    `context` is the state of the main context; None means the local directory `context_local_name`.
    `contexts` maps names to `docker-image://REF`, `oci-layout://NAME[:TAG][@DIGEST]`, `local:NAME`, or `host:NAME`:
    a layout of commands of this machine.
    `states` are named contexts that another frontend made, by name; they win over `contexts`. `sessions` are the
    sessions of local directories by the directory's name, if they aren't that of the build's client. `shared_keys`
    are the client's names for the directories of named contexts, by the context's name. `excludes` are the patterns
    of the main context's .dockerignore. `no_cache_filter` holds names of stages. `steps` are the defaults of all
    steps; proxies among them count as build arguments. `image_resolve_mode` is `default`, `pull` or `local`.
    `hostname` is that of RUN. `source_date_epoch` is in seconds; it counts as a build argument of that name.
    `linter` gets the findings of build checks and decides if they end the build. None makes one from the file's
    directive and the build arguments, which reports to the bridge. With `lint_all` every stage is lowered, also
    those that the target doesn't need.
    """

    target: str | None = None
    build_args: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    labels: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    target_platform: Platform | None = None
    build_platforms: tuple[Platform, ...] = ()
    contexts: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    states: Mapping[str, StateContext | DirectoryContext] = field(factory=dict, eq=False, repr=False)
    sessions: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    shared_keys: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    context_local_name: str = "context"
    context: Edge | None = None
    steps: StepDefaults = field(factory=StepDefaults)
    no_cache_filter: tuple[str, ...] = ()
    image_resolve_mode: str = "default"
    hostname: str = ""
    source_date_epoch: int | None = None
    excludes: Sequence[str] = ()
    multi_platform: bool = False
    linter: Linter | None = field(default=None, eq=False, repr=False)
    lint_all: bool = False


@frozen
class UsedArg:
    """A build argument that the target uses: its value (None: no value), its doc comment, the span of its
    declaration, and the arguments of global scope that its default uses (`needs`)."""

    name: str
    value: str | None
    comment: str = ""
    span: Span | None = field(default=None, eq=False, repr=False)
    needs: frozenset[str] = frozenset()


@frozen
class Used:
    """A secret, an agent socket or a cache mount that steps use: its id, and the span that names it first."""

    id: str
    required: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class LoweredTarget:
    """A lowered target. `edge` None is the empty file system.

    `base_config` is the raw config of the base image, None without one. `epoch` is the SOURCE_DATE_EPOCH of the build
    in seconds, and `epoch_source` the source that it comes from. `stage_names` are the names that progress shows, in
    order of the file. `args` are the build arguments of the target, for outlines. With `ignore_cache` its steps run
    again.
    """

    edge: Edge | None
    image: Image
    platform: Platform
    stage_names: tuple[str, ...] = ()
    base_config: bytes | None = None
    epoch: int | None = None
    epoch_source: SourceOp | None = None
    args: tuple[UsedArg, ...] = ()
    ignore_cache: bool = False
