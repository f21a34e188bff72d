"""What an expansion is asked for, and what it may ask of the world."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from pybuild.lang.recipe import Given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

DEFAULT: Final = "default"  # what `default` names
TESTS: Final = "tests"  # all tests
EVERYTHING: Final = "everything"  # every target and test whose params are all set


class World(Protocol):
    """What the outside says during an expansion; each answer is an input of the compile."""

    def vcs(self, name: str) -> str | bool | int:
        """A member of `vcs` of the project's repository: `"unknown"`, False or 0 outside of one."""

    def may_read(self, path: str) -> bool:
        """Whether `--allow read=PATH` covers an absolute path outside the project."""


@frozen
class ExpandOptions:
    """`wanted` are selections as on the command line (`NAME`, `NAME[axis=value,…]`), or one of the words above.

    `params` are values for the root file's params, as text, each with where it is from. `platforms` replaces the
    `on` lists of what is requested; () keeps them, and without one there it is `build_platform`. `project` is the
    absolute directory that outputs must not leave, `directory` the root file's, which they are relative to."""

    project: str
    directory: str
    build_platform: str
    wanted: tuple[str, ...] | str = DEFAULT
    params: Mapping[str, Given] = field(factory=dict)
    platforms: tuple[str, ...] = ()
