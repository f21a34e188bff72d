"""Compilation of a Python build module: run it, then check and expand its declarations as a file of the
language."""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.lang.diagnostics import SourceError, SourceErrors
from pybuild.lang.python.callsite import shown_name
from pybuild.lang.python.expansion import Expansion
from pybuild.lang.python.wording import error_in_python, in_python
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.cycles import name_of
from pybuild.lang.textual.expand.options import DEFAULT, EVERYTHING
from pybuild.language.compiled import Compiled
from pybuild.language.params import given_params
from pybuild.language.parse_cache import keep_names, parse
from pybuild.request.request import BuildRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.transfer import Replay
    from pybuild.lang.recipe import Recipe
    from pybuild.lang.textual.modules import Program


class PythonCompiled(Compiled):
    """The compilation of a Python build module (see `Compiled`), which runs in this process. Its dependencies
    can't be known, so its builds are never replayed."""

    caution = "a Python module is not hermetic: what it imports, reads and asks may differ in the next run"
    runs_code = True

    def findings(self) -> tuple[Program | None, list[Diagnostic]]:
        try:
            return self._findings()
        except SourceErrors as errors:
            return None, list(errors.diagnostics)
        except SourceError as error:
            return None, [error.diagnostic]

    def recipe(
        self,
        program: Program,
        *,
        wanted: tuple[str, ...] | str = DEFAULT,
        target_platforms: Sequence[str] = (),
    ) -> Recipe:
        try:
            recipe = super().recipe(program, wanted=wanted, target_platforms=target_platforms)
        except SourceError as error:
            raise error_in_python(error) from None
        return evolve(recipe, warnings=tuple(map(in_python, recipe.warnings)))

    def unrolled(self) -> str:
        """Return the recorded module as a file of the language. Raises SourceErrors."""
        from pybuild.lang.convert.unrolled import unrolled

        program = self.program()
        self.recipe(program, wanted=EVERYTHING)
        expansion = program.root.recorded
        assert isinstance(expansion, Expansion)
        return unrolled(expansion)

    def _findings(self) -> tuple[Program | None, list[Diagnostic]]:
        from pybuild.lang.python.module import run

        self.dependencies.replayable = False
        root = self.library.root(self.shown, self.data)
        filename = os.path.abspath(self.name)
        recording = run(root, filename, self.library, self.options(), self.world, parse)
        declarations = (decl for decl in recording.decls if isinstance(decl, tree.Target | tree.Group))
        keep_names(filename, sorted(map(name_of, declarations)))
        return Expansion(recording).findings()


class ReplayedCompiled(Compiled):
    """The declarations that another process has recorded of a module and sent here."""

    def __init__(self, replay: Replay, *, allow: Sequence[str] = ()) -> None:
        text = replay.file.source.text.encode("utf-8", "surrogatepass")
        super().__init__(shown_name(replay.filename), text, allow=allow, params=given_params(BuildRequest()))
        self.replay = replay

    def findings(self) -> tuple[Program | None, list[Diagnostic]]:
        """Return the program without findings: the recording process has checked it."""
        self.dependencies.replayable = False
        root = self.library.root(self.name, self.data)
        return self.replay.program(root, self.library, parse), []
