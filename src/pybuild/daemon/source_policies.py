"""The source policies of a Solve: those of the request, and the client's verifier."""

from __future__ import annotations

from pybuild.runtime.bridge.policyverifier import Verifier
from pybuild.runtime.policy.messages import policy_of as policy_message
from pybuild.runtime.policy.sources import SourcePolicies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.protos.control_pb2 import SolveRequest
    from pybuild.runtime.session.calls import Sessions


def policy_of(request: SolveRequest, sessions: Sessions) -> SourcePolicies:
    """Return the policies for the gateway. The session of the verifier (`SourcePolicySession`) is looked up with
    the first question. Raises PolicyError for invalid policies."""
    policies = (
        [policy_message(request.SourcePolicy.SerializeToString())] if request.HasField("SourcePolicy") else []
    )
    verifier_session = request.SourcePolicySession
    return SourcePolicies(
        policies, Verifier(lambda: sessions.get(verifier_session)) if verifier_session else None
    )
