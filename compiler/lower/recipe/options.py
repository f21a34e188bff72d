"""The options of the lowering of a recipe, and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from attrs import field, frozen

from pybuild.compiler.gateway import Request, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import Platform
from pybuild.lang import recipe


@frozen
class Pin:
    """The pin of a source in the lock file: a commit or `sha256:…`, and the `key` of the entry."""

    value: str
    key: str


@frozen
class LowerOptions:
    """The options of one build.

    `linked` False makes the graph without asking for image configs: `$X` in `env` stays as it is. With `pull` images
    are resolved even if they are known. `steps` are the defaults of all steps; `rerun` runs the steps of tests again.
    `labels` are added to every requested image. `epoch` is SOURCE_DATE_EPOCH in seconds. `pins` holds what the lock
    file says of git and HTTP states whose references can move. `hosts` maps commands of `host(…)` to the OCI layout
    name that has them, `layouts` paths of `oci(…)` to layout names. `frontends` calls the frontends of images; None
    leaves them in the graph as ops.
    """

    build_platform: Platform
    linked: bool = True
    pull: bool = False
    rerun: bool = False
    steps: StepDefaults = field(factory=StepDefaults)
    labels: Mapping[str, str] = field(factory=dict)
    epoch: int | None = None
    pins: Mapping[recipe.State, Pin] = field(factory=dict)
    hosts: Mapping[tuple[str, ...], str] = field(factory=dict)
    layouts: Mapping[str, str] = field(factory=dict)
    frontends: Callable[[Request], Result] | None = None


@frozen(eq=False)
class LoweredInstance:
    """A lowered instance. `edge` None is the empty file system; `make_image` makes the image config when it is used.

    `base_config` is the raw config of the base image, None without one; in an unlinked graph `base` is the edge of
    that image. `annotations` are those of the manifest.
    """

    instance: recipe.Instance
    edge: Edge | None
    make_image: Callable[[], Image]
    platform: Platform
    base_config: bytes | None = None
    annotations: Mapping[str, str] = field(factory=dict)
    base: Edge | None = None

    @cached_property
    def image(self) -> Image:
        return self.make_image()


@frozen(eq=False)
class LoweredRecipe:
    """The lowered instances of the requested and needed goals."""

    instances: Mapping[recipe.Instance, LoweredInstance]
