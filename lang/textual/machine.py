"""The LALR stack machine that runs the tables of grammar.lark. Nothing in it recurses."""

from __future__ import annotations

from pybuild.lang.textual.tables import ACTIONS, END, GOTOS, RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Build = Callable[[list[Any]], Any]
    Saved = tuple[list[int], list[Any], list[int]]


class TooDeep(Exception):
    """An expression that nests deeper than the machine's limit. `parts` are the parts of the innermost value that
    exceeds it."""

    def __init__(self, parts: list[Any]) -> None:
        super().__init__()
        self.parts = parts


class Machine:
    """A parser that takes tokens and builds values.

    `builders` are by the names in the tables. `growing` names the builders whose value is one level deeper than
    its parts, `closing` those whose value counts as flat. `limit` is the deepest nesting."""

    __slots__ = ("_builds", "_depths", "_jumps", "_limit", "_states", "_values")

    def __init__(
        self, builders: Mapping[str, Build], growing: frozenset[str], closing: frozenset[str], limit: int
    ) -> None:
        self._states = [0]
        self._values: list[Any] = []
        self._depths: list[int] = []
        self._limit = limit
        self._builds = [
            (
                origin,
                size,
                builders[name] if name else None,
                # `-limit` makes any depth at most 0.
                1 if name in growing else -limit if name in closing else 0,
            )
            for origin, size, name in RULES
        ]
        self._jumps: dict[tuple[int, str, str], int] = {}

    def save(self) -> Saved:
        return self._states.copy(), self._values.copy(), self._depths.copy()

    def restore(self, saved: Saved) -> None:
        self._states, self._values, self._depths = (part.copy() for part in saved)

    def accepts(self, kind: str) -> bool:
        """Tell whether the current state takes a token of this kind."""
        return kind in ACTIONS[self._states[-1]]

    @property
    def states(self) -> Sequence[int]:
        return self._states

    def feed(self, kinds: Sequence[str], values: Sequence[Any]) -> int:
        """Take tokens. Returns the index of the first one that isn't allowed at its place, -1 if all are. Raises
        TooDeep."""
        states, stack, depths = self._states, self._values, self._depths
        for index, kind in enumerate(kinds):
            while True:
                # Reduce until the token can be shifted.
                action = ACTIONS[states[-1]].get(kind)
                if action is None:
                    return index
                if action >= 0:
                    states.append(action)
                    stack.append(values[index])
                    depths.append(0)
                    break
                self._reduce(~action, kind)
        return -1

    def _reduce(self, rule: int, kind: str) -> None:
        states, stack, depths = self._states, self._values, self._depths
        origin, size, build, deeper = self._builds[rule]
        # The only part of such a rule is its value, and stays on the stack.
        if build is None:
            del states[-1]
        elif size:
            parts = stack[-size:]
            depth = max(depths[-size:]) + deeper
            if depth > self._limit:
                raise TooDeep(parts)
            del states[-size:], stack[-size:], depths[-size:]
            stack.append(build(parts))
            depths.append(max(depth, 0))
        else:
            stack.append(build([]))
            depths.append(0)
        states.append(self._goto(states[-1], origin, kind))

    def _goto(self, state: int, origin: str, kind: str) -> int:
        """Return the state for `origin` after `state`, with all reductions before `kind` done that merely pass the
        value on."""
        # Chains such as expr, or_expr, and_expr, … are most of all reductions, so their ends are kept.
        key = (state, origin, kind)
        target = self._jumps.get(key)
        if target is None:
            target = GOTOS[state][origin]
            while (action := ACTIONS[target].get(kind, 0)) < 0 and self._builds[~action][2] is None:
                target = GOTOS[state][self._builds[~action][0]]
            self._jumps[key] = target
        return target

    def finish(self) -> Any:
        """Reduce to the value of the whole text after its last token. The machine must be between declarations."""
        while self._states[-1] != END:
            self._reduce(~ACTIONS[self._states[-1]]["$END"], "$END")
        return self._values[-1]
