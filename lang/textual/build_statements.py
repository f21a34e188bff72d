"""Builders of declarations and statements: one function per rule of grammar.lark, called with its parts.

While a list of several lines is being read, it is a chain of pairs (preceding chain, item): the parser can go back
to an earlier state of it without a copy.
"""

from __future__ import annotations

from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.build_expressions import ident, over
from pybuild.lang.textual.tokens import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    Parts = list[Any]
    Build = Callable[[Parts], Any]


class Body:
    """The statements of a block, and the place of its end."""

    __slots__ = ("span", "statements")

    def __init__(self, span: Span, statements: tuple[tree.Stmt, ...]) -> None:
        self.span = span
        self.statements = statements


def unchained(chain: Any) -> tuple[Any, ...]:
    items = []
    while chain is not None:
        chain, item = chain
        items.append(item)
    items.reverse()
    return tuple(items)


def _after(parts: Parts, sign: str) -> Any:
    """Return the part that follows a word or sign of the rule, None if the rule's optional part is absent."""
    for index, part in enumerate(parts):
        if type(part) is Word and part.text == sign:
            return parts[index + 1]
    return None


def _list_after(parts: Parts, sign: str) -> tuple[Any, ...]:
    return tuple(_after(parts, sign) or ())


# Lists


def _first(v: Parts) -> tuple[None, Any]:
    return None, v[0]


def _next(v: Parts) -> tuple[Any, Any]:
    return v[0], v[1]


# Declarations


def _start(v: Parts) -> tuple[tree.Decl, ...]:
    return unchained(v[0]) if v else ()


def _use(v: Parts) -> tree.Use:
    alias = _after(v, "as")
    named = type(v[1]) is Word
    return tree.Use(
        over(v[0], v[-1]),
        ident(v[1]) if named else None,
        None if named else v[1],
        ident(alias) if alias else None,
        _list_after(v, "with"),
    )


def _param(v: Parts) -> tree.Param:
    return tree.Param(over(v[0], v[-1]), ident(v[1]), v[3], _after(v, "="))


def _let(v: Parts) -> tree.Let:
    return tree.Let(over(v[0], v[-1]), ident(v[1]), v[3])


def _check(v: Parts) -> tree.Check:
    return tree.Check(over(v[0], v[-1]), v[1], _after(v, ","))


def _ignore(v: Parts) -> tree.Ignore:
    return tree.Ignore(over(v[0], v[-1]), tuple(v[1]))


def _group(v: Parts) -> tree.Group:
    return tree.Group(over(v[0], v[-1]), ident(v[1]), v[3])


def _default(v: Parts) -> tree.Default:
    return tree.Default(over(v[0], v[-1]), ident(v[1]))


def _parameter(v: Parts) -> tree.Parameter:
    return tree.Parameter(over(v[0], v[-1]), ident(v[0]), v[2], _after(v, "="))


def _def(v: Parts) -> tree.Def:
    parameters = tuple(v[3]) if type(v[3]) is list else ()
    return tree.Def(
        over(v[0], v[-1]), ident(v[1]), parameters, _after(v, "->"), v[-1].statements, over(v[0], v[-3])
    )


def _target(v: Parts) -> tree.Target:
    axes = tuple(v[2]) if type(v[2]) is list else ()
    last = v[-3][-1] if type(v[-3]) is list else v[-3]
    return tree.Target(
        over(v[0], v[-1]),
        v[0].text,
        ident(v[1]),
        axes,
        _list_after(v, "on"),
        v[-1].statements,
        over(v[0], last),
    )


def _broken(v: Parts) -> tree.Broken:
    broken: tree.Broken = v[0]
    if type(v[1]) is Word:
        return broken
    return tree.Broken(over(broken, v[1]), broken.keyword, broken.name, v[1].statements)


# Statements


def _suite(v: Parts) -> Body:
    return Body(v[-1].span, unchained(v[2]))


def _from(v: Parts) -> tree.From:
    return tree.From(over(v[0], v[-1]), v[1], _after(v, "on"), _list_after(v, ","))


def _run(v: Parts) -> tree.Run:
    script = v[2] if type(v[1]) is Word else v[1]
    return tree.Run(over(v[0], script), script)


def _exec(v: Parts) -> tree.Exec:
    return tree.Exec(over(v[0], v[-1]), v[1])


