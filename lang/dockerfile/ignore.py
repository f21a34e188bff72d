"""Rules of `.dockerignore`, which leaves files of a context out, as moby/patternmatcher and BuildKit apply them.

These are not gitignore's rules. A pattern is matched against the whole path from the context's root; `*`, `?`, `[…]`
and backslashes mean what they mean to Go's `filepath.Match` (see `wildcard`), and

    **/x  a/**/x    any directories, or none, before `x`
    a/**            everything inside `a`, not `a` itself
    **x             paths that end with `x`, at any depth: the same as `**/*x` (if it holds no other wildcard)
    ax**            paths that begin with `ax`: the same as `ax*`
    !pattern        an exception: files that match are kept

The last pattern that matches decides. A pattern that matches a directory matches everything below it too, but only if
it changed the verdict on the directory: an exception for a directory that is kept anyway, or a pattern for one that
is ignored already, says nothing about its contents (`*/tmp` and `!a` leave `a/tmp` ignored). A file below an ignored
directory can be kept by a later exception; keeping the directories above it is up to whoever walks the context.

A matcher is an automaton over path components that is built while it is used: the state of a directory knows which
patterns can still match inside it, so a file costs one look-up among those only, and a directory in which no
exception can match need not be read.
"""

from __future__ import annotations

from posixpath import normpath

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError
from pybuild.lang.dockerfile import wildcard
from pybuild.lang.dockerfile.characters import BYTE_ORDER_MARK, SPACES, printable
from pybuild.lang.dockerfile.pathpattern import MANY, path_matcher
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REST = "/***"
"""A last step that matches one or more components.

`MANY` is a step that matches any number of directories, even none; other steps match one component.
"""
_SLASH = "\\/"


class PatternError(SourceError, ValueError):
    """An invalid pattern; the diagnostic has the line if the pattern came from a file."""


class Pattern:
    """A pattern: `steps` over path components, or the items of a `path_matcher` over the whole path.

    A step is `MANY`, `REST`, a literal component (`literal` is true at its index) or a regular expression. Any step
    from index `final` on may be the last to match.
    """

    __slots__ = ("exception", "final", "literal", "path", "steps")

    def __init__(self, text: str) -> None:
        self.exception = text.startswith("!")
        self.steps: list[str] = []
        self.literal: list[bool] = []
        self.path: list[str] | None = None
        self.final = 0
        _compile(self, text[1:] if self.exception else text)


def read_patterns(text: str, name: str = ".dockerignore") -> list[str]:
    """Return the normalised patterns of an ignore file. Raises PatternError with the file's name and line.

    A line that starts with `#` is a comment, a byte-order mark at the start is skipped. White space around a pattern
    and after `!` is dropped, as are leading slashes; `.` and `..` are resolved.
    """
    source = Source(name, text)
    out = []
    for number, line in enumerate(text.removeprefix(BYTE_ORDER_MARK).split("\n"), 1):
        written = line.strip(SPACES)
        if not written or line.startswith("#"):
            continue
        mark = "!" if written.startswith("!") else ""
        try:
            out.append(_normal(mark + _root_relative(written.removeprefix("!").strip(SPACES))))
        except ValueError as error:
            column = source.line(number).find(written) + 1
            span = Span(source, number, column, number, column + len(written))
            raise _pattern_error(written, str(error), span) from None
    return out


