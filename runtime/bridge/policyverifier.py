"""Decisions of a client on sources, by the service `PolicyVerifier` of its session. Needs the extra
`pybuild[buildkit]`."""

from __future__ import annotations

from pybuild.compiler.llb.messages import platform_message
from pybuild.compiler.ops import SourceOp
from pybuild.compiler.protos import gateway_pb2, ops_pb2
from pybuild.compiler.protos import policysession_pb2 as pb
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.bridge.sourcemessages import response_of, source_of, wanted_of
from pybuild.runtime.policy.rules import ACTIONS, ALLOW, CONVERT, PolicyError, SourceDenied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import Platform
    from pybuild.runtime.bridge.metadata import SourceMetadata, Wanted
    from pybuild.runtime.session.calls import Session

    Facts = Callable[[SourceOp, Wanted], SourceMetadata]
    """Resolves a source."""

SERVICE = "moby.buildkit.v1.sourcepolicy.policysession.PolicyVerifier"
METHOD = f"/{SERVICE}/CheckPolicy"
MOST_QUESTIONS = 10
"""Most questions about one source, including those about its replacements."""


class Verifier:
    """A client that decides on sources. `find` returns its session."""

    def __init__(self, find: Callable[[], Session]) -> None:
        self._find = find

    def replaced(
        self,
        op: SourceOp,
        platform: Platform | None,
        judge: Callable[[SourceOp], SourceOp],
        facts: Facts,
    ) -> SourceOp:
        """Return the source that the client wants. A replacement by the client is judged by the policies and
        sent to the client again. Raises PolicyError, SourceDenied, CallFailed, SessionLost."""
        # Counted over all replacements, so that two that replace each other end too.
        session, left = self._find(), MOST_QUESTIONS
        if not session.offers(METHOD):
            raise PolicyError(f"unknown service {SERVICE}", help="the client's session must offer it")
        while True:
            decision, left = self._decision(session, op, platform, facts, left)
            if decision.action == CONVERT:
                if not decision.HasField("update"):
                    raise PolicyError("convert action requires updated source")
                op = judge(source_of(decision.update))
            elif decision.action == ALLOW:
                return op
            else:
                raise SourceDenied(
                    f"source {quote(op.identifier)} not allowed by policy: "
                    f"action {ACTIONS.get(decision.action, decision.action)}",
                    tuple(one.message for one in decision.denyMessages),
                )

    def _decision(
        self, session: Session, op: SourceOp, platform: Platform | None, facts: Facts, left: int
    ) -> tuple[pb.DecisionResponse, int]:
        """Return the client's decision, after sending the facts it asks for, and the number of questions
        left."""
        known = gateway_pb2.ResolveSourceMetaResponse(Source=_message(op))
        while left > 0:
            left -= 1
            message = None if platform is None else platform_message(platform)
            request = pb.CheckPolicyRequest(Platform=message, Source=known)
            answer = session.call(METHOD, request, pb.CheckPolicyResponse)
            if not answer.HasField("request"):
                if not answer.HasField("decision"):
                    raise PolicyError("no decision in policy response")
                return answer.decision, left
            known = _facts(answer.request, op, facts)
        raise PolicyError("too many policy requests")


def _facts(
    request: gateway_pb2.ResolveSourceMetaRequest, op: SourceOp, facts: Facts
) -> gateway_pb2.ResolveSourceMetaResponse:
    source = source_of(request.Source)
    if source.identifier != op.identifier:
        raise PolicyError(
            "policy requested different source identifier: "
            f"{quote(source.identifier)} != {quote(op.identifier)}"
        )
    if source.attrs != op.attrs:
        raise PolicyError("policy requested different source attrs")
    wanted = wanted_of(request)
    try:
        return response_of(facts(source, wanted), wanted)
    except Cancelled:
        raise
    except UserError as error:
        raise PolicyError(f"error resolving source metadata from policy request: {error}") from None


def _message(op: SourceOp) -> ops_pb2.SourceOp:
    return ops_pb2.SourceOp(identifier=op.identifier, attrs=dict(op.attrs))
