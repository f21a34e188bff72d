"""Converts expressions to Python: a function for each class of nodes, which combines the converted parts.

Parentheses of the file stay. They are added where Python's form of something binds less tightly than the language's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from pybuild.lang.convert.pythonsource import calls, dollars, literals, shapes, strings
from pybuild.lang.convert.pythonsource.making import (
    AND,
    ATOM,
    COMPARISON,
    DATA,
    NOT,
    OR,
    POSTFIX,
    PRODUCT,
    SUM,
    TERNARY,
    UNARY,
    At,
    Place,
    PythonExpression,
    api,
    bare,
)
from pybuild.lang.convert.pythonsource.names import API, BUILDER, member
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check.walk import children
from pybuild.lang.textual.fmt.docs import Concat
from pybuild.lang.textual.fmt.expressions import written
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import VERSION, MapOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.convert.pythonsource.facts import Facts
    from pybuild.lang.convert.pythonsource.names import Names
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.fmt.docs import Doc

_LEVELS: Final = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("in", "not in", "==", "!=", "<", "<=", ">", ">="), COMPARISON),
    **dict.fromkeys(("+", "-"), SUM),
    **dict.fromkeys(("*", "//", "%"), PRODUCT),
}


class Expressions:
    """Converts expressions. `differences` are the changes of meaning since they were last taken."""

    __slots__ = ("differences", "facts", "names")

    def __init__(self, facts: Facts, names: Names) -> None:
        self.facts = facts
        self.names = names
        self.differences: list[str] = []

    def doc(self, node: tree.Expr, place: Place) -> Doc:
        """Convert an expression inside brackets."""
        return self.made(node, place).doc

    def alone(self, node: tree.Expr, place: Place) -> Doc:
        """Convert an expression that is a whole statement, or all that follows its keyword.

        It gets no parentheses, except to hold it together over several lines.
        """
        node = bare(node)
        return self.standing(node, self.made(node, place))

    def standing(self, node: tree.Expr, made: PythonExpression) -> Doc:
        """Lay out an expression that stands alone."""
        if made.in_brackets:
            return shapes.row(made.parts)
        long = made.parts or isinstance(node, tree.String)
        return shapes.in_parentheses_if_long(made.doc) if long else made.doc

    def made(self, root: tree.Node, place: Place) -> PythonExpression:
        """Convert a node."""
        return self.at(root, place).done[root]

    def at(self, root: tree.Node, place: Place) -> At:
        """Convert a node and everything below it."""
        places = {root: place}
        plain: set[tree.Node] = set()
        order: list[tree.Node] = []
        waiting = [root]
        while waiting:
            node = waiting.pop()
            order.append(node)
            at = places[node]
            if at.dollars != DATA and isinstance(node, tree.Expr):
                at = self._of_text(node, at, plain)
            for child in children(node):
                places[child] = self._inside(node, child, at)
                waiting.append(child)
        done: dict[tree.Node, PythonExpression] = {}
        # Children before their parents. A stack instead of recursion, as chains may be long.
        for node in reversed(order):
            build = _BUILD.get(type(node))
            if build is not None:
                made = build(node, At(self, places[node], done))
                done[node] = (
                    PythonExpression(shapes.call(api("plain"), [made.doc]), POSTFIX)
                    if node in plain
                    else made
                )
        return At(self, place, done)

    def _of_text(self, node: tree.Expr, place: Place, plain: set[tree.Node]) -> Place:
        """Mark a text as plain if necessary, and return the place of its parts."""
        if dollars.is_plain(node, place.dollars, self.facts):
            plain.add(node)
            return evolve(place, dollars=DATA)
        if dollars.is_mixed(node, self.facts):
            self.differences.append("each `$X` of this text is a variable")
        return place

    def _inside(self, node: tree.Node, child: tree.Node, place: Place) -> Place:
        """Return the place of a node's part."""
        if isinstance(node, _COMPUTING) and self._is_of_module(child):
            self.differences.append(f"`{excerpt(child.span) or 'this'}` has no value while the module runs")
        if isinstance(node, tree.String | tree.Script):
            outer = place.quote or strings.quote_of(node.parts)
            return evolve(place, quote='"' if outer == "'" else "'", dollars=DATA)
        if isinstance(node, tree.Call):
            return evolve(place, dollars=calls.dollars(node, self.facts))
        condition = node.condition if isinstance(node, tree.Ternary) else None
        key = node.key if isinstance(node, tree.Entry) else None
        return (
            place
            if isinstance(node, _PASSING) and child not in (condition, key)
            else evolve(place, dollars=DATA)
        )

    def _is_of_module(self, node: tree.Node) -> bool:
        """True if it is a member of a module, or a call of one."""
        node = node.function if isinstance(node, tree.Call) else node
        owner = self.facts.binding(node.value) if isinstance(node, tree.Attribute) else None
        return owner is not None and owner.kind == "module"