def _copy(v: Parts) -> tree.Copy:
    return tree.Copy(over(v[0], v[-1]), tuple(v[1]), _after(v, "from"), _after(v, "to"), _list_after(v, ","))


def _write(v: Parts) -> tree.Write:
    return tree.Write(over(v[0], v[-1]), v[1], v[3], _list_after(v, ","))


def _write_block(v: Parts) -> tree.Write:
    return tree.Write(over(v[0], v[-1]), v[-1], v[2], _list_after(v, ","))


def _mkdir(v: Parts) -> tree.Mkdir:
    return tree.Mkdir(over(v[0], v[-1]), tuple(v[1]))


def _remove(v: Parts) -> tree.Remove:
    return tree.Remove(over(v[0], v[-1]), tuple(v[1]))


def _symlink(v: Parts) -> tree.Symlink:
    return tree.Symlink(over(v[0], v[-1]), v[1], v[3], _list_after(v, ","))


def _env(v: Parts) -> tree.Env:
    return tree.Env(over(v[0], v[-1]), tuple(v[1]))


def _env_map(v: Parts) -> tree.EnvMap:
    return tree.EnvMap(over(v[0], v[-1]), v[1])


def _label(v: Parts) -> tree.Label:
    return tree.Label(over(v[0], v[-1]), v[0].text, tuple(v[1]))


def _label_map(v: Parts) -> tree.LabelMap:
    return tree.LabelMap(over(v[0], v[-1]), v[0].text, v[1])


def _pair(v: Parts) -> tree.Pair:
    return tree.Pair(over(v[0], v[2]), v[0], v[2])


def _simple(v: Parts) -> tree.Simple:
    return tree.Simple(over(v[0], v[-1]), v[0].text, tuple(v[1]))


def _output(v: Parts) -> tree.Output:
    return tree.Output(over(v[0], v[-1]), tuple(v[1]), v[3], _list_after(v, ","))


def _healthcheck(v: Parts) -> tree.Healthcheck:
    return tree.Healthcheck(over(v[0], v[-1]), v[1], _list_after(v, ","))


def _return(v: Parts) -> tree.Return:
    return tree.Return(over(v[0], v[-1]), v[1])


def _call(v: Parts) -> tree.CallStmt:
    return tree.CallStmt(v[0].span, v[0])


def _first_branch(v: Parts) -> tuple[None, tree.Branch]:
    return None, tree.Branch(over(v[0], v[3]), v[1], v[3].statements)


def _next_branch(v: Parts) -> tuple[Any, tree.Branch]:
    return v[0], tree.Branch(over(v[1], v[4]), v[2], v[4].statements)


def _if(v: Parts) -> tree.If:
    branches = unchained(v[0])
    otherwise = v[3] if len(v) == 4 else None
    return tree.If(
        over(branches[0], otherwise or branches[-1]), branches, otherwise.statements if otherwise else None
    )


def _for(v: Parts) -> tree.For:
    return tree.For(over(v[0], v[5]), ident(v[1]), v[3], v[5].statements)


def _with(v: Parts) -> tree.With:
    return tree.With(over(v[0], v[3]), tuple(v[1]), v[3].statements)


STATEMENTS: Final[dict[str, Build]] = {
    "first": _first,
    "next": _next,
    "start": _start,
    "use": _use,
    "param": _param,
    "let": _let,
    "check": _check,
    "ignore": _ignore,
    "group": _group,
    "default": _default,
    "parameter": _parameter,
    "def": _def,
    "target": _target,
    "broken": _broken,
    "suite": _suite,
    "from": _from,
    "run": _run,
    "exec": _exec,
    "copy": _copy,
    "write": _write,
    "write_block": _write_block,
    "mkdir": _mkdir,
    "remove": _remove,
    "symlink": _symlink,
    "env": _env,
    "env_map": _env_map,
    "label": _label,
    "label_map": _label_map,
    "pair": _pair,
    "simple": _simple,
    "output": _output,
    "healthcheck": _healthcheck,
    "return": _return,
    "call": _call,
    "first_branch": _first_branch,
    "next_branch": _next_branch,
    "if": _if,
    "for": _for,
    "with": _with,
}
"""Builders of declarations, statements and lists of them."""
