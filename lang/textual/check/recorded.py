"""The check of bodies that a program records on demand, statement by statement as in a file.

A cycle among them is found when the body that closes it is recorded: the recording would never end otherwise."""

from __future__ import annotations

from attrs import evolve

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.bodies import check_body
from pybuild.lang.textual.check.check import check_nodes
from pybuild.lang.textual.check.cycles import NamedDeclaration, cycles, name_of
from pybuild.lang.textual.check.declarations import Declarations
from pybuild.lang.textual.check.lints import lints, variables
from pybuild.lang.textual.check.walk import preorder
from pybuild.lang.textual.trivia import allowed
from pybuild.lang.textual.types import STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.check.exports import ModuleTypes


class RecordedBodies:
    """The recorded bodies of `module`, whose declarations have passed the check; `types` are the modules that it
    uses, by key."""

    def __init__(self, module: modules.Module, types: Mapping[str, ModuleTypes]) -> None:
        self._reported: list[Diagnostic] = []
        self._declarations = Declarations(module, types, self._reported.append)
        self._declarations.check()
        self._allowed = allowed(module.file)
        self._uses = _Uses(module.file)
        self._bodies: list[tree.Target | tree.Def] = []

    def check(self, decl: tree.Target | tree.Def, call: str = "") -> list[Diagnostic]:
        """Return the messages about a declaration and its body, in the order of display. `call` distinguishes the
        calls of a state function."""
        declarations, checking = self._declarations, self._declarations.checking
        if isinstance(decl, tree.Target):
            decl = evolve(
                decl, axes=(), on=()
            )  # looked at with the file; no statement has the name of an axis
        self._reported.clear()
        declarations.body(decl, declarations.scope.child(), STATE)
        if decl not in declarations.refused:
            self._reported += check_body(decl, checking)
        check_nodes((decl,), declarations.module, checking)
        self._reported += self._uses.cycles(decl, call)
        self._bodies.append(decl)
        return arranged(self._reported)

    def warnings(self) -> list[Diagnostic]:
        """Return the warnings about the bodies so far, in the order of display."""
        declarations = self._declarations
        names = frozenset(variables(self._bodies, declarations.checking))
        bodies = evolve(declarations.file, decls=tuple(self._bodies))
        return arranged(
            warning
            for warning, line in lints(bodies, declarations, names)
            if warning.code not in self._allowed.get(line, ())
        )


class _Uses:
    """The names that the declarations of a file mention, in the bodies recorded so far. Each call of a state
    function counts as a declaration of its own."""

    def __init__(self, file: tree.File) -> None:
        self._file = file
        self._decls = {name_of(decl): decl for decl in file.decls if isinstance(decl, NamedDeclaration)}
        self._uses: dict[str, set[str]] = {}
        for name, decl in self._decls.items():
            if not isinstance(decl, tree.Target | tree.Def):
                self._uses[name] = self._mentioned(decl)

    def _mentioned(self, *nodes: tree.Node) -> set[str]:
        names: set[str] = set()
        for node in preorder(*nodes):
            if isinstance(node, tree.Name) and isinstance(
                self._decls.get(node.name), tree.Target | tree.Group
            ):
                names.add(node.name)
            elif isinstance(node, tree.Call) and isinstance(node.function, tree.Name) and node.arguments:
                names.add(_called(node.function.name, node.arguments[0].value))
        return names

    def cycles(self, decl: tree.Target | tree.Def, call: str) -> list[Diagnostic]:
        """Return the cycles that a body closes. `call` distinguishes the calls of a function."""
        name = decl.name.name
        key = f"{name}({call})" if isinstance(decl, tree.Def) else name
        # Only new edges of the graph can close a cycle.
        new = self._mentioned(*decl.body) - self._uses.setdefault(key, set())
        if not new:
            return []
        self._uses[key] |= new
        known = self._decls.get(name, decl)
        before = known.body if isinstance(known, tree.Target | tree.Def) else ()
        self._decls[name] = evolve(decl, body=(*before, *decl.body))
        if not self._leads(new, key):
            return []
        return cycles(evolve(self._file, decls=tuple(self._decls.values())))

    def _leads(self, start: Iterable[str], to: str) -> bool:
        waiting, seen = list(start), set(start)
        while waiting:
            current = waiting.pop()
            if current == to:
                return True
            more = self._uses.get(current, set()) - seen
            seen |= more
            waiting += more
        return False


def _called(name: str, argument: tree.Expr) -> str:
    """Return the key of a call of a state function, made from its one argument."""
    parts = argument.parts if isinstance(argument, tree.String) else ()
    return f"{name}({''.join(part.value for part in parts if isinstance(part, tree.Text))})"
