"""Source policies of builds: of the request, of a frontend's requests, and of a client that is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.offers import Policy
from tests.daemon.client.solving import Build, SolveFailed, ask, solve
from tests.frontends.dockerfile.asking import CONTEXT, files, lines, made
from tests.runtime.policy.rules import allow, convert, deny, message
from tests.support.daemons import Peer

from pybuild.compiler.protos import gateway_pb2, ops_pb2, policy_pb2
from pybuild.compiler.protos import policysession_pb2 as pb
from pybuild.compiler.state import State
from pybuild.runtime.policy.rules import ALLOW, CONVERT, DENY, EXACT, MATCHES, REGEX, Constraint, Rule

T = TypeVar("T")


@pytest.fixture
def image(base_reference: str) -> str:
    return f"docker-image://{base_reference}"


def refusal(peer: Peer, text: str, rules: Iterable[Rule]) -> SolveFailed:
    build = Build(
        frontend="dockerfile.v0",
        inputs={"dockerfile": files(Dockerfile=text), "context": CONTEXT},
        policy=message(*rules),
    )
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, build)
    return caught.value


def test_an_image_that_is_denied(peer: Peer, base_reference: str, image: str) -> None:
    failure = refusal(peer, f"FROM {base_reference}\n", [deny("docker-image://*")])
    assert failure.message == (
        f"{base_reference}: failed to resolve source metadata for {base_reference}: could not resolve image due to "
        f'policy: source "{image}" denied by policy: source denied by policy'
    )
    assert lines(failure) == [(1, 1)]


def test_a_definition_that_is_denied(peer: Peer) -> None:
    state = State.http("http://127.0.0.1:1/x")
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, Build(state, policy=message(deny("http://*"))))
    assert caught.value.message == (
        'failed to load LLB: error evaluating the source policy: source "http://127.0.0.1:1/x" denied by policy: '
        "source denied by policy"
    )


def test_a_source_of_a_dockerfile_that_is_denied(peer: Peer) -> None:
    failure = refusal(peer, "FROM scratch\nADD http://127.0.0.1:1/x /\n", [deny("^http:", REGEX)])
    assert 'source "http://127.0.0.1:1/x" denied by policy' in failure.message


def names(peer: Peer, text: str, *rules: Rule) -> list[str]:
    """The files in a Dockerfile's image."""

    def frontend(gateway: Gateway) -> list[str]:
        return [one.path for one in gateway.read_dir(made(gateway, text).ref.id)]

    return ask(peer.daemon, frontend, policy=message(*rules))


def test_what_is_allowed_is_built(peer: Peer, base_reference: str, image: str) -> None:
    assert "bin" in names(peer, f"FROM {base_reference}\n", deny("*"), allow(f"{image}*"), allow("local://*"))


@pytest.mark.parametrize("kind", ["wildcard", "expression"])
def test_an_image_in_place_of_another(peer: Peer, base_reference: str, kind: str) -> None:
    where, _, tag = base_reference.rpartition(":")
    registry = where.partition("/")[0]
    rule = {
        "wildcard": convert(f"docker-image://{registry}/other:*", f"docker-image://{where}:${{1}}"),
        "expression": convert(
            f"docker-image://{registry}/(oth)er:(?P<tag>.*)", f"docker-image://{where}:${{tag}}", REGEX
        ),
    }[kind]
    assert "bin" in names(
        peer, f"FROM {registry}/other:{tag}\nCOPY --from={registry}/other:{tag} /bin /b\n", rule
    )


def test_an_exact_rule_replaces_nothing(peer: Peer, registry: str, image: str) -> None:
    rule = convert(f"docker-image://{registry}/other:1", image, EXACT)
    failure = refusal(peer, f"FROM {registry}/other:1\n", [rule])
    assert failure.message.endswith(f"{registry}/other:1: not found")


def test_what_is_no_image_any_more(peer: Peer, registry: str) -> None:
    failure = refusal(
        peer, f"FROM {registry}/other:1\n", [convert("docker-image://*", "https://x.invalid/y")]
    )
    assert failure.message == (
        f"{registry}/other:1: ref mutated by policy to non-image: docker-image://{registry}/other:1 -> "
        "https://x.invalid/y"
    )


def test_a_named_context_that_becomes_another_source(ours: Peer, registry: str) -> None:
    def frontend(gateway: Gateway) -> list[str]:
        result = made(
            gateway,
            "FROM scratch\nCOPY --from=foo x /y\n",
            {"context:foo": f"docker-image://{registry}/other:1"},
        )
        return [one.path for one in gateway.read_dir(result.ref.id)]

    rule = convert(f"docker-image://{registry}/other:1", "http://127.0.0.1:1/gone")
    with pytest.raises(Failure, match=r"127\.0\.0\.1:1/gone.*refused"):
        ask(ours.daemon, frontend, policy=message(rule))


def test_rules_by_attributes(peer: Peer) -> None:
    pinned = convert("http://127.0.0.1:1/x", "http://127.0.0.1:1/y", http__checksum="sha256:" + "0" * 64)
    checked = deny("http://127.0.0.1:1/y", 0, Constraint("http.checksum", "^sha256:0", MATCHES))
    failure = refusal(peer, "FROM scratch\nADD http://127.0.0.1:1/x /\n", [pinned, checked])
    assert 'source "http://127.0.0.1:1/y" denied by policy' in failure.message


