"""Chooses names in the Python module: those of the file, except names that Python or the module itself needs.

A name that can't be kept gets an underscore at its end, everywhere. The language has one namespace for functions and
one for the rest; Python has one for all, so a local value named like a function of the file gets an underscore too.
"""

from __future__ import annotations

import keyword

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import preorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

API: Final = "pb"
BUILDER: Final = "t"
"""The first parameter of a body."""

_NEEDED: Final = frozenset((API, BUILDER, "Literal", "bool", "dict", "int", "len", "list", "sorted", "str"))


class Names:
    """The names of one file."""

    def __init__(self, file: tree.File) -> None:
        nodes = list(preorder(*file.decls))
        self._all = {node.name for node in nodes if isinstance(node, tree.Ident | tree.Name)}
        self.functions = frozenset(decl.name.name for decl in file.decls if isinstance(decl, tree.Def))

    def value(self, name: str) -> str:
        """Return the name of a param, a target, a module or a local variable."""
        return self._free(name) if name in self.functions or _is_taken(name) else name

    def function(self, name: str) -> str:
        return self._free(name) if _is_taken(name) else name

    def _free(self, name: str) -> str:
        while name in self._all or _is_taken(name):
            name += "_"
        return name


def member(name: str) -> str:
    """Return a name after a `.`, or the name of an argument of a function that the file doesn't define."""
    return f"{name}_" if keyword.iskeyword(name) else name


def _is_taken(name: str) -> bool:
    return keyword.iskeyword(name) or name in _NEEDED
