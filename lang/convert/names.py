"""Names of stages as names of targets."""

from __future__ import annotations

import re

from pybuild.lang.textual.builtins import HARD_KEYWORDS, VALUES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = HARD_KEYWORDS | VALUES.keys()


class Names:
    """Names that are taken. Each new one is told apart from them by a number at its end."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> None:
        """Keep a name that is what it is."""
        self._taken.add(name)

    def target(self, stage: str, number: int, *, last: bool) -> str:
        """The name of the target for a stage, which may have none."""
        wanted = stage or ("image" if last else f"stage_{number}")
        wanted = re.sub(r"[^A-Za-z0-9_]", "_", wanted).lstrip("_") or f"stage_{number}"
        if wanted[0].isdigit():
            wanted = f"stage_{wanted}"
        return self.new(wanted)

    def new(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._taken or name in _RESERVED:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name


def is_param(name: str) -> bool:
    """Whether an argument can be a param of the same name."""
    return IDENTIFIER.fullmatch(name) is not None and name not in _RESERVED
