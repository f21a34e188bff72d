"""Converts declarations, without their bodies, to rows of text."""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import axes, literals, shapes, types
from pybuild.lang.convert.pythonsource.defaults import late
from pybuild.lang.convert.pythonsource.making import DATA, Place, api
from pybuild.lang.convert.pythonsource.names import BUILDER, member
from pybuild.lang.convert.pythonsource.order import returns_state
from pybuild.lang.convert.pythonsource.statements import Body, check, let
from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import STEP, Concat, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from pybuild.lang.convert.pythonsource.expressions import Expressions
    from pybuild.lang.textual.fmt.docs import Doc

CHOICES = "items are any texts"


def body_of(decl: tree.Decl, expressions: Expressions) -> Body:
    """Return the maker of a body's statements."""
    return Body(expressions, builder=isinstance(decl, tree.Target) or not _is_plain(decl))


def _is_plain(decl: tree.Decl) -> bool:
    """True for a function that returns a value."""
    return isinstance(decl, tree.Def) and decl.returns is not None and not returns_state(decl)


def declaration(decl: tree.Decl, expressions: Expressions, *, default: bool) -> list[str]:
    """Return the rows of a declaration without a body, or of the head of one with a body, decorators included."""
    body = Body(expressions, builder=False)
    if isinstance(decl, tree.Target):
        return _target(decl, body, default=default)
    if isinstance(decl, tree.Def):
        return _def(decl, body)
    return render(_BUILD[type(decl)](decl, body), 0)


def opening(decl: tree.Decl, expressions: Expressions) -> list[str]:
    """Return the first rows of a body: the docstring, and defaults of parameters."""
    out = docstring(decl.doc) if isinstance(decl, tree.Target | tree.Def) and decl.doc else []
    body = body_of(decl, expressions)
    for parameter, default in late(decl).items() if isinstance(decl, tree.Def) else ():
        name = expressions.names.value(parameter.name.name)
        out.append(f"{' ' * STEP}if {name} is None:")
        out += render(Concat([f"{name} = ", expressions.alone(default, body.place)]), 2 * STEP)
    return out


def docstring(doc: str) -> list[str]:
    """Return the rows of a function's docstring."""
    margin = " " * STEP
    raw = "r" if "\\" in doc and literals.TRIPLE not in doc else ""
    text = doc if raw else doc.replace("\\", "\\\\").replace(literals.TRIPLE, '\\"\\"\\"')
    first, *more = text.split("\n")
    space = " " if first.startswith('"') else ""
    out = [f"{margin}{raw}{literals.TRIPLE}{space}{first.strip()}"]
    out += [f"{margin}{row.rstrip()}" if row.strip() else "" for row in more]
    if more:
        return [*out, margin + literals.TRIPLE]
    return [out[0] + (" " if first.endswith('"') else "") + literals.TRIPLE]


# Without bodies


def _assigned(name: tree.Ident, value: Doc, body: Body) -> Doc:
    return Concat([f"{body.expressions.names.value(name.name)} = ", value])


def _text(text: str) -> Doc:
    rows = [literals.row(row, "") for row in literals.rows([text])]
    return shapes.pieces(literals.string(text), rows)


def _doc(doc: str) -> list[Doc]:
    return [shapes.named("doc", _text(doc))] if doc else []


def _use(node: tree.Use, body: Body) -> Doc:
    name = node.alias or node.module
    assert name is not None
    if node.path is not None:
        what = body.expressions.doc(node.path, Place(builder=False, dollars=DATA))
    else:
        what = f'"{node.module.name if node.module is not None else ""}"'
    arguments = [
        shapes.named(member(one.name.name), body.doc(one.value)) for one in node.arguments if one.name
    ]
    return _assigned(name, shapes.call(api("use"), [what, *arguments]), body)


def _param(node: tree.Param, body: Body) -> Doc:
    if types.leaves_choices_out(node.type):
        body.expressions.differences.append(CHOICES)
    options: list[Doc] = [*types.choices(node.type)]
    arguments: list[Doc] = [literals.string(node.name.name), types.of_param(node.type)]
    if node.default is not None:
        arguments.append(shapes.named("default", body.doc(node.default)))
    if options:
        arguments.append(shapes.named("choices", shapes.bracketed("[", options, "]")))
    return _assigned(node.name, shapes.call(api("param"), [*arguments, *_doc(node.doc)]), body)


def _ignore(node: tree.Ignore, body: Body) -> Doc:
    return shapes.call(api("ignore"), body.all(node.patterns, data=True))


def _group(node: tree.Group, body: Body) -> Doc:
    arguments = [literals.string(node.name.name), body.doc(node.value), *_doc(node.doc)]
    return _assigned(node.name, shapes.call(api("group"), arguments), body)


def _default(node: tree.Default, body: Body) -> Doc:
    return shapes.call(api("default"), [body.expressions.names.value(node.name.name)])


_BUILD: Final[dict[type, Callable[[Any, Body], Doc]]] = {
    tree.Use: _use,
    tree.Param: _param,
    tree.Let: let,
    tree.Check: check,
    tree.Ignore: _ignore,
    tree.Group: _group,
    tree.Default: _default,
}

# With bodies


def _target(node: tree.Target, body: Body, *, default: bool) -> list[str]:
    names = body.expressions.names
    name = names.value(node.name.name)
    options: list[Doc] = []
    if name != node.name.name:
        options.append(f'name="{node.name.name}"')
    options += ["default=True"] if default else []
    options += axes.header(node, body)
    decorator = Concat(["@", shapes.call(api(node.kind), options) if options else api(node.kind)])
    arguments = [BUILDER, *(names.value(one.name.name) for one in node.axes if isinstance(one, tree.AxisFor))]
    return [*render(decorator, 0), *_head(name, arguments, "")]


def _def(node: tree.Def, body: Body) -> list[str]:
    name = body.expressions.names.function(node.name.name)
    parameters = _parameters(node, body)
    if _is_plain(node):
        assert node.returns is not None
        return _head(name, parameters, f" -> {types.annotation(node.returns)}")
    kind = "step" if node.returns is None else "state"
    return [f"@{api(kind)}", *_head(name, [BUILDER, *parameters], "")]


def _head(name: str, parameters: Sequence[Doc], returns: str) -> list[str]:
    return render(Concat([f"def {name}", shapes.arguments_of(parameters, comma=True), f"{returns}:"]), 0)


def _parameters(node: tree.Def, body: Body) -> list[Doc]:
    """Return the parameters. A required one after an optional one becomes keyword-only."""
    unknown = late(node)
    out: list[Doc] = []
    optional = by_name = False
    for parameter in node.parameters:
        text = f"{body.expressions.names.value(parameter.name.name)}: {types.annotation(parameter.type)}"
        if parameter.default is None and optional and not by_name:
            out.append("*")
            by_name = True
        optional = optional or parameter.default is not None
        if parameter in unknown:
            out.append(f"{text} | None = None")
        elif parameter.default is not None:
            out.append(Concat([f"{text} = ", body.doc(parameter.default)]))
        else:
            out.append(text)
    return out
