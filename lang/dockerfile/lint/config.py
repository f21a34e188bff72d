"""Options of a `check` directive or of BUILDKIT_DOCKERFILE_CHECK: `skip=A,B;error=true;experimental=all`.

The reference is BuildKit's `linter.ParseLintOptions`: options are split at the first two `;`, a later one of a name
replaces an earlier one, and unknown rule names are ignored.
"""

from __future__ import annotations

from pybuild.lang.booleans import truth
from pybuild.lang.dockerfile.characters import SPACES
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.lint.rules import Rule

_OPTIONS = 3


class BadCheck(ValueError):
    """An invalid set of check options; the text says why."""


class CheckConfig:
    """The rules that are on, and whether a finding fails the build (`error`).

    `skip` holds names of ordinary rules that are off, `experimental` those of experimental rules that are on;
    `skip_all` and `experimental_all` stand for every name.
    """

    __slots__ = ("error", "experimental", "experimental_all", "skip", "skip_all")

    def __init__(self) -> None:
        self.error = False
        self.skip: frozenset[str] = frozenset()
        self.skip_all = False
        self.experimental: frozenset[str] = frozenset()
        self.experimental_all = False

    def wants(self, rule: Rule) -> bool:
        """True if the rule is on."""
        if rule.experimental:
            return self.experimental_all or rule.name in self.experimental
        return not (self.skip_all or rule.name in self.skip)


def parse_check(text: str) -> CheckConfig:
    """Parse check options. Raises BadCheck."""
    config = CheckConfig()
    text = text.strip(SPACES)
    for option in text.split(";", _OPTIONS - 1) if text else ():
        name, equals, value = option.partition("=")
        name, value = name.strip(SPACES), value.strip(SPACES)
        if not equals:
            raise BadCheck(f"invalid check option {quote(option)}")
        if name == "error":
            on = truth(value)
            if on is None:
                raise BadCheck(
                    f"failed to parse check option {quote(option)}: {quote(value)} is neither true nor false"
                )
            config.error = on
        elif name == "skip":
            config.skip_all, config.skip = value == "all" or config.skip_all, _names(value, config.skip)
        elif name == "experimental":
            config.experimental_all = value == "all" or config.experimental_all
            config.experimental = _names(value, config.experimental)
        else:
            raise BadCheck(f"invalid check option {quote(name)}")
    return config


def _names(value: str, before: frozenset[str]) -> frozenset[str]:
    """Return the names in a list. `all` isn't a name and keeps the names of an earlier option."""
    return before if value == "all" else frozenset(name.strip(SPACES) for name in value.split(","))
