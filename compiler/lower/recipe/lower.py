"""From a recipe to the graph of its instances.

1. The states that the instances need are put in order, inputs before users, and what they use of directories is
   gathered.
2. Each state becomes an edge of the graph, with the image config and what commands on it inherit.
3. Each instance gets the image of its body's state, for its platform.

Equal states have equal vertices: their digests are those of BuildKit's client for the same ops.
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
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.made import Made
from pybuild.compiler.lower.recipe.options import Lowered, LoweredInstance, LowerOptions
from pybuild.compiler.lower.recipe.plan import IMAGES, Plan
from pybuild.compiler.ops import Platform
from pybuild.compiler.timestamps import format_seconds
from pybuild.lang import recipe
from pybuild.lang.recipe import Instance, Recipe, State, Step

COMMENT = "pybuild.recipe.v1"
"""Marks entries of history that a recipe's statements made."""


def lower(recipe: Recipe, options: LowerOptions, bridge: Bridge) -> Lowered:
    """The graph and the image of every instance of the goals that are requested or needed.

    Raises `SourceError` at the statement at fault, and what the bridge raises.
    """
    goals = (*recipe.requested, *recipe.needed)
    instances = [instance for goal in goals for instance in goal.instances]
    lowering = Lowering(Plan(instances), options, bridge)
    for state in lowering.plan.order:
        made = _lower(lowering, state)
        if made.edge is not None:
            # A digest is made from the inputs' digests: taken in this order, no chain is too long for it.
            _ = made.edge.vertex.digest
        lowering.made[state] = made
    requested = set(recipe.requested)
    return Lowered(
        {instance: _finished(lowering, instance, instance.goal in requested) for instance in instances}
    )


def _lower(lowering: Lowering, state: State) -> Made:
    if isinstance(state, Step):
        before = lowering.made[state.before]
        assert before.image is not None, "a body starts with `from`"
        return _STATEMENTS[type(state.statement)](lowering, state, state.statement, before)
    return _STATES[type(state)](lowering, state)


def _dockerfile(lowering: Lowering, state: recipe.Dockerfile) -> Made:
    from pybuild.compiler.lower.recipe.embedded import dockerfile

    return dockerfile(lowering, state)


def _frontend(lowering: Lowering, state: recipe.Frontend) -> Made:
    from pybuild.compiler.lower.recipe.foreign import frontend

    return frontend(lowering, state)


_STATES: Mapping[type[State], Callable[[Lowering, Any], Made]] = {
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
_STATEMENTS: Mapping[type, Callable[[Lowering, Step, Any, Made], Made]] = {
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
    made = lowering.made[state]
    platform = lowering.platform(instance.platform)
    return LoweredInstance(
        instance,
        made.edge,
        lambda: _image(lowering, made, platform, requested),
        platform,
        made.base_config,
        made.annotations,
        None if lowering.options.linked else _base(lowering, state),
    )


def _image(lowering: Lowering, made: Made, platform: Platform, requested: bool) -> Image:
    image = made.image if made.image is not None else images.empty(platform)
    if requested and lowering.options.labels:
        image = image.with_config(labels={**image.config.labels, **lowering.options.labels})
    image = evolve(image, history=(*image.history, *_history(lowering, made)))
    return normalized(for_platform(image, platform))


def _base(lowering: Lowering, state: State) -> Edge | None:
    """The image whose config the state's begins with; None without one."""
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
    return lowering.made[state].edge


def _history(lowering: Lowering, made: Made) -> list[History]:
    """The entries of the statements, the oldest first. Without a time they get their layers'."""
    epoch = lowering.options.epoch
    created = None if epoch is None else format_seconds(epoch)
    out = []
    entry = made.history
    while entry is not None:
        out.append(History(created, entry.text, comment=COMMENT, empty_layer=not entry.layer))
        entry = entry.before
    return out[::-1]
