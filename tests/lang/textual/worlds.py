"""Programs in memory: a Library and Places that behave, with files given as a dict.

    world = World({"build.pybuild": "…", "lib/x.pybuild": "…", "src/main.py": "…"})
    loaded = world.load()

Standard modules are stand-ins for those of the real library; a test adds its own by `standard=` and `foreign=`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from pybuild.lang import recipe
from pybuild.lang.diagnostics import suggest
from pybuild.lang.source import Source
from pybuild.lang.textual import modules, tree

HEADER = "# syntax=pybuild:1\n\n"

STANDARD: Mapping[str, str] = {
    "uv": HEADER
    + """# Put `uv` and `uvx` into /usr/local/bin.
def install(version: str = "0.5"):
    copy "/uv", "/uvx" from image("ghcr.io/astral-sh/uv:${{version}}") to "/usr/local/bin/"
""",
    "apt": HEADER
    + """# Install Debian packages. Lists and archives stay in caches, not in the image.
def install(packages: list[str], recommends: bool = false):
    let flags = [] if recommends else ["--no-install-recommends"]
    with [
        cache("/var/cache/apt", sharing="locked"),
        cache("/var/lib/apt/lists", sharing="locked"),
        env(DEBIAN_FRONTEND="noninteractive"),
        user("root"),
    ]:
        run:
            rm -f /etc/apt/apt.conf.d/docker-clean
            apt-get update
            apt-get install -y ${{flags}} ${{packages}}
""",
    "npm": HEADER
    + """# Install the locked dependencies.
def ci(workspace: str = ""):
    let flags = [] if workspace == "" else ["--workspace=" + workspace]
    with cache("/root/.npm"):
        run npm ci ${{flags}}
""",
    "pip": HEADER
    + """# Install Python packages.
def install(packages: list[str]):
    with cache("/root/.cache/pip"):
        run pip install ${{packages}}
""",
    "python": HEADER
    + """# A Python image with the packages of a requirements file.
def app(src: state, version: str = "3.12") -> state:
    from "python:${{version}}-slim"
    copy "requirements.txt" from src to "/app/"
    run pip install -r /app/requirements.txt
""",
}
"""Stand-ins for modules of the standard library."""

FOREIGN: Mapping[str, str] = {
    "github.com/acme/pb//observability.pybuild@v1.4.0": HEADER
    + """param region: str = "us"

# Install the agent.
def agent(auth: list[option] = []):
    with auth:
        run install-agent --region ${{region}}
""",
    "github.com/acme/pb//node.pybuild@v1.2.0": HEADER
    + """param registry: str
param debug: bool = false

def setup(src: state):
    copy "setup.sh" from src to "/tmp/"
    run sh /tmp/setup.sh ${{registry}} ${{str(debug)}}
""",
}
"""Modules from anywhere else, by the text of their `use`."""

PROJECT = "/project"
"""Where the project lies, as far as absolute paths go."""


def _joined(directory: str, path: str) -> str | None:
    """`path` from `directory`, both below the root; None if it leaves it."""
    joined = posixpath.normpath(posixpath.join(directory, path))
    if joined.startswith(("../", "/")) or joined == "..":
        return None
    return "" if joined == "." else joined


class MemoryPlace:
    """A directory of `files`, which are texts or bytes by path; `base` is its absolute path, None if it has none."""

    def __init__(
        self, files: Mapping[str, str | bytes], directory: str = "", base: str | None = PROJECT
    ) -> None:
        self.files = files
        self.directory = directory
        self.base = base

    def state(self, ignore: tuple[str, ...]) -> recipe.State:
        path = self.absolute(".") or f"/modules/{self.directory}"
        exclude = (*self.ignores(), *ignore)
        return recipe.Directory(None, path, f"context:{path}", exclude)

    def ignores(self) -> tuple[str, ...]:
        if self.kind(".dockerignore") != "file":
            return ()
        lines = self.read(".dockerignore").decode().split("\n")
        return tuple(line for line in lines if line and not line.startswith("#"))

    def kind(self, path: str) -> str | None:
        at = _joined(self.directory, path)
        if at is None:
            return None
        if at in self.files:
            return "file"
        return (
            "dir" if at == self.directory or any(name.startswith(at + "/") for name in self.files) else None
        )

    def names(self, path: str) -> list[str]:
        at = _joined(self.directory, path)
        if at is None:
            return []
        prefix = f"{at}/" if at else ""
        found = {name.removeprefix(prefix).split("/", 1)[0] for name in self.files if name.startswith(prefix)}
        return sorted(found, key=str.encode)

    def read(self, path: str) -> bytes:
        at = _joined(self.directory, path)
        if at is None or at not in self.files:
            raise FileNotFoundError(path)
        data = self.files[at]
        return data.encode() if isinstance(data, str) else data

    def absolute(self, path: str) -> str | None:
        at = _joined(self.directory, path)
        if self.base is None or at is None:
            return None
        return f"{self.base}/{at}".rstrip("/")


class World:
    """A Library over `files` of the project, standard modules by name, and foreign ones by the text of their `use`.
    Texts in `moving` are branches. Standard and foreign modules lie in no directory of this machine."""

    def __init__(
        self,
        files: Mapping[str, str | bytes],
        standard: Mapping[str, str] = STANDARD,
        foreign: Mapping[str, str] = FOREIGN,
        moving: frozenset[str] = frozenset(),
    ) -> None:
        self.files = files
        self.standard = standard
        self.foreign = foreign
        self.moving = moving
        self.found: list[str] = []

    def root(self, name: str = "build.pybuild") -> modules.ModuleText:
        return self._project(name, modules.ROOT)

    def find(self, use: tree.Use, importer: modules.Module) -> modules.ModuleText:
        if use.module is not None:
            return self._standard(use.module.name)
        assert use.path is not None
        text = "".join(part.value for part in use.path.parts if isinstance(part, tree.Text))
        self.found.append(text)
        if not text.startswith(("./", "../")):
            return self._foreign(text)
        at = _joined(posixpath.dirname(importer.file.source.name), text)
        if at is None:
            raise modules.NotFound("E0804", f"`{text}` is outside the project", label="leaves the project")
        if at not in self.files:
            raise modules.NotFound("E0801", f"there is no module `{text}`", label=f"no file {at}")
        return self._project(at, modules.PROJECT)

    def _project(self, name: str, origin: str) -> modules.ModuleText:
        data = self.files[name]
        text = data if isinstance(data, str) else data.decode()
        place = MemoryPlace(self.files, posixpath.dirname(name))
        return modules.ModuleText(name, origin, Source(name, text), place)

    def _standard(self, name: str) -> modules.ModuleText:
        self.found.append(name)
        if name not in self.standard:
            raise modules.NotFound(
                "E0801",
                f"there is no standard module `{name}`",
                label="not in the standard library",
                near=suggest(name, self.standard) or "",
            )
        key = f"std/{name}.pybuild"
        place = MemoryPlace({}, base=None)
        return modules.ModuleText(key, modules.STANDARD, Source(key, self.standard[name]), place)

    def _foreign(self, text: str) -> modules.ModuleText:
        if text not in self.foreign:
            raise modules.NotFound("E0801", f"there is no module `{text}`", label="not found")
        place = MemoryPlace({}, base=None)
        source = Source(text, self.foreign[text])
        return modules.ModuleText(text, modules.FOREIGN, source, place, text in self.moving)
