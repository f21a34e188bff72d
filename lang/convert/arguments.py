"""Converts arguments of a Dockerfile to params.

A param has one default. An argument that is declared with several defaults, with one that is only valid in bodies, or
somewhere with none, becomes a param with the default "", and each use replaces "" by the default that applies there.
Which of the two it is isn't known before all declarations have been seen: so a conversion goes over the file twice.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from pybuild.lang.convert.expansion import Variable
from pybuild.lang.convert.values import StringExpression, Value, is_local, string, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_NAME: Final = re.compile(r"\w+")
PLATFORMS: Final[Mapping[str, Value]] = {
    "BUILDPLATFORM": (StringExpression("str(build_platform)", empty=False),),
    "BUILDOS": (StringExpression("build_platform.os", empty=False),),
    "BUILDOSVERSION": (),
    "BUILDARCH": (StringExpression("build_platform.arch", empty=False),),
    "BUILDVARIANT": (StringExpression("build_platform.variant"),),
    "TARGETPLATFORM": (StringExpression("str(platform)", empty=False, local=True),),
    "TARGETOS": (StringExpression("platform.os", empty=False, local=True),),
    "TARGETOSVERSION": (),
    "TARGETARCH": (StringExpression("platform.arch", empty=False, local=True),),
    "TARGETVARIANT": (StringExpression("platform.variant", local=True),),
    "TARGETSTAGE": ("default",),
}
"""Arguments that exist without a declaration in global scope."""


@frozen
class ParamDeclaration:
    """A param. `default` None: `""` means that it isn't set. `comments` are those of its first declaration."""

    name: str
    default: Value | None
    comments: tuple[str, ...] = ()


@frozen
class Arguments:
    """The arguments of one pass. `simple` are the names with a single default, as found by an earlier pass."""

    simple: frozenset[str] = frozenset()
    declared: dict[str, ParamDeclaration] = field(factory=dict)
    defaults: dict[str, list[Value | None]] = field(factory=dict)

    def declare(self, name: str, default: Value | None, comments: tuple[str, ...] = ()) -> Variable:
        """Declare an argument and return its value. `default` None: it is unset unless it is passed."""
        self.defaults.setdefault(name, []).append(default)
        simple = name in self.simple
        if name not in self.declared:
            self.declared[name] = ParamDeclaration(name, default if simple else None, comments)
        if simple:
            return Variable((StringExpression(name),))
        if default is None:
            return Variable((StringExpression(name),), unset=True)
        if not default:
            return Variable((StringExpression(name),))
        code = f'{name} if {name} != "" else {written(default)}'
        return Variable((StringExpression(code, local=is_local(default)),))

    def by_default(self, value: Value) -> str | None:
        """Return the value if no argument is passed; None if it depends on anything else."""
        out = ""
        for piece in value:
            if isinstance(piece, StringExpression):
                name = _NAME.match(piece.code)
                default = next(iter(self.defaults.get(name[0], ())), None) if name is not None else None
                text = None if default is None else self.by_default(default)
            else:
                text = piece if isinstance(piece, str) else None
            if text is None:
                return None
            out += text
        return out

    def agreed(self) -> frozenset[str]:
        """Return the names whose declarations have the same default, which is valid at the top of a file."""
        return frozenset(
            name
            for name, (first, *others) in self.defaults.items()
            if first is not None and not is_local(first) and all(other == first for other in others)
        )

    def declarations(self) -> list[str]:
        """Return the rows of all params."""
        rows: list[str] = []
        for param in self.declared.values():
            rows += param.comments
            if param.default is None and any(self.defaults[param.name]):
                rows.append(f"# differs: an empty {param.name} is one that isn't given")
            rows.append(
                f"param {param.name}: str = {string('') if param.default is None else written(param.default)}"
            )
        return rows
