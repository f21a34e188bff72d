"""Ignore patterns that only the whole path decides, as items: `MANY`, `wildcard.STAR`, or an expression for one
character. As in Go's regular expressions every way to match counts, and finding one takes no more than the product
of the two lengths."""

from __future__ import annotations

from pybuild.lang.dockerfile import wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MANY = "/**"
"""Any directories, none too; as the last item anything at all."""
_FEW = 2
"""With so many items of any length, trying one way after the other costs no more than the square of the path."""


def path_matcher(items: Sequence[str]) -> Callable[[str], object]:
    """Tells whether a path matches the items."""
    if sum(item in (MANY, wildcard.STAR) for item in items) > _FEW:
        return _Automaton(items).matches
    import re

    return re.compile(_expression(items), re.DOTALL).fullmatch


def _expression(items: Sequence[str]) -> str:
    special = {MANY: "(?:.*/)?", wildcard.STAR: "[^/]*"}
    body = "".join(special.get(item, item) for item in items[:-1])
    return body + (".*" if items[-1] == MANY else special.get(items[-1], items[-1]))


class _Automaton:
    """Follows all ways at once. State `n` stands before item `n`, state `~n` inside a `MANY` that is item `n`."""

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
        """The state and those that need no character more."""
        yield state
        while 0 <= state < len(self._items) and self._items[state] in (MANY, wildcard.STAR):
            if self._items[state] == MANY:
                yield ~state
            state += 1
            yield state

    def _after(self, state: int, char: str) -> Iterator[int]:
        """The states that follow a character."""
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
        found = self._fits.get((item, char))
        if found is None:
            import re

            found = self._fits[item, char] = re.fullmatch(item, char, re.DOTALL) is not None
        return found
