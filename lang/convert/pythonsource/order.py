"""Orders declarations. The language has no order; in Python code that runs at import comes after what it mentions.

Such code is values, headers, defaults of parameters, and the bodies of functions that it calls. Bodies of targets,
steps and state functions run after the module has ended. The author's order is kept as far as possible.
"""

from __future__ import annotations

from pybuild.lang.convert.pythonsource.defaults import late
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.cycles import NamedDeclaration, name_of
from pybuild.lang.textual.check.walk import bound, mentions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def ordered(decls: Sequence[tree.Decl]) -> list[tree.Decl]:
    """Return the declarations, each after those that it needs."""
    needs = _Needs(decls)
    done: set[tree.Decl] = set()
    out: list[tree.Decl] = []
    for root in decls:
        waiting = [(root, False)]
        while waiting:
            decl, opened = waiting.pop()
            if opened:
                out.append(decl)
            elif decl not in done:
                done.add(decl)
                waiting.append((decl, True))
                waiting += [(one, False) for one in reversed(needs.of(decl))]
    return out


class _Needs:
    """Finds the declarations that others need."""

    def __init__(self, decls: Sequence[tree.Decl]) -> None:
        self._values = {
            name_of(one): one for one in decls if isinstance(one, NamedDeclaration) and not _is_def(one)
        }
        self._functions = {one.name.name: one for one in decls if isinstance(one, tree.Def)}

    def of(self, decl: tree.Decl) -> list[tree.Decl]:
        if isinstance(decl, tree.Default):
            needed = self._values.get(decl.name.name)
            return [needed] if needed is not None else []
        out: dict[tree.Decl, None] = {}
        inner = bound(decl)
        waiting: list[tuple[Sequence[tree.Node | None], set[str]]] = [(_at_once(decl), inner)]
        while waiting:
            roots, hidden = waiting.pop()
            for mention in mentions(roots):
                function = self._functions.get(mention.name) if mention.called else None
                value = (
                    self._values.get(mention.name)
                    if not mention.called and mention.name not in hidden
                    else None
                )
                needed = function or value
                if needed is None or needed in out:
                    continue
                out[needed] = None
                if function is not None and _runs_when_called(function):
                    waiting.append((function.body, bound(function)))
        return list(out)


def _is_def(decl: tree.Decl) -> bool:
    return isinstance(decl, tree.Def)


def _runs_when_called(function: tree.Def) -> bool:
    return function.returns is not None and not returns_state(function)


def returns_state(function: tree.Def) -> bool:
    return isinstance(function.returns, tree.TypeName) and function.returns.name == "state"


def _at_once(decl: tree.Decl) -> Sequence[tree.Node | None]:
    """Return the parts of a declaration that are evaluated where it stands."""
    if isinstance(decl, tree.Def):
        later = late(decl)
        return [one.default for one in decl.parameters if one not in later]
    if isinstance(decl, tree.Target):
        return [*decl.axes, *decl.on]
    return [decl]
