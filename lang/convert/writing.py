"""Writes syntax trees without a source text as text of the language: valid, and for the formatter to lay out.

    text = format_source("", write(decls))

It covers the nodes that build modules record: literal values, names, calls; no comprehensions, no operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pybuild.lang.diagnostics import source_error
from pybuild.lang.textual import tree
from pybuild.lang.textual.builtins import HARD_KEYWORDS
from pybuild.lang.textual.expand.values import Duration, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

STEP: Final = "    "


def name(text: str) -> str:
    """Return a name, with a `_` after it if it is a keyword."""
    return f"{text}_" if text in HARD_KEYWORDS else text


# Expressions


def expression(node: tree.Expr) -> str:
    return _EXPRESSIONS[type(node)](node)


def _string(node: tree.String) -> str:
    out = []
    for part in node.parts:
        if isinstance(part, tree.Interpolation):
            out.append(f"${{{{{expression(part.value)}}}}}")
        else:
            out.append(_text(part))
    return '"' + "".join(out) + '"'


def _text(part: tree.Text) -> str:
    out = []
    at = 0
    for variable in part.variables:
        out += [escaped(part.value[at : variable.start]), variable.text]
        at = variable.start + len(variable.text)
    return "".join([*out, escaped(part.value[at:])])


def escaped(text: str) -> str:
    """Escape a text for double quotes, so that nothing in it has a meaning."""
    return "".join(_ESCAPES.get(char) or _visible(char) for char in text)


def _visible(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"


_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\t": "\\t"}


def _number(node: tree.Number) -> str:
    if node.kind == "duration":
        return str(Duration(node.value))
    return str(Size(node.value)) if node.kind == "size" else str(node.value)


def _map(node: tree.Map) -> str:
    return "{" + ", ".join(f"{expression(one.key)}: {expression(one.value)}" for one in node.entries) + "}"


def _call(node: tree.Call) -> str:
    return f"{expression(node.function)}({arguments(node.arguments)})"


def _select(node: tree.Select) -> str:
    return f"{expression(node.value)}[{arguments(node.arguments)}]"


def arguments(items: Iterable[tree.Argument], *, modes: bool = False) -> str:
    """Write arguments. With `modes`, numbers named `mode` are octal."""
    return ", ".join(
        expression(one.value) if one.name is None else f"{one.name.name}={_given(one, modes)}"
        for one in items
    )


def _given(argument: tree.Argument, modes: bool) -> str:
    octal = modes or (argument.name is not None and argument.name.name == "mode")
    if (
        octal
        and argument.name is not None
        and argument.name.name == "mode"
        and isinstance(argument.value, tree.Number)
    ):
        return f"0o{argument.value.value:o}"
    return expression(argument.value)


_EXPRESSIONS: Final[dict[type[tree.Expr], Callable[[Any], str]]] = {
    tree.Name: lambda node: name(node.name),
    tree.String: _string,
    tree.Number: _number,
    tree.Bool: lambda node: "true" if node.value else "false",
    tree.List: lambda node: "[" + ", ".join(map(expression, node.items)) + "]",
    tree.Map: _map,
    tree.Unary: lambda node: f"{node.op}{expression(node.operand)}",
    tree.Attribute: lambda node: f"{expression(node.value)}.{node.name.name}",
    tree.Index: lambda node: f"{expression(node.value)}[{expression(node.index)}]",
    tree.Call: _call,
    tree.Select: _select,
}


# Statements


def statements(body: Iterable[tree.Stmt], depth: int = 1) -> list[str]:
    """Return the rows of a body, indented by `depth` steps."""
    return [row for one in body for row in statement(one, depth)]


def statement(node: tree.Stmt, depth: int = 1) -> list[str]:
    margin = STEP * depth
    if isinstance(node, tree.Ready):
        raise source_error("`t.call` has no form in the language", node.span, "runs a Python function")
    if isinstance(node, tree.Run):
        return _run(node.script, depth)
    if isinstance(node, tree.With):
        head = f"{margin}with {', '.join(map(expression, node.options))}:"
        return [head, *statements(node.body, depth + 1)] if node.body else []
    return [margin + _STATEMENTS[type(node)](node)]


def _run(script: tree.Script, depth: int) -> list[str]:
    margin = STEP * depth
    rows = _raw(script).removesuffix("\n").split("\n")
    first = rows[0]
    plain = len(rows) == 1 and first == first.strip() and first.rstrip() != ":" and not first.endswith("\\")
    if plain and not first.startswith("#!"):
        return [f"{margin}run {first}"]
    return [f"{margin}run:", *(f"{margin}{STEP}{row}" if row.strip() else "" for row in rows)]


def _raw(script: tree.Script) -> str:
    return "".join(
        part.value.replace("${{", "$${{")
        if isinstance(part, tree.ScriptText)
        else f"${{{{{expression(part.value)}}}}}"
        for part in script.parts
    )


def _copy(node: tree.Copy) -> str:
    state = f" from {expression(node.state)}" if node.state is not None else ""
    return f"copy {_all(node.sources)}{state} to {expression(node.dest)}{_options(node.options)}"


def _write(node: tree.Write) -> str:
    assert isinstance(node.text, tree.Expr)
    return f"write {expression(node.text)} to {expression(node.dest)}{_options(node.options)}"


def _from(node: tree.From) -> str:
    on = f" on {expression(node.on)}" if node.on is not None else ""
    return f"from {expression(node.state)}{on}"


def _symlink(node: tree.Symlink) -> str:
    return f"symlink {expression(node.to)} to {expression(node.link)}{_options(node.options)}"


def _output(node: tree.Output) -> str:
    return f"output {_all(node.sources)} to {expression(node.dest)}{_options(node.options)}"


def _label(node: tree.Label) -> str:
    pairs = (f"{expression(one.key)} = {expression(one.value)}" for one in node.pairs)
    return f"{node.keyword} {', '.join(pairs)}"


def _env(node: tree.Env) -> str:
    pairs = (f"{one.name.name} = {expression(one.value)}" for one in node.assignments if one.name)
    return f"env {', '.join(pairs)}"


def _all(items: Iterable[tree.Expr]) -> str:
    return ", ".join(map(expression, items))


def _options(options: tuple[tree.Argument, ...]) -> str:
    return f", {arguments(options, modes=True)}" if options else ""


_STATEMENTS: Final[dict[type[tree.Stmt], Callable[[Any], str]]] = {
    tree.Let: lambda node: f"let {name(node.name.name)} = {expression(node.value)}",
    tree.From: _from,
    tree.Exec: lambda node: f"exec {expression(node.command)}",
    tree.Copy: _copy,
    tree.Write: _write,
    tree.Mkdir: lambda node: f"mkdir {arguments(node.items, modes=True)}",
    tree.Remove: lambda node: f"remove {arguments(node.items)}",
    tree.Symlink: _symlink,
    tree.Env: _env,
    tree.EnvMap: lambda node: f"env {expression(node.value)}",
    tree.Label: _label,
    tree.Simple: lambda node: f"{node.keyword} {arguments(node.items)}",
    tree.Output: _output,
    tree.Healthcheck: lambda node: f"healthcheck {expression(node.command)}{_options(node.options)}",
    tree.Return: lambda node: f"return {expression(node.value)}",
    tree.CallStmt: lambda node: expression(node.call),
}


# Declarations


def use(node: tree.Use) -> str:
    what = node.module.name if node.module is not None else expression(node.path) if node.path else ""
    alias = f" as {name(node.alias.name)}" if node.alias is not None else ""
    params = f" with {arguments(node.arguments)}" if node.arguments else ""
    return f"use {what}{alias}{params}"


def doc(text: str) -> list[str]:
    """Return a doc as comment lines above a declaration."""
    return [f"# {row}".rstrip() for row in text.split("\n")] if text else []


def header(node: tree.Target) -> str:
    axes = "".join(
        f" for {name(one.name.name)} in {expression(one.values)}"
        for one in node.axes
        if isinstance(one, tree.AxisFor)
    )
    on = f" on {_all(node.on)}" if node.on else ""
    return f"{node.kind} {name(node.name.name)}{axes}{on}:"
