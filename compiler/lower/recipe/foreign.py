"""`frontend(…)`: the result of the frontend of an image, or in an unlinked graph the op that names it."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler import image as images
from pybuild.compiler import platforms, reference
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, Request, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.images import pinned
from pybuild.compiler.lower.recipe.embedded import nothing, unknown_config
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering, environment_of, spans
from pybuild.compiler.lower.recipe.problems import placed
from pybuild.compiler.ops import BuildOp, Platform
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError

GATEWAY = "gateway.v0"
_CONTEXT, _DOCKERFILE = "context", "dockerfile"
"""The inputs that every frontend looks for; the others are passed as named contexts. Without an input for the build
file it is in the context."""


def frontend(lowering: Lowering, state: recipe.Frontend) -> LoweredState:
    """Lower a `frontend(…)`. In a linked graph the image is pinned and run. Errors get the span of the call."""
    platform = lowering.platform(state.platform)
    call = lowering.options.frontends
    inputs = {name: lowering.lowered[one].edge or nothing() for name, one in state.inputs.items()}
    if _CONTEXT in inputs:
        inputs.setdefault(_DOCKERFILE, inputs[_CONTEXT])
    try:
        ref = reference.parse(state.ref).canonical
        if call is None or not lowering.options.linked:
            return _unlinked(lowering, state, ref, inputs, platform)
        resolved, _ = lowering.resolve(ref, lowering.options.build_platform)
        options = {
            "platform": platforms.format_all(platform),
            **{f"context:{name}": f"input:{name}" for name in inputs if name not in (_CONTEXT, _DOCKERFILE)},
            **state.options,
            "source": pinned(resolved),
        }
        return _result_of(call(Request(frontend=GATEWAY, options=options, inputs=inputs)), platform)
    except UserError as error:
        raise placed(error, state.span) from None


def _result_of(result: Result, platform: Platform) -> LoweredState:
    """Return the result for a platform, with its config if it is an image. Raises UserError if there is none."""
    key = platforms.format_all(platforms.normalize(platform))
    edge = result.edge
    if result.edges is not None:
        if key not in result.edges:
            raise UserError(f"the frontend made no image for {key}, but for " + ", ".join(result.edges))
        edge = result.edges[key]
    config = _value(result, CONFIG, key)
    if not config:
        return LoweredState(edge)
    image = images.parse(config)
    return LoweredState(
        edge,
        evolve(image, created=None),
        platform,
        environment_of(image.config.env),
        base_config=_value(result, BASE_CONFIG, key),
        cmd_inherited=True,
    )


def _value(result: Result, name: str, key: str) -> bytes | None:
    return result.metadata.get(f"{name}/{key}", result.metadata.get(name))


def _unlinked(
    lowering: Lowering, state: recipe.Frontend, ref: str, inputs: dict[str, Edge], platform: Platform
) -> LoweredState:
    """Return a build op that names the image, its attributes and its inputs."""
    here = lowering.options.build_platform
    builder = State.image(ref, options=Options(platform=here, name=f"from {ref}")).edge
    assert builder is not None
    numbers = {name: number for number, name in enumerate(inputs, 1)}
    options = Options(name=f"frontend {ref}", spans=spans(state.span))
    op = BuildOp(builder=0, inputs=numbers, attrs=dict(state.options))
    edge = Edge(options.vertex(op, (builder, *inputs.values()), platform=platform))
    return LoweredState(
        edge, images.parse(unknown_config(platform)), platform, whole=False, cmd_inherited=True
    )
