"""Evaluation of source policies for one source: it is allowed, replaced or denied, as in BuildKit's
`sourcepolicy/engine.go`."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.ops import SourceOp
from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.policy import patterns
from pybuild.runtime.policy.rules import (
    ACTIONS,
    ALLOW,
    CONVERT,
    DENY,
    EQUAL,
    EXACT,
    MATCHES,
    NOT_EQUAL,
    REGEX,
    WILDCARD,
    Constraint,
    Policy,
    PolicyError,
    Rule,
    Selector,
    SourceDenied,
)

_MOST_CHANGES = 20


def judged(policies: Sequence[Policy], op: SourceOp) -> SourceOp:
    """Return the source after all policies were applied. After each change evaluation starts again with the
    first policy. Raises PolicyError, SourceDenied."""
    # Rules may convert sources into each other for ever.
    for _ in range(_MOST_CHANGES + 1):
        changed = _changed(policies, op)
        if changed is None:
            return op
        op = changed
    raise PolicyError("too many mutations on a single source: too many operations")


def _changed(policies: Sequence[Policy], op: SourceOp) -> SourceOp | None:
    """Return the source as the first policy that changes it makes it; None if none does."""
    for policy in policies:
        denied = False
        for rule in policy.rules:
            if not matches(rule.selector, op):
                continue
            if rule.action in (ALLOW, DENY):
                denied = rule.action == DENY
            elif rule.action == CONVERT:
                changed = _converted(rule, op)
                # A conversion into the same source does not count as a change: evaluation would not end.
                if changed != op:
                    return changed
            else:
                name, about = ACTIONS.get(rule.action, rule.action), rule.selector.identifier
                raise PolicyError(f"source policy: rule {name} {about}: unknown type {quote(op.identifier)}")
        # Of one policy the last matching rule decides; a later policy can't allow what one denied.
        if denied:
            raise SourceDenied(f"source {quote(op.identifier)} denied by policy: source denied by policy")
    return None


def matches(selector: Selector, op: SourceOp) -> bool:
    """Return whether a selector matches a source. Raises PolicyError."""
    try:
        return all(_holds(one, op) for one in selector.constraints) and _named(selector, op.identifier)
    except PolicyError as error:
        raise error.within("error matching source policy") from None


def _holds(constraint: Constraint, op: SourceOp) -> bool:
    value = op.attrs.get(constraint.key, "")
    if constraint.condition == EQUAL:
        return value == constraint.value
    if constraint.condition == NOT_EQUAL:
        return value != constraint.value
    if constraint.condition == MATCHES:
        try:
            return patterns.expression(constraint.value).search(value) is not None
        except PolicyError as error:
            raise error.within(f"invalid regex {quote(constraint.value)}") from None
    raise PolicyError(f"unknown attr condition: {constraint.condition}")


def _named(selector: Selector, identifier: str) -> bool:
    if selector.identifier == identifier:
        return True
    if selector.kind == EXACT:
        return False
    if selector.kind == REGEX:
        return patterns.expression(selector.identifier).search(identifier) is not None
    if selector.kind == WILDCARD:
        return patterns.wildcard(selector.identifier, identifier) is not None
    raise PolicyError(f"unknown match type: {selector.kind}")


def _converted(rule: Rule, op: SourceOp) -> SourceOp:
    if rule.update is None:
        raise PolicyError("error mutating source policy: missing destination for convert rule")
    try:
        identifier = _destination(rule.selector, op.identifier, rule.update.identifier)
    except PolicyError as error:
        raise error.within("error mutating source policy: error formatting destination") from None
    attrs = FrozenMap(op.attrs)
    if any(attrs.get(key, "") != value for key, value in rule.update.attrs.items()):
        attrs = attrs.updated(rule.update.attrs)
    return evolve(op, identifier=identifier or op.identifier, attrs=attrs)


def _destination(selector: Selector, identifier: str, template: str) -> str:
    """Return the identifier that a rule gives a source. An EXACT selector keeps its own, as in BuildKit."""
    template = template or selector.identifier
    if selector.kind == EXACT:
        return selector.identifier
    if selector.kind == REGEX:
        return patterns.replaced(patterns.expression(selector.identifier), identifier, template)
    stars = patterns.wildcard(selector.identifier, identifier)
    if stars is None:
        return identifier
    return patterns.expanded(template, patterns.numbered(stars, identifier))
