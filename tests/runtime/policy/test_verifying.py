"""A client that is asked about each source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from attrs import define, field
from google.protobuf.message import Message
from tests.runtime.policy.rules import convert, deny, policy

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.protos import gateway_pb2, ops_pb2
from pybuild.compiler.protos import policysession_pb2 as pb
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.metadata import ImageMetadata, SourceMetadata, Wanted
from pybuild.runtime.bridge.policyverifier import METHOD, Verifier
from pybuild.runtime.policy.rules import ALLOW, CONVERT, DENY, Policy, PolicyError, SourceDenied
from pybuild.runtime.policy.sources import SourcePolicies
from pybuild.runtime.session.calls import CallFailed

ALPINE = "docker-image://docker.io/library/alpine:latest"
BUSYBOX = "docker-image://docker.io/library/busybox:latest"
PLATFORM = Platform("amd64", "linux")
DIGEST = "sha256:" + "0" * 64

Answer = Callable[[pb.CheckPolicyRequest], pb.CheckPolicyResponse]


@define
class Client:
    """A session whose client answers with `answers` in turn, the last one again and again."""

    answers: Sequence[Answer]
    asked: list[pb.CheckPolicyRequest] = field(factory=list)
    id: str = "client"
    shared_key: str = ""

    def offers(self, method: str) -> bool:
        return method == METHOD

    def call(self, method: str, request: Message, response: object, **_: object) -> pb.CheckPolicyResponse:
        assert method == METHOD
        assert isinstance(request, pb.CheckPolicyRequest)
        copied = pb.CheckPolicyRequest()
        copied.CopyFrom(request)
        self.asked.append(copied)
        return self.answers[min(len(self.asked), len(self.answers)) - 1](copied)


def decide(action: int, *messages: str, update: ops_pb2.SourceOp | None = None) -> Answer:
    decision = pb.DecisionResponse(
        action=action,  # type: ignore[arg-type]
        denyMessages=[pb.DenyMessage(message=one) for one in messages],
        update=update,
    )
    return lambda request: pb.CheckPolicyResponse(decision=decision)


def ask(**fields: object) -> Answer:
    """Asks what the source resolves to."""

    def answer(request: pb.CheckPolicyRequest) -> pb.CheckPolicyResponse:
        wanted = gateway_pb2.ResolveSourceMetaRequest(Source=request.Source.Source, Platform=request.Platform)
        wanted.MergeFrom(gateway_pb2.ResolveSourceMetaRequest(**fields))  # type: ignore[arg-type]
        return pb.CheckPolicyResponse(request=wanted)

    return answer


def facts(op: SourceOp, wanted: Wanted) -> SourceMetadata:
    if "gone" in op.identifier:
        raise UserError("nobody knows it")
    return SourceMetadata(op, image=ImageMetadata(DIGEST, b"{}" if wanted.config else b""))


def judge(*answers: Answer, own: Sequence[Policy] = (), identifier: str = ALPINE) -> tuple[SourceOp, Client]:
    client = Client(answers)
    policies = SourcePolicies(own, Verifier(lambda: client))  # type: ignore[arg-type,return-value]
    return policies.source(SourceOp(identifier), PLATFORM, (), facts), client


def test_a_client_allows() -> None:
    made, client = judge(decide(ALLOW))
    assert made == SourceOp(ALPINE)
    (asked,) = client.asked
    assert asked.Source.Source.identifier == ALPINE
    assert not asked.Source.HasField("Image")
    assert (asked.Platform.OS, asked.Platform.Architecture) == ("linux", "amd64")


def test_a_client_denies_and_says_why() -> None:
    with pytest.raises(SourceDenied) as caught:
        judge(decide(DENY, "too old", "too big"))
    said = f'could not resolve image due to policy: source "{ALPINE}" not allowed by policy: action DENY'
    assert str(caught.value) == said
    assert caught.value.reasons == ("too old", "too big")


def test_a_client_asks_first() -> None:
    no_config = gateway_pb2.ResolveSourceImageRequest(NoConfig=True)
    _, client = judge(ask(), ask(Image=no_config), decide(ALLOW))
    found = [one.Source.Image for one in client.asked]
    assert [(one.Digest, one.Config) for one in found] == [("", b""), (DIGEST, b"{}"), (DIGEST, b"")]


def test_a_client_replaces() -> None:
    update = ops_pb2.SourceOp(identifier=BUSYBOX, attrs={"a": "b"})
    made, client = judge(decide(CONVERT, update=update), decide(ALLOW))
    assert made == SourceOp(BUSYBOX, {"a": "b"})
    assert [one.Source.Source.identifier for one in client.asked] == [ALPINE, BUSYBOX]


def test_what_a_client_says_is_judged_by_the_builds_policies() -> None:
    update = ops_pb2.SourceOp(identifier=BUSYBOX)
    with pytest.raises(SourceDenied, match="denied by policy"):
        judge(decide(CONVERT, update=update), own=[policy(deny(BUSYBOX))])
    made, client = judge(decide(ALLOW), own=[policy(convert(ALPINE, BUSYBOX))])
    assert made.identifier == client.asked[0].Source.Source.identifier == BUSYBOX


@pytest.mark.parametrize("answer", [ask(), decide(CONVERT, update=ops_pb2.SourceOp(identifier=ALPINE))])
def test_questions_end(answer: Answer) -> None:
    client = Client([answer])
    with pytest.raises(PolicyError, match="too many policy requests"):
        SourcePolicies((), Verifier(lambda: client)).source(  # type: ignore[arg-type,return-value]
            SourceOp(ALPINE), PLATFORM, (), facts
        )
    assert len(client.asked) == 10


def other(**fields: object) -> Answer:
    source = ops_pb2.SourceOp(**fields)  # type: ignore[arg-type]
    return lambda request: pb.CheckPolicyResponse(request=gateway_pb2.ResolveSourceMetaRequest(Source=source))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda request: pb.CheckPolicyResponse(), "no decision in policy response"),
        (decide(CONVERT), "convert action requires updated source"),
        (other(identifier=BUSYBOX), "policy requested different source identifier: "),
        (other(identifier=ALPINE, attrs={"a": "b"}), "policy requested different source attrs"),
        (decide(7), "not allowed by policy: action 7"),
    ],
)
def test_answers_that_mean_nothing(answer: Answer, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        judge(answer)
    assert said in str(caught.value)


def test_what_keeps_facts_away_is_said() -> None:
    with pytest.raises(
        PolicyError, match="error resolving source metadata from policy request: nobody knows it"
    ):
        judge(ask(), identifier="docker-image://gone")


def test_the_clients_own_errors_are_said() -> None:
    def fail(request: pb.CheckPolicyRequest) -> pb.CheckPolicyResponse:
        raise CallFailed(METHOD, 2, "the policy is broken")

    with pytest.raises(PolicyError, match="the policy is broken"):
        judge(fail)


def test_a_client_that_does_not_offer_it() -> None:
    class Mute(Client):
        def offers(self, method: str) -> bool:
            return False

    client = Mute([])
    with pytest.raises(PolicyError, match="unknown service moby"):
        SourcePolicies((), Verifier(lambda: client)).source(  # type: ignore[arg-type,return-value]
            SourceOp(ALPINE), None, (), facts
        )


def test_each_source_of_a_graph_is_asked_about_once() -> None:
    client = Client([decide(ALLOW)])
    edge = State.image("alpine").run("x").run("y").edge
    assert isinstance(edge, Edge)
    policies = SourcePolicies((), Verifier(lambda: client))  # type: ignore[arg-type,return-value]
    assert policies.edge(edge, (), facts) == edge
    assert [one.Source.Source.identifier for one in client.asked] == [ALPINE]
