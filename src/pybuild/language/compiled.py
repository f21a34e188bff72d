"""Compilation of a `.pybuild` file: from its text to the recipe of the wanted targets."""

from __future__ import annotations

import os

from pybuild.compiler import platforms
from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.options import DEFAULT, ExpandOptions
from pybuild.language.library import LocalLibrary
from pybuild.language.lock import NAME as LOCK
from pybuild.language.lock import Lock
from pybuild.language.parse_cache import parse
from pybuild.language.remotemodules import RemoteModules
from pybuild.language.world import LocalWorld, Repository
from pybuild.replay.dependencies import Dependencies
from pybuild.request.project import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe import ParamSetting, Recipe
    from pybuild.lang.textual.check.check import CheckResult
    from pybuild.lang.textual.modules import Program
    from pybuild.runtime.engine import Engine

READ = "read="
"""Prefix of the entitlement that lets a build read a directory."""


class Compiled:
    """The compilation of one root file: `name` is its path, `shown` its name in messages, `data` its bytes.
    `allow` holds granted entitlements; `dependencies` collects the files that the compilation reads."""

    caution = ""
    """A limit of the static checks of such a file, for the user; "" for none."""
    runs_code = False
    """True for a program, which runs in this process and may leave threads in it."""

    def __init__(
        self,
        name: str,
        data: bytes,
        *,
        shown: str = "",
        allow: Sequence[str] = (),
        params: Mapping[str, ParamSetting] | None = None,
        dependencies: Dependencies | None = None,
    ) -> None:
        self.name = name
        self.shown = shown or name
        self.data = data
        self.allow = allow
        self.params = params or {}
        self.directory = os.path.dirname(os.path.abspath(name))
        self.dependencies = dependencies or Dependencies()
        self.repository = Repository(self.directory, self.dependencies)
        project = Project(self.directory)
        for path in project.consulted:
            self.dependencies.note(path)
        self.project = project.root
        self.library = LocalLibrary(project, self.directory, self.dependencies)
        self.dependencies.note(os.path.join(self.directory, LOCK))
        self.lock = Lock.read(self.directory)
        self.warnings: tuple[Diagnostic, ...] = ()
        self._readable = [text.removeprefix(READ) for text in allow if text.startswith(READ)]

    def of_text(self, data: bytes) -> Compiled:
        """Return the compilation of the same file with another text."""
        return type(self)(self.name, data, allow=self.allow, params=self.params)

    def fetch_with(self, engine: Engine, *, locked: bool = False) -> None:
        """Fetch remote modules with this engine."""
        platform = platforms.format(platforms.default())
        self.library.remote = RemoteModules(engine, self.lock, locked=locked, platform=platform)

    def program(self) -> Program:
        """Return the checked program and set `warnings`. Raises SourceErrors, SourceError."""
        program, diagnostics = self.findings()
        if program is None or any(diagnostic.level == "error" for diagnostic in diagnostics):
            raise SourceErrors(diagnostics)
        self.warnings = tuple(diagnostics)
        return program

    def findings(self) -> tuple[Program | None, list[Diagnostic]]:
        """Return the program, None if it can't be loaded, and the diagnostics of the loader and the static
        checks, arranged. Raises SourceError for a file that is not text."""
        from pybuild.lang.textual.load import load

        loaded = load(self.library.root(self.shown, self.data), self.library, parse)
        diagnostics = list(loaded.diagnostics)
        if loaded.program is not None:
            diagnostics += self.checked(loaded.program).diagnostics
        return loaded.program, arranged(diagnostics)

    def checked(self, program: Program) -> CheckResult:
        """Run the static checks on a program."""
        from pybuild.lang.textual.check.check import checked

        return checked(program)

    def recipe(
        self,
        program: Program,
        *,
        wanted: tuple[str, ...] | str = DEFAULT,
        target_platforms: Sequence[str] = (),
    ) -> Recipe:
        """Expand the wanted targets of a checked program to a recipe. Raises SourceErrors."""
        from pybuild.lang.textual.expand.expand import expand

        return expand(program, self.options(wanted, target_platforms), self.world)

    def options(
        self, wanted: tuple[str, ...] | str = DEFAULT, target_platforms: Sequence[str] = ()
    ) -> ExpandOptions:
        """Return the options of the expansion."""
        return ExpandOptions(
            project=self.project,
            directory=self.directory,
            build_platform=platforms.format(platforms.default()),
            wanted=wanted,
            params=self.params,
            platforms=tuple(target_platforms),
        )

    @property
    def world(self) -> LocalWorld:
        return LocalWorld(self.repository, self._readable)
