"""Recognition of projects by their manifests, with the values that a starter build file needs.

Manifests are read leniently: a missing or unknown value is replaced by a usual one.
"""

from __future__ import annotations

import json
import os
import re
import tomllib

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

PYTHON: Final = "3.13"
NODE: Final = "22"
PNPM: Final = "10"
GO: Final = "1.24"

_WORD = re.compile(r"[A-Za-z0-9][\w.-]{0,60}", re.ASCII)
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?")
_LARGEST: Final = 1 << 20
"""Maximum number of bytes of a manifest that are read."""


@frozen
class Project:
    """A recognised project. `starter` is a file's name, `title` the description for the user, `first` what
    the user has to do before a build. `values` and `parts` fill the starter's gaps."""

    starter: str
    title: str
    values: Mapping[str, str]
    parts: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()


class Files:
    """The manifests of a directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def has(self, *names: str) -> bool:
        return any(os.path.exists(os.path.join(self.directory, name)) for name in names)

    def text(self, name: str) -> str:
        """Return the text of a file, "" if there is none."""
        try:
            with open(os.path.join(self.directory, name), "rb") as file:
                return file.read(_LARGEST).decode("utf-8", "replace")
        except OSError:
            return ""

    def toml(self, name: str) -> Table:
        try:
            return Table(tomllib.loads(self.text(name)))
        except (ValueError, RecursionError):
            return Table({})

    def json(self, name: str) -> Table:
        try:
            return Table(json.loads(self.text(name)))
        except (ValueError, RecursionError):
            return Table({})

    def directories(self, name: str) -> list[str]:
        path = os.path.join(self.directory, name)
        try:
            return sorted(name for name in os.listdir(path) if os.path.isdir(os.path.join(path, name)))
        except OSError:
            return []

    def image(self, name: str) -> str:
        """Return the repository of the project's image: the project's own name, else the directory's."""
        directory = os.path.basename(os.path.abspath(self.directory))
        return repository(name) or repository(directory) or "app"


class Table:
    """A table of a manifest; a value that is missing or has another type is empty."""

    def __init__(self, value: object) -> None:
        self._value = value if isinstance(value, dict) else {}

    def table(self, name: str) -> Table:
        return Table(self._value.get(name))

    def string(self, name: str) -> str:
        value = self._value.get(name)
        return value if isinstance(value, str) else ""

    def word(self, name: str) -> str:
        """Return a string that needs no quotes anywhere, else ""."""
        value = self.string(name)
        return value if _WORD.fullmatch(value) else ""

    def tables(self, name: str) -> list[Table]:
        value = self._value.get(name)
        return [Table(entry) for entry in value] if isinstance(value, list) else []

    def names(self) -> list[str]:
        return [name for name in self._value if isinstance(name, str)]


def recognised(directory: str) -> Project:
    """Return the project in a directory."""
    files = Files(directory)
    for names, describe in _KINDS:
        if files.has(*names):
            return describe(files)
    return Project("hello", "a greeting, as no kind of project was recognised", {"app": files.image("")})


def repository(text: str) -> str:
    """Return a name in the form of an image's name: the last component, in small letters."""
    last = text.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:100].strip("-")


def words(*command: str) -> str:
    return "[" + ", ".join(f'"{word}"' for word in command) + "]"


def _python(files: Files) -> Project:
    manifest = files.toml("pyproject.toml")
    project = manifest.table("project")
    named = _VERSION.match(files.text(".python-version"))
    values = {
        "app": files.image(project.string("name")),
        "python": f"{named[1]}.{named[2]}" if named and named[2] else PYTHON,
        "command": _python_command(files, project),
    }
    tests = {"tests"} if files.has("tests", "test") else set()
    if files.has("uv.lock"):
        with_pytest = "pytest" in files.text("pyproject.toml")
        return Project(
            "python_uv",
            "for a Python project that uv locks",
            values,
            frozenset(tests if with_pytest else ()),
        )
    if files.has("requirements.txt"):
        parts = {"requirements", *(["install"] if files.has("pyproject.toml", "setup.py") else [])}
        return Project(
            "python_pip", "for a Python project with requirements.txt", values, frozenset(parts | tests)
        )
    return Project(
        "python_pip", "for a Python project without a lock file", values, frozenset({"alone"} | tests)
    )


