"""What a build asks of the lowering, and what it gets."""

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
    """A named context that is a state already: its edge (None: the empty file system), and its config, parsed and
    raw, if it is an image."""

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
    """Options of one build for one platform.

    `target_platform` None takes the build platform, and the image keeps the platform of its base.
    `build_platforms` are those steps can run on, the first one the machine's own; empty means that one.
    `context` is the state that the main context is, None for the local directory `context_local_name`.
    `contexts` maps names to `docker-image://REF`, `oci-layout://NAME[:TAG][@DIGEST]` or `local:NAME`.
    `states` are named contexts that another frontend made, by name; they win over `contexts`. `sessions` are those of
    local directories, by the directory's name, where that isn't the session of the build's client; `shared_keys` are
    what a client calls the directories of its named contexts, by the context's name.
    `excludes` are the patterns of the main context's .dockerignore. `no_cache_filter` holds stage names.
    `steps` are the defaults of all steps; proxies among them count as build arguments.
    `image_resolve_mode` is `default`, `pull` or `local`. `hostname` is that of RUN.
    `source_date_epoch` in seconds; it counts as a build argument of that name.
    `linter` gets what the build checks find, and is asked whether that ends the build; None makes one of the
    file's directive and the build arguments, which the bridge hears. With `lint_all` every stage is lowered, also
    what the target doesn't need.
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
    """A build argument the target depends on: its value, None when it has none, its doc comment, where it is
    declared, and the arguments of global scope that its default names."""

    name: str
    value: str | None
    comment: str = ""
    span: Span | None = field(default=None, eq=False, repr=False)
    needs: frozenset[str] = frozenset()


@frozen
class Used:
    """A secret, an agent socket or a cache mount that steps use, by its id, and where it is first named."""

    id: str
    required: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Lowered:
    """A lowered target. `edge` None is the empty file system.

    `base_config` is the raw config of the image the target is built on, None without one; `epoch` the
    SOURCE_DATE_EPOCH in force, in seconds, and `epoch_source` the source that was asked for it. `stage_names` are
    those progress shows, in order of the file. `args` are the arguments in scope of the target, for outlines. With
    `ignore_cache` its steps run anew.
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
