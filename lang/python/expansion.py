"""A compile of a recorded module: its declarations at once, and each body when it is first needed."""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.python.recording import at_work
from pybuild.lang.python.states import CALL
from pybuild.lang.python.wording import in_python
from pybuild.lang.textual import tree
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import checked
from pybuild.lang.textual.check.cycles import NamedDeclaration, name_of
from pybuild.lang.textual.check.recorded import RecordedBodies
from pybuild.lang.textual.expand.values import text_of
from pybuild.lang.textual.load import load
from pybuild.lang.textual.parse import Parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.recording import Recording
    from pybuild.lang.source import Source
    from pybuild.lang.textual.expand.values import Value
    from pybuild.lang.textual.modules import Program


@frozen(eq=False)
class BodyStatements:
    """The statements of a body for values of its axes (as values of the language) and a platform."""

    decl: tree.Target | tree.Def
    names: Mapping[str, Value]
    platform: str
    statements: tuple[tree.Stmt, ...]


class Expansion:
    """Implements `modules.ModuleRecording`. `file` has the declarations; `written` collects the bodies so far."""

    def __init__(self, recording: Recording, *more: tree.Decl) -> None:
        """Prepare a compile. `more` are further declarations, whose bodies the recording has too."""
        self.recording = recording
        self.file = evolve(recording.file, decls=(*recording.decls, *more))
        self.names = {name_of(decl): decl for decl in self.file.decls if isinstance(decl, NamedDeclaration)}
        self.written: list[BodyStatements] = []
        self._bodies: RecordedBodies | None = None

    @property
    def asked(self) -> Mapping[str, str]:
        return self.recording.asked

    @property
    def reads(self) -> Mapping[str, str]:
        return self.recording.reads

    @property
    def warnings(self) -> list[Diagnostic]:
        return [] if self._bodies is None else self._bodies.warnings()

    def findings(self) -> tuple[Program | None, list[Diagnostic]]:
        """Return the program with all modules that it uses, and what is wrong with its declarations, sorted for
        display."""
        recording = self.recording
        source = recording.found.source

        def parsed(one: Source) -> Parsed:
            return Parsed(self.file, ()) if one is source else recording.parse(one)

        loaded = load(evolve(recording.found, recorded=self), recording.library, parsed)
        diagnostics = list(loaded.diagnostics)
        if loaded.program is not None:
            result = checked(loaded.program)
            diagnostics += result.diagnostics
            self._bodies = RecordedBodies(loaded.program.root, result.modules)
        return loaded.program, arranged(map(in_python, diagnostics))

    def body(
        self, decl: tree.Target | tree.Def, names: Mapping[str, Value], platform: str
    ) -> tuple[tree.Stmt, ...]:
        """Run the function of a body, and check the statements. Raises SourceError."""
        with at_work(self.recording, self.names), self.recording.surroundings():
            statements = self.recording.bodies[decl](names, platform)
        assert self._bodies is not None
        call = text_of(names[CALL]) if isinstance(decl, tree.Def) else ""
        diagnostics = self._bodies.check(evolve(decl, body=statements), call)
        if any(one.level == "error" for one in diagnostics):
            raise SourceErrors([in_python(one) for one in diagnostics])
        self.written.append(BodyStatements(decl, dict(names), platform, statements))
        return statements
