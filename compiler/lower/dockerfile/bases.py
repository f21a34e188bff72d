"""Bases of stages: an image, a named context, or the empty file system."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from pybuild.compiler import image, platforms, reference
from pybuild.compiler.image import Image
from pybuild.compiler.lower.dockerfile.checks import check_base_platform
from pybuild.compiler.lower.dockerfile.contexts import ContextContent
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.names import step_name
from pybuild.compiler.lower.dockerfile.pending import settled
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.lower.images import is_empty, pinned
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import Diagnostic, Label, UserError, meant, suggest
from pybuild.lang.dockerfile.goquote import quote

SCRATCH = "scratch"
_COMMON_IMAGES = ("alpine", "busybox", "centos", "debian", "fedora", "golang", "ubuntu")


def resolve_base(lowering: Lowering, state: StageState) -> None:
    """Set the files, config and platform of a stage that isn't built on another stage. Raises `UserError` at its
    FROM."""
    state.resolved = True
    state.dispatched = state.dispatched or state.unregistered
    if state.base_name == SCRATCH and state.named_context is None:
        state.platform = lowering.platforms.target
        state.image = image.empty(state.platform)
        return
    try:
        _resolve(lowering, state)
    except UserError as error:
        raise _placed(error, lowering, state) from None


def _resolve(lowering: Lowering, state: StageState) -> None:
    platform = state.platform or lowering.platforms.target
    origin = state.base_name
    state.base_name = _canonical(origin)
    context = state.named_context
    if context is not None:
        state.dispatched = True
        _take_override(state, context.load(lowering.bridge, lambda: state.paths, lowering.lower_target))
        return
    context = lowering.contexts.find(state.base_name, platform)
    if context is not None:
        _take_context(
            state, context.load(lowering.bridge, lambda: state.paths, lowering.lower_target), platform
        )
        return
    _take_image(lowering, state, origin, platform)


def _take_override(state: StageState, loaded: ContextContent) -> None:
    """Replace the whole stage by a context that has the stage's own name."""
    state.files = loaded.files
    state.files_have_platform = loaded.image is not None
    if loaded.image is not None:
        state.image = loaded.image
        if loaded.image.architecture and loaded.image.os:
            state.platform = loaded.image.platform


def _take_context(state: StageState, loaded: ContextContent, platform: Platform) -> None:
    state.files = loaded.files
    state.files_have_platform = True
    state.image = loaded.image if loaded.image is not None else image.empty(platform)
    state.base_config = loaded.config
    state.platform = platform


def _take_image(lowering: Lowering, state: StageState, origin: str, platform: Platform) -> None:
    shown = platforms.format_all(platform) + " " if lowering.options.multi_platform else ""
    log_name = f"[{shown}internal] load metadata for {state.base_name}"
    try:
        resolved, config = lowering.resolve_image(state.base_name, platform, log_name)
    except UserError as error:
        stages = [*lowering.stages.names(), *_COMMON_IMAGES]
        known = error.diagnostic.buildkit or str(error)
        error.diagnostic = error.diagnostic.known_as(f"{origin}: {known}{meant(origin, stages)}")
        raise
    state.base_config = resolved.config
    if state.platform is None and lowering.platforms.implicit:
        platform = _detect(config, platform, lowering.platforms.build)
    state.image = evolve(config, created=None)
    state.platform = platform
    state.base_name = pinned(resolved)
    if is_empty(config):
        return
    name = step_name(
        state,
        "FROM " + state.base_name,
        platform=platform if lowering.options.multi_platform else None,
        environment={},
    )
    mode = lowering.options.image_resolve_mode
    options = Options(
        platform=platform,
        name=name,
        description={"com.docker.dockerfile.v1.command": state.stage.text},
        spans=(state.stage.span,),
    )
    files = State.image(state.base_name, resolve_mode="" if mode == "default" else mode, options=options)
    state.files = settled(files.edge)
    state.files_have_platform = True
    check_base_platform(lowering, state, origin, platform, config.platform)


def _detect(config: Image, target: Platform, supported: Sequence[Platform]) -> Platform:
    """Return the platform of steps: that of a single-platform image if this machine can run it, else `target`."""
    wanted = (config.os, config.architecture)
    for platform in (target, *supported):
        if (platform.os, platform.architecture) == wanted:
            return platform
    return target


def _canonical(name: str) -> str:
    try:
        return reference.parse(name).canonical
    except UserError as error:
        known = f"failed to parse stage name {quote(name)}: {error.diagnostic.buildkit or error}"
        error.diagnostic = error.diagnostic.known_as(known)
        raise


def _placed(error: UserError, lowering: Lowering, state: StageState) -> UserError:
    """Return the error with a label at the FROM that needs the image, and a similar name as help."""
    diagnostic = error.diagnostic
    if not diagnostic.labels:
        label = Label(state.stage.span, "needed here")
        diagnostic = Diagnostic(
            diagnostic.title,
            labels=[label],
            notes=diagnostic.notes,
            code=diagnostic.code,
            level=diagnostic.level,
            buildkit=diagnostic.buildkit,
        )
    stages = lowering.stages.names()
    near = suggest(state.stage.base, [*stages, *_COMMON_IMAGES])
    if near:
        meant = f"no stage is called {state.stage.base}: did you mean {near}?" if near in stages else None
        diagnostic = diagnostic.with_note("help", meant or f"did you mean {near}?")
    error.diagnostic = diagnostic
    return error
