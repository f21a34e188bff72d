"""Converts statements without their blocks, and the heads of blocks: a function for each class of nodes."""

from __future__ import annotations

from attrs import evolve

from pybuild.lang.convert.pythonsource import literals, scripts, shapes
from pybuild.lang.convert.pythonsource.expressions import defined
from pybuild.lang.convert.pythonsource.making import DATA, EXPANDED, Place, api, bare
from pybuild.lang.convert.pythonsource.names import BUILDER, member
from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import Concat
from pybuild.lang.textual.fmt.expressions import written
from pybuild.lang.textual.problems.excerpt import excerpt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Final

    from pybuild.lang.convert.pythonsource.expressions import Expressions
    from pybuild.lang.textual.fmt.docs import Doc

_DATA: Final = frozenset(("entrypoint", "cmd", "shell", "label", "annotation"))
"""Statements in whose texts `$X` is no variable."""


class Body:
    """Converts the statements of one body. Without `builder` it has no `t`: it is a function that returns a value."""

    __slots__ = ("builder", "data", "expressions", "place")

    def __init__(self, expressions: Expressions, *, builder: bool) -> None:
        self.expressions = expressions
        self.builder = builder
        self.place = Place(builder)
        self.data = Place(builder, DATA)

    def head(self, node: tree.Node, word: str = "") -> Doc:
        """Convert a statement, or the head of a block. `word` is a branch's keyword."""
        if isinstance(node, tree.Branch):
            return Concat([f"{word} ", self.expressions.alone(node.condition, self.place), ":"])
        return _BUILD[type(node)](node, self)

    def doc(self, node: tree.Expr, *, data: bool = False) -> Doc:
        return self.expressions.doc(node, self.data if data else self.place)

    def all(self, nodes: Iterable[tree.Expr], *, data: bool = False) -> list[Doc]:
        return [self.doc(node, data=data) for node in nodes]

    def expanded(self, node: tree.Expr) -> Doc:
        """Convert a value in which `$X` is a variable of the environment."""
        return self.expressions.doc(node, evolve(self.place, dollars=EXPANDED))

    def options(self, options: Iterable[tree.Argument]) -> list[Doc]:
        return [
            shapes.named(member(one.name.name), self._option(one.value))
            for one in options
            if one.name is not None
        ]

    def _option(self, value: tree.Expr) -> Doc:
        """Convert the value of an option; a duration is written as a text."""
        if isinstance(value, tree.Number) and value.kind == "duration":
            return f'"{written(value)}"'
        return self.doc(value)


def statement(word: str, arguments: Sequence[Doc]) -> Doc:
    return shapes.call(f"{BUILDER}.{word}", arguments)


def let(node: tree.Let, body: Body) -> Doc:
    name = body.expressions.names.value(node.name.name)
    return Concat([f"{name} = ", body.expressions.alone(node.value, body.place)])


def check(node: tree.Check, body: Body) -> Doc:
    if node.message is not None:
        message = body.doc(node.message, data=True)
    else:
        message = literals.string(f"`{excerpt(node.condition.span)}` does not hold")
    return shapes.call(api("check"), [body.doc(bare(node.condition)), message])


def _from(node: tree.From, body: Body) -> Doc:
    on = [shapes.named("on", body.doc(node.on))] if node.on is not None else []
    return statement("from_", [body.doc(bare(node.state)), *on, *body.options(node.options)])


def _run(node: tree.Run, body: Body) -> Doc:
    return scripts.run(node, body.expressions)


def _exec(node: tree.Exec, body: Body) -> Doc:
    return statement("exec", [body.doc(node.command, data=True)])


def _copy(node: tree.Copy, body: Body) -> Doc:
    state = [shapes.named("from_", body.doc(node.state))] if node.state is not None else []
    to = shapes.named("to", body.doc(node.dest))
    return statement("copy", [*body.all(node.sources), *state, to, *body.options(node.options)])


