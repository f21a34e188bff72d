"""ARCHITECTURE.md and CONTRIBUTING.md name only what exists: paths, modules and identifiers in backticks, and the
functions and files of their text blocks.

A path may be short: `solver.py` is found below a folder that the same paragraph or table row names before it
(`runtime/solver/`), or anywhere if the tree has only one file of that name.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import PurePosixPath

import pytest
from attrs import frozen
from tests.docs.examples import ROOT

from pybuild.lang.textual import builtins
from pybuild.runtime.content.root import ENTRIES

PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
FOLDERS = ("lang", "compiler", "runtime", "stdlib", "src", "tests", "docs", "examples")
PACKAGES = ("lang", "compiler", "runtime", "src", "tests")
"""Folders whose Python files define names."""

WORDS = frozenset().union(
    builtins.BODY_KEYWORDS, builtins.TOP_KEYWORDS, builtins.FUNCTIONS, builtins.OPTIONS, builtins.VALUES
)
"""Words of the language."""

OTHERS = {
    "flock": "a system call",
    "syncfs": "a system call",
    "off": "a value of overlayfs's redirect_dir",
    "t": "a parameter of users' functions",
    "docker": "a program, and the marker of tests that need it",
    "crun": "a program, and the marker of tests that need it",
    ".venv": "made by ./test",
    "only-include": "a key of hatchling in pyproject.toml",
    "dockerfile": "the kind of a fenced block",
    "dockerfile.v0": "the name of a frontend, for clients of BuildKit",
    "gateway.v0": "the name of a frontend, for clients of BuildKit",
}
"""Words in backticks that are no names of this tree, each with its meaning."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TICKS = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"[\w./*-]+\.(?:py|md|lark|toml|proto|json|tsv|sh)")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
_NAME = re.compile(r"[A-Za-z_]\w*")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_CALL = re.compile(r"\b([a-z_]+(?:\.[a-z_]+)*)\(")


# The tree


@cache
def tree() -> tuple[frozenset[str], frozenset[str]]:
    """All files and all folders, as paths from the top; links to folders are left out."""
    files = {path.name for path in ROOT.iterdir() if path.is_file()}
    folders = set()
    for folder in FOLDERS:
        for place, below, names in os.walk(ROOT / folder):
            below[:] = [one for one in below if not one.startswith((".", "__pycache__"))]
            here = os.path.relpath(place, ROOT)
            folders.add(here)
            files.update(f"{here}/{name}" for name in names)
    return frozenset(files), frozenset(folders)


@cache
def is_defined(name: str) -> bool:
    """Return whether the code defines a module, package, class, function, parameter or variable of that name."""
    files, folders = tree()
    modules = [path for path in files if path.endswith(".py") and path.startswith(PACKAGES)]
    if name in WORDS or any(PurePosixPath(path).stem == name for path in (*modules, *folders)):
        return True
    # Parsing all files takes seconds: only those that have the word are looked at.
    return any(name in _bound(path) for path in modules if name.encode() in _source(path))


@cache
def _source(path: str) -> bytes:
    return (ROOT / path).read_bytes()


@cache
def _bound(path: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(ast.parse(_source(path))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names)


@cache
def importable() -> frozenset[str]:
    """The dotted names of the project's modules and packages."""
    files, folders = tree()
    found = {"pybuild"}
    for path in (*files, *folders):
        parts = list(PurePosixPath(path).with_suffix("").parts)
        if parts[:2] == ["src", "pybuild"]:
            found.add(".".join(["pybuild", *parts[2:]]))
        elif parts[0] in ("lang", "compiler", "runtime", "stdlib"):
            found.add(".".join(["pybuild", *parts]))
    return frozenset(found)


# The text


@frozen
class Mention:
    """A text in backticks. `before` are the texts before it in the same paragraph, or in the same table row and the
    table's head."""

    page: str
    line: int
    text: str
    before: tuple[str, ...]


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, list items and table rows outside of fences, each with its first line."""
    blank = _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    lines: list[str] = []
    start = 1
    for number, line in enumerate([*blank.splitlines(), ""], 1):
        fresh = re.match(r"\||#|- |\d+\. ", line) is not None
        if lines and (not line.strip() or fresh):
            yield start, "\n".join(lines)
            lines = []
        if line.strip():
            start = start if lines else number
            lines.append(line)


def mentions() -> Iterator[Mention]:
    for page in PAGES:
        head = ""
        for start, text in paragraphs((ROOT / page).read_text("utf-8")):
            head = (head or text) if text.startswith("|") else ""
            before = _TICKS.findall(head) if head != text else []
            for found in _TICKS.finditer(text):
                line = start + text.count("\n", 0, found.start())
                yield Mention(page, line, found[1], tuple(before))
                before.append(found[1])


def fences() -> Iterator[tuple[str, str]]:
    """The text blocks of a page."""
    for page in PAGES:
        for kind, text in _FENCE.findall((ROOT / page).read_text("utf-8")):
            if kind == "text":
                yield page, text


# Rules


def found_at(path: str) -> list[str]:
    """The files and folders of the tree whose path is `path` or ends in it."""
    files, folders = tree()
    wanted = path.rstrip("/")
    among = folders if path.endswith("/") else files | folders
    return [one for one in among if fnmatch(one, wanted) or fnmatch(one, f"*/{wanted}")]


def is_path_known(path: str, before: tuple[str, ...]) -> bool:
    """Return whether a path is complete, unambiguous, or below a folder that is named before it."""
    found = found_at(path)
    if len(found) == 1 or path.rstrip("/") in found or ("*" in path and path.startswith(FOLDERS)):
        return bool(found)
    return any(_below(one, folder) for one in found for folder in _named(before))


def _named(before: tuple[str, ...]) -> Iterator[str]:
    """The folders among the earlier texts, and the folders of the files among them."""
    for text in before:
        if not _PATH.fullmatch(text):
            continue
        for path in found_at(text):
            folder = path if path in tree()[1] else str(PurePosixPath(path).parent)
            yield folder


def _below(path: str, folder: str) -> bool:
    return folder != "." and path.startswith(f"{folder}/")


def wrong(mention: Mention) -> str:
    """The part of a mention that names nothing; "" if all of it exists."""
    text = mention.text
    if text in OTHERS or text.startswith("-"):
        return ""
    if text.startswith("ROOT/"):
        return "" if text.removeprefix("ROOT/") in ENTRIES else text
    if _FILE.fullmatch(text) or ("/" in text and _PATH.fullmatch(text)):
        return "" if is_path_known(text.removeprefix("./"), mention.before) else text
    if _DOTTED.fullmatch(text):
        return "" if _is_dotted_known(text) else text
    if _NAME.fullmatch(text):
        return "" if is_defined(text) else text
    return _wrong_word(text)


def _is_dotted_known(text: str) -> bool:
    """Return whether a dotted name is a module, or consists of names that the code defines."""
    if text in importable():
        return True
    first, *others = text.split(".")
    return (first in ("pb", "pybuild") or is_defined(first)) and all(map(is_defined, others))


def _wrong_word(command: str) -> str:
    """The first word of a command or an import that names something which doesn't exist."""
    for word in command.split():
        if word.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and not found_at(word):
            return word
        if word.startswith("pybuild.") and word not in importable():
            return word
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_what_is_named_exists(page: str) -> None:
    found = [f"{page}:{one.line}: {name}" for one in mentions() if one.page == page and (name := wrong(one))]
    assert not found, "\n".join(found)


def test_functions_and_files_of_text_blocks_exist() -> None:
    for page, text in fences():
        for call in _CALL.findall(text):
            assert is_defined(call.rpartition(".")[2]), f"{page}: {call}"
        for path in _FILE.findall(text):
            assert found_at(path), f"{page}: {path}"
        for command in text.splitlines():
            assert not _wrong_word(command), f"{page}: {command}"


def test_every_room_is_in_the_table() -> None:
    """The table has each folder right below a top folder."""
    rows = [
        line for line in (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines() if line.startswith("| `")
    ]
    for row in rows:
        top, *rooms = [one.rstrip("/") for one in _TICKS.findall(row)]
        named = {room.partition("/")[0] for room in rooms}
        for path in (ROOT / top).iterdir():
            if path.is_dir() and not path.is_symlink() and not path.name.startswith((".", "__pycache__")):
                assert path.name in named, f"{top}/{path.name} is in no row of the rooms"


def test_exceptions_are_used() -> None:
    named = {one.text for one in mentions()}
    assert not OTHERS.keys() - named


@pytest.mark.parametrize(
    ("text", "before", "name"),
    [
        ("runtime/solver/solver.py", (), ""),
        ("runtime/solver/oven.py", (), "runtime/solver/oven.py"),
        ("solver.py", ("runtime/solver/",), ""),
        ("copying.py", (), "copying.py"),
        ("copying.py", ("runtime/snapshots/overlay.py",), ""),
        ("lower_everything", (), "lower_everything"),
        ("UserError", (), ""),
        ("pybuild.lang.source", (), ""),
        ("pybuild.lang.sauce", (), "pybuild.lang.sauce"),
        ("./test tests/nowhere -k x", (), "tests/nowhere"),
        ("--pull", (), ""),
    ],
)
def test_a_name_is_looked_up(text: str, before: tuple[str, ...], name: str) -> None:
    assert wrong(Mention("", 0, text, before)) == name
