"""Records a build module while it runs: its declarations, and later its bodies, as syntax trees of the language.

    recording = run(module, …)        module.py: the module's top level
    recording.decls                   what a `.pybuild` file would declare, bodies left out
    recording.bodies[decl]            makes the statements of a target's instance, or of a state function

Each thread has at most one active recording (`at_work`); statements go to the recording of their `t`.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from threading import RLock
from typing import NoReturn

from pybuild.lang.diagnostics import SourceError, SourceErrors
from pybuild.lang.python import problems
from pybuild.lang.python.callsite import Files, Site, caller
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.check.checking import Checking
from pybuild.lang.textual.check.cycles import NamedDeclaration, name_of
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.scope import Scope
from pybuild.lang.textual.expand.compilation import Compilation
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import CodeType, FrameType, ModuleType

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.bodies import FreeVariables
    from pybuild.lang.source import Source, Span
    from pybuild.lang.textual.expand.options import ExpandOptions, World
    from pybuild.lang.textual.expand.values import Value
    from pybuild.lang.textual.parse import Parsed
    from pybuild.lang.textual.types import Type

_active: ContextVar[Work | None] = ContextVar("recording", default=None)
_elsewhere = Files()
_homes: Callable[[FrameType], Recording] | None = None


class Work:
    """A recording while code of its module runs in a thread.

    `names` are its declarations by name, as they are expanded; `failures` are errors that were reported to it.
    """

    __slots__ = ("failures", "names", "recording")

    def __init__(self, recording: Recording, names: Mapping[str, tree.Decl]) -> None:
        self.recording = recording
        self.names = names
        self.failures: list[SourceError] = []


class Recording:
    """The record of one run of a build module.

    `found` is the module's file. `asked` are the facts about the repository and `reads` the files of the module's
    directory that it used while it ran, `modules` the modules of the project that it has imported, itself included;
    its code runs in `surroundings`. With `replaces`, a declaration replaces an earlier one of its name, as when a
    notebook's cell runs again. `ended` is set once the module has run, and `depth` is the number of nested calls of
    state functions that led to the running body.
    """

    def __init__(
        self,
        found: modules.ModuleText,
        library: modules.Library,
        options: ExpandOptions,
        world: World,
        parse: Callable[[Source], Parsed],
        *,
        replaces: bool = False,
    ) -> None:
        self.found = found
        self.replaces = replaces
        self.options = options
        self.world = world
        self.library = library
        self.parse = parse
        self.files = Files()
        self.decls: list[tree.Decl] = []
        self.comments: tuple[tree.Comment, ...] = ()
        self.declared: dict[str, tree.Decl] = {}
        self.modules: dict[str, ModuleType] = {}
        self.surroundings: Callable[[], AbstractContextManager[None]] = nullcontext
        self.ended = False
        self.depth = 0
        self.bodies: dict[tree.Decl, Callable[[Mapping[str, Value], str], tuple[tree.Stmt, ...]]] = {}
        self.params: dict[str, Value] = {}
        self.captured: dict[CodeType, list[FreeVariables]] = {}
        self.module = modules.Module(found.key, found.origin, self.file, found.place)
        self._compilation = Compilation(
            modules.Program(self.module, {found.key: self.module}), options, world
        )
        self._guard = RLock()

    @property
    def asked(self) -> Mapping[str, str]:
        return self._compilation.vcs_reads

    @property
    def reads(self) -> Mapping[str, str]:
        return self._compilation.reads

    @property
    def file(self) -> tree.File:
        """The declarations so far, as a syntax tree."""
        source = self.found.source
        return tree.File(_whole(source), source, None, tuple(self.decls), self.comments)

    def owns(self, filename: str) -> bool:
        """True if a file is the user's: of the project, or the module itself."""
        if filename.startswith("<"):
            return self.files.knows(filename)
        return self.files.knows(filename) or filename.startswith(self.options.project.rstrip("/") + "/")

    def members(self, use: tree.Use) -> Mapping[str, tree.Decl]:
        """Return the declarations of the textual module that a `use` names, by name.

        If the module can't be found, any name is accepted: the error comes when the program is loaded. Raises
        UserError for what the library can't do.
        """
        try:
            module = self.library.find(use, self.module)
        except modules.NotFound:
            return AnyMember()
        file = self.parse(module.source).file
        return {name_of(decl): decl for decl in file.decls if isinstance(decl, NamedDeclaration)}

    def declare(self, decl: tree.Decl, name: str = "") -> None:
        """Add a declaration. Raises SourceError (E1004) if the module has ended."""
        if self.ended:
            raise wrong(problems.too_late(here().span))
        if self.replaces:
            same = self.declared.pop(name, None)
            default = isinstance(decl, tree.Default)
            self.decls = [
                one
                for one in self.decls
                if one is not same and not (default and isinstance(one, tree.Default))
            ]
        self.decls.append(decl)
        if name:
            self.declared.setdefault(name, decl)

    def value(self, expr: tree.Expr, wanted: Type | None = None) -> Value:
        """Evaluate an expression outside of bodies. Raises SourceErrors."""
        diagnostics: list[Diagnostic] = []
        infer(expr, Scope(), Checking(self.module, diagnostics.append), wanted)
        if diagnostics:
            raise failed(SourceErrors(diagnostics))
        frame = Frame(self._compilation.root, self.options.build_platform)
        with self._guard:
            try:
                return evaluate(expr, frame, self._compilation, wanted)
            except SourceError as error:
                raise failed(error) from None


