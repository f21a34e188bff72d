"""Modules: the files of one compile, how they are found, and what each sees of the world.

A `Library` finds the text that a `use` names; a `Place` is what a module sees of its own files. Both are the front
door's: nothing here reads anything.
"""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen

from pybuild.lang import recipe
from pybuild.lang.source import Source
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.expand.values import Value

ROOT: Final = "root"  # the file that was named
PROJECT: Final = "project"  # a file of the same project
STANDARD: Final = "standard"  # of the standard library
FOREIGN: Final = "foreign"  # from anywhere else


class Place(Protocol):
    """The directory of a module: what `context`, `read`, `glob` and relative paths mean in it.

    Paths are relative to it, `/` between components, `.` for itself. They must not leave it."""

    def state(self, ignore: tuple[str, ...]) -> recipe.State:
        """The context, without what matches `ignore` (patterns of the file's `ignore`) or its .dockerignore."""

    def ignores(self) -> tuple[str, ...]:
        """The patterns of its .dockerignore, none where there is none."""

    def kind(self, path: str) -> str | None:
        """`file`, `dir`, `link` or `other`; None if nothing is there. Links above the last component are followed
        inside the directory."""

    def names(self, path: str) -> list[str]:
        """Names in a directory, in bytewise order; [] if it is none."""

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError, OSError; UserError if it is too large."""

    def absolute(self, path: str) -> str | None:
        """Where a path lies on this machine, for a symlink that leads out of the directory its target; None for a
        module that isn't there as files."""


class Library(Protocol):
    """Finds modules. `find` raises `NotFound` or `UserError`."""

    def find(self, use: tree.Use, importer: Module) -> Found:
        """The module that a `use` of `importer` names."""


class Recorded(Protocol):
    """What stands behind a root module that a program wrote: bodies, which it writes when they are asked for, and
    what it asked the world for meanwhile, by name."""

    @property
    def asked(self) -> Mapping[str, str]: ...

    @property
    def reads(self) -> Mapping[str, str]: ...

    @property
    def warnings(self) -> Sequence[Diagnostic]:
        """What is rarely meant in the bodies that were asked for."""

    def body(
        self, decl: tree.Target | tree.Def, names: Mapping[str, Value], platform: str
    ) -> tuple[tree.Stmt, ...]:
        """The statements of an instance of a target, or of a state function with its arguments. Raises
        SourceError."""


class NotFound(Exception):
    """No module: `code` is E0801 to E0804, the rest is said to the user. `near` is a name that is meant, perhaps."""

    def __init__(self, code: str, title: str, *, label: str = "", help: str = "", near: str = "") -> None:
        super().__init__(title)
        self.code = code
        self.title = title
        self.label = label
        self.help = help
        self.near = near


@frozen(eq=False)
class Found:
    """A module's text. `key` is the same for the same file at the same version. `moving`: a branch (W0801)."""

    key: str
    origin: str
    source: Source
    place: Place
    moving: bool = False
    recorded: Recorded | None = None


@frozen(eq=False)
class Module:
    """A parsed module. The file of a `recorded` one has no bodies. `uses` maps the names of its `use` declarations to
    module keys, without those that were not found."""

    key: str
    origin: str
    file: tree.File
    place: Place
    uses: Mapping[str, str] = field(factory=dict)
    recorded: Recorded | None = None


@frozen(eq=False)
class Program:
    """The root module and all that it uses, by key, in an order in which a module comes after those it uses."""

    root: Module
    modules: Mapping[str, Module]
