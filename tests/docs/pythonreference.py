"""`docs/python/reference.md`: an entry for each public name, with its signature and examples.

    ### `t.env`                     the names the entry is about
    <!-- signature -->  text        their signatures, as in the code
    python                          an example, a build module without its first lines
    <!-- twin -->       pybuild     the example before it in the language: both make the same recipe

The notes of an example are `body` (its statements stand in a target), `fails: CODE`, `files` (that lie beside the
module), `params` and `platforms`, all as in `programs.py`, and `alone` for examples without a twin. `values` marks
expressions, each with its value:

    pb.version("3.9") < pb.version("3.10")  # True
"""

from __future__ import annotations

import inspect
import re
import shlex
import typing
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen
from tests.docs.examples import FENCE, ROOT, Block
from tests.lang.textual.expand.programs import Asked
from tests.lang.textual.worlds import World

from pybuild.lang.python import api
from pybuild.lang.python.builder import StateBuilder
from pybuild.lang.textual.expand.options import EVERYTHING

PAGE = ROOT / "docs" / "python" / "reference.md"
IMPORT = "import pybuild as pb\n\n"
WIDTH = 100

_HEADING = re.compile(r"^### (?P<names>`[^\n]*)\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_ALIASES = {"Paths": "str | Sequence[str]", "Scalar": "str | int | bool"}
_START = {"python": 't.from_("debian:12-slim")\n', "pybuild": 'from "debian:12-slim"\n'}
_HEADERS = {"python": "@pb.target\ndef example(t):\n", "pybuild": "target example:\n"}


@frozen
class Entry:
    """A section of the page. `start` is the offset of its text."""

    names: tuple[str, ...]
    text: str
    start: int

    @property
    def blocks(self) -> list[Block]:
        return [Block(found) for found in FENCE.finditer(self.text)]

    def only(self, note: str) -> Block | None:
        """The only block with this note, or None."""
        found = [block for block in self.blocks if note in block.note]
        assert len(found) <= 1, self.names
        return found[0] if found else None


def entries() -> list[Entry]:
    page = PAGE.read_text(encoding="utf-8")
    return [
        Entry(tuple(re.findall(r"`([^`]+)`", found["names"])), found["text"], found.start("text"))
        for found in _HEADING.finditer(page)
    ]


def public() -> set[str]:
    """All public names, as a build module writes them."""
    methods = {f"t.{name}" for name in vars(StateBuilder) if not name.startswith("_")}
    return {*methods, *(f"pb.{name}" for name in api.__all__)}


# Signatures


def signature(name: str) -> str:
    """The signature of a public name: a line for each overload, member or value."""
    where, _, last = name.partition(".")
    if last == "build_platform" and where == "pb":
        return f"{name}: Platform"  # known while a module runs
    found: Any = inspect.getattr_static(StateBuilder, last) if where == "t" else getattr(api, last)
    if isinstance(found, property):
        return _member(name, found)
    if inspect.isfunction(found):
        return "\n".join(_called(name, one) for one in typing.get_overloads(found) or [found])
    if inspect.isclass(found):
        bases = [
            one.__name__ for one in found.__mro__[1:] if one in (str, int) or one.__name__ in api.__all__
        ]
        head = f"class {name}" + "".join(f"({base})" for base in bases)
        return "\n".join([head, *(_members(found, last.lower()) if bases == ["str"] else [])])
    if last == "vcs":
        return "\n".join(_members(type(found), name))
    return f"{name}: {_kind(found)}"


def _kind(value: object) -> str:
    return next(one.__name__ for one in type(value).__mro__ if one.__name__ in api.__all__)


def _members(found: type, receiver: str) -> list[str]:
    return [
        _member(f"{receiver}.{name}", one)
        for name, one in vars(found).items()
        if isinstance(one, property) and not name.startswith("_")
    ]


def _member(name: str, found: property) -> str:
    return f"{name}: {_given(found)}"


def _given(found: property) -> str:
    assert found.fget is not None
    return str(inspect.signature(found.fget).return_annotation).rpartition(".")[2]


def _called(name: str, function: Callable[..., object]) -> str:
    """A call on one line, or with a line for each parameter if it doesn't fit."""
    found = inspect.signature(function)
    parameters = _parameters([one for one in found.parameters.values() if one.name != "self"])
    given = found.return_annotation
    end = "" if given == "None" else f" -> {_written(given)}"
    line = f"{name}({', '.join(parameters)}){end}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in parameters) + f"){end}"


def _parameters(found: list[inspect.Parameter]) -> list[str]:
    out: list[str] = []
    kinds = [one.kind for one in found]
    for at, one in enumerate(found):
        first = at == 0 or kinds[at - 1] != one.kind
        if one.kind is one.KEYWORD_ONLY and first and one.VAR_POSITIONAL not in kinds:
            out.append("*")
        stars = "*" * (one.kind is one.VAR_POSITIONAL) + "**" * (one.kind is one.VAR_KEYWORD)
        default = "..." if one.default is ... else repr(one.default).replace("'", '"')
        out.append(
            f"{stars}{one.name}: {_written(one.annotation)}"
            + (f" = {default}" if one.default is not one.empty else "")
        )
        if one.kind is one.POSITIONAL_ONLY and one.kind not in kinds[at + 1 :]:
            out.append("/")
    return out


def _written(annotation: str) -> str:
    """The annotation with the aliases of the package expanded."""
    for alias, meaning in _ALIASES.items():
        annotation = re.sub(rf"\b{alias}\b", meaning, annotation)
    return annotation.replace("'", '"')


# Examples


class Example:
    """A Python block and its twin, if it has one."""

    def __init__(self, entry: Entry, block: Block, twin: Block | None) -> None:
        self.name = f"{entry.names[0]}:{block.line}"
        self.block = block
        self.note = block.note
        self.twin = twin

    @property
    def asked(self) -> Asked:
        params = dict(word.split("=", 1) for word in shlex.split(self.note.get("params", "")))
        return Asked(EVERYTHING, params, tuple(self.note.get("platforms", "").split()))

    @property
    def sources(self) -> dict[str, str]:
        """The module and its twin, with the files beside them."""
        files: dict[str, str] = {}
        for word in shlex.split(self.note.get("files", "")):
            name, _, content = word.partition("=")
            files[name] = content.replace("\\n", "\n") + "\n"
        files["build.py"] = IMPORT + self._whole(self.block)
        if self.twin is not None:
            files["build.pybuild"] = "# syntax=pybuild:1\n\n" + self._whole(self.twin)
        return files

    @property
    def world(self) -> World:
        return World(self.sources, _standard())

    def _whole(self, block: Block) -> str:
        if "body" not in self.note:
            return block.text
        start = "" if re.match(r"(t\.)?from_?\b", block.text) else _START[block.kind]
        lines = (start + block.text).splitlines(keepends=True)
        return _HEADERS[block.kind] + "".join(f"    {line}" if line.strip() else line for line in lines)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The expressions of a `values` block, each with its value."""
        lines = [line for line in self.block.text.splitlines() if line]
        return [(left.strip(), right.strip()) for left, _, right in (line.rpartition("# ") for line in lines)]


def _standard() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (ROOT / "stdlib").glob("*.pybuild")}


def examples() -> Iterator[Example]:
    for entry in entries():
        found = entry.blocks
        for at, block in enumerate(found):
            if block.kind == "python":
                following = found[at + 1] if at + 1 < len(found) else None
                twin = following if following is not None and "twin" in following.note else None
                yield Example(entry, block, twin)