def _python_command(files: Files, project: Table) -> str:
    scripts = [name for name in project.table("scripts").names() if _WORD.fullmatch(name)]
    if scripts:
        return words(scripts[0])
    for name in ("main.py", "app.py"):
        if files.has(name):
            return words("python", name)
    package = re.sub(r"[-.]+", "_", project.word("name")) or files.image("").replace("-", "_")
    return words("python", "-m", package)


def _node(files: Files) -> Project:
    manifest = files.json("package.json")
    scripts = manifest.table("scripts")
    main = manifest.string("main")
    named = _VERSION.match(files.text(".nvmrc").removeprefix("v"))
    manager, _, version = manifest.string("packageManager").partition("@")
    exact = re.match(r"\d+(?:\.\d+)*", version) if manager == "pnpm" else None
    started = "start" in scripts.names()
    script = main if re.fullmatch(r"[\w./-]{1,60}", main, re.ASCII) else "index.js"
    pnpm = files.has("pnpm-lock.yaml") or manager == "pnpm"
    values = {
        "app": files.image(manifest.string("name")),
        "node": named[1] if named else NODE,
        "pnpm": exact[0] if exact else PNPM,
        "lock": "npm-shrinkwrap.json" if files.has("npm-shrinkwrap.json") else "package-lock.json",
        "command": words("pnpm" if pnpm else "npm", "start") if started else words("node", script),
    }
    parts = frozenset(
        part for part, name in (("build", "build"), ("tests", "test")) if name in scripts.names()
    )
    if pnpm:
        missing = not files.has("pnpm-lock.yaml")
        first = ("pnpm install --lockfile-only, which makes pnpm-lock.yaml",) if missing else ()
        return Project("node_pnpm", "for a Node.js project that pnpm locks", values, parts, first)
    missing = not files.has(values["lock"])
    first = ("npm install --package-lock-only, which makes package-lock.json",) if missing else ()
    return Project("node_npm", "for a Node.js project that npm locks", values, parts, first)


def _go(files: Files) -> Project:
    text = files.text("go.mod")
    module = re.search(r"^module\s+\"?([\w./~-]+)\"?", text, re.M | re.A)
    name = re.sub(r"/v\d+$", "", module[1]) if module else ""
    version = re.search(r"^go\s+(\d+\.\d+)", text, re.M | re.A)
    commands = [name for name in files.directories("cmd") if _WORD.fullmatch(name)]
    values = {
        "app": files.image(name),
        "go": version[1] if version else GO,
        "package": f"./cmd/{commands[0]}" if commands and not files.has("main.go") else ".",
        "sum": ', "go.sum"' if files.has("go.sum") else "",
    }
    return Project("go", "for a Go module", values)


def _rust(files: Files) -> Project:
    manifest = files.toml("Cargo.toml")
    package = manifest.table("package")
    programs = [binary.word("name") for binary in manifest.tables("bin")]
    program = next((name for name in programs if name), "") or package.word("name")
    app = files.image(package.string("name") or program)
    locked = files.has("Cargo.lock")
    return Project(
        "rust",
        "for a Rust package",
        {"app": app, "program": program or app},
        first=() if locked else ("cargo generate-lockfile, which makes Cargo.lock",),
    )


def _static(files: Files) -> Project:
    return Project("static", "for a site of files", {"app": files.image("")})


_KINDS: Final[tuple[tuple[tuple[str, ...], Callable[[Files], Project]], ...]] = (
    (("pyproject.toml", "requirements.txt", "setup.py"), _python),
    (("go.mod",), _go),
    (("Cargo.toml",), _rust),
    (("package.json",), _node),
    (("index.html",), _static),
)
"""Kinds of projects in the order in which they are looked for."""
