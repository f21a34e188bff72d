"""Choice of the frontend of a build file.

    detect_syntax     bytes -> Syntax | None    the `# syntax=` line
    choose            reference -> Frontend     the frontend that a reference names
    split             reference -> name, tag    parts of the name of an installed package's frontend
    refused           the error for a frontend that can't be used

The first of these that a file has selects its frontend: a `# syntax=` directive, a `// syntax=` directive, the
`syntax` member of a file that is one JSON object. A byte-order mark and a `#!` line are skipped first. Directives
stand before any other line and start in the first column. This is BuildKit's `parser.DetectSyntax`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, UsageError, UserError, source_error, suggest
from pybuild.lang.dockerfile.directives import Directive, read_directive
from pybuild.lang.dockerfile.strictjson import read_json
from pybuild.lang.source import Source, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

DOCKERFILE: Final = "dockerfile"  # the Dockerfile frontend, stable channel
DOCKERFILE_EXTENDED: Final = "dockerfile-extended"  # the Dockerfile frontend with extensions of pybuild
LANGUAGE: Final = "language"  # a `.pybuild` file
PYTHON: Final = "python"  # a Python module
DOCKERFILE_IMAGE: Final = (
    "dockerfile-image"  # an image of the Dockerfile frontend: another channel, or pinned
)
IMAGE: Final = "image"  # any other image that is a frontend
PLUGIN: Final = "plugin"  # a frontend of an installed Python package, by its registered name

EXTENDED_NAME: Final = "pybuild/dockerfile"

_HUB = ("docker.io/", "index.docker.io/", "registry-1.docker.io/", "registry.hub.docker.com/")
_DOCKERFILE_REPOSITORIES = ("docker/dockerfile", "docker/dockerfile-upstream")
_OWN_NAMES = ("pybuild", "python", EXTENDED_NAME)


class Syntax:
    """The frontend that a file selects.

    `reference` is its name; `command_line` is the whole value, of which the reference is the first word. `line` and
    the columns (from 1, the end exclusive) are the place of the value.
    """

    __slots__ = ("column", "command_line", "end_column", "line", "reference")

    def __init__(self, command_line: str, line: int, column: int, end_column: int) -> None:
        self.reference = command_line.partition(" ")[0]
        self.command_line = command_line
        self.line = line
        self.column = column
        self.end_column = end_column

    def span(self, source: Source) -> Span:
        """Return the place of the value in `source`, the decoded text of the same file."""
        return Span(source, self.line, self.column, self.line, self.end_column)

    def __repr__(self) -> str:
        return f"Syntax({self.command_line!r}, line {self.line})"


class Frontend:
    """The frontend that a reference names, with its kind: one of the constants above."""

    __slots__ = ("kind", "reference")

    def __init__(self, kind: str, reference: str | None) -> None:
        self.kind = kind
        self.reference = reference

    @property
    def builtin(self) -> bool:
        """True for the Dockerfile frontends that are part of this version of pybuild."""
        return self.kind in (DOCKERFILE, DOCKERFILE_EXTENDED)

    @property
    def is_image(self) -> bool:
        """True if it is run from an image."""
        return self.kind in (DOCKERFILE_IMAGE, IMAGE)

    @property
    def records(self) -> bool:
        """True if its files are compiled to a recipe: files of the language and Python modules."""
        return self.kind in (LANGUAGE, PYTHON)

    @property
    def extended(self) -> bool:
        """True for the Dockerfile frontend with the extensions of pybuild."""
        return self.kind == DOCKERFILE_EXTENDED

    def __repr__(self) -> str:
        return f"Frontend({self.kind!r}, {self.reference!r})"


def detect_syntax(data: bytes) -> Syntax | None:
    """Return the frontend that the file selects, None if it selects none. Never raises."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    first = 1
    if text.startswith("#!"):
        text = text.partition("\n")[2]
        first = 2
    for comment in ("#", "//"):
        syntax = _from_directives(text, comment, first)
        if syntax is not None:
            return syntax
    return _from_json(text, first)


def _from_directives(text: str, comment: str, first: int) -> Syntax | None:
    seen: set[str] = set()
    start = 0
    number = first
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        directive: Directive | None = read_directive(text[start:end].removesuffix("\r"), comment)
        if directive is None or directive.name in seen:
            return None
        if directive.name == "syntax":
            return Syntax(directive.value, number, directive.start + 1, directive.end + 1)
        seen.add(directive.name)
        start = end + 1
        number += 1
    return None


def _from_json(text: str, first: int) -> Syntax | None:
    if not text.lstrip(" \t\r\n").startswith("{"):
        return None
    try:
        members = read_json(text)
    except ValueError:
        return None
    value = members.get("syntax") if isinstance(members, dict) else None
    if not isinstance(value, str):
        return None
    lines = text.split("\n")
    index_of_syntax = next((index for index, line in enumerate(lines) if '"syntax"' in line), 0)
    column = max(lines[index_of_syntax].find(f'"{value}"'), 0)
    return Syntax(value, first + index_of_syntax, column + 1, column + len(value) + 3)


