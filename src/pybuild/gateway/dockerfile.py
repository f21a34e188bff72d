"""The Dockerfile frontend, `dockerfile.v0`, as a gateway calls it.

attributes = parse_attributes(request.options)       what the client asks for
inputs     = read_inputs(attributes, …, bridge)      the Dockerfile, ignore patterns, the main context
lowered    = lower(parsed, options, bridge)          a graph and an image config for each platform
result     = made(lowered, …)                        states, and metadata for those who export them

A file whose syntax line names another frontend goes to that one. Behaviour and names are those of BuildKit's
`frontend/dockerfile/builder` and `frontend/dockerui`.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.asked import reader
from pybuild.compiler import platforms
from pybuild.compiler.gateway import Request, Result, UnsupportedCapability
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.dockerfiles import Text, for_platforms, parse_dockerfile
from pybuild.gateway import subrequests
from pybuild.gateway.attributes import ARG, SYNTAX, parse_attributes
from pybuild.gateway.bridge import GatewayBridge, layouts
from pybuild.gateway.inputs import CONTEXT, read_inputs
from pybuild.gateway.places import place_error
from pybuild.gateway.results import made
from pybuild.gateway.states import named_states
from pybuild.gateway.words import for_clients, with_places
from pybuild.lang import frontends
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.lint.linter import Linter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile import LoweredTarget
    from pybuild.gateway.attributes import Attributes, Capability
    from pybuild.gateway.bridge import Layout
    from pybuild.gateway.inputs import Inputs
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.runtime.bridge.gateway import Gateway

_CAPABILITIES = frozenset(
    f"moby.buildkit.frontend.{name}" for name in ("contexts", "gitquerystring", "inputs", "subrequests")
)


def solve(request: Request, gateway: Gateway) -> Result:
    """What the Dockerfile comes to, or the answer to a question about it. Nothing of it is solved yet. Raises
    UserError, Cancelled."""
    attributes = parse_attributes(request.options)
    missing = _missing(attributes.capabilities)
    if missing is not None and not missing.forward:
        raise UnsupportedCapability(missing.name)
    stored = layouts(attributes.contexts)
    bridge = GatewayBridge(gateway, stored, pull=attributes.pull)
    inputs = read_inputs(attributes, request.inputs, bridge)
    bridge.about = inputs.vertex
    chosen = _chosen(attributes, inputs)
    if not chosen.builtin:
        return _forwarded(request, attributes, inputs, gateway)
    if missing is not None:
        raise UnsupportedCapability(missing.name)
    options = _lower_options(attributes, request.inputs, inputs, stored)
    text = Text(inputs.source, chosen.extended)
    try:
        return _made(attributes, inputs, text, options, bridge, gateway)
    except Cancelled:
        raise
    except UserError as error:
        raise for_clients(error) from None


def _made(
    attributes: Attributes,
    inputs: Inputs,
    text: Text,
    options: LowerOptions,
    bridge: GatewayBridge,
    gateway: Gateway,
) -> Result:
    read = reader(bridge, inputs.context, attributes.sessions.get(CONTEXT, ""))
    if attributes.request is not None:
        wanted = for_platforms(options, attributes.platforms, Linter.off())
        return subrequests.answered(attributes.request, text, wanted, bridge, read)
    parsed, linter = parse_dockerfile(text, attributes.build_args, read, bridge.warn)
    each = for_platforms(options, attributes.platforms, linter)
    return made([(one, _lowered(parsed, one, bridge, gateway)) for one in each])


def _lowered(
    parsed: Dockerfile, options: LowerOptions, bridge: GatewayBridge, gateway: Gateway
) -> LoweredTarget:
    """The target for one platform, of sources that the build's policies allow."""
    lowered = lower(parsed, options, bridge)
    return evolve(lowered, edge=gateway.judged(lowered.edge))


def _missing(wanted: Iterable[Capability]) -> Capability | None:
    """The first capability that can't be had here or elsewhere, else one that another frontend may have."""
    missing = [one for one in wanted if one.name not in _CAPABILITIES]
    return min(missing, key=lambda one: one.forward, default=None)


def _chosen(attributes: Attributes, inputs: Inputs) -> frontends.Frontend:
    """The frontend that the client or the file asks for. Raises UserError for one that has no place here."""
    if attributes.forwarded:
        return frontends.choose(None)
    asked = attributes.build_args.get(SYNTAX, "").strip().partition(" ")[0]
    syntax = None if asked else frontends.detect_syntax(inputs.data)
    chosen = frontends.choose(asked or (syntax.reference if syntax is not None else None))
    if chosen.records:
        raise frontends.refused(chosen, syntax, inputs.source)
    return chosen


def _forwarded(request: Request, attributes: Attributes, inputs: Inputs, gateway: Gateway) -> Result:
    """What the frontend's image makes of the same request. Its errors say where it is asked for."""
    command_line = attributes.build_args.get(SYNTAX, "").strip()
    syntax = None if command_line else frontends.detect_syntax(inputs.data)
    command_line = syntax.command_line if syntax is not None else command_line
    more = {"cmdline": command_line, "source": command_line.partition(" ")[0]}
    wanted = evolve(request, frontend="gateway.v0", options={**request.options, **more})
    try:
        return gateway.solve(wanted)
    except Cancelled:
        raise
    except UserError as error:
        place_error(error, syntax, inputs.source, command_line)
        if syntax is None:
            from pybuild.runtime.bridge.statuses import SourceFailed

            raise SourceFailed(error, "", f"failed with {ARG}{SYNTAX} = {command_line}: ") from None
        with_places(error)
        raise


def _lower_options(
    attributes: Attributes,
    given: Mapping[str, Edge | None],
    inputs: Inputs,
    stored: Mapping[str, Layout],
) -> LowerOptions:
    """What is asked of the lowering, whatever the platform."""
    return LowerOptions(
        target=attributes.target or None,
        build_args=attributes.build_args,
        labels=attributes.labels,
        build_platforms=(platforms.default(),),
        contexts={
            **attributes.contexts,
            **{name: f"oci-layout://{layout.ref}" for name, layout in stored.items()},
        },
        states=named_states(attributes, given),
        sessions=attributes.sessions,
        shared_keys=attributes.shared_keys,
        context_local_name=CONTEXT,
        context=inputs.context,
        steps=attributes.steps,
        no_cache_filter=attributes.no_cache_filter,
        image_resolve_mode=attributes.resolve_mode,
        excludes=inputs.excludes,
        hostname=attributes.hostname,
        multi_platform=attributes.multi_platform,
    )
