"""Statements and headers of blocks as documents: one function per node class."""

from __future__ import annotations

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.fmt.docs import Choice, Concat, Doc
from pybuild.lang.textual.fmt.expressions import Parts, assigned, axes, bracketed, joined, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final


def head(node: tree.Node, word: str, parts: Parts) -> Doc:
    """Return a statement without its raw text, or the header of a block. `word` is the first word of a branch."""
    if isinstance(node, tree.Branch):
        return Concat([f"{word} ", parts[node.condition], ":"])
    return _BUILD[type(node)](node, parts)


def _options(options: Sequence[tree.Argument], parts: Parts) -> list[Doc]:
    return [piece for one in options for piece in (", ", named(one, parts, modes=True))]


def _all(nodes: Sequence[tree.Node], parts: Parts) -> list[Doc]:
    return joined(parts[node] for node in nodes)


def _maybe(word: str, node: tree.Node | None, parts: Parts) -> list[Doc]:
    return [f" {word} ", parts[node]] if node is not None else []


# Declarations


def _use(node: tree.Use, parts: Parts) -> Doc:
    module = node.module.name if node.module is not None else parts[node.path]  # type: ignore[index]
    alias = f" as {node.alias.name}" if node.alias is not None else ""
    arguments = joined(named(one, parts) for one in node.arguments)
    return Concat(["use ", module, alias, *([" with ", *arguments] if arguments else [])])


def _param(node: tree.Param, parts: Parts) -> Doc:
    return Concat([f"param {node.name.name}: ", parts[node.type], *_maybe("=", node.default, parts)])


def _let(node: tree.Let, parts: Parts) -> Doc:
    return Concat([f"let {node.name.name} = ", parts[node.value]])


def _check(node: tree.Check, parts: Parts) -> Doc:
    message: list[Doc] = [", ", parts[node.message]] if node.message is not None else []
    return Concat(["check ", parts[node.condition], *message])


def _ignore(node: tree.Ignore, parts: Parts) -> Doc:
    return Concat(["ignore ", *_all(node.patterns, parts)])


def _group(node: tree.Group, parts: Parts) -> Doc:
    return Concat([f"group {node.name.name} = ", parts[node.value]])


def _default(node: tree.Default, parts: Parts) -> Doc:
    return f"default {node.name.name}"


def _parameter(node: tree.Parameter, parts: Parts) -> Doc:
    return Concat([f"{node.name.name}: ", parts[node.type], *_maybe("=", node.default, parts)])


def _def(node: tree.Def, parts: Parts) -> Doc:
    parameters = [_parameter(one, parts) for one in node.parameters]
    brackets = bracketed("(", parameters, ")", parts.remarks.get((node, 0)))
    return Concat([f"def {node.name.name}", brackets, *_maybe("->", node.returns, parts), ":"])


def _target(node: tree.Target, parts: Parts) -> Doc:
    matrix = [piece for one in axes(node.axes, parts) for piece in (" ", one)]
    on = [" on ", *_all(node.on, parts)] if node.on else []
    return Concat([f"{node.kind} {node.name.name}", *matrix, *on, ":"])


# Statements


def _from(node: tree.From, parts: Parts) -> Doc:
    return Concat(["from ", parts[node.state], *_maybe("on", node.on, parts), *_options(node.options, parts)])


def _exec(node: tree.Exec, parts: Parts) -> Doc:
    return Concat(["exec ", parts[node.command]])


def _copy(node: tree.Copy, parts: Parts) -> Doc:
    state = _maybe("from", node.state, parts)
    to = _maybe("to", node.dest, parts)
    return Concat(["copy ", *_all(node.sources, parts), *state, *to, *_options(node.options, parts)])


def _write(node: tree.Write, parts: Parts) -> Doc:
    to = [parts[node.dest], *_options(node.options, parts)]
    if isinstance(node.text, tree.Script):
        return Concat(["write to ", *to, ":"])
    return Concat(["write ", parts[node.text], " to ", *to])


def _items(word: str) -> Callable[[Any, Parts], Doc]:
    def build(node: tree.Mkdir | tree.Remove, parts: Parts) -> Doc:
        return Concat([f"{word} ", *joined(named(one, parts, modes=True) for one in node.items)])

    return build


def _symlink(node: tree.Symlink, parts: Parts) -> Doc:
    return Concat(["symlink ", parts[node.to], " to ", parts[node.link], *_options(node.options, parts)])


def _env(node: tree.Env, parts: Parts) -> Doc:
    return Concat(["env ", *joined(assigned(one, parts) for one in node.assignments)])


def _env_map(node: tree.EnvMap, parts: Parts) -> Doc:
    return Concat(["env ", parts[node.value]])


def _label(node: tree.Label, parts: Parts) -> Doc:
    pairs = (Concat([parts[one.key], " = ", parts[one.value]]) for one in node.pairs)
    return Concat([f"{node.keyword} ", *joined(pairs)])


def _label_map(node: tree.LabelMap, parts: Parts) -> Doc:
    return Concat([f"{node.keyword} ", parts[node.value]])


def _simple(node: tree.Simple, parts: Parts) -> Doc:
    return Concat([f"{node.keyword} ", *joined(named(one, parts) for one in node.items)])


def _output(node: tree.Output, parts: Parts) -> Doc:
    sources = _all(node.sources, parts)
    return Concat(["output ", *sources, " to ", parts[node.dest], *_options(node.options, parts)])


def _healthcheck(node: tree.Healthcheck, parts: Parts) -> Doc:
    return Concat(["healthcheck ", parts[node.command], *_options(node.options, parts)])


def _return(node: tree.Return, parts: Parts) -> Doc:
    return Concat(["return ", parts[node.value]])


def _call(node: tree.CallStmt, parts: Parts) -> Doc:
    return parts[node.call]


def _for(node: tree.For, parts: Parts) -> Doc:
    return Concat([f"for {node.name.name} in ", parts[node.values], ":"])


def _with(node: tree.With, parts: Parts) -> Doc:
    """Return options in a row, or a list with one on each line. A written list stays one, as it might not fit in a
    row."""
    options = node.options
    if len(options) == 1 and isinstance(options[0], tree.List) and options[0].items:
        listed = bracketed(
            "[", [parts[one] for one in options[0].items], "]", parts.remarks.get((options[0], 0))
        )
        assert isinstance(listed, Concat)
        listed.broken = True
        return Concat(["with ", listed, ":"])
    row = Concat(["with ", *_all(options, parts), ":"])
    if not all(_is_option(one, parts) for one in options):
        return row
    listed = bracketed("[", [parts[one] for one in options], "]")
    assert isinstance(listed, Concat)
    listed.broken = True
    return Choice(row, Concat(["with ", listed, ":"]))


def _is_option(node: tree.Expr, parts: Parts) -> bool:
    """Tell whether an expression is certainly one option. A list may not be an item of a list."""
    function = node.function if isinstance(node, tree.Call) else None
    return (
        isinstance(function, tree.Name)
        and function.name in builtins.OPTIONS
        and function.name not in parts.functions
    )


_BUILD: Final[dict[type, Callable[[Any, Parts], Doc]]] = {
    tree.Use: _use,
    tree.Param: _param,
    tree.Let: _let,
    tree.Check: _check,
    tree.Ignore: _ignore,
    tree.Group: _group,
    tree.Default: _default,
    tree.Def: _def,
    tree.Target: _target,
    tree.From: _from,
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