def _write(node: tree.Write, body: Body) -> Doc:
    text = body.expressions.made(node.text, body.data).doc
    to = shapes.named("to", body.doc(node.dest))
    return statement("write", [text, to, *body.options(node.options)])


def _items(word: str) -> Callable[[Any, Body], Doc]:
    def build(node: tree.Mkdir | tree.Remove, body: Body) -> Doc:
        paths = body.all(one.value for one in node.items if one.name is None)
        return statement(word, [*paths, *body.options(node.items)])

    return build


def _symlink(node: tree.Symlink, body: Body) -> Doc:
    link = shapes.named("to", body.doc(node.link))
    return statement("symlink", [body.doc(node.to), link, *body.options(node.options)])


def _env(node: tree.Env, body: Body) -> Doc:
    pairs = [(one.name.name, body.expanded(one.value)) for one in node.assignments if one.name is not None]
    if all(member(name) == name for name, _ in pairs):
        return statement("env", [shapes.named(name, value) for name, value in pairs])
    entries = [Concat([f'"{name}": ', value]) for name, value in pairs]
    return statement("env", [shapes.bracketed("{", entries, "}")])


def _env_map(node: tree.EnvMap, body: Body) -> Doc:
    return statement("env", [body.expanded(node.value)])


def _label(node: tree.Label, body: Body) -> Doc:
    entries = [
        Concat([body.doc(one.key, data=True), ": ", body.doc(one.value, data=True)]) for one in node.pairs
    ]
    return statement(node.keyword, [shapes.bracketed("{", entries, "}")])


def _label_map(node: tree.LabelMap, body: Body) -> Doc:
    return statement(node.keyword, [body.doc(node.value, data=True)])


def _simple(node: tree.Simple, body: Body) -> Doc:
    if node.keyword == "workdir":
        return statement("workdir", [body.expanded(one.value) for one in node.items])
    items = body.all((one.value for one in node.items if one.name is None), data=node.keyword in _DATA)
    return statement(node.keyword, [*items, *body.options(node.items)])


def _output(node: tree.Output, body: Body) -> Doc:
    to = shapes.named("to", body.doc(node.dest))
    return statement("output", [*body.all(node.sources), to, *body.options(node.options)])


def _healthcheck(node: tree.Healthcheck, body: Body) -> Doc:
    return statement("healthcheck", [body.doc(node.command, data=True), *body.options(node.options)])


def _return(node: tree.Return, body: Body) -> Doc:
    if body.builder:
        return statement("return_", [body.doc(bare(node.value))])
    return Concat(["return ", body.expressions.alone(node.value, body.place)])


def _call(node: tree.CallStmt, body: Body) -> Doc:
    assert isinstance(node.call, tree.Call)
    return defined(node.call, body.expressions.at(node.call, body.place), (BUILDER,))


def _for(node: tree.For, body: Body) -> Doc:
    name = body.expressions.names.value(node.name.name)
    return Concat([f"for {name} in ", body.expressions.alone(node.values, body.place), ":"])


def _with(node: tree.With, body: Body) -> Doc:
    options = node.options
    if len(options) == 1 and isinstance(options[0], tree.List):
        options = options[0].items
    return Concat(["with ", statement("using", body.all(options)), ":"])


_BUILD: Final[dict[type, Callable[[Any, Body], Doc]]] = {
    tree.Let: let,
    tree.Check: check,
    tree.From: _from,
    tree.Run: _run,
    tree.Exec: _exec,
    tree.Copy: _copy,
    tree.Write: _write,
    tree.Mkdir: _items("mkdir"),
    tree.Remove: _items("remove"),
    tree.Symlink: _symlink,
    tree.Env: _env,
    tree.EnvMap: _env_map,
    tree.Label: _label,
    tree.LabelMap: _label_map,
    tree.Simple: _simple,
    tree.Output: _output,
    tree.Healthcheck: _healthcheck,
    tree.Return: _return,
    tree.CallStmt: _call,
    tree.For: _for,
    tree.With: _with,
}
