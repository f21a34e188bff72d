"""The options of an expansion, and its interface to the world outside."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from pybuild.lang.recipe import ParamSetting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

DEFAULT: Final = "default"  # what `default` names
TESTS: Final = "tests"  # all tests
EVERYTHING: Final = "everything"  # every target and test whose params are all set


class World(Protocol):
    """The outside world. Each answer is an input of the compile."""

    def vcs(self, name: str) -> str | bool | int:
        """Return a member of `vcs` for the project's repository: `"unknown"`, False or 0 without one."""

    def may_read(self, path: str) -> bool:
        """Tell whether `--allow read=PATH` covers an absolute path outside the project."""


@frozen
class ExpandOptions:
    """The options of an expansion.

    `wanted` are selections as on the command line (`NAME`, `NAME[axis=value,…]`), or one of the words above.
    `params` are textual values for the root file's params. `platforms` replaces the `on` lists of requested
    targets; () keeps them, and a target without one is built for `build_platform`. `project` is the absolute
    directory that outputs must not leave; `directory` is the root file's, to which they are relative."""

    project: str
    directory: str
    build_platform: str
    wanted: tuple[str, ...] | str = DEFAULT
    params: Mapping[str, ParamSetting] = field(factory=dict)
    platforms: tuple[str, ...] = ()
