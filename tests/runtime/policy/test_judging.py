"""What policies make of one source, and of a graph."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.runtime.policy.rules import allow, convert, deny, message, policy

from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.ops import SourceOp
from pybuild.compiler.state import State, copy
from pybuild.runtime.bridge.metadata import SourceMetadata, Wanted
from pybuild.runtime.policy.judging import judged
from pybuild.runtime.policy.messages import policy_of
from pybuild.runtime.policy.rules import (
    EQUAL,
    EXACT,
    MATCHES,
    NOT_EQUAL,
    REGEX,
    Constraint,
    Policy,
    PolicyError,
    Rule,
    Selector,
    SourceDenied,
)
from pybuild.runtime.policy.sources import SourcePolicies

ALPINE = "docker-image://docker.io/library/alpine:latest"
IMAGE = SourceOp(ALPINE)


def identifier(*policies: Policy, op: SourceOp = IMAGE) -> str:
    return judged(policies, op).identifier


def no_facts(op: SourceOp, wanted: Wanted) -> SourceMetadata:
    raise AssertionError("nobody asks")


def test_the_last_rule_that_matches_counts() -> None:
    assert identifier(policy(deny("*"), allow(ALPINE))) == ALPINE
    assert identifier(policy(deny("docker-image://docker.io/library/busybox*"))) == ALPINE
    with pytest.raises(SourceDenied) as caught:
        identifier(policy(allow(ALPINE), deny("*")))
    assert str(caught.value) == f'source "{ALPINE}" denied by policy: source denied by policy'


def test_each_policy_may_deny() -> None:
    with pytest.raises(SourceDenied):
        identifier(policy(deny(ALPINE), allow("*")), policy(deny(ALPINE)))


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        (
            convert("docker-image://*:latest", "docker-image://${1}:3"),
            "docker-image://docker.io/library/alpine:3",
        ),
        (convert("*/library/*:*", "$1/mirror/$2:$3"), "docker-image://docker.io/mirror/alpine:latest"),
        (
            convert("alpine:(?P<tag>.*)", "busybox:$tag", REGEX),
            "docker-image://docker.io/library/busybox:latest",
        ),
        (convert(ALPINE, "docker-image://docker.io/library/busybox", EXACT), ALPINE),
    ],
)
def test_a_source_is_replaced(rule: Rule, made: str) -> None:
    assert identifier(policy(rule)) == made


def test_attributes_are_added() -> None:
    op = SourceOp("https://example.com/x", {"http.filename": "y"})
    made = judged([policy(convert("https://*", "https://$1", http__checksum="sha256:0"))], op)
    assert made == SourceOp("https://example.com/x", {"http.filename": "y", "http.checksum": "sha256:0"})


def test_what_a_source_became_is_judged_from_the_first_policy() -> None:
    to_mirror = convert("docker-image://docker.io/*", "docker-image://mirror/$1")
    assert identifier(policy(to_mirror), policy(deny("docker-image://docker.io/*"))).startswith(
        "docker-image://mirror"
    )
    with pytest.raises(SourceDenied, match="mirror"):
        identifier(policy(deny("docker-image://mirror/*")), policy(to_mirror))


def test_changes_end() -> None:
    with pytest.raises(PolicyError, match="many mutations on a single source: too many operations"):
        identifier(policy(convert("*", "${1}x")))
    twenty = [convert(f"n{number}", f"n{number + 1}") for number in range(20)]
    assert identifier(policy(*twenty), op=SourceOp("n0")) == "n20"


@pytest.mark.parametrize(
    ("constraint", "denied"),
    [
        (Constraint("a", "1", EQUAL), True),
        (Constraint("a", "2", EQUAL), False),
        (Constraint("b", "", EQUAL), True),
        (Constraint("a", "2", NOT_EQUAL), True),
        (Constraint("a", "1", NOT_EQUAL), False),
        (Constraint("a", "^[0-9]$", MATCHES), True),
        (Constraint("a", "x", MATCHES), False),
    ],
)
def test_constraints(constraint: Constraint, denied: bool) -> None:
    op = SourceOp("local://x", {"a": "1"})
    rules = policy(deny("*", 0, constraint))
    if not denied:
        assert judged([rules], op) is op
        return
    with pytest.raises(SourceDenied):
        judged([rules], op)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(Selector("*"), 7), f'source policy: rule 7 *: unknown type "{ALPINE}"'),
        (Rule(Selector("*"), 2), "error mutating source policy: missing destination for convert rule"),
        (deny("*", 9), "error matching source policy: unknown match type: 9"),
        (deny("*", 0, Constraint("a", "", 9)), "error matching source policy: unknown attr condition: 9"),
        (
            deny("*", 0, Constraint("a", "(", MATCHES)),
            'error matching source policy: invalid regex "(": error parsing regexp: missing closing ): `(`',
        ),
    ],
)
def test_rules_that_mean_nothing(rule: Rule, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        identifier(policy(rule))
    assert str(caught.value) == said


def test_messages_and_values_are_the_same() -> None:
    rules = (
        deny("a", REGEX, Constraint("k", "v", MATCHES)),
        allow("b", EXACT),
        convert("c", "d", http__checksum="e"),
    )
    assert policy_of(message(*rules).SerializeToString()) == policy(*rules)


def test_a_rule_without_a_selector_is_refused() -> None:
    encoded = message(deny("x"))
    encoded.rules[0].ClearField("selector")
    with pytest.raises(PolicyError, match="invalid nil selector in policy"):
        policy_of(encoded.SerializeToString())
    with pytest.raises(PolicyError, match="invalid source policy"):
        policy_of(b"\xff")


# Graphs


def edge_of(state: State) -> Edge:
    assert state.edge is not None
    return state.edge


def sources(edge: Edge) -> list[str]:
    return [one.op.identifier for one in walk([edge]) if isinstance(one.op, SourceOp)]


def apply(edge: Edge, own: Sequence[Policy], more: Sequence[bytes] = ()) -> Edge:
    return SourcePolicies(own).edge(edge, more, no_facts)


def test_every_source_of_a_graph_is_judged() -> None:
    state = State.image("alpine").run("x").file(copy(State.local("src"), "a", "/a"))
    changed = apply(edge_of(state), [policy(convert("*alpine:latest", "${1}busybox:latest"))])
    assert sources(changed) == ["docker-image://docker.io/library/busybox:latest", "local://src"]
    again = State.image("busybox").run("x").file(copy(State.local("src"), "a", "/a"))
    assert changed == edge_of(again)


def test_a_graph_that_nothing_is_said_about_stays() -> None:
    edge = edge_of(State.image("alpine").run("x"))
    assert apply(edge, [policy(allow("*"))]).vertex is edge.vertex
    assert apply(edge, []) is edge


def test_policies_of_a_request_count_too() -> None:
    edge = edge_of(State.image("alpine"))
    more = [message(deny("*busybox*")).SerializeToString()]
    own = [policy(convert("*alpine:latest", "${1}busybox:latest"))]
    with pytest.raises(SourceDenied) as caught:
        apply(edge, own, more)
    assert str(caught.value).startswith("failed to load LLB: error evaluating the source policy: source ")
    with pytest.raises(SourceDenied) as caught:
        SourcePolicies(own).source(IMAGE, None, more, no_facts)
    assert str(caught.value).startswith("could not resolve image due to policy: source ")
