"""Source policies: rules about the sources of a build. Names and rules are those of BuildKit's
`moby.buildkit.v1.sourcepolicy`.

    PolicyError         a policy can't be applied
      SourceDenied      a policy forbids a source
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.lang.diagnostics import UserError

ALLOW, DENY, CONVERT = range(3)
ACTIONS = {ALLOW: "ALLOW", DENY: "DENY", CONVERT: "CONVERT"}
EQUAL, NOT_EQUAL, MATCHES = range(3)
WILDCARD, EXACT, REGEX = range(3)


class PolicyError(UserError):
    """A source policy can't be applied."""

    def within(self, what: str) -> PolicyError:
        """Return the same error with a prefix that says what was being done."""
        return type(self)(f"{what}: {self}")


class SourceDenied(PolicyError):
    """A source policy forbids a source. `reasons` are given by the client that decided so."""

    def __init__(self, title: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(title)
        self.reasons = reasons

    def within(self, what: str) -> SourceDenied:
        return SourceDenied(f"{what}: {self}", self.reasons)


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


@frozen
class Constraint:
    """A condition on an attribute of a source: EQUAL, NOT_EQUAL, or MATCHES for a regular expression."""

    key: str
    value: str = ""
    condition: int = EQUAL


@frozen
class Selector:
    """A selection of sources by identifier (WILDCARD, EXACT, REGEX) and attributes."""

    identifier: str
    kind: int = WILDCARD
    constraints: tuple[Constraint, ...] = ()


@frozen
class Update:
    """A replacement of a source: another identifier, which may refer to groups of the selector (`${1}`), and
    further attributes."""

    identifier: str = ""
    attrs: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)


@frozen
class Rule:
    selector: Selector
    action: int = ALLOW
    update: Update | None = None


@frozen
class Policy:
    """A list of rules. The last allow or deny rule wins. After a rule rewrites the source, evaluation starts
    again."""

    rules: tuple[Rule, ...] = ()
