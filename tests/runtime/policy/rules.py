"""Rules of source policies, in short."""

from __future__ import annotations

from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.protos import policy_pb2
from pybuild.runtime.policy.rules import (
    ALLOW,
    CONVERT,
    DENY,
    WILDCARD,
    Constraint,
    Policy,
    Rule,
    Selector,
    Update,
)


def allow(identifier: str, kind: int = WILDCARD, *constraints: Constraint) -> Rule:
    return Rule(Selector(identifier, kind, constraints), ALLOW)


def deny(identifier: str, kind: int = WILDCARD, *constraints: Constraint) -> Rule:
    return Rule(Selector(identifier, kind, constraints), DENY)


def convert(identifier: str, to: str = "", kind: int = WILDCARD, **attrs: str) -> Rule:
    """`__` in the name of an attribute stands for a dot."""
    named = FrozenMap({name.replace("__", "."): value for name, value in attrs.items()})
    return Rule(Selector(identifier, kind), CONVERT, Update(to, named))


def message(*rules: Rule) -> policy_pb2.Policy:
    """The policy as a client sends it."""
    return policy_pb2.Policy(version=1, rules=map(_rule, rules))


def policy(*rules: Rule) -> Policy:
    return Policy(rules)


def _rule(rule: Rule) -> policy_pb2.Rule:
    selector = policy_pb2.Selector(
        identifier=rule.selector.identifier,
        match_type=policy_pb2.MatchType.Name(rule.selector.kind),
        constraints=[
            policy_pb2.AttrConstraint(
                key=one.key, value=one.value, condition=policy_pb2.AttrMatch.Name(one.condition)
            )
            for one in rule.selector.constraints
        ],
    )
    found = policy_pb2.Rule(action=policy_pb2.PolicyAction.Name(rule.action), selector=selector)
    if rule.update is not None:
        found.updates.CopyFrom(
            policy_pb2.Update(identifier=rule.update.identifier, attrs=dict(rule.update.attrs))
        )
    return found
