"""`dockerfile(…)`: a stage of a Dockerfile, lowered into the same graph."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.bridge import Forwarding, ResolvedImage
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import encode
from pybuild.compiler.lower.dockerfile import DirectoryContext, LowerOptions, StateContext, lower
from pybuild.compiler.lower.recipe.lowering import Lowering, environment_of
from pybuild.compiler.lower.recipe.made import Made
from pybuild.compiler.ops import Platform
from pybuild.compiler.state import State, mkdir
from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source


def dockerfile(lowering: Lowering, state: recipe.Dockerfile) -> Made:
    """Its rules are the Dockerfile's. Errors are at its lines, and say where the recipe uses it."""
    bridge = lowering.bridge if lowering.options.linked else Unlinked(lowering.bridge)
    try:
        file = parse(Source(state.name, state.text.decode(errors="surrogateescape")))
        found = lower(file, _options(lowering, state), bridge)
    except UserError as error:
        if state.span is not None:
            error.diagnostic = error.diagnostic.with_note("note", f"used at {state.span.place}")
        raise
    return Made(
        found.edge,
        evolve(found.image, created=None),
        found.platform,
        environment_of(found.image.config.env),
        lowering.options.linked,
        base_config=found.base_config,
        cmd_inherited=True,
    )


def _options(lowering: Lowering, state: recipe.Dockerfile) -> LowerOptions:
    given = lowering.options
    options = LowerOptions(
        target=state.target or None,
        build_args=state.args,
        target_platform=lowering.platform(state.platform),
        build_platforms=(given.build_platform,),
        states={name: _context(lowering, one) for name, one in state.contexts.items()},
        steps=given.steps,
        image_resolve_mode="pull" if given.pull else "default",
        source_date_epoch=given.epoch,
    )
    context = state.context
    if isinstance(context, recipe.Directory) and not context.include:
        return evolve(options, context_local_name=context.name, excludes=_excludes(state, context))
    edge = lowering.made[context].edge
    return evolve(options, context=edge if edge is not None else nothing())


def _excludes(state: recipe.Dockerfile, context: recipe.Directory) -> tuple[str, ...]:
    """The patterns of the Dockerfile's own ignore file, which takes the place of the directory's."""
    if state.ignore is None:
        return context.exclude
    text = state.ignore.decode(errors="surrogateescape")
    return tuple(read_patterns(text, f"{state.name}.dockerignore"))


def _context(lowering: Lowering, state: recipe.State) -> StateContext | DirectoryContext:
    if isinstance(state, recipe.Directory) and not state.include:
        return DirectoryContext(state.name, state.exclude)
    made = lowering.made[state]
    return StateContext(made.edge, made.image, made.base_config)


def nothing() -> Edge:
    """The empty file system as the result of an op: a context must be one."""
    edge = State.scratch().file(mkdir("/", parents=True)).edge
    assert edge is not None
    return edge


class Unlinked(Forwarding):
    """A bridge that knows no images: their references stay as they are written, their configs are empty."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, "", unknown_config(platform))

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, "", unknown_config(platform))

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        return None


def unknown_config(platform: Platform) -> bytes:
    """The config of an image that has one unknown layer."""
    value = {
        "architecture": platform.architecture,
        "os": platform.os,
        "variant": platform.variant,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]},
    }
    return encode(value)
