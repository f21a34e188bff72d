"""Lowering of the bases and the results of bodies."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler.file_actions import absolute
from pybuild.compiler.image import DEFAULT_PATH
from pybuild.compiler.lower.images import host_of_other_platform
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering, environment_of
from pybuild.compiler.platforms import matches
from pybuild.lang.recipe import Built, Host, Mounted, Start


def start(lowering: Lowering, state: Start) -> LoweredState:
    """Lower a `from`. Raises `SourceError` for `host(…)` on another platform.

    Files without a config get an empty one, and a config without PATH the default one. ONBUILD triggers are dropped.
    """
    lowered = lowering.lowered[state.base]
    platform = lowering.platform(state.platform)
    own = lowering.options.build_platform
    if isinstance(state.base, Host) and not matches(own, platform):
        raise host_of_other_platform(own, platform, "build on `build_platform`", state.span, "E0309")
    image = lowered.image if lowered.image is not None else images.empty(platform)
    config = evolve(image.config, on_build=())
    if lowered.whole and not any(entry.partition("=")[0] == "PATH" for entry in config.env):
        config = config.with_env("PATH", DEFAULT_PATH)
    if config.working_dir and not config.working_dir.startswith("/"):
        config = evolve(config, working_dir=absolute("/", config.working_dir))
    return evolve(
        lowered,
        image=evolve(image, config=config),
        platform=platform,
        environment=environment_of(config.env),
        cmd_inherited=True,
    )


def built(lowering: Lowering, state: Built) -> LoweredState:
    result = state.body.state
    assert result is not None
    return lowering.lowered[result]


def mounted(lowering: Lowering, state: Mounted) -> LoweredState:
    """Lower the output of a step's mount: files without a config."""
    return LoweredState(lowering.lowered[state.step].mounts[state.at])
