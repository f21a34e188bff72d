"""The interface of a checked module for the modules that use it (language spec, section 14): targets, defs, lets
and params. Private names are included, so that their use gets its own message."""

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
    """An axis of a matrix.

    `values` are all its values before the header's conditions, None unless they are known without params. `span`
    is the place of the values. A target's axes don't include the implicit `platform`."""

    name: str
    type: Type
    span: Span
    values: tuple[str | int | bool, ...] | None = None


class ModuleTypes:
    """A checked module. `name` is its name in messages (its origin); `scope` contains all its names."""

    __slots__ = ("name", "scope")

    def __init__(self, name: str, scope: Scope) -> None:
        self.name = name
        self.scope = scope

    def member(self, name: str) -> Binding | None:
        """Return a member, private or not. A module's name is either a value or a callable."""
        binding = self.scope.values.get(name) or self.scope.callables.get(name)
        return binding if binding is not None and binding.kind in MEMBER_KINDS else None

    def members(self) -> list[Binding]:
        """Return the public members in the order of their declarations."""
        spaces = (*self.scope.values.values(), *self.scope.callables.values())
        shown = [
            binding
            for binding in spaces
            if binding.kind in MEMBER_KINDS - {"broken"} and binding.name[:1] != "_"
        ]
        return sorted(shown, key=lambda binding: (binding.span.line, binding.span.column))
