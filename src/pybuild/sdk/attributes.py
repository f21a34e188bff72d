"""The inputs of a frontend, from a build's attributes and the files and contexts they name."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler import platforms
from pybuild.compiler.frontend import Context, FrontendInputs, plain_args
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.frontends.attributes import Attributes
from pybuild.frontends.client_inputs import named_states, read_inputs
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.lang.frontends import split
from pybuild.sdk.client import Client


def frontend_inputs(attributes: Attributes, client: Client) -> FrontendInputs:
    """Return the frontend's inputs; reads the build file. Raises UserError."""
    states_of_client = client.inputs
    inputs = read_inputs(attributes, {name: state.edge for name, state in states_of_client.items()}, client)
    build_platform = platforms.default()
    states = named_states(attributes, {name: state.edge for name, state in states_of_client.items()})
    return FrontendInputs(
        source=inputs.source,
        version=(split(client.options.get("source", "")) or ("", ""))[1],
        platforms=attributes.platforms or (build_platform,),
        build_platform=build_platform,
        target=attributes.target or None,
        build_args=plain_args(attributes.build_args),
        context=Context(edge=inputs.context, exclude=tuple(inputs.excludes)),
        contexts={name: value for name, value in attributes.contexts.items() if name not in states},
        states=states,
        epoch=_epoch(attributes.build_args),
        resolve_mode=attributes.resolve_mode,
    )


def step_defaults(attributes: Attributes) -> StepDefaults:
    """Return the settings of all steps. Raises UsageError for stages, which only a Dockerfile has."""
    if attributes.no_cache_filter:
        raise UsageError("--no-cache-filter is for the stages of a Dockerfile", help="use --no-cache")
    return attributes.steps


def _epoch(args: Mapping[str, str]) -> int | None:
    text = args.get("SOURCE_DATE_EPOCH", "")
    try:
        return int(text) if text else None
    except ValueError:
        raise UserError(f"invalid SOURCE_DATE_EPOCH: {text}", help="give seconds since 1970") from None
