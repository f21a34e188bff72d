"""Path patterns (language spec, section 22): `*`, `?` and `[…]` in a component, `**` for any number of directories.

Names with a leading dot match like others; a backslash makes the next character literal. `**` at the end matches
everything below. Symlinks to directories are followed if a component names or matches them, but not by `**`.
"""

from __future__ import annotations

import re

from attrs import frozen

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.dockerfile import wildcard
from pybuild.lang.dockerfile.ignore import Matcher, PatternError
from pybuild.lang.textual.problems import reads as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.values import Located
    from pybuild.lang.textual.modules import Place

MANY: Final = "**"


def is_pattern(text: str) -> bool:
    """Tell whether a path has wildcards."""
    return wildcard.has_wildcard(text)


def check_pattern(path: str, written: str, span: Span) -> None:
    """Raise E0309 for a normal path with malformed wildcards."""
    if is_pattern(path):
        try:
            for part in path.split("/"):
                wildcard.check(part)
        except ValueError as error:
            raise SourceError(problems.bad_pattern(span, written, str(error))) from None


def literal(text: str) -> str:
    """Return the path that a pattern without wildcards stands for."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def normal(path: str) -> str | None:
    """Return a path relative to its root, without `.`, `..` and slashes at its ends: `.` for the root, None if it
    leaves the root. Patterns are accepted. A path that starts with `/` starts at the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


def fixed(pattern: str) -> str:
    """Return the directory before the first component with a wildcard, `.` if there is none. A match is copied
    with the rest of its path. The pattern must be normal."""
    parts = pattern.split("/")
    before = next((at for at, part in enumerate(parts) if is_pattern(part)), len(parts) - 1)
    return "/".join(map(literal, parts[:before])) or "."


class Ignored:
    """The ignore patterns of a module: those of its .dockerignore, then those of its `ignore`. The last match
    decides."""

    __slots__ = ("_matcher", "patterns")

    def __init__(self, file: Iterable[str], own: Iterable[Located]) -> None:
        self.patterns = [
            *(Pattern(text, None) for text in file),
            *(_own(one) for one in own),
        ]
        self._matcher = Matcher(pattern.text for pattern in self.patterns)

    def hides(self, path: str, kind: str | None) -> bool:
        """Tell whether a path is ignored with everything below. An ignored directory may have exceptions in it."""
        if not self._matcher.matches(path):
            return False
        return kind != "dir" or not self._matcher.may_have_exceptions_below(path)

    def reason(self, path: str) -> Pattern:
        """Return the pattern that hides an ignored path."""
        # The last pattern of the shortest list that ignores the path is the cause.
        at = len(self.patterns) - 1
        while at and Matcher(one.text for one in self.patterns[:at]).matches(path):
            at -= 1
        return self.patterns[at]


@frozen
class Pattern:
    """An ignore pattern. `span` is None for one from .dockerignore."""

    text: str
    span: Span | None


def _own(located: Located) -> Pattern:
    """Return a pattern of an `ignore`. Raises E0309."""
    pattern = Pattern(rooted(str(located.value)), located.span)
    try:
        Matcher([pattern.text])
    except PatternError as error:
        reason = next((text for word, text in error.diagnostic.notes if word == "note"), "malformed")
        raise SourceError(problems.bad_pattern(located.span, str(located.value), reason)) from None
    return pattern


def rooted(text: str) -> str:
    """Return a pattern of an `ignore` in the form of .dockerignore, where a leading slash is redundant."""
    mark = "!" if text.startswith("!") else ""
    rest = text.removeprefix("!").strip()
    return mark + (rest.lstrip("/") if rest.strip("/") else rest)


def match(
    place: Place, pattern: str, ignored: Ignored | None = None, visit: Callable[[int], None] = lambda _: None
) -> list[str]:
    """Return the paths that match a normal pattern and aren't ignored, in bytewise order.

    `visit` is called with the number of names that are examined. Raises `ValueError` for a malformed pattern."""
    return sorted(set(_Walk(place, pattern.split("/"), ignored, visit).paths()), key=bytewise)


def bytewise(path: str) -> bytes:
    return path.encode(errors="surrogateescape")


class _Walk:
    """A walk over the directories that can contain a match. Symlinks count as directories where the pattern enters
    them."""

    __slots__ = ("_fits", "_ignored", "_parts", "_place", "_visit")

    def __init__(
        self, place: Place, parts: list[str], ignored: Ignored | None, visit: Callable[[int], None]
    ) -> None:
        self._place = place
        self._parts = parts
        self._ignored = ignored
        self._visit = visit
        self._fits = [_component(part) for part in parts]

    def paths(self) -> Iterator[str]:
        waiting = [("", 0)]
        # Several `**` can reach the same directory more than once.
        seen = set(waiting)
        while waiting:
            directory, at = waiting.pop()
            last = at == len(self._parts) - 1
            for path, onward in self._steps(directory, at):
                if onward == len(self._parts) or (last and self._parts[at] == MANY):
                    yield path
                if onward < len(self._parts) and (path, onward) not in seen:
                    seen.add((path, onward))
                    waiting.append((path, onward))

    def _steps(self, directory: str, at: int) -> Iterator[tuple[str, int]]:
        """Yield the paths in a directory that match component `at`, each with the index of the next component."""
        part = self._parts[at]
        if part == MANY and at < len(self._parts) - 1:
            yield directory, at + 1
        fits = self._fits[at]
        names = [literal(part)] if fits is None else self._place.names(directory or ".")
        self._visit(len(names))
        for name in names:
            if fits is not None and not fits(name):
                continue
            path = f"{directory}/{name}" if directory else name
            kind = self._place.kind(path)
            if kind is None or (self._ignored is not None and self._ignored.hides(path, kind)):
                continue
            if part == MANY and kind == "dir":
                yield path, at
            elif part == MANY and at == len(self._parts) - 1:
                yield path, len(self._parts)
            elif part == MANY:
                continue
            elif kind in ("dir", "link") or at == len(self._parts) - 1:
                yield path, at + 1


def _component(part: str) -> Callable[[str], object] | None:
    """Return a predicate on names for a component, None if the component is a literal name."""
    if part == MANY:
        return lambda _: True
    wildcard.check(part)
    if not is_pattern(part):
        return None
    return re.compile(wildcard.expression(wildcard.tokens(part)), re.DOTALL).fullmatch