def choose(reference: str | None) -> Frontend:
    """Return the frontend that `reference` names, the Dockerfile frontend for None. Never raises."""
    if reference is None:
        return Frontend(DOCKERFILE, None)
    name, _, digest = reference.partition("@")
    name, tag = _split_tag(name)
    hub = next((host for host in _HUB if name.startswith(host)), "")
    name = name[len(hub) :]
    if name in _DOCKERFILE_REPOSITORIES:
        stable = name == "docker/dockerfile" and not digest and _stable(tag)
        return Frontend(DOCKERFILE if stable else DOCKERFILE_IMAGE, reference)
    if not hub and not digest and name == "pybuild" and all(map(_number, tag.split("."))):
        return Frontend(LANGUAGE, reference)
    if not hub and not digest and _number(tag):
        own = {"python": PYTHON}
        if name == EXTENDED_NAME and tag == "1":
            return Frontend(DOCKERFILE_EXTENDED, reference)
        return Frontend(own.get(name, IMAGE), reference)
    return Frontend(IMAGE, reference)


def split(reference: str) -> tuple[str, str] | None:
    """Return a reference's name as written and its tag ("" without one); None if it has a digest, so names an
    image."""
    if "@" in reference:
        return None
    name, tag = _split_tag(reference)
    return name, tag if name != reference else ""


def is_built_in(name: str) -> bool:
    """True if a name is that of a built-in frontend, whatever its version."""
    hub = next((host for host in _HUB if name.startswith(host)), "")
    return name in _OWN_NAMES or name[len(hub) :] in _DOCKERFILE_REPOSITORIES


def by_name(name: str) -> Frontend:
    """Return the frontend of a file without a syntax line, by the file's name."""
    if name.endswith(".pybuild"):
        return Frontend(LANGUAGE, None)
    return Frontend(PYTHON if name.endswith(".py") else DOCKERFILE, None)


def _split_tag(name: str) -> tuple[str, str]:
    """Split a reference into its name and its tag (`latest` without one); a port is no tag."""
    before, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, "latest"
    return before, tag


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _stable(tag: str) -> bool:
    """True if a tag of docker/dockerfile is of the stable channel: `latest`, `1`, `1.7`, `1.7.0`."""
    numbers = tag.split(".")
    return tag == "latest" or (len(numbers) <= 3 and numbers[0] == "1" and all(map(_number, numbers)))


_DESCRIPTIONS = {
    DOCKERFILE: "the built-in Dockerfile frontend",
    DOCKERFILE_EXTENDED: "the Dockerfile frontend with pybuild's extensions",
    LANGUAGE: "the pybuild language",
    PYTHON: "Python build modules",
    DOCKERFILE_IMAGE: "a Dockerfile frontend run from its image",
    IMAGE: "a frontend run from its image",
    PLUGIN: "a frontend of an installed package",
}


def refused(
    frontend: Frontend,
    syntax: Syntax | None = None,
    source: Source | None = None,
    *,
    installed: Sequence[str] | None = None,
) -> UserError:
    """Make the error for a frontend that this version of pybuild can't use, or can't use for this request.

    It points at the `syntax` line if that is passed with its source; without them, the reference came from the
    command line. `installed` are the names that packages have registered, None if nobody looked.
    """
    reference = frontend.reference or ""
    shown = reference if reference.isprintable() and reference else ascii(reference)
    title = f"the frontend {shown} is not supported by this version of pybuild"
    if frontend.is_image:
        title = f"the frontend {shown} is an image, which only builds run"
    accepted = "docker/dockerfile:1 (or a version like 1.7 or 1.7.0, or latest), or pybuild/dockerfile:1"
    if reference.partition("@")[0].rpartition(":")[0] == EXTENDED_NAME or reference == EXTENDED_NAME:
        accepted = f"{EXTENDED_NAME}:1"
    what = _DESCRIPTIONS.get(frontend.kind, "")
    note, near = not_installed(reference, installed)
    if syntax is None or source is None:
        help = near or f"{what} cannot run here: use {accepted}"
        return UsageError(Diagnostic(title, notes=[("note", note)] if note else []), help=help)
    help = near or f"remove the syntax line, or use {accepted}"
    return source_error(title, syntax.span(source), what, help=help, note=note)


def not_installed(reference: str, installed: Sequence[str] | None) -> tuple[str | None, str | None]:
    """Return a note about a reference that no installed package has registered, and a suggestion; each may be
    None."""
    parts = split(reference)
    if installed is None or parts is None:
        return None, None
    name, tag = parts
    listed = ", ".join(installed) if installed else "none"
    near = suggest(name, installed)
    return (
        f"no installed package registers a frontend of that name (registered: {listed})",
        f"did you mean {near}{':' if tag else ''}{tag}?" if near else None,
    )
