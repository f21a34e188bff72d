r"""Which files of a context `.dockerignore` leaves out, by the rules BuildKit takes from moby/patternmatcher.

These are not gitignore's rules. A pattern is matched against the whole path from the context's root; `*`, `?`,
`[…]` and backslashes mean what they mean to Go's `filepath.Match` (see `wildcard`), and

    **/x  a/**/x    any directories, or none, before `x`
    a/**            everything inside `a`, not `a` itself
    **x             what ends with `x`, at any depth: the same as `**/*x` (if it holds no other wildcard)
    ax**            what begins with `ax`: the same as `ax*`
    !pattern        an exception: what matches is kept

A pattern that matches a directory matches all that is below it. The last pattern that matches decides. So a
file below an ignored directory can be kept by a later exception.

A matcher is an automaton over path components that is built while it is used: the state of a directory knows
which patterns can still match inside it, so a file costs one look-up among those only, and a directory in
which no exception can match need not be read.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError
from pybuild.lang.dockerfile import wildcard
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MANY = "**"
"""A step that takes any number of directories, none too. Other steps take one component."""
REST = "***"
"""A last step that takes everything below."""


class PatternError(SourceError, ValueError):
    """A pattern that can't be read; the diagnostic has the line if it came from a file."""


class Pattern:
    """One pattern: `steps` over path components, or one regular expression over the whole path.

    A step is `MANY`, `REST`, a literal component (`literal` is true at its place), or a regular expression.
    """

    __slots__ = ("exception", "literal", "path", "steps")

    def __init__(self, text: str) -> None:
        self.exception = text.startswith("!")
        self.steps: list[str] = []
        self.literal: list[bool] = []
        self.path: str | None = None
        _compile(self, text[1:] if self.exception else text)


def read_patterns(text: str, name: str = ".dockerignore") -> list[str]:
    """The patterns of an ignore file's text, cleaned. Raises `PatternError` with the file's name and the line.

    A line that starts with `#` is a comment, a byte-order mark at the start is skipped. White space around a
    pattern and after `!` is dropped, as are leading slashes; `.` and `..` are resolved.
    """
    source = Source(name, text)
    out = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        mark = "!" if pattern.startswith("!") else ""
        pattern = pattern.removeprefix("!").strip()
        try:
            pattern = mark + _root_relative(pattern)
            _checked(pattern)
        except ValueError as error:
            column = source.line(number).find(line.strip()) + 1
            span = Span(source, number, column, number, column + len(line.strip()))
            raise _pattern_error(line.strip(), str(error), span) from None
        out.append(pattern)
    return out


