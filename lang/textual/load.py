"""Load a program: the root file and all modules that it uses, each parsed once.

    loaded = load(library's root, library)

The walk is depth first with an explicit stack, so a long chain of modules doesn't recurse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from attrs import frozen

from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.parse import Parsed, parse
from pybuild.lang.textual.problems import modules as problems
from pybuild.lang.textual.trivia import allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Source, Span

_UNREADABLE = frozenset({"E0001", "E0002"})
"""Errors of a header: the rest of the file is in another language or edition."""


@frozen
class LoadResult:
    """The result of loading.

    `program` is None if the root file is of another language or edition. The diagnostics are about loading and
    syntax; warnings about files from outside the project are left out."""

    program: modules.Program | None
    diagnostics: tuple[Diagnostic, ...]


def load(
    root: modules.ModuleText, library: modules.Library, parse: Callable[[Source], Parsed] = parse
) -> LoadResult:
    """Load the program of a root file. Mistakes become diagnostics; only the library may raise."""
    return _Loading(library, parse).load(root)


class _Open:
    """A module whose uses are being loaded. `use` is the current one."""

    __slots__ = ("module", "rest", "use", "uses")

    def __init__(self, module: modules.Module, uses: dict[str, str]) -> None:
        self.module = module
        self.uses = uses
        self.rest: Iterator[tree.Decl] = iter(module.file.decls)
        self.use: tree.Use | None = None

    def next(self) -> tree.Use | None:
        self.use = next((decl for decl in self.rest if isinstance(decl, tree.Use)), None)
        return self.use


class _Loading:
    __slots__ = ("diagnostics", "done", "edition", "library", "open", "parse", "stack")

    def __init__(self, library: modules.Library, parse: Callable[[Source], Parsed]) -> None:
        self.library = library
        self.parse = parse
        self.diagnostics: list[Diagnostic] = []
        self.done: dict[str, modules.Module] = {}
        self.edition = 1
        self.stack: list[_Open] = []
        self.open: dict[str, int] = {}

    def load(self, root: modules.ModuleText) -> LoadResult:
        parsed = self.parse(root.source)
        self.diagnostics.extend(parsed.diagnostics)
        if any(diagnostic.code in _UNREADABLE for diagnostic in parsed.diagnostics):
            return LoadResult(None, tuple(self.diagnostics))
        self.edition = _edition(parsed.file)
        self._push(root, parsed.file)
        while self.stack:
            top = self.stack[-1]
            use = top.next()
            if use is not None:
                self._use(top, use)
                continue
            self.stack.pop()
            del self.open[top.module.key]
            self.done[top.module.key] = top.module
        return LoadResult(modules.Program(self.done[root.key], self.done), tuple(self.diagnostics))

    def _push(self, found: modules.ModuleText, file: tree.File) -> None:
        uses: dict[str, str] = {}
        module = modules.Module(found.key, found.origin, file, found.place, uses, found.recorded)
        self.open[found.key] = len(self.stack)
        self.stack.append(_Open(module, uses))

    def _use(self, top: _Open, use: tree.Use) -> None:
        name = use.alias or use.module
        found = self._find(top.module, use)
        if found is None or name is None:
            return
        if found.moving and "W0801" not in allowed(top.module.file).get(use.span.line, ()):
            self.diagnostics.append(problems.moving(_written(use)))
        if found.key in self.open:
            self._cycle(found.key)
        elif found.key in self.done or self._read(found, use):
            top.uses.setdefault(name.name, found.key)

    def _find(self, importer: modules.Module, use: tree.Use) -> modules.ModuleText | None:
        if use.path is not None and any(isinstance(part, tree.Interpolation) for part in use.path.parts):
            self.diagnostics.append(problems.spliced(use.path.span))
            return None
        try:
            return self.library.find(use, importer)
        except modules.NotFound as missing:
            self.diagnostics.append(problems.not_found(missing, _written(use), quoted=use.path is not None))
        except UserError as error:
            diagnostic = error.diagnostic
            self.diagnostics.append(diagnostic if diagnostic.labels else diagnostic.at(_written(use)))
        return None

    def _read(self, found: modules.ModuleText, use: tree.Use) -> bool:
        """Parse a module and push it on the stack. Returns False if it is of another edition."""
        parsed = self.parse(found.source)
        header = parsed.file.header
        foreign = any(diagnostic.code in _UNREADABLE for diagnostic in parsed.diagnostics)
        if foreign or _edition(parsed.file) != self.edition:
            reference = header.reference if header else ""
            place = header.span if header else None
            self.diagnostics.append(problems.edition(found.source.name, reference, _written(use), place))
            return False
        ours = found.origin in (modules.ROOT, modules.PROJECT)
        self.diagnostics.extend(
            diagnostic for diagnostic in parsed.diagnostics if ours or diagnostic.level == "error"
        )
        self._push(found, parsed.file)
        return True

    def _cycle(self, key: str) -> None:
        ring = list(islice(self.stack, self.open[key], None))
        steps = [
            (entry.module.file.source.name, _written(entry.use)) for entry in ring if entry.use is not None
        ]
        self.diagnostics.append(problems.cycle(steps))


def _edition(file: tree.File) -> int:
    return file.header.edition if file.header else 1


def _written(use: tree.Use) -> Span:
    """Return the place of the module's name in a `use`."""
    if use.path is not None:
        return use.path.span
    return use.module.span if use.module is not None else use.span
