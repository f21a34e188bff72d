"""Facts that the check of a file finds out about expressions: types, constants, meanings of names and calls.

No other file is read, so the modules that a file uses are not known: the types of their members are ERROR.
"""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.convert.pythonsource.making import bare
from pybuild.lang.textual import builtins, modules, tree
from pybuild.lang.textual.check.declarations import Declarations
from pybuild.lang.textual.types import ERROR, INT, VERSION, Literals, is_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.checking import Checking
    from pybuild.lang.textual.check.scope import Binding
    from pybuild.lang.textual.types import Type

_JOIN = next(at for at, one in enumerate(builtins.METHODS["str"]) if one.name == "join")


@frozen
class Facts:
    """The facts about one file's expressions."""

    checking: Checking

    def type(self, expr: tree.Expr) -> Type:
        return self.checking.types.get(expr, ERROR)

    def binding(self, expr: tree.Expr) -> Binding | None:
        """Return the binding of a name; None for a built-in one."""
        return self.checking.bindings.get(expr)

    def callee(self, call: tree.Call) -> Signature | None:
        """Return the signature of the called function; None for a module's."""
        name = call.function.name if isinstance(call.function, tree.Name) else ""
        signature = self.checking.callees.get(call)
        return builtins.FUNCTIONS.get(name) if signature is None else signature

    def gives_data(self, call: tree.Call) -> bool:
        """True if the result of a call never contains variables, whatever its arguments are."""
        signature = self.callee(call)
        built_in = signature is not None and self.binding(call.function) is None
        return built_in and signature is not builtins.METHODS["str"][_JOIN]

    def prints_alike(self, expr: tree.Expr) -> bool:
        """True if Python's text of a value is the language's: not so for a bool."""
        type = self.type(expr)
        return type == INT or is_text(type) or str(type) in ("size", "duration")

    def has_no_dollar(self, expr: tree.Expr) -> bool:
        """True if the text of a value certainly has no `$`."""
        type, constant = self.type(expr), self.checking.constants.get(expr)
        if isinstance(constant, str):
            return "$" not in constant
        if isinstance(type, Literals):
            return not any("$" in option for option in type.options)
        if isinstance(expr, tree.Attribute):
            return True
        binding = self.binding(expr)
        if binding is not None and isinstance(binding.node, tree.AxisFor):
            values = self.checking.constants.get(binding.node.values)
            return isinstance(values, tuple) and not any("$" in str(value) for value in values)
        return type != ERROR and (not is_text(type) or str(type) in ("platform", "ref", "version"))

    def is_version(self, expr: tree.Expr) -> bool:
        """True if Python has the value as a version, not as a text that is taken for one."""
        expr = bare(expr)
        binding = self.binding(expr)
        if isinstance(expr, tree.Call) or (binding is not None and binding.kind == "param"):
            return self.type(expr) == VERSION
        return False


def facts_of(file: tree.File) -> Facts:
    """Check a file by itself."""
    nowhere: modules.Place = None  # type: ignore[assignment]  # no check looks at it
    module = modules.Module("", modules.ROOT, file, nowhere)
    declarations = Declarations(module, {}, lambda _: None)
    declarations.check()
    return Facts(declarations.checking)