class Matcher:
    """Patterns, ready to be asked. Raises `PatternError`. Not to be shared by threads."""

    __slots__ = ("_levels", "_loose", "exceptions", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns: list[Pattern] = []
        for text in patterns:
            text = text.strip()
            if not text:
                continue
            try:
                text = _cleaned(text)
                _checked(text)
            except ValueError as error:
                raise _pattern_error(text, str(error), None) from None
            self.patterns.append(Pattern(text))
        self.exceptions = [pattern.exception for pattern in self.patterns]
        self._levels: dict[frozenset[tuple[int, int]], _Level] = {}
        self._loose = _loose(self.patterns)

    def root(self) -> State:
        """The state of the context's root, which is never ignored itself."""
        start = ((index, 0) for index, pattern in enumerate(self.patterns) if pattern.path is None)
        return State(self, "", -1, self._level(start))

    def matches(self, path: str) -> bool:
        """Whether the file or directory at `path` (relative, slash separated, clean) is ignored."""
        if path in ("", "."):
            return False
        state = self.root()
        *parents, name = path.split("/")
        for parent in parents:
            state = state.enter(parent)
        return state.ignores(name)

    def may_have_exceptions_below(self, path: str) -> bool:
        """Whether something inside the directory at `path` could be kept though the directory is ignored."""
        state = self.root()
        for name in path.split("/") if path not in ("", ".") else ():
            state = state.enter(name)
        return state.exceptions_below

    def _level(self, positions: Iterable[tuple[int, int]]) -> _Level:
        """The level of these positions (pattern, step) and those reached from them without a component."""
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
    """A directory on the way down: `ignored` says whether it is itself ignored."""

    __slots__ = ("_find", "_last", "_level", "_matcher", "_prefix", "_verdict", "ignored")

    def __init__(self, matcher: Matcher, prefix: str, last: int, level: _Level) -> None:
        self._matcher = matcher
        self._prefix = prefix
        self._last = last
        self._level = level
        self._find = level.find
        self.ignored = last >= 0 and not matcher.exceptions[last]

    def ignores(self, name: str) -> bool:
        """Whether `name` in this directory is ignored, without regard to what may be kept below it."""
        if self._find is None and not self._matcher._loose:
            return self.ignored
        last = self._decide(name)
        return last >= 0 and not self._matcher.exceptions[last]

    def enter(self, name: str) -> State:
        """The state of the directory `name` in this one."""
        matcher = self._matcher
        last = self._decide(name)
        onward = self._level.onward(name, last)
        prefix = f"{self._prefix}{name}/" if matcher._loose else ""
        return State(matcher, prefix, last, matcher._level(onward))

    @property
    def exceptions_below(self) -> bool:
        """Whether an exception that comes after the deciding pattern could match something in here."""
        return self._level.excepts or any(
            index > self._last and self._matcher.exceptions[index] for index, _ in self._matcher._loose
        )

    @property
    def prunable(self) -> bool:
        """Whether this directory and everything below it is ignored, so that it need not be read."""
        return self.ignored and not self.exceptions_below

    def _decide(self, name: str) -> int:
        """The number of the last pattern that matches `name` in here or a directory above it; -1: none."""
        last = self._last
        if self._find is not None:
            last = max(last, self._find(name))
        for index, matches in self._matcher._loose:
            if index <= last:
                break
            if matches(self._prefix + name):
                return index
        return last


class _Level:
    """What can match the entries of a directory: positions (pattern, step), the last pattern first.

    `find(name)` is the last pattern that ends at `name`, or -1; None if none can. `excepts`: an exception is
    among the patterns.
    """

    __slots__ = ("_patterns", "_positions", "excepts", "find")

    def __init__(self, patterns: list[Pattern], positions: list[tuple[int, int]]) -> None:
        self._patterns = patterns
        self._positions = positions
        self.excepts = any(patterns[index].exception for index, _ in positions)
        self.find = self._finder()

    def onward(self, name: str, last: int) -> list[tuple[int, int]]:
        """Positions in the directory `name`, of the patterns after number `last`: no other can decide."""
        out = []
        for index, step in self._positions:
            if index <= last:
                break
            pattern = self._patterns[index]
            if pattern.steps[step] == MANY:
                out.append((index, step))
            elif step + 1 < len(pattern.steps) and _component_matches(pattern, step, name):
                out.append((index, step + 1))
        return out

    def _finder(self) -> Callable[[str], int] | None:
        floor = -1
        names: dict[str, int] = {}
        wild: list[tuple[int, str]] = []
        for index, step in self._positions:
            pattern = self._patterns[index]
            if step + 1 < len(pattern.steps):
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
        first = re.compile("|".join(f"({text})" for _, text in wild), re.DOTALL).fullmatch

        def find(name: str) -> int:
            found = first(name)
            best = numbers[found.lastindex - 1] if found and found.lastindex else floor
            exact = names.get(name, floor)
            return best if best > exact else exact

        return find


def _component_matches(pattern: Pattern, step: int, name: str) -> bool:
    if pattern.literal[step]:
        return pattern.steps[step] == name
    import re

    return re.compile(pattern.steps[step], re.DOTALL).fullmatch(name) is not None


def _loose(patterns: list[Pattern]) -> list[tuple[int, Callable[[str], object]]]:
    """Patterns that need the whole path, the last one first."""
    out: list[tuple[int, Callable[[str], object]]] = []
    for index, pattern in enumerate(patterns):
        if pattern.path is not None:
            import re

            out.append((index, re.compile(pattern.path, re.DOTALL).fullmatch))
    return out[::-1]


def _compile(pattern: Pattern, text: str) -> None:
    """Fill in the pattern's steps, or its path expression where steps can't say it.

    Steps can't where a class may match a slash, and where `**` follows something in its component without
    ending the pattern: there it also matches nothing, taking a slash after it along (`a**/b` matches `ab`).
    """
    pieces = text.split("**")
    parts = [wildcard.tokens(piece) for piece in _unescaped(pieces)]
    plain_end = len(parts) == 2 and not parts[0] and not any(ch in text[2:] for ch in "*?[]\\")
    if any(wildcard.crosses(token) for part in parts for token in part):
        pattern.path = _path_expression(parts)
        return
    raise NotImplementedError(plain_end)