def _name(node: tree.Name, at: At) -> PythonExpression:
    binding = at.facts.binding(node)
    if binding is None and node.name in ("this", "platform", "build_platform"):
        builder = at.place.builder or node.name != "build_platform"
        return PythonExpression(f"{BUILDER if builder else API}.{node.name}", POSTFIX)
    if binding is None and node.name in ("scratch", "context", "vcs"):
        return PythonExpression(api(node.name), POSTFIX)
    return PythonExpression(at.names.value(node.name), ATOM)


def _number(node: tree.Number, at: At) -> PythonExpression:
    text = written(node)
    if node.kind == "int":
        return PythonExpression(text[:2] + text[2:].upper() if text.startswith("0x") else text, ATOM)
    digits = text.rstrip("".join(map(chr, (*range(65, 91), *range(97, 123)))))
    unit = text[len(digits) :]
    if node.kind == "size":
        return (
            PythonExpression(f"{digits} * {api(unit)}", PRODUCT)
            if digits != "1"
            else PythonExpression(api(unit), POSTFIX)
        )
    return PythonExpression(shapes.call(api("duration"), [literals.string(text, at.place.quote)]), POSTFIX)


def _bool(node: tree.Bool, at: At) -> PythonExpression:
    return PythonExpression(str(node.value), ATOM)


def _parens(node: tree.Parens, at: At) -> PythonExpression:
    return PythonExpression(shapes.parenthesised(at.of(bare(node))), ATOM)


def _list(node: tree.List, at: At) -> PythonExpression:
    return PythonExpression(shapes.bracketed("[", [at.of(item) for item in node.items], "]"), ATOM)


def _entry(node: tree.Entry, at: At) -> PythonExpression:
    return PythonExpression(Concat([at.of(node.key), ": ", at.of(node.value)]), TERNARY)


def _map(node: tree.Map, at: At) -> PythonExpression:
    return PythonExpression(shapes.bracketed("{", [at.of(entry) for entry in node.entries], "}"), ATOM)


def _list_comp(node: tree.ListComp, at: At) -> PythonExpression:
    return PythonExpression(shapes.comprehension("[", [at.of(node.item), *map(at.of, node.axes)], "]"), ATOM)


def _map_comp(node: tree.MapComp, at: At) -> PythonExpression:
    return PythonExpression(shapes.comprehension("{", [at.of(node.entry), *map(at.of, node.axes)], "}"), ATOM)


def _axis_for(node: tree.AxisFor, at: At) -> PythonExpression:
    return PythonExpression(
        Concat([f"for {at.names.value(node.name.name)} in ", at.of(node.values, OR)]), TERNARY
    )


def _axis_if(node: tree.AxisIf, at: At) -> PythonExpression:
    return PythonExpression(Concat(["if ", at.of(node.condition, OR)]), TERNARY)


def _ternary(node: tree.Ternary, at: At) -> PythonExpression:
    parts = (("", at.of(node.then, OR)), ("if", at.of(node.condition, OR)), ("else", at.of(node.otherwise)))
    return PythonExpression(shapes.chain(parts), TERNARY, parts)


def _binary(node: tree.Binary, at: At) -> PythonExpression:
    level = _LEVELS[node.op]
    left, right = _operands(node, at, level)
    before = at.done[node.left]
    same = before.level == level and level != COMPARISON and before.parts
    parts = (*(before.parts if same else (("", left),)), (node.op, right))
    return PythonExpression(
        shapes.chain(parts), level, parts, in_brackets=not same and _ends_in_brackets(node, at)
    )


def _ends_in_brackets(node: tree.Binary, at: At) -> bool:
    """Return `in_brackets` of a `PythonExpression`. Neither operand may be a chain: its lines would end beside an
    operator."""
    if any(at.done[one].parts for one in (node.left, node.right)):
        return False
    return isinstance(node.right, _BRACKETED) or isinstance(node.left, tree.Parens)


def _operands(node: tree.Binary, at: At, level: int) -> tuple[Doc, Doc]:
    """Convert both sides. Texts that are compared as versions or platforms are converted to these."""
    left, right = at.of(node.left, level + (level == COMPARISON)), at.of(node.right, level + 1)
    if level != COMPARISON or "in" in node.op:
        return left, right
    sides = (node.left, node.right)
    if any(at.facts.type(one) == VERSION for one in sides) and not any(map(at.facts.is_version, sides)):
        return shapes.call(api("version"), [at.of(node.left)]), right
    if any(str(at.facts.type(one)) == "platform" for one in sides):
        return _platform(node.left, left, at), _platform(node.right, right, at)
    return left, right


