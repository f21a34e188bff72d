"""Matches ignore patterns that have to see the whole path.

A pattern is a list of items: `MANY`, `wildcard.STAR`, or an expression for one character. As in Go's regular
expressions every way to match counts, and the time is at most the product of the two lengths.
"""

from __future__ import annotations

from pybuild.lang.dockerfile import wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANY = "/**"
"""Matches any directories, even none; as the last item, any text."""
_FEW = 2
"""Up to this many items of any length a backtracking regular expression is used: its time is at most quadratic."""


def path_matcher(items: Sequence[str]) -> Callable[[str], object]:
    """Return a function that tells whether a path matches the items."""
    if sum(item in (MANY, wildcard.STAR) for item in items) > _FEW:
        return _Automaton(items).matches
    import re

    return re.compile(_expression(items), re.DOTALL).fullmatch


def _expression(items: Sequence[str]) -> str:
    special = {MANY: "(?:.*/)?", wildcard.STAR: "[^/]*"}
    body = "".join(special.get(item, item) for item in items[:-1])
    return body + (".*" if items[-1] == MANY else special.get(items[-1], items[-1]))


class _Automaton:
    """Follows all ways to match at once. State `n` is before item `n`, state `~n` inside the `MANY` that is item
    `n`."""

    def __init__(self, items: Sequence[str]) -> None:
        self._items = items
        self._fits: dict[tuple[str, str], bool] = {}

    def matches(self, path: str) -> bool:
        states = set(self._reached(0))
        for char in path:
            onward: set[int] = set()
            for state in states:
                for reached in self._after(state, char):
                    if reached not in onward:
                        onward.update(self._reached(reached))
            states = onward
        last = len(self._items)
        return last in states or (self._items[-1] == MANY and ~(last - 1) in states)

    def _reached(self, state: int) -> Iterator[int]:
        """Yield the state and those reachable without another character."""
        yield state
        while 0 <= state < len(self._items) and self._items[state] in (MANY, wildcard.STAR):
            if self._items[state] == MANY:
                yield ~state
            state += 1
            yield state

    def _after(self, state: int, char: str) -> Iterator[int]:
        """Yield the states after a character."""
        if state < 0:
            yield state
            if char == "/":
                yield ~state + 1
        elif state < len(self._items):
            item = self._items[state]
            if item == wildcard.STAR:
                if char != "/":
                    yield state
            elif item != MANY and self._fit(item, char):
                yield state + 1

    def _fit(self, item: str, char: str) -> bool:
        fits = self._fits.get((item, char))
        if fits is None:
            import re

            fits = self._fits[item, char] = re.fullmatch(item, char, re.DOTALL) is not None
        return fits
