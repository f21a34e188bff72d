"""Scopes: the meaning of a module's names at a place (language spec, section 6).

There are two name spaces, callables and the rest. Declarations of one file can't share a name across them; inside
bodies the spaces are independent. A visible name can't be bound again. Built-ins are outside of all scopes and are
looked up last; only their values are reserved names.
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
    """A name and its meaning. `kind` is one of `KINDS`; `broken` stands for a declaration with a reported mistake and
    is in both name spaces.

    `type` must be known before an expression uses the name. A def has a `signature` instead, a target or test has
    `axes` (None if unknown), a module has `module` (None if it wasn't found). `constant` is the value if it is
    known without params. `used` is set by the first use."""

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
    """The names bound at one place. The scope of a module has no `parent`."""

    __slots__ = ("_first", "callables", "parent", "values")

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.values: dict[str, Binding] = {}
        self.callables: dict[str, Binding] = {}
        self._first: dict[str, Binding] = {}

    def child(self) -> Scope:
        return Scope(self)

    def lookup(self, name: str) -> Binding | None:
        """Return the value, target or module of a name and mark it as used. Built-ins are not found here."""
        binding = self.find(name, callable=False)
        if binding is not None:
            binding.used = True
        return binding

    def lookup_callable(self, name: str) -> Binding | None:
        """Return the def of a name and mark it as used."""
        binding = self.find(name, callable=True)
        if binding is not None:
            binding.used = True
        return binding

    def bind(self, binding: Binding, report: Callable[[Diagnostic], None]) -> bool:
        """Add a name, or report that it is reserved (E0203) or taken (E0202). Returns whether the binding is fine.

        To keep it one mistake, uses of a name that is reserved or bound twice in this scope are `broken`. A name
        that is taken in an outer scope has its new meaning inside this one."""
        name = binding.name
        owner = "" if binding.kind == "broken" else _reserved(binding)
        if owner:
            report(problems.reserved(binding, owner))
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
        """Return the binding of the name in this scope. In a module's scope, both name spaces count."""
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
        """Yield the visible bindings, innermost first, of the given kinds or of all kinds, for suggestions and
        completion."""
        scope: Scope | None = self
        while scope is not None:
            for space in (scope.values, scope.callables):
                for binding in space.values():
                    if binding.kind in kinds or (not kinds and binding.kind != "broken"):
                        yield binding
            scope = scope.parent

    def find(self, name: str, *, callable: bool = False) -> Binding | None:
        """Return the binding of a name like `lookup` and `lookup_callable`, without marking it."""
        scope: Scope | None = self
        while scope is not None:
            binding = (scope.callables if callable else scope.values).get(name)
            if binding is not None:
                return binding
            scope = scope.parent
        return None


def broken(name: str, span: Span, node: tree.Node | None = None) -> Binding:
    """Return the binding of a declaration with a mistake."""
    return Binding(name, "broken", ERROR, span, node)


def _reserved(binding: Binding) -> str:
    """Return what reserves a name, "" if nothing does."""
    if binding.name in builtins.VALUES:
        return "a built-in value"
    return (
        "a statement" if binding.kind in ("def", "module") and binding.name in builtins.BODY_KEYWORDS else ""
    )