class Matcher:
    """Matches paths against patterns. Raises PatternError. Not safe for use by several threads."""

    __slots__ = ("_levels", "_loose", "exceptions", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns: list[Pattern] = []
        for text in patterns:
            if not text.strip(SPACES):
                continue
            try:
                self.patterns.append(Pattern(_normal(text)))
            except ValueError as error:
                raise _pattern_error(text, str(error), None) from None
        self.exceptions = [pattern.exception for pattern in self.patterns]
        self._levels: dict[frozenset[tuple[int, int]], _Level] = {}
        self._loose = _loose(self.patterns)

    def root(self) -> State:
        """Return the state of the context's root, which is never ignored itself."""
        start = ((index, 0) for index, pattern in enumerate(self.patterns) if pattern.path is None)
        return State(self, "", -1, self._level(start))

    def matches(self, path: str) -> bool:
        """True if the file or directory at `path` (relative, slash separated, clean) is ignored."""
        if path in ("", "."):
            return False
        state = self.root()
        *parents, name = path.split("/")
        for parent in parents:
            state = state.enter(parent)
        return state.ignores(name)

    def may_have_exceptions_below(self, path: str) -> bool:
        """True if something inside the directory at `path` could be kept although the directory is ignored."""
        state = self.root()
        for name in path.split("/") if path not in ("", ".") else ():
            state = state.enter(name)
        return state.exceptions_below

    def _level(self, positions: Iterable[tuple[int, int]]) -> _Level:
        """Return the level of these positions (pattern, step) and of those reachable without consuming a
        component."""
        closed = set()
        for index, step in positions:
            closed.add((index, step))
            while self.patterns[index].steps[step] == MANY:
                step += 1
                closed.add((index, step))
        key = frozenset(closed)
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = _Level(self.patterns, sorted(closed, reverse=True))
        return level


class State:
    """The state of the automaton in a directory; `ignored` tells whether the directory itself is ignored."""

    __slots__ = ("_find", "_last", "_level", "_matcher", "_prefix", "ignored")

    def __init__(self, matcher: Matcher, prefix: str, last: int, level: _Level) -> None:
        self._matcher = matcher
        self._prefix = prefix
        self._last = last
        self._level = level
        self._find = level.find
        self.ignored = last >= 0 and not matcher.exceptions[last]

    def ignores(self, name: str) -> bool:
        """True if `name` in this directory is ignored, regardless of what may be kept below it."""
        if self._find is None and not self._matcher._loose:
            return self.ignored
        last = self._decide(name)
        return last >= 0 and not self._matcher.exceptions[last]

    def enter(self, name: str) -> State:
        """Return the state of the subdirectory `name`."""
        matcher = self._matcher
        last = self._inherited(name)
        onward = self._level.onward(name, last)
        prefix = f"{self._prefix}{name}/" if matcher._loose else ""
        return State(matcher, prefix, last, matcher._level(onward))

    @property
    def exceptions_below(self) -> bool:
        """True if an exception after the deciding pattern could match something in this directory."""
        return self._level.excepts or any(
            index > self._last and self._matcher.exceptions[index] for index, _ in self._matcher._loose
        )

    @property
    def unmatched(self) -> bool:
        """True if neither this directory nor anything below it can be ignored."""
        return not (self.ignored or self._level.positions or self._matcher._loose)

    @property
    def prunable(self) -> bool:
        """True if this directory and everything below it is ignored, so that it need not be read."""
        return self.ignored and not self.exceptions_below

    def _decide(self, name: str) -> int:
        """Return the index of the pattern that decides about `name` in this directory; -1 if none does."""
        last = self._last
        if self._find is not None:
            last = max(last, self._find(name))
        for index, matches in self._matcher._loose:
            if index <= last:
                break
            if matches(self._prefix + name):
                return index
        return last

    def _inherited(self, name: str) -> int:
        """Return the index of the pattern that decides about the contents of the directory `name` unless another
        matches there.

        It is the last pattern that changed the verdict on the directory.
        """
        hits = self._level.ends(name)
        hits += [index for index, matches in self._matcher._loose if matches(self._prefix + name)]
        last, ignored = self._last, self.ignored
        for index in sorted(hits):
            if index > last and self._matcher.exceptions[index] == ignored:
                last, ignored = index, not ignored
        return last


class _Level:
    """The patterns that can match the entries of a directory, as positions (pattern, step), the last pattern first.

    `find(name)` returns the last pattern that ends at `name`, or -1; it is None if no pattern can end here. `excepts`
    is true if an exception is among the patterns.
    """

    __slots__ = ("_patterns", "excepts", "find", "positions")

    def __init__(self, patterns: list[Pattern], positions: list[tuple[int, int]]) -> None:
        self._patterns = patterns
        self.positions = positions
        self.excepts = any(patterns[index].exception for index, _ in positions)
        self.find = self._finder()

    def onward(self, name: str, last: int) -> list[tuple[int, int]]:
        """Return the positions in the directory `name` of the patterns after index `last`; earlier ones can't decide
        there."""
        out = []
        for index, step in self.positions:
            if index <= last:
                break
            pattern = self._patterns[index]
            if pattern.steps[step] in (MANY, REST):
                out.append((index, step))
            elif step + 1 < len(pattern.steps) and _component_matches(pattern, step, name):
                out.append((index, step + 1))
        return out

    def ends(self, name: str) -> list[int]:
        """Return the patterns that end at `name`."""
        if self.find is None:
            return []
        patterns = self._patterns
        return [
            index
            for index, step in self.positions
            if step >= patterns[index].final and _component_matches(patterns[index], step, name)
        ]

    def _finder(self) -> Callable[[str], int] | None:
        floor = -1
        names: dict[str, int] = {}
        wild: list[tuple[int, str]] = []
        for index, step in self.positions:
            pattern = self._patterns[index]
            if step < pattern.final:
                continue
            if pattern.steps[step] == REST:
                floor = index
                break
            if pattern.literal[step]:
                names.setdefault(pattern.steps[step], index)
            else:
                wild.append((index, pattern.steps[step]))
        if not wild:
            if not names:
                return (lambda _: floor) if floor >= 0 else None
            return lambda name: names.get(name, floor)
        import re

        numbers = [index for index, _ in wild]
        # Positions are sorted last pattern first, so the first alternative that matches is the last pattern.
        first = re.compile("|".join(f"({text})" for _, text in wild), re.DOTALL).fullmatch

        def find(name: str) -> int:
            match = first(name)
            best = numbers[match.lastindex - 1] if match and match.lastindex else floor
            exact = names.get(name, floor)
            return best if best > exact else exact

        return find


def _component_matches(pattern: Pattern, step: int, name: str) -> bool:
    if pattern.literal[step]:
        return pattern.steps[step] == name
    if pattern.steps[step] == REST:
        return True
    import re

    return re.compile(pattern.steps[step], re.DOTALL).fullmatch(name) is not None


def _loose(patterns: list[Pattern]) -> list[tuple[int, Callable[[str], object]]]:
    """Return matchers for the patterns that need the whole path, the last pattern first."""
    out: list[tuple[int, Callable[[str], object]]] = []
    for index, pattern in enumerate(patterns):
        if pattern.path is not None:
            out.append((index, path_matcher(pattern.path)))
    return out[::-1]


def _compile(pattern: Pattern, text: str) -> None:
    """Set the pattern's steps, or its items if steps can't express it.

    Steps can't express a class that may match a slash, nor a `**` that follows something in its component without
    ending the pattern: there it also matches nothing, and takes a slash after it along (`a**/b` matches `ab`).
    """
    items = _items(wildcard.tokens(text))
    if any(map(wildcard.crosses, items)):
        pattern.path = items
        return
    component: list[str] = []
    for number, item in enumerate(items):
        if item == _SLASH:
            _add_component(pattern, component)
            component = []
        elif item != MANY:
            component.append(item)
        elif number + 1 == len(items):
            component.append(wildcard.STAR if component else REST)
        elif component:
            pattern.path = items
            return
        elif pattern.steps[-1:] != [MANY]:
            pattern.steps.append(MANY)
            pattern.literal.append(False)
            # A leading `**x` matches all names that end with `x`.
            if number == 0 and text[2] != "/" and not any(ch in "*?[]\\" for ch in text[2:]):
                component.append(wildcard.STAR)
    _add_component(pattern, component)
    pattern.final = len(pattern.steps) - 1
    # A trailing `ax**` matches everything below a match as well.
    if items[-1] == MANY and component != [REST]:
        _add_component(pattern, [REST])


def _items(tokens: list[str]) -> list[str]:
    """Replace two stars, and a slash after them, by `MANY`."""
    items: list[str] = []
    pos = 0
    while pos < len(tokens):
        if tokens[pos : pos + 2] == [wildcard.STAR, wildcard.STAR]:
            items.append(MANY)
            pos += 3 if tokens[pos + 2 : pos + 3] == [_SLASH] else 2
        else:
            items.append(tokens[pos])
            pos += 1
    return items


def _add_component(pattern: Pattern, component: list[str]) -> None:
    if component == [REST]:
        pattern.steps.append(REST)
        pattern.literal.append(False)
        return
    literal = all(item != wildcard.STAR and not item.startswith(("[", "(")) for item in component)
    text = "".join(item[-1] for item in component)
    pattern.steps.append(text if literal else wildcard.expression(component, star=".*"))
    pattern.literal.append(literal)


def _root_relative(text: str) -> str:
    text = _cleaned(text) if text else ""
    return text[1:] if len(text) > 1 and text.startswith("/") else text


def _cleaned(text: str) -> str:
    """Return the shortest path of the same meaning, like Go's `filepath.Clean`."""
    clean = normpath(text)
    return clean[1:] if clean.startswith("//") else clean


def _normal(text: str) -> str:
    """Return the normalised pattern. Raises ValueError."""
    text = _cleaned(text.strip(SPACES))
    if text == "!":
        raise ValueError("there is no pattern after the '!'")
    wildcard.check(text.removeprefix("!"))
    return text


def _pattern_error(text: str, reason: str, span: Span | None) -> PatternError:
    return PatternError(
        Diagnostic(
            f"bad ignore pattern '{printable(text)}'",
            labels=[Label(span, reason)] if span else (),
            notes=[
                *([] if span else [("note", reason)]),
                ("help", "a backslash makes '*', '?', '[' and '\\' plain characters"),
            ],
        )
    )
