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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.language.remotemodules import RemoteModules
    from pybuild.replay.dependencies import Dependencies

EXTENSION = ".pybuild"
CONTEXT = "context"
"""Local source name of the root file's directory."""


class LocalLibrary:
    """Finder of the modules that files import (`lang.textual.modules.Library`). `project` is the project's
    directory, `directory` the root file's; `dependencies` notes the files that are read. `find` raises
    NeedsEngine for a remote module while `remote`, which fetches it, is None."""

    def __init__(self, project: str, directory: str, dependencies: Dependencies) -> None:
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
        top = self.project if importer.origin in (ROOT, PROJECT) else place.directory
        if not full.startswith(os.path.join(top, "")):
            raise NotFound(
                "E0804", f"the module `{path}` lies outside of the project", help=f"the project is {top}"
            )
        directory, name = os.path.split(full)
        within = self.place(directory) if importer.origin in (ROOT, PROJECT) else place
        try:
            data = LocalPlace(directory, "", self.dependencies).read(name)
        except OSError:
            names = [one for one in within.names(".") if one.endswith(EXTENSION)]
            near = suggest(name, names)
            shown = os.path.join(os.path.dirname(path), near) if near else ""
            raise NotFound(
                "E0801", f"there is no module `{path}`", label="no such file", near=shown
            ) from None
        origin = importer.origin if importer.origin in (STANDARD, FOREIGN) else PROJECT
        shown = os.path.relpath(full)
        return ModuleText(full, origin, decode(full if shown.startswith("..") else shown, data), within)


def standard_directory() -> str:
    import pybuild.stdlib

    (directory,) = pybuild.stdlib.__path__
    return directory


def standard_modules() -> list[str]:
    """Return the names of the standard library's modules."""
    names = os.listdir(standard_directory())
    return sorted(name.removesuffix(EXTENSION) for name in names if name.endswith(EXTENSION))
