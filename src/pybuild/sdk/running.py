"""Runs a frontend in its container: reads the builder's request and returns a result."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from pybuild.compiler.frontend import Built, FrontendInputs
from pybuild.compiler.gateway import Result, UnsupportedSubrequest
from pybuild.compiler.protos import gateway_pb2
from pybuild.frontends.attributes import Attributes, parse_attributes
from pybuild.lang.diagnostics import UserError
from pybuild.sdk.attributes import frontend_inputs
from pybuild.sdk.client import Client
from pybuild.sdk.failures import BuilderLost
from pybuild.sdk.returning import built_result, result_message

Build = Callable[[Client, FrontendInputs], "Built | Result | gateway_pb2.Result"]
"""A frontend function, as an installed package's (`compiler.frontend.Frontend.build`). It may also return states
with metadata of its own (`compiler.gateway.Result`), or another frontend's result (`Client.delegate`)."""

_OPTION = "BUILDKIT_FRONTEND_OPT_"
_SESSION = "BUILDKIT_SESSION_ID"


def run(build: Build) -> None:
    """Build the image that the builder wants from this process. Call it once, in the main thread, as all that a
    program does: it exits with 1 if there is no result."""
    from pybuild.sdk.standardstreams import StandardStreams

    if _SESSION not in os.environ:
        sys.exit("this is a frontend: a builder runs it, for a build file whose first line is # syntax=IMAGE")
    with StandardStreams() as streams:
        try:
            client = Client(streams.channel, options(os.environ), os.environ[_SESSION])
            reply = answer(build, client)
            client.call("Return", reply, gateway_pb2.ReturnResponse)
        except BuilderLost as error:
            sys.exit(f"error: {error}")
    if reply.HasField("error"):
        sys.exit(1)


def options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of the build, from the environment of its frontend."""
    pairs = [value.partition("=") for name, value in environment.items() if name.startswith(_OPTION)]
    return {name: value for name, _, value in pairs}


def answer(build: Build, client: Client) -> gateway_pb2.ReturnRequest:
    """Call the frontend; return its result, or the error in its place. Raises BuilderLost."""
    try:
        subrequest = client.options.get("requestid", "")
        if subrequest:
            raise UnsupportedSubrequest(subrequest)
        attributes = parse_attributes(client.options)
        built = build(client, frontend_inputs(attributes, client))
        return gateway_pb2.ReturnRequest(result=_result(built, attributes, client))
    except BuilderLost:
        raise
    except UserError as error:
        return _refusal(error)
    except (Exception, SystemExit) as error:
        from traceback import print_exc

        print_exc()
        bug = UserError(f"the frontend failed: {type(error).__name__}: {error}".rstrip(": "))
        return _refusal(bug)


def _refusal(error: UserError) -> gateway_pb2.ReturnRequest:
    """Return the message of an error. Its help goes into the text: a status has no other place for it."""
    from pybuild.runtime.bridge.statuses import status_of

    status = status_of(error)
    helps = [text for word, text in error.diagnostic.notes if word == "help"]
    status.message = ": ".join([status.message, *helps])
    return gateway_pb2.ReturnRequest(error=status)


def _result(built: object, attributes: Attributes, client: Client) -> gateway_pb2.Result:
    if isinstance(built, Built):
        built = built_result(built, attributes)
    if isinstance(built, Result):
        return result_message(built, client)
    if isinstance(built, Message) and isinstance(built, gateway_pb2.Result):
        return built
    raise UserError(f"the frontend returned {type(built).__name__}, not a Built")
