"""`dockerfile(…)`: a stage of a Dockerfile, lowered to the same graph."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.bridge import Forwarding, ResolvedImage
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import encode
from pybuild.compiler.lower.dockerfile import DirectoryContext, LowerOptions, StateContext, lower
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering, environment_of
from pybuild.compiler.ops import Platform
from pybuild.compiler.state import State, mkdir
from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source


def dockerfile(lowering: Lowering, state: recipe.Dockerfile) -> LoweredState:
    """Lower a Dockerfile by its own rules. Errors point at its lines, with a note of the place that uses it."""
    bridge = lowering.bridge if lowering.options.linked else Unlinked(lowering.bridge)
    try:
        file = parse(Source(state.name, state.text.decode(errors="surrogateescape")))
        target = lower(file, _options(lowering, state), bridge)
    except UserError as error:
        if state.span is not None:
            error.diagnostic = error.diagnostic.with_note("note", f"used at {state.span.place}")
        raise
    return LoweredState(
        target.edge,
        evolve(target.image, created=None),
        target.platform,
        environment_of(target.image.config.env),
        lowering.options.linked,
        base_config=target.base_config,
        cmd_inherited=True,
    )


def _options(lowering: Lowering, state: recipe.Dockerfile) -> LowerOptions:
    build = lowering.options
    options = LowerOptions(
        target=state.target or None,
        build_args=state.args,
        target_platform=lowering.platform(state.platform),
        build_platforms=(build.build_platform,),
        states={name: _context(lowering, one) for name, one in state.contexts.items()},
        steps=build.steps,
        image_resolve_mode="pull" if build.pull else "default",
        source_date_epoch=build.epoch,
    )
    context = state.context
    if isinstance(context, recipe.Directory) and not context.include:
        return evolve(options, context_local_name=context.name, excludes=_excludes(state, context))
    edge = lowering.lowered[context].edge
    return evolve(options, context=edge if edge is not None else nothing())


def _excludes(state: recipe.Dockerfile, context: recipe.Directory) -> tuple[str, ...]:
    """Return the patterns of the Dockerfile's own ignore file, which replaces the directory's."""
    if state.ignore is None:
        return context.exclude
    text = state.ignore.decode(errors="surrogateescape")
    return tuple(read_patterns(text, f"{state.name}.dockerignore"))


def _context(lowering: Lowering, state: recipe.State) -> StateContext | DirectoryContext:
    if isinstance(state, recipe.Directory) and not state.include:
        return DirectoryContext(state.name, state.exclude)
    lowered = lowering.lowered[state]
    return StateContext(lowered.edge, lowered.image, lowered.base_config)


def nothing() -> Edge:
    """Return the empty file system as the result of an op, because a context needs an edge."""
    edge = State.scratch().file(mkdir("/", parents=True)).edge
    assert edge is not None
    return edge


class Unlinked(Forwarding):
    """A bridge that resolves nothing: references stay as written, and configs are empty."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, "", unknown_config(platform))

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, "", unknown_config(platform))

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        return None


def unknown_config(platform: Platform) -> bytes:
    """Return the config of an image with one unknown layer."""
    value = {
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]},
    }
    return encode(value)
