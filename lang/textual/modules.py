"""Modules: the files of one compile, how they are found, and their access to files.

A `Library` finds the text that a `use` names; a `Place` gives a module access to its own files. Both are protocols
that the front door implements; nothing here does I/O.
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
    """The directory of a module: the base of `context`, `read`, `glob` and relative paths in it.

    Paths are relative to it, with `/` between components and `.` for itself. They must not leave it."""

    def state(self, ignore: tuple[str, ...]) -> recipe.State:
        """Return the context, without files that match `ignore` (the patterns of the file's `ignore`) or its
        .dockerignore."""

    def ignores(self) -> tuple[str, ...]:
        """Return the patterns of the directory's .dockerignore, none if there is no such file."""

    def kind(self, path: str) -> str | None:
        """Return `file`, `dir`, `link` or `other`, None if nothing is there.

        Symlinks above the last component are followed inside the directory."""

    def names(self, path: str) -> list[str]:
        """Return the names in a directory in bytewise order, [] if it isn't a directory."""

    def read(self, path: str) -> bytes:
        """Return the contents of a file. Raises FileNotFoundError or OSError, and UserError if the file is too
        large."""

    def absolute(self, path: str) -> str | None:
        """Return the path on this machine (for a symlink that leads out of the directory: its target), None for a
        module that doesn't exist as files."""


class Library(Protocol):
    """A finder of modules."""

    def find(self, use: tree.Use, importer: Module) -> ModuleText:
        """Return the module that a `use` in `importer` names. Raises `NotFound` or `UserError`."""


class ModuleRecording(Protocol):
    """The recording behind a root module that a program wrote: its bodies, which are recorded on demand, and the
    program's queries meanwhile, by name."""

    @property
    def asked(self) -> Mapping[str, str]: ...

    @property
    def reads(self) -> Mapping[str, str]: ...

    @property
    def warnings(self) -> Sequence[Diagnostic]:
        """Warnings about the bodies that have been recorded."""

    def body(
        self, decl: tree.Target | tree.Def, names: Mapping[str, Value], platform: str
    ) -> tuple[tree.Stmt, ...]:
        """Return the statements of a target instance, or of a state function with its arguments. Raises
        SourceError."""


class NotFound(Exception):
    """No such module. `code` is E0801 to E0804; the other fields are parts of the message. `near` is a name that
    may be meant."""

    def __init__(self, code: str, title: str, *, label: str = "", help: str = "", near: str = "") -> None:
        super().__init__(title)
        self.code = code
        self.title = title
        self.label = label
        self.help = help
        self.near = near


@frozen(eq=False)
class ModuleText:
    """A module's text. `key` is equal for equal files at equal versions. `moving` marks a reference to a branch
    (W0801)."""

    key: str
    origin: str
    source: Source
    place: Place
    moving: bool = False
    recorded: ModuleRecording | None = None


@frozen(eq=False)
class Module:
    """A parsed module.

    The file of a `recorded` module has no bodies. `uses` maps the names of its `use` declarations to module keys,
    without modules that were not found."""

    key: str
    origin: str
    file: tree.File
    place: Place
    uses: Mapping[str, str] = field(factory=dict)
    recorded: ModuleRecording | None = None


@frozen(eq=False)
class Program:
    """The root module and all modules that it uses, by key; every module comes after those that it uses."""

    root: Module
    modules: Mapping[str, Module]
