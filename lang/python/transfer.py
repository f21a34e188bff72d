"""Sends a recording as bytes to another process of the same program and user, which builds it.

The process that records runs the module's code, the other one only builds. The bytes are the syntax tree of the
declarations, and the statements of all bodies that the build needs.
"""

from __future__ import annotations

import pickle
from typing import NoReturn

from attrs import evolve, frozen

from pybuild.lang.textual.expand.values import identity
from pybuild.lang.textual.load import load
from pybuild.lang.textual.parse import Parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.expansion import Expansion
    from pybuild.lang.source import Source
    from pybuild.lang.textual import modules, tree
    from pybuild.lang.textual.expand.values import Value
    from pybuild.lang.textual.modules import Program


@frozen(eq=False)
class Replay:
    """Implements `modules.ModuleRecording` with bodies that were recorded in another process.

    `filename` is the module's, `wanted` the names of the targets to build.
    """

    filename: str
    wanted: tuple[str, ...]
    file: tree.File
    asked: Mapping[str, str]
    reads: Mapping[str, str]
    written: Mapping[tuple[str, Hashable, str], tuple[tree.Stmt, ...]]
    warnings: tuple[Diagnostic, ...] = ()

    def body(
        self, decl: tree.Target | tree.Def, names: Mapping[str, Value], platform: str
    ) -> tuple[tree.Stmt, ...]:
        """Return the statements of a body. Raises LookupError for a body that was not sent."""
        return self.written[decl.name.name, _key(names), platform]

    def program(
        self,
        found: modules.ModuleText,
        library: modules.Library,
        parse: Callable[[Source], Parsed],
    ) -> Program:
        """Return the program with the modules that it uses; `found` is the place of the module."""
        root = evolve(found, source=self.file.source, recorded=self)

        def parsed(source: Source) -> Parsed:
            return Parsed(self.file, ()) if source is root.source else parse(source)

        loaded = load(root, library, parsed)
        if loaded.program is None:
            raise LookupError("a recording has no header of another language")
        return loaded.program


def to_bytes(expansion: Expansion, filename: str, wanted: tuple[str, ...]) -> bytes:
    """Return a replay as bytes for `from_bytes`, with the bodies that have been expanded."""
    replay = Replay(
        filename,
        wanted,
        expansion.file,
        dict(expansion.asked),
        dict(expansion.reads),
        {(one.decl.name.name, _key(one.names), one.platform): one.statements for one in expansion.written},
    )
    return pickle.dumps(replay, protocol=5)


def from_bytes(data: bytes) -> Replay:
    """Read a replay. The bytes must come from the user's own program: unpickling may run code."""
    replay = pickle.loads(data)
    if not isinstance(replay, Replay):
        _wrong(replay)
    return replay


def _wrong(value: object) -> NoReturn:
    raise TypeError(f"a recording was expected, not {type(value).__name__}")


def _key(names: Mapping[str, Value]) -> Hashable:
    return tuple((name, identity(value)) for name, value in names.items())
