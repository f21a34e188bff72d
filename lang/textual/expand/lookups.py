"""Files of `copy` that exist before the build: files of contexts and of `local` directories (language spec,
section 12)."""

from __future__ import annotations

import posixpath

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceError, UserError, suggest
from pybuild.lang.textual.expand import globs
from pybuild.lang.textual.expand.values import Located
from pybuild.lang.textual.problems import states as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope
    from pybuild.lang.textual.modules import Place


@frozen(eq=False)
class SourceDirectory:
    """A directory of existing files: the part of `place` at `below`, `.` for all of it. `where` and `label` are
    its names in messages; `span` is the place of its patterns, unless they have places of their own."""

    place: Place
    below: str
    ignored: globs.Ignored
    where: str
    label: str
    span: Span | None = None

    def path(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.below, path))

    def kind(self, path: str) -> str | None:
        return self.place.kind(self.path(path))

    def names(self, path: str) -> list[str]:
        return self.place.names(self.path(path))


@frozen
class Missing:
    """A source without a match. `path` is hidden by `pattern`, or doesn't exist; `near` may be meant instead."""

    path: str
    pattern: globs.Pattern | None = None
    near: str | None = None


Answer = Missing | str
"""The kind of a file that exists: `file`, `dir`, `link` or `other`; `match` for a pattern."""


class Lookups:
    """The contexts of modules, and the lookups in each directory."""

    __slots__ = ("_answers", "_compilation", "_contexts", "_directories")

    def __init__(self, compilation: Compilation) -> None:
        self._compilation = compilation
        self._contexts: dict[ModuleScope, recipe.State] = {}
        self._directories: dict[recipe.State, SourceDirectory | None] = {}
        self._answers: dict[tuple[SourceDirectory, str], Answer] = {}

    def context(self, scope: ModuleScope) -> recipe.State:
        state = self._contexts.get(scope)
        if state is None:
            place, own = scope.module.place, scope.ignored()
            try:
                state = place.state(tuple(globs.rooted(str(one.value)) for one in own))
                ignored = globs.Ignored(place.ignores(), own)
            except SourceError:
                raise
            except UserError as error:
                raise SourceError(error.diagnostic) from None
            label = f"no such file beside {posixpath.basename(scope.module.file.source.name)}"
            self._contexts[scope] = state
            self._directories[state] = SourceDirectory(place, ".", ignored, "the context", label)
        return state

    def directory(self, state: recipe.State) -> SourceDirectory | None:
        """Return the directory of a state, None if its files aren't known before the build."""
        if state not in self._directories and isinstance(state, recipe.Directory):
            self._directories[state] = self._local(state)
        return self._directories.get(state)

    def _local(self, state: recipe.Directory) -> SourceDirectory | None:
        place = self._compilation.root.module.place
        base = place.absolute(".")
        if base is None or state.include:
            return None
        below = posixpath.relpath(state.path, base)
        if below == ".." or below.startswith("../"):
            return None
        ignored = globs.Ignored(state.exclude, ())
        where = f"`{below}`" if below != "." else "the directory"
        return SourceDirectory(place, below, ignored, where, "no such file in it", state.span)

    def find(self, directory: SourceDirectory, path: str, span: Span) -> Answer:
        """Look up a normal path or pattern."""
        key = (directory, path)
        if key not in self._answers:
            self._answers[key] = (
                self._pattern(directory, path, span) if globs.is_pattern(path) else _literal(directory, path)
            )
        return self._answers[key]

    def _pattern(self, directory: SourceDirectory, pattern: str, span: Span) -> Answer:
        def visit(names: int) -> None:
            self._compilation.count(span, names // 100)

        full = pattern if directory.below == "." else f"{directory.below}/{pattern}"
        if directory.below == "." and globs.match(directory.place, full, directory.ignored, visit):
            return "match"
        matches = globs.match(directory.place, full, None, visit)
        paths = (
            [posixpath.relpath(path, directory.below) for path in matches]
            if directory.below != "."
            else matches
        )
        if any(not directory.ignored.hides(path, directory.kind(path)) for path in paths):
            return (
                "match" if directory.below != "." else Missing(paths[0], directory.ignored.reason(paths[0]))
            )
        return Missing(paths[0], directory.ignored.reason(paths[0])) if paths else Missing(pattern)

    def problem(self, source: Located, directory: SourceDirectory, missing: Missing) -> Diagnostic:
        """Return E0510 or E0511."""
        if missing.pattern is not None:
            place = missing.pattern.span or directory.span
            return problems.hidden(source.span, missing.path, missing.pattern.text, place)
        return problems.matches_nothing(source.span, directory.where, directory.label, missing.near)


def _literal(directory: SourceDirectory, path: str) -> Answer:
    name = globs.literal(path)
    kind = directory.kind(name)
    if kind is None:
        return Missing(name, near=_near(directory, name))
    if name != "." and directory.ignored.hides(name, kind):
        return Missing(name, directory.ignored.reason(name))
    return kind


def _near(directory: SourceDirectory, path: str) -> str | None:
    """Return an existing path that differs in the first missing component only."""
    before = ""
    parts = path.split("/")
    for at, part in enumerate(parts):
        name = f"{before}{part}"
        if directory.kind(name) is None:
            near = suggest(part, directory.names(before or "."))
            instead = "/".join([before + near, *parts[at + 1 :]]) if near is not None else None
            return instead if instead is not None and directory.kind(instead) is not None else None
        before = f"{name}/"
    return None
