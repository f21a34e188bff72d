"""Scopes: what the names of a module mean at a place (spec section 6).

Names live in two spaces, callables and the rest. Two declarations of one file don't share a name across them; inside
bodies each space is for itself. A name that is visible can't be bound again. What is built in lies outside of all
scopes and is looked up last; of that only the values are reserved.
"""

from __future__ import annotations

from pybuild.lang.textual import builtins
from pybuild.lang.textual.problems import names as problems
from pybuild.lang.textual.types import ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span
    from pybuild.lang.textual import tree
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.exports import AxisType, ModuleTypes
    from pybuild.lang.textual.types import Type

    Constant = str | int | bool | tuple["Constant", ...] | dict[str, "Constant | None"]

KINDS: Final = frozenset("param let parameter loop axis target test module group def builtin broken".split())


class Binding:
    """A name and what it is. `kind` is one of `KINDS`; `broken` is something with a mistake that has been reported,
    and found in both spaces.

    `type` has to be known before an expression uses the name. Of a def `signature` says all, of a target or test
    `axes` (None: not known); `module` is what a module shows, None when it wasn't found. `constant` is the value
    where it is known without params. `used` is set by the first use.
    """

    __slots__ = ("axes", "constant", "kind", "module", "name", "node", "signature", "span", "type", "used")

    def __init__(
        self,
        name: str,
        kind: str,
        type: Type,
        span: Span,
        node: tree.Node | None = None,
        *,
        signature: Signature | None = None,
        axes: tuple[AxisType, ...] | None = None,
        module: ModuleTypes | None = None,
        constant: Constant | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.type = type
        self.span = span
        self.node = node
        self.signature = signature
        self.axes = axes
        self.module = module
        self.constant = constant
        self.used = False

    @property
    def callable(self) -> bool:
        return self.kind == "def"

    def __repr__(self) -> str:
        return f"Binding({self.name!r}, {self.kind!r}, {str(self.type)!r})"


class Scope:
    """The names bound at one place; `parent` None is a module's own."""

    __slots__ = ("_first", "callables", "parent", "values")

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.values: dict[str, Binding] = {}
        self.callables: dict[str, Binding] = {}
        self._first: dict[str, Binding] = {}

    def child(self) -> Scope:
        return Scope(self)

    def lookup(self, name: str) -> Binding | None:
        """The value, target or module of that name, and marks it used. What is built in isn't found here."""
        found = self.find(name, callable=False)
        if found is not None:
            found.used = True
        return found

    def lookup_callable(self, name: str) -> Binding | None:
        """The def of that name, and marks it used."""
        found = self.find(name, callable=True)
        if found is not None:
            found.used = True
        return found

    def bind(self, binding: Binding, report: Callable[[Diagnostic], None]) -> bool:
        """Adds a name, unless it is reserved (E0203) or taken (E0202), which is reported.

        That is one mistake: uses of a name that is reserved, or bound twice in this scope, are `broken`; inside of
        the scope where it is taken the name means what is bound here."""
        name = binding.name
        what = "" if binding.kind == "broken" else _reserved(binding)
        if what:
            report(problems.reserved(binding, what))
            self._spoil(binding)
            return False
        own = self._own(binding)
        earlier = own or self.find(name, callable=binding.callable)
        if earlier is None:
            self._put(binding)
            return True
        first = self._first.get(name, earlier) if own is not None else earlier
        if "broken" in (binding.kind, first.kind):
            return False
        report(problems.already_bound(binding, first))
        if own is None:
            self._put(binding)
        else:
            self._first.setdefault(name, first)
            first.used = True
            self._spoil(binding)
        return False

    def _own(self, binding: Binding) -> Binding | None:
        """What has the name in this scope; a module's own names are in one of the spaces only."""
        name = binding.name
        if self.parent is None:
            return self.values.get(name) or self.callables.get(name)
        return (self.callables if binding.callable else self.values).get(name)

    def _put(self, binding: Binding) -> None:
        if binding.kind == "broken" or not binding.callable:
            self.values[binding.name] = binding
        if binding.kind == "broken" or binding.callable:
            self.callables[binding.name] = binding

    def _spoil(self, binding: Binding) -> None:
        binding.used = True
        self._put(broken(binding.name, binding.span, binding.node))

    def names(self, *kinds: str) -> Iterator[Binding]:
        """What is visible, of these kinds or of all, the innermost first; for did-you-mean and completion."""
        scope: Scope | None = self
        while scope is not None:
            for space in (scope.values, scope.callables):
                for binding in space.values():
                    if binding.kind in kinds or (not kinds and binding.kind != "broken"):
                        yield binding
            scope = scope.parent

    def find(self, name: str, *, callable: bool = False) -> Binding | None:
        """As `lookup` and `lookup_callable`, without a mark."""
        scope: Scope | None = self
        while scope is not None:
            found = (scope.callables if callable else scope.values).get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None


def broken(name: str, span: Span, node: tree.Node | None = None) -> Binding:
    """What a declaration with a mistake binds."""
    return Binding(name, "broken", ERROR, span, node)


def _reserved(binding: Binding) -> str:
    """What has the name for good, "" if nothing has."""
    if binding.name in builtins.VALUES:
        return "a built-in value"
    return (
        "a statement" if binding.kind in ("def", "module") and binding.name in builtins.BODY_KEYWORDS else ""
    )
