"""What a build asks of the lowering of a recipe, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from attrs import field, frozen

from pybuild.compiler.gateway import Request, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.ops import HostIP, Platform, Ulimit
from pybuild.lang import recipe


@frozen
class Pin:
    """What the lock file says of a source: a commit, or `sha256:…`; `key` is the entry's."""

    value: str
    key: str


@frozen
class LowerOptions:
    """Options of one build. `linked` False makes the graph without asking for image configs: `$X` in `env` stays as
    it is. `pull`: images are asked for even if they are known. `labels` and `annotations` are added to every
    requested image. `no_cache` runs every step anew, `rerun` those of tests. `epoch` is SOURCE_DATE_EPOCH in
    seconds. `pins` are of the git and HTTP states whose references don't say what they lead to. `hosts` maps commands
    of `host(…)` to the OCI layout name that has them, `layouts` paths of `oci(…)`. `frontends` calls those of images;
    None leaves them in the graph as ops."""

    build_platform: Platform
    linked: bool = True
    pull: bool = False
    no_cache: bool = False
    rerun: bool = False
    network_default: str = "default"
    add_hosts: tuple[HostIP, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    proxies: Mapping[str, str] = field(factory=dict)
    epoch: int | None = None
    pins: Mapping[recipe.State, Pin] = field(factory=dict)
    hosts: Mapping[tuple[str, ...], str] = field(factory=dict)
    layouts: Mapping[str, str] = field(factory=dict)
    frontends: Callable[[Request], Result] | None = None


@frozen(eq=False)
class LoweredInstance:
    """`edge` None is the empty file system. The image is made when it is asked for. `base_config` is the raw config
    of the image it is built on, None without one; where the graph isn't linked, `base` is that image. `annotations`
    go on the manifest."""

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
class Lowered:
    """All instances of the requested and needed goals."""

    instances: Mapping[recipe.Instance, LoweredInstance]
