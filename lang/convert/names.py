"""Makes names of targets from names of stages."""

from __future__ import annotations

import re

from pybuild.lang.textual.builtins import HARD_KEYWORDS, VALUES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = HARD_KEYWORDS | VALUES.keys()


class Names:
    """Names in use. A new one gets a number at its end if it is taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> None:
        """Reserve a name that can't change."""
        self._taken.add(name)

    def target(self, stage: str, number: int, *, last: bool) -> str:
        """Return the name of the target for a stage, which may have no name."""
        name = stage or ("image" if last else f"stage_{number}")
        name = re.sub(r"[^A-Za-z0-9_]", "_", name).lstrip("_") or f"stage_{number}"
        if name[0].isdigit():
            name = f"stage_{name}"
        return self.new(name)

    def new(self, base: str) -> str:
        """Reserve and return the name, or one with a number."""
        name, number = base, 2
        while name in self._taken or name in _RESERVED:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name


def is_param(name: str) -> bool:
    """True if an argument can be a param of the same name."""
    return IDENTIFIER.fullmatch(name) is not None and name not in _RESERVED