def test_a_policy_that_never_ends(peer: Peer, base_reference: str) -> None:
    failure = refusal(peer, f"FROM {base_reference}\n", [convert("docker-image://*", "docker-image://${1}x")])
    assert failure.message.endswith("too many mutations on a single source: too many operations")


# Requests of a frontend


def test_policies_of_a_frontends_request(peer: Peer, base_reference: str, image: str) -> None:
    def frontend(gateway: Gateway) -> tuple[str, list[str]]:
        state = State.image(base_reference)
        try:
            gateway.solve(state, policies=[message(deny("docker-image://*"))], evaluate=True)
        except Failure as failure:
            denied = failure.message
        free = gateway.solve(state, evaluate=True)
        return denied, [one.path for one in gateway.read_dir(free.ref.id)]

    denied, listed = ask(peer.daemon, frontend)
    assert f'source "{image}" denied by policy' in denied
    assert "bin" in listed


def test_policies_of_the_build_count_for_its_frontend(peer: Peer, base_reference: str, image: str) -> None:
    with pytest.raises(Failure, match="denied by policy"):
        ask(
            peer.daemon,
            lambda gateway: gateway.ref(State.image(base_reference), evaluate=True),
            policy=message(deny(image)),
        )
    with pytest.raises(Failure, match="could not resolve image due to policy"):
        ask(
            peer.daemon,
            lambda gateway: gateway.resolve_image_config(base_reference),
            policy=message(deny("docker-image://*")),
        )


# A client that is asked


def decision(action: int, *reasons: str, update: str = "") -> pb.CheckPolicyResponse:
    return pb.CheckPolicyResponse(
        decision=pb.DecisionResponse(
            action=policy_pb2.PolicyAction.Name(action),
            denyMessages=[pb.DenyMessage(message=one) for one in reasons],
            update=ops_pb2.SourceOp(identifier=update) if update else None,
        )
    )


def verified(daemon: Daemon, client: Policy, frontend: Callable[[Gateway], T]) -> T:
    """What a frontend finds while `client` decides about sources."""
    with daemon.session(client.offer()) as session:
        return ask(daemon, frontend, session=session, more={"SourcePolicySession": session.id})


def test_a_client_decides_on_what_a_source_is(ours: Peer, base_reference: str, image: str) -> None:
    def decide(request: pb.CheckPolicyRequest) -> pb.CheckPolicyResponse:
        if request.Source.HasField("Image"):
            return decision(ALLOW)
        source = request.Source.Source
        return pb.CheckPolicyResponse(request=gateway_pb2.ResolveSourceMetaRequest(Source=source))

    def frontend(gateway: Gateway) -> list[str]:
        return [one.path for one in gateway.read_dir(gateway.ref(State.image(base_reference)))]

    client = Policy(decide)
    listed = verified(ours.daemon, client, frontend)
    assert "bin" in listed
    assert [one.Source.Source.identifier for one in client.asked] == [image, image]
    assert client.asked[1].Source.Image.Digest.startswith("sha256:")
    assert b"rootfs" in client.asked[1].Source.Image.Config


def test_a_client_denies_with_reasons(ours: Peer, base_reference: str, image: str) -> None:
    client = Policy(lambda request: decision(DENY, "too old", "too big"))
    with pytest.raises(Failure) as caught:
        verified(ours.daemon, client, lambda gateway: made(gateway, f"FROM {base_reference}\n"))
    assert "not allowed by policy: action DENY" in caught.value.message
    (detail,) = [one for one in caught.value.details if "DecisionResponse" in one.type_url]
    assert json.loads(detail.value) == {
        "action": "DENY",
        "denyMessages": [{"message": "too old"}, {"message": "too big"}],
    }


def test_a_client_replaces_an_image(ours: Peer, registry: str, base_reference: str, image: str) -> None:
    other = f"docker-image://{registry}/other:1"

    def decide(request: pb.CheckPolicyRequest) -> pb.CheckPolicyResponse:
        return (
            decision(CONVERT, update=image) if request.Source.Source.identifier == other else decision(ALLOW)
        )

    def frontend(gateway: Gateway) -> list[str]:
        result = made(gateway, f"FROM {registry}/other:1\nCOPY a /\n")
        return [one.path for one in gateway.read_dir(result.ref.id)]

    client = Policy(decide)
    assert {"bin", "a"} <= set(verified(ours.daemon, client, frontend))


def test_a_client_without_the_service(ours: Peer, base_reference: str) -> None:
    with ours.daemon.session() as session, pytest.raises(Failure, match="unknown service"):
        ask(
            ours.daemon,
            lambda gateway: gateway.ref(State.image(base_reference)),
            session=session,
            more={"SourcePolicySession": session.id},
        )


def test_a_rule_without_a_selector(ours: Peer) -> None:
    policy = message(deny("x"))
    policy.rules[0].ClearField("selector")
    with pytest.raises(SolveFailed, match="invalid nil selector in policy"):
        solve(ours.daemon, Build(State.scratch(), policy=policy))