def _platform(node: tree.Expr, doc: Doc, at: At) -> Doc:
    return doc if _is_platform(node, at) else shapes.call(api("platform"), [at.of(node)])


def _is_platform(node: tree.Expr, at: At) -> bool:
    """True if Python has the value as a platform, not as a text that is taken for one."""
    node = bare(node)
    binding = at.facts.binding(node)
    known = binding is None or binding.kind == "param"
    return isinstance(node, tree.Name) and known and str(at.facts.type(node)) == "platform"


def _unary(node: tree.Unary, at: At) -> PythonExpression:
    if node.op == "not":
        return PythonExpression(Concat(["not ", at.of(node.operand, NOT)]), NOT)
    return PythonExpression(Concat([node.op, at.of(node.operand, UNARY)]), UNARY)


def _attribute(node: tree.Attribute, at: At) -> PythonExpression:
    value, name, type = at.of(node.value, POSTFIX), node.name.name, str(at.facts.type(node.value))
    if type in builtins.MEMBERS and name in builtins.MEMBERS[type]:
        known = _is_platform(node.value, at) or at.facts.is_version(node.value)
        value = value if known else shapes.call(api(type), [at.of(node.value)])
    return PythonExpression(Concat([value, f".{member(name)}"]), POSTFIX)


def _call(node: tree.Call, at: At) -> PythonExpression:
    signature = at.facts.callee(node)
    method = node.function if isinstance(node.function, tree.Attribute) else None
    if signature is None or at.facts.binding(node.function) is not None:
        return PythonExpression(defined(node, at), POSTFIX)
    if method is not None:
        return PythonExpression(_method(method, signature, node, at), POSTFIX)
    return PythonExpression(calls.built_in(node, signature, at), POSTFIX)


def defined(node: tree.Call, at: At, first: tuple[Doc, ...] = ()) -> Doc:
    """Convert a call of a function of this file or of a module. `first` are arguments before those of the file."""
    if isinstance(node.function, tree.Name):
        function: Doc = at.names.function(node.function.name)
        name: Callable[[str], str] = at.names.value
    else:
        function, name = at.of(node.function, POSTFIX), member
    arguments = [
        at.of(one.value) if one.name is None else shapes.named(name(one.name.name), at.of(one.value))
        for one in node.arguments
    ]
    return shapes.call(function, [*first, *arguments])


def _method(function: tree.Attribute, signature: Signature, node: tree.Call, at: At) -> Doc:
    value = at.of(function.value, POSTFIX)
    if signature.name in ("keys", "values") and isinstance(at.facts.type(function.value), MapOf):
        return shapes.call("list", [Concat([value, f".{signature.name}()"])])
    arguments = [at.of(one) for one in calls.in_order(node, signature)]
    return shapes.call(Concat([value, f".{signature.name}"]), arguments)


def _index(node: tree.Index, at: At) -> PythonExpression:
    index = shapes.subscript(at.of(node.value, POSTFIX), at.of(node.index))
    return PythonExpression(index, POSTFIX)


def _select(node: tree.Select, at: At) -> PythonExpression:
    chosen = [
        shapes.named(at.names.value(one.name.name), at.of(one.value))
        for one in node.arguments
        if one.name is not None
    ]
    return PythonExpression(shapes.call(at.of(node.value, POSTFIX), chosen), POSTFIX)


_PASSING: Final = (
    tree.Parens,
    tree.Ternary,
    tree.List,
    tree.ListComp,
    tree.Map,
    tree.MapComp,
    tree.Entry,
    tree.Argument,
)
"""Nodes whose parts are used where the whole is used."""

_COMPUTING: Final = (tree.Interpolation, tree.Binary, tree.Unary, tree.Index, tree.Attribute, tree.Branch)
"""Nodes that need the values of their parts."""

_BRACKETED: Final = (tree.Call, tree.List, tree.ListComp, tree.Map, tree.MapComp, tree.Parens, tree.Select)
"""Nodes that end with a bracket, inside which lines can end."""

_BUILD: Final[dict[type, Callable[[Any, At], PythonExpression]]] = {
    tree.Name: _name,
    tree.String: strings.build,
    tree.Script: strings.script,
    tree.Number: _number,
    tree.Bool: _bool,
    tree.Parens: _parens,
    tree.List: _list,
    tree.Entry: _entry,
    tree.Map: _map,
    tree.AxisFor: _axis_for,
    tree.AxisIf: _axis_if,
    tree.ListComp: _list_comp,
    tree.MapComp: _map_comp,
    tree.Ternary: _ternary,
    tree.Binary: _binary,
    tree.Unary: _unary,
    tree.Attribute: _attribute,
    tree.Call: _call,
    tree.Index: _index,
    tree.Select: _select,
}
