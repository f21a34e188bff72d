"""The frontend `dockerfile.v0`, as BuildKit's clients call it through a gateway.

attributes = parse_attributes(request.options)       the options of the client, as values
inputs     = read_inputs(attributes, …, bridge)      the Dockerfile, ignore patterns, the main context
targets    = lower_all(parsed, options, …)           a graph and an image config for each platform
result     = result_of(targets)

A request for a file whose syntax line names another frontend is forwarded. Behaviour and names are those of
BuildKit's `frontend/dockerfile/builder` and `frontend/dockerui`.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.gateway import Request, Result, UnsupportedCapability
from pybuild.frontends import subrequests
from pybuild.frontends.attributes import ARG, SYNTAX, parse_attributes
from pybuild.frontends.bridge import GatewayBridge
from pybuild.frontends.build_context import CONTEXT
from pybuild.frontends.client_inputs import named_states, read_inputs
from pybuild.frontends.dockerfile import Text, context_reader, for_platforms, lower_all, lower_options
from pybuild.frontends.error_places import for_clients, place_error, with_places
from pybuild.frontends.results import result_of
from pybuild.lang import frontends
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.lint.linter import Linter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.compiler.lower.dockerfile import LowerOptions
    from pybuild.frontends.attributes import Attributes, Capability
    from pybuild.frontends.client_inputs import ClientInputs
    from pybuild.runtime.bridge.gateway import Gateway

_CAPABILITIES = frozenset(
    f"moby.buildkit.frontend.{name}" for name in ("contexts", "gitquerystring", "inputs", "subrequests")
)


def solve(request: Request, gateway: Gateway) -> Result:
    """Return the unsolved result of the Dockerfile, or the answer to a question about it. Raises UserError,
    Cancelled."""
    attributes = parse_attributes(request.options)
    missing = _missing(attributes.capabilities)
    if missing is not None and not missing.forward:
        raise UnsupportedCapability(missing.name)
    bridge = GatewayBridge(gateway, attributes)
    inputs = read_inputs(attributes, request.inputs, bridge)
    bridge.about = inputs.vertex
    frontend = _frontend_of(attributes, inputs)
    if not frontend.builtin:
        return _forwarded(request, attributes, inputs, gateway)
    if missing is not None:
        raise UnsupportedCapability(missing.name)
    options = lower_options(
        attributes,
        contexts=bridge.contexts,
        states=named_states(attributes, request.inputs),
        context=inputs.context,
        excludes=inputs.excludes,
    )
    text = Text(inputs.source, frontend.extended)
    try:
        return _solve(attributes, inputs, text, options, bridge, gateway)
    except Cancelled:
        raise
    except UserError as error:
        raise for_clients(error) from None


def _solve(
    attributes: Attributes,
    inputs: ClientInputs,
    text: Text,
    options: LowerOptions,
    bridge: GatewayBridge,
    gateway: Gateway,
) -> Result:
    read = context_reader(bridge, inputs.context, attributes.sessions.get(CONTEXT, ""))
    if attributes.request is not None:
        each = for_platforms(options, attributes, Linter.off())
        return subrequests.answer(attributes.request, text, each, bridge, read)
    parsed = text.parse_linted(attributes.build_args, read, bridge.warn)
    targets = lower_all(parsed, options, attributes, bridge, gateway.judged)
    return result_of(targets, index=attributes.multi_platform)


def _missing(wanted: Iterable[Capability]) -> Capability | None:
    """Return the first capability that no frontend can have, else the first that another frontend may
    have."""
    missing = [capability for capability in wanted if capability.name not in _CAPABILITIES]
    return min(missing, key=lambda capability: capability.forward, default=None)


def _frontend_of(attributes: Attributes, inputs: ClientInputs) -> frontends.Frontend:
    """Return the frontend that the client or the file names. Raises UserError for one that can't be called
    here."""
    if attributes.forwarded:
        return frontends.choose(None)
    name = attributes.build_args.get(SYNTAX, "").strip().partition(" ")[0]
    syntax = None if name else frontends.detect_syntax(inputs.data)
    frontend = frontends.choose(name or (syntax.reference if syntax is not None else None))
    if frontend.records:
        raise frontends.refused(frontend, syntax, inputs.source)
    return frontend


def _forwarded(request: Request, attributes: Attributes, inputs: ClientInputs, gateway: Gateway) -> Result:
    """Return the result of the frontend's image for the same request. Its errors point at the place that
    names it."""
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
