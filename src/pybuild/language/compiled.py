"""A `.pybuild` file compiled: from its text to the recipe of what is wanted, with all that was seen on the way."""

from __future__ import annotations

import os

from pybuild.build.inputs import LANGUAGE_FILE, MODULE_FILE, STDIN, frontend_of
from pybuild.compiler import platforms
from pybuild.lang.diagnostics import SourceErrors, UsageError
from pybuild.lang.frontends import PYTHON
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.options import DEFAULT, ExpandOptions
from pybuild.language.library import LocalLibrary
from pybuild.language.lock import NAME as LOCK
from pybuild.language.lock import Lock
from pybuild.language.params import given_params
from pybuild.language.parsed import parse
from pybuild.language.place import Seen
from pybuild.language.remotemodules import NeedsEngine, RemoteModules
from pybuild.language.world import LocalWorld, Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from pybuild.build.inputs import Inputs
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe import Given, Recipe
    from pybuild.lang.textual.check.check import Checked
    from pybuild.lang.textual.modules import Program
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine

    T = TypeVar("T")

READ = "read="
"""What an entitlement that lets a build read a directory begins with."""


class Compiled:
    """One root file: `name` is its path, `shown` what messages call it, `data` its bytes. `allow` holds granted
    entitlements."""

    caution = ""
    """What nothing can tell of such a file beforehand."""

    def __init__(
        self,
        name: str,
        data: bytes,
        *,
        allow: Sequence[str] = (),
        params: Mapping[str, Given] | None = None,
    ) -> None:
        self.name = name
        self.shown = name
        self.data = data
        self.allow = allow
        self.params = params or {}
        self.directory = os.path.dirname(os.path.abspath(name))
        self.seen = Seen()
        self.repository = Repository(self.directory, self.seen)
        self.project = self.repository.root or self.directory
        self.library = LocalLibrary(self.project, self.directory, self.seen)
        self.seen.note(os.path.join(self.directory, LOCK))
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

    def with_modules(self, request: BuildRequest, work: Callable[[], T]) -> T:
        """What `work` gives; where a module has to be fetched for it, with an engine that is open meanwhile."""
        from pybuild.build.execute import open_engine
        from pybuild.runtime.progress.observer import Observer
        from pybuild.runtime.solver.types import Cancellation

        try:
            return work()
        except NeedsEngine:
            pass
        engine = open_engine(request, {}, {}, Observer(), Cancellation())
        try:
            self.fetch_with(engine, locked=request.locked)
            return work()
        finally:
            engine.close()

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


def compiled_of(inputs: Inputs, request: BuildRequest) -> Compiled:
    """The build file of a request. Raises UsageError if it lies elsewhere, UserError for bad params."""
    python = frontend_of(inputs, request).kind == PYTHON
    what = "a Python build module" if python else "a build file of the language"
    if inputs.dockerfile is None or inputs.directory is None:
        raise UsageError(
            f"{what} must lie in a directory of this machine, not in {request.context}",
            help="fetch it first: git clone, or tar",
        )
    default = MODULE_FILE if python else LANGUAGE_FILE
    name = os.path.normpath(os.path.join(inputs.directory, default) if request.file == STDIN else inputs.name)
    if python:
        from pybuild.language.pythonmodule import PythonCompiled

        return PythonCompiled(name, inputs.dockerfile, allow=request.allow, params=given_params(request))
    return Compiled(name, inputs.dockerfile, allow=request.allow, params=given_params(request))
