"""Named options of statements, and values with a form of their own: owners, modes, ports (E0515)."""

from __future__ import annotations

import re

from attrs import frozen

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import builtins, ownership, tree
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.values import Duration, Located, Value, text_of
from pybuild.lang.textual.problems import states as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.frame import Frame

_OCTAL: Final = re.compile(r"(?:0o?)?([0-7]{3,4})")


@frozen
class Attributes:
    """The named options of a statement. The caller knows the defaults."""

    given: dict[str, Located]

    def flag(self, name: str) -> bool:
        return name in self.given and self.given[name].value is True

    def owner(self) -> str:
        return owner(self.given["owner"]) if "owner" in self.given else "0:0"

    def mode(self) -> int | str | None:
        return mode(self.given["mode"]) if "mode" in self.given else None

    def texts(self, name: str) -> tuple[str, ...]:
        return strings(self.given[name].value) if name in self.given else ()

    def nanoseconds(self, name: str) -> int | None:
        value = self.given[name].value if name in self.given else None
        return value.ns if isinstance(value, Duration) else None

    def number(self, name: str) -> int | None:
        value = self.given[name].value if name in self.given else None
        return value if isinstance(value, int) else None


def attributes(
    keyword: str, arguments: Iterable[tree.Argument], frame: Frame, compilation: Compilation
) -> Attributes:
    """Evaluate the named arguments of a statement."""
    parameters = {one.name: one for one in builtins.STATEMENTS[keyword]}
    given: dict[str, Located] = {}
    for argument in arguments:
        if argument.name is not None:
            type = parameters[argument.name.name].type
            wanted = None if type in (builtins.OWNER, builtins.MODE) else type
            value = evaluate(argument.value, frame, compilation, wanted)
            given[argument.name.name] = Located(value, argument.value.span)
    return Attributes(given)


def strings(value: Value) -> tuple[str, ...]:
    """Return the items of a list of strings as plain text."""
    return tuple(map(text_of, value)) if isinstance(value, tuple) else (text_of(value),)


def owner(given: Located) -> str:
    text = text_of(given.value)
    if ownership.OWNER.fullmatch(text) is None:
        raise SourceError(problems.bad_owner(given.span, text))
    return text


def mode(given: Located) -> int | str:
    value = given.value
    if isinstance(value, str):
        return _symbolic(str(value), given.span)
    if not isinstance(value, int) or not 0 <= value <= ownership.MOST_MODE:
        text = oct(value) if isinstance(value, int) else text_of(value)
        raise SourceError(problems.bad_mode(given.span, text, "", literal=False))
    return value


def _symbolic(text: str, span: Span) -> str:
    octal = _OCTAL.fullmatch(text)
    if octal is not None:
        raise SourceError(problems.bad_mode(span, text, f"0o{octal[1].lstrip('0') or '0'}", literal=False))
    if ownership.SYMBOLIC.fullmatch(text) is None:
        raise SourceError(problems.bad_mode(span, text, "", literal=False))
    return text


def port(given: Located) -> str:
    """Return `PORT/tcp` or `PORT/udp`. Raises E0515."""
    text = text_of(given.value)
    found = ownership.port(text)
    if found is None:
        raise SourceError(problems.bad_port(given.span, text))
    return found
