"""Source policies from the messages of `moby.buildkit.v1.sourcepolicy`. Needs the extra `pybuild[buildkit]`."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.protos import policy_pb2 as pb
from pybuild.runtime.policy.rules import Constraint, Policy, PolicyError, Rule, Selector, Update


def policy_of(data: bytes) -> Policy:
    """Decode a policy message. Raises PolicyError."""
    try:
        message = pb.Policy.FromString(data)
    except DecodeError as error:
        raise PolicyError(f"invalid source policy: {error}") from None
    return Policy(tuple(map(_rule, message.rules)))


def _rule(message: pb.Rule) -> Rule:
    if not message.HasField("selector"):
        raise PolicyError("invalid nil selector in policy")
    update = None
    if message.HasField("updates"):
        update = Update(message.updates.identifier, FrozenMap(dict(message.updates.attrs)))
    return Rule(_selector(message.selector), message.action, update)


def _selector(message: pb.Selector) -> Selector:
    constraints = tuple(Constraint(one.key, one.value, one.condition) for one in message.constraints)
    return Selector(message.identifier, message.match_type, constraints)
