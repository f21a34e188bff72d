"""Lowers a recipe to the graph of its instances.

1. The states that the instances need are sorted, inputs first, and the paths that they use of directories are
   collected.
2. Each state becomes an edge of the graph, with an image config and the settings of its commands.
3. Each instance gets the image of its body's state, for its platform.

Equal states have equal vertices, whose digests are those of BuildKit's client for the same ops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler.bridge import Bridge
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import History, Image
from pybuild.compiler.lower.images import for_platform, normalized
from pybuild.compiler.lower.recipe import bodies, config, files, run, sources
from pybuild.compiler.lower.recipe.copying import copy_files
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.options import LoweredInstance, LoweredRecipe, LowerOptions
from pybuild.compiler.lower.recipe.plan import IMAGES, Plan
from pybuild.compiler.ops import Platform
from pybuild.compiler.timestamps import format_seconds
from pybuild.lang import recipe
from pybuild.lang.recipe import Instance, Recipe, State, Step

COMMENT = "pybuild.recipe.v1"
"""The comment of history entries that a recipe's statements make."""


def lower(recipe: Recipe, options: LowerOptions, bridge: Bridge) -> LoweredRecipe:
    """Lower every instance of the goals that are requested or needed.

    Raises `SourceError` at the statement at fault, and the errors of the bridge.
    """
    goals = (*recipe.requested, *recipe.needed)
    instances = [instance for goal in goals for instance in goal.instances]
    lowering = Lowering(Plan(instances), options, bridge)
    for state in lowering.plan.order:
        lowered = _lower(lowering, state)
        if lowered.edge is not None:
            # A digest needs the digests of all inputs. Computed here, inputs first, it never recurses deeply.
            _ = lowered.edge.vertex.digest
        lowering.lowered[state] = lowered
    requested = set(recipe.requested)
    return LoweredRecipe(
        {instance: _finished(lowering, instance, instance.goal in requested) for instance in instances}
    )


def _lower(lowering: Lowering, state: State) -> LoweredState:
    if isinstance(state, Step):
        before = lowering.lowered[state.before]
        assert before.image is not None, "a body starts with `from`"
        return _STATEMENTS[type(state.statement)](lowering, state, state.statement, before)
    return _STATES[type(state)](lowering, state)


def _dockerfile(lowering: Lowering, state: recipe.Dockerfile) -> LoweredState:
    from pybuild.compiler.lower.recipe.embedded import dockerfile

    return dockerfile(lowering, state)


def _frontend(lowering: Lowering, state: recipe.Frontend) -> LoweredState:
    from pybuild.compiler.lower.recipe.foreign import frontend

    return frontend(lowering, state)


_STATES: Mapping[type[State], Callable[[Lowering, Any], LoweredState]] = {
    recipe.Scratch: sources.scratch,
    recipe.Image: sources.image,
    recipe.Directory: sources.directory,
    recipe.Git: sources.git,
    recipe.Http: sources.http,
    recipe.Layout: sources.layout,
    recipe.Host: sources.host,
    recipe.Files: sources.files,
    recipe.Mounted: bodies.mounted,
    recipe.Merge: sources.merged,
    recipe.Diff: sources.difference,
    recipe.Dockerfile: _dockerfile,
    recipe.Frontend: _frontend,
    recipe.Built: bodies.built,
    recipe.Start: bodies.start,
}
_STATEMENTS: Mapping[type, Callable[[Lowering, Step, Any, LoweredState], LoweredState]] = {
    recipe.Run: run.run,
    recipe.Exec: run.execute,
    recipe.Call: run.call,
    recipe.Copy: copy_files,
    recipe.Write: files.write,
    recipe.Mkdir: files.make_directories,
    recipe.Remove: files.remove,
    recipe.Symlink: files.symlink,
    recipe.Workdir: files.workdir,
    recipe.Env: config.env,
    recipe.User: config.user,
    recipe.Shell: config.shell,
    recipe.Labels: config.label,
    recipe.Annotations: config.annotate,
    recipe.Expose: config.expose,
    recipe.Volume: config.volume,
    recipe.StopSignal: config.stop_signal,
    recipe.Entrypoint: config.entrypoint,
    recipe.Cmd: config.cmd,
    recipe.Healthcheck: config.healthcheck,
}


def _finished(lowering: Lowering, instance: Instance, requested: bool) -> LoweredInstance:
    state = instance.body.state
    assert state is not None
    lowered = lowering.lowered[state]
    platform = lowering.platform(instance.platform)
    return LoweredInstance(
        instance,
        lowered.edge,
        lambda: _image(lowering, lowered, platform, requested),
        platform,
        lowered.base_config,
        lowered.annotations,
        None if lowering.options.linked else _base(lowering, state),
    )


def _image(lowering: Lowering, lowered: LoweredState, platform: Platform, requested: bool) -> Image:
    image = lowered.image if lowered.image is not None else images.empty(platform)
    if requested and lowering.options.labels:
        image = image.with_config(labels={**image.config.labels, **lowering.options.labels})
    image = evolve(image, history=(*image.history, *_history(lowering, lowered)))
    return normalized(for_platform(image, platform))


def _base(lowering: Lowering, state: State) -> Edge | None:
    """Return the edge of the base image of a state; None without one."""
    while not isinstance(state, IMAGES):
        if isinstance(state, Step):
            state = state.before
        elif isinstance(state, recipe.Start):
            state = state.base
        elif isinstance(state, recipe.Merge | recipe.Diff):
            state = state.states[0] if isinstance(state, recipe.Merge) else state.upper
        elif isinstance(state, recipe.Built) and state.body.state is not None:
            state = state.body.state
        else:
            return None
    return lowering.lowered[state].edge


def _history(lowering: Lowering, lowered: LoweredState) -> list[History]:
    """Return the history entries of the statements, the oldest first. Entries without a time get that of their
    layer."""
    epoch = lowering.options.epoch
    created = None if epoch is None else format_seconds(epoch)
    out = []
    entry = lowered.history
    while entry is not None:
        out.append(History(created, entry.text, comment=COMMENT, empty_layer=not entry.layer))
        entry = entry.before
    return out[::-1]