class AnyMember(dict[str, tree.Decl]):
    """Stands for the declarations of a module that can't be found: accepts any name."""

    def get(self, name: str, default: object = None) -> tree.Decl:
        span = here().span
        return tree.Broken(span, "", tree.Ident(span, name))


def _whole(source: Source) -> Span:
    from pybuild.lang.source import Span

    lines = source.text.split("\n")
    return Span(source, 1, 1, len(lines), len(lines[-1]) + 1)


@contextmanager
def at_work(recording: Recording, names: Mapping[str, tree.Decl] | None = None) -> Iterator[None]:
    """Make a recording the active one of this thread. Raises the first error reported to it, even if user code caught
    it.

    `names` are the declarations that are expanded, by default all of the recording.
    """
    work = Work(recording, recording.declared if names is None else names)
    token = _active.set(work)
    try:
        yield
    except SourceError:
        if work.failures:
            raise work.failures[0] from None
        raise
    finally:
        _active.reset(token)
    if work.failures:
        raise work.failures[0]


def failed(error: SourceError) -> SourceError:
    """Report an error to the active recording, and return it for the caller to raise."""
    work = _active.get()
    if work is not None:
        work.failures.append(error)
    return error


def wrong(diagnostic: Diagnostic) -> SourceError:
    """Make an error for the caller to raise. It ends the build even if the module catches it."""
    return failed(SourceError(diagnostic))


def known_here(name: str, home: Recording, decl: tree.Decl, span: Span) -> None:
    """Check that `name`, used at `span`, still means the declaration `decl` of `home`. Raises SourceError (E1004).

    In a program each module is a recording of its own, and a later declaration takes over the name of an earlier one.
    """
    work = _active.get()
    if work is not None and work.recording is not home:
        raise wrong(problems.other_module(span, name, home.found.source.name))
    meant = (home.declared if work is None else work.names).get(name)
    if home.replaces and meant is not None and meant is not decl:
        raise wrong(problems.replaced(span, name, meant.span))


def recording(name: str) -> Recording:
    """Return the active recording, else that of the program that calls the API function `name`.

    Raises SourceError (E1004) if there is none.
    """
    work = _active.get()
    if work is not None:
        return work.recording
    if _homes is None:
        raise wrong(problems.not_recording(here().span, name))
    return _homes(caller())


def provide_homes(homes: Callable[[FrameType], Recording]) -> None:
    """Set the function that finds a recording for declarations outside of build modules, from their caller's
    frame."""
    global _homes
    _homes = homes


def here() -> Site:
    """Return the running call of the API."""
    return files().site(caller())


def files() -> Files:
    """Return the files of the active recording."""
    work = _active.get()
    return work.recording.files if work is not None else _elsewhere


def refuse_change(kind: str) -> NoReturn:
    """Raise E1003 for a change of a value that belongs to the build."""
    raise wrong(problems.frozen(here().span, kind))
