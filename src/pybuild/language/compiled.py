"""A `.pybuild` file compiled: from its text to the recipe of what is wanted, with all that was seen on the way."""

from __future__ import annotations

import os

from pybuild.compiler import platforms
from pybuild.lang.diagnostics import SourceErrors
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.options import DEFAULT, ExpandOptions
from pybuild.language.library import LocalLibrary
from pybuild.language.lock import NAME as LOCK
from pybuild.language.lock import Lock
from pybuild.language.parsed import parse
from pybuild.language.remotemodules import RemoteModules
from pybuild.language.world import LocalWorld, Repository
from pybuild.replay.dependencies import Dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe import Given, Recipe
    from pybuild.lang.textual.check.check import Checked
    from pybuild.lang.textual.modules import Program
    from pybuild.runtime.engine import Engine

READ = "read="
"""What an entitlement that lets a build read a directory begins with."""


class Compiled:
    """One root file: `name` is its path, `shown` what messages call it, `data` its bytes. `allow` holds granted
    entitlements; `dependencies` collects what the compile reads."""

    caution = ""
    """What nothing can tell of such a file beforehand."""

    def __init__(
        self,
        name: str,
        data: bytes,
        *,
        shown: str = "",
        allow: Sequence[str] = (),
        params: Mapping[str, Given] | None = None,
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
        self.project = self.repository.root or self.directory
        self.library = LocalLibrary(self.project, self.directory, self.dependencies)
        self.dependencies.note(os.path.join(self.directory, LOCK))
        self.lock = Lock.read(self.directory)
        self.warnings: tuple[Diagnostic, ...] = ()
        self._readable = [text.removeprefix(READ) for text in allow if text.startswith(READ)]

    def of_text(self, data: bytes) -> Compiled:
        """The same file with another text."""
        return type(self)(self.name, data, allow=self.allow, params=self.params)

    def fetch_with(self, engine: Engine, *, locked: bool = False) -> None:
        """Have modules that lie elsewhere fetched."""
        platform = platforms.format(platforms.default())
        self.library.remote = RemoteModules(engine, self.lock, locked=locked, platform=platform)

    def program(self) -> Program:
        """The checked program; `warnings` is set. Raises SourceErrors, SourceError."""
        program, found = self.findings()
        if program is None or any(one.level == "error" for one in found):
            raise SourceErrors(found)
        self.warnings = tuple(found)
        return program

    def findings(self) -> tuple[Program | None, list[Diagnostic]]:
        """The program as far as it goes, and what the static checks say of it, arranged. Raises SourceError for a
        file that is no text."""
        from pybuild.lang.textual.load import load

        loaded = load(self.library.root(self.shown, self.data), self.library, parse)
        found = list(loaded.diagnostics)
        if loaded.program is not None:
            found += self.checked(loaded.program).diagnostics
        return loaded.program, arranged(found)

    def checked(self, program: Program) -> Checked:
        """What the static checks say of a program."""
        from pybuild.lang.textual.check.check import checked

        return checked(program)

    def recipe(
        self,
        program: Program,
        *,
        wanted: tuple[str, ...] | str = DEFAULT,
        target_platforms: Sequence[str] = (),
    ) -> Recipe:
        """Raises SourceErrors."""
        from pybuild.lang.textual.expand.expand import expand

        return expand(program, self.options(wanted, target_platforms), self.world)

    def ended(self) -> None:
        """Called before an engine is opened, if the recipe is made: from here on the process has one thread."""

    def options(
        self, wanted: tuple[str, ...] | str = DEFAULT, target_platforms: Sequence[str] = ()
    ) -> ExpandOptions:
        """What the expansion is asked for."""
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
