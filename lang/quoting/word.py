"""The word that is being read."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=")


class Word:
    """The state of a word.

    `start` is its offset, -1 before its first part; `parts` the number of its parts; `literal` says that all of
    them are plain text; `slots` are the indexes of its places. `braces` and `tilde` say that one is open;
    `brackets` counts open brackets, which are an array's if `subscript`; `bracketed` says that a bracket has
    occurred."""

    __slots__ = (
        "_target",
        "braces",
        "bracketed",
        "brackets",
        "literal",
        "parts",
        "slots",
        "start",
        "subscript",
        "tilde",
    )

    def __init__(self) -> None:
        self.start = -1
        self.parts = 0
        self.literal = True
        self.slots: list[int] = []
        self.brackets = 0
        self._target: str | None = None
        self.braces = self.tilde = self.bracketed = self.subscript = False

    def add(self, at: int, *, literal: bool = True) -> None:
        """Add a part that starts at `at`."""
        if self.start < 0:
            self.start = at
        self.parts += 1
        self.literal = self.literal and literal

    def target(self, text: str, at: int) -> str:
        """Return the variable of an assignment that ends at or before `at`, "" if the word is none.

        The first call, at the word's first slot, decides."""
        if self._target is None:
            match = _ASSIGNMENT.match(text, self.start, at) if self.start >= 0 else None
            self._target = match[1] if match else ""
        return self._target

    def special(self, text: str, at: int, *, item: bool) -> None:
        """Add one of `~`, `{`, `[` and `]`. `item` says that the word is an item of an array."""
        self.add(at)
        match text[at]:
            case "~":
                self.tilde = True
            case "{":
                self.braces = True
            case "[":
                if not self.bracketed:
                    self.subscript = self._follows_name(text, at) or (item and self.start == at)
                self.bracketed = True
                self.brackets += 1
            case _:
                self.brackets -= self.brackets > 0
                self.subscript = self.subscript and self.brackets > 0

    def _follows_name(self, text: str, at: int) -> bool:
        match = _NAME.match(text, self.start, at)
        return match is not None and match.end() == at
