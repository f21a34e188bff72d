"""The module finder: standard library, files of the project, remote repositories and images."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import suggest
from pybuild.lang.textual import tree
from pybuild.lang.textual.modules import FOREIGN, PROJECT, ROOT, STANDARD, Module, ModuleText, NotFound
from pybuild.lang.textual.parse import decode
from pybuild.language.local_place import LocalPlace
from pybuild.language.moduleaddress import is_remote
from pybuild.language.remotemodules import NeedsEngine
from pybuild.language.remoteplace import RemotePlace
from pybuild.request.project import within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.language.remotemodules import RemoteModules
    from pybuild.replay.dependencies import Dependencies
    from pybuild.request.project import Project

EXTENSION = ".pybuild"
CONTEXT = "context"
"""Local source name of the root file's directory."""


class LocalLibrary:
    """Finder of the modules that files import (`lang.textual.modules.Library`). `directory` is the root file's,
    `project` its project; `dependencies` notes the files that are read. `find` raises NeedsEngine for a remote module
    while `remote`, which fetches it, is None."""

    def __init__(self, project: Project, directory: str, dependencies: Dependencies) -> None:
        self.project = project
        self.directory = directory
        self.dependencies = dependencies
        self.remote: RemoteModules | None = None
        self._places: dict[str, LocalPlace] = {}

    def root(self, name: str, data: bytes) -> ModuleText:
        """Return the root module: the file `name` with its bytes. Raises SourceError."""
        place = self.place(self.directory)
        key = os.path.join(self.directory, os.path.basename(name))
        return ModuleText(key, ROOT, decode(name, data), place)

    def place(self, directory: str) -> LocalPlace:
        """Return the place of a directory; the same object for the same directory."""
        if directory not in self._places:
            relative = os.path.relpath(directory, self.directory)
            name = CONTEXT if relative == "." else f"{CONTEXT}:{relative}"
            self._places[directory] = LocalPlace(directory, name, self.dependencies)
        return self._places[directory]

    def find(self, use: tree.Use, importer: Module) -> ModuleText:
        if use.module is not None:
            return self._standard(use.module.name)
        assert use.path is not None
        path = "".join(part.value for part in use.path.parts if isinstance(part, tree.Text))
        if path.startswith(("./", "../")):
            if isinstance(importer.place, RemotePlace):
                return self._fetcher().beside(path, importer.place)
            return self._relative(path, importer)
        if is_remote(path):
            return self._fetcher().find(path)
        raise NotFound(
            "E0801",
            f"there is no module `{path}`",
            label="no path that begins with `./` or `../`",
            help="a module is a name of the standard library, `./FILE.pybuild`, `HOST/ORG/REPO//FILE.pybuild@TAG` or "
            "`oci://REGISTRY/NAME:TAG`",
        )

    def _fetcher(self) -> RemoteModules:
        if self.remote is None:
            raise NeedsEngine
        return self.remote

    def _standard(self, name: str) -> ModuleText:
        directory = standard_directory()
        path = os.path.join(directory, name + EXTENSION)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            near = suggest(name, standard_modules())
            raise NotFound(
                "E0801",
                f"there is no module `{name}` in the standard library",
                near=near or "",
                help="" if near else "its modules are " + ", ".join(standard_modules()),
            ) from None
        place = LocalPlace(directory, "std", self.dependencies)
        return ModuleText(f"std:{name}", STANDARD, decode(f"std/{name}{EXTENSION}", data), place)

    def _relative(self, path: str, importer: Module) -> ModuleText:
        place = importer.place
        assert isinstance(place, LocalPlace)
        full = os.path.normpath(os.path.join(place.directory, path))
        directory, name = os.path.split(full)
        if importer.origin in (ROOT, PROJECT):
            self._check_module(path, full)
            module_place = self.place(directory)
        elif not full.startswith(os.path.join(place.directory, "")):
            raise _outside(path, place.directory)
        else:
            module_place = place
        try:
            data = LocalPlace(directory, "", self.dependencies).read(name)
        except OSError:
            names = [name for name in module_place.names(".") if name.endswith(EXTENSION)]
            near = suggest(name, names)
            shown = os.path.join(os.path.dirname(path), near) if near else ""
            raise NotFound(
                "E0801", f"there is no module `{path}`", label="no such file", near=shown
            ) from None
        self.dependencies.code.append(full)
        origin = importer.origin if importer.origin in (STANDARD, FOREIGN) else PROJECT
        shown = os.path.relpath(full)
        return ModuleText(full, origin, decode(full if shown.startswith("..") else shown, data), module_place)

    def _check_module(self, path: str, full: str) -> None:
        """Raise NotFound for a module that lies outside of the project, by its name or by a link, or that another
        user may have left above the root file."""
        real = os.path.realpath(os.path.dirname(full))
        target = os.path.join(real, os.path.basename(full))
        if not self.project.holds(target):
            raise _outside(path, self.project.root)
        directory = os.path.dirname(full)
        while not within(self.directory, directory):
            self.dependencies.note_link(directory)
            directory = os.path.dirname(directory)
        if not within(target, self.project.directory) and os.path.lexists(target):
            reason = self.project.objection(target)
            for decisive in self.project.consulted:
                self.dependencies.note(decisive)
            if reason:
                raise NotFound(
                    "E0801",
                    f"the module `{path}` doesn't count: {reason}",
                    label="above the build file's directory",
                    help="make it your own, or move it below that directory",
                )


def _outside(path: str, project: str) -> NotFound:
    return NotFound(
        "E0804", f"the module `{path}` lies outside of the project", help=f"the project is {project}"
    )


def standard_directory() -> str:
    import pybuild.stdlib

    (directory,) = pybuild.stdlib.__path__
    return directory


def standard_modules() -> list[str]:
    """Return the names of the standard library's modules."""
    names = os.listdir(standard_directory())
    return sorted(name.removesuffix(EXTENSION) for name in names if name.endswith(EXTENSION))
