"""What a checked module shows to those that use it (spec section 14): targets, defs, lets and params.

A private name is known to be there, so that its use can be told from a slip.
"""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.scope import Binding, Scope

MEMBER_KINDS: Final = frozenset(("param", "let", "target", "test", "def", "broken"))


@frozen
class AxisType:
    """An axis of a matrix. `values` are all it can have, before the header's conditions, where that is known without
    params; the implicit `platform` is not among a target's axes. `span` is the place of the values."""

    name: str
    type: Type
    span: Span
    values: tuple[str | int | bool, ...] | None = None


class ModuleTypes:
    """`name` is what messages call the module (its origin); `scope` is the module's own, with all of its names."""

    __slots__ = ("name", "scope")

    def __init__(self, name: str, scope: Scope) -> None:
        self.name = name
        self.scope = scope

    def member(self, name: str) -> Binding | None:
        """The member, private or not, in either space; a module's names are in one of them only."""
        found = self.scope.values.get(name) or self.scope.callables.get(name)
        return found if found is not None and found.kind in MEMBER_KINDS else None

    def members(self) -> list[Binding]:
        """Those that others may use, in the order of their declarations."""
        spaces = (*self.scope.values.values(), *self.scope.callables.values())
        shown = [one for one in spaces if one.kind in MEMBER_KINDS - {"broken"} and one.name[:1] != "_"]
        return sorted(shown, key=lambda one: (one.span.line, one.span.column))
