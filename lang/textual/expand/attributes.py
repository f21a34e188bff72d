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

    located: dict[str, Located]

    def flag(self, name: str) -> bool:
        return name in self.located and self.located[name].value is True

    def owner(self) -> str:
        return owner(self.located["owner"]) if "owner" in self.located else "0:0"

    def mode(self) -> int | str | None:
        return mode(self.located["mode"]) if "mode" in self.located else None

    def texts(self, name: str) -> tuple[str, ...]:
        return strings(self.located[name].value) if name in self.located else ()

    def nanoseconds(self, name: str) -> int | None:
        value = self.located[name].value if name in self.located else None
        return value.ns if isinstance(value, Duration) else None

    def number(self, name: str) -> int | None:
        value = self.located[name].value if name in self.located else None
        return value if isinstance(value, int) else None


def attributes(
    keyword: str, arguments: Iterable[tree.Argument], frame: Frame, compilation: Compilation
) -> Attributes:
    """Evaluate the named arguments of a statement."""
    parameters = {one.name: one for one in builtins.STATEMENTS[keyword]}
    located: dict[str, Located] = {}
    for argument in arguments:
        if argument.name is not None:
            type = parameters[argument.name.name].type
            wanted = None if type in (builtins.OWNER, builtins.MODE) else type
            value = evaluate(argument.value, frame, compilation, wanted)
            located[argument.name.name] = Located(value, argument.value.span)
    return Attributes(located)


def strings(value: Value) -> tuple[str, ...]:
    """Return the items of a list of strings as plain text."""
    return tuple(map(text_of, value)) if isinstance(value, tuple) else (text_of(value),)


def owner(located: Located) -> str:
    text = text_of(located.value)
    if ownership.OWNER.fullmatch(text) is None:
        raise SourceError(problems.bad_owner(located.span, text))
    return text


def mode(located: Located) -> int | str:
    value = located.value
    if isinstance(value, str):
        return _symbolic(str(value), located.span)
    if not isinstance(value, int) or not 0 <= value <= ownership.MOST_MODE:
        text = oct(value) if isinstance(value, int) else text_of(value)
        raise SourceError(problems.bad_mode(located.span, text, "", literal=False))
    return value


def _symbolic(text: str, span: Span) -> str:
    octal = _OCTAL.fullmatch(text)
    if octal is not None:
        raise SourceError(problems.bad_mode(span, text, f"0o{octal[1].lstrip('0') or '0'}", literal=False))
    if ownership.SYMBOLIC.fullmatch(text) is None:
        raise SourceError(problems.bad_mode(span, text, "", literal=False))
    return text


def port(located: Located) -> str:
    """Return `PORT/tcp` or `PORT/udp`. Raises E0515."""
    text = text_of(located.value)
    normal = ownership.port(text)
    if normal is None:
        raise SourceError(problems.bad_port(located.span, text))
    return normal
