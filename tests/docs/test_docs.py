"""The manual is true: its commands run, its configuration files are valid, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest
from tests.support.warm import program as warm

from pybuild.daemon.daemon_file import DAEMON_FILE
from pybuild.lang.source import Source
from pybuild.request.config.project_file import PROJECT_FILE
from pybuild.request.config.schema import read
from pybuild.request.config.user_file import USER_FILE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "dockerfile").glob("*.md"),
        *(ROOT / "docs" / "language").glob("*.md"),
        *(ROOT / "docs" / "python").glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
KINDS = {"sh", "toml", "text", "dockerfile", "json", "pybuild", "python", "console", "lark"}
OWN = (ROOT / "docs" / "language", ROOT / "docs" / "python")
"""Folders of pages whose blocks have tests of their own."""
REGISTRY = "localhost:5000"


class Block:
    """A fenced block. `shown` is the text of the next block if that has the note `prints`, else None."""

    def __init__(
        self, page: Path, text: str, found: re.Match[str], following: re.Match[str] | None = None
    ) -> None:
        self.kind = found["kind"]
        self.text = found["text"]
        self.note = dict(part.split(": ", 1) for part in (found["note"] or "").split("; ") if ": " in part)
        prints = following is not None and following["note"] == "prints"
        self.shown = following["text"] if following is not None and prints else None
        line = text.count("\n", 0, found.start("text")) + 1
        self.name = f"{page.relative_to(ROOT)}:{line}"


def blocks(*kinds: str) -> list[Block]:
    found = []
    for page in PAGES:
        if page.parent in OWN:
            continue
        text = page.read_text(encoding="utf-8")
        matches = list(FENCE.finditer(text))
        found += [Block(page, text, *pair) for pair in zip_longest(matches, matches[1:])]
    return [block for block in found if block.kind in kinds]


def parameters(*kinds: str) -> list[object]:
    return [
        pytest.param(
            block,
            id=block.name,
            marks=[getattr(pytest.mark, name) for name in block.note.get("needs", "").split()],
        )
        for block in blocks(*kinds)
    ]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout in which the commands of a page run: examples and wrapper are copies, the rest is linked. Its
    `.venv` forwards to the programs of the real one, so that nothing is installed there."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("pybuildw", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    for name in ("tests", "src", "lang", "compiler", "runtime", "stdlib"):
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / ".venv" / "bin"
    packages = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages"
    programs.mkdir(parents=True)
    packages.mkdir(parents=True)
    daemon = (
        f'[ "$1" != serve ] || exec {sys.executable} -m pybuild "$@"; '  # a signal is for the process itself
    )
    for name, command in (
        ("python", f"exec {sys.executable}"),
        ("pybuild", f"{daemon}exec {warm.command()}"),
        ("ruff", f"exec {sys.executable} -m ruff"),
        ("mypy", f"exec {sys.executable} -m mypy"),
    ):
        (programs / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (programs / name).chmod(0o755)
    (packages / "_pybuildkit.pth").write_text("")
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYBUILD_", "BUILDKIT_"))
    }
    kept.pop("SOURCE_DATE_EPOCH", None)
    kept["PATH"] = f"{place}/.venv/bin:{os.environ['PATH']}"
    kept |= {"PYBUILD_ROOT": str(place / "store"), "HOME": str(place), "LC_ALL": "C.UTF-8"}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.parametrize("block", parameters("sh"))
def test_commands_run(block: Block, place: Path) -> None:
    text = block.text
    if REGISTRY in text:
        registry = os.environ.get("PYBUILD_TEST_REGISTRY")
        if not registry:
            pytest.skip("needs a registry, which ./test starts")
        text = text.replace(REGISTRY, registry)
    shell = block.note.get("shell", "sh")
    done = subprocess.run(
        [shell, "-euc", text],
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if block.shown is not None:
        assert done.stdout.rstrip("\n") == block.shown.rstrip("\n")


@pytest.mark.root
@pytest.mark.crun
def test_the_readmes_picture_is_real(place: Path) -> None:
    printed = ""
    for command in (["build", "--progress=plain"], ["test"]):
        done = subprocess.run(
            [sys.executable, "-m", "pybuild", *command, "examples/greeting"],
            cwd=place,
            env=environment(place),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        printed += done.stderr + done.stdout
    changing = re.compile(r"^#\d+ |\b\d+\.\d+s?\b|[0-9a-f]{12,}…?")
    lines = {changing.sub("", line) for line in printed.splitlines()}
    picture = next(block for block in blocks("text") if block.name.startswith("README.md"))
    for line in picture.text.splitlines():
        assert line in ("", "…") or changing.sub("", line) in lines, line


def test_the_readmes_program_is_the_examples() -> None:
    (shown,) = (block.text for block in blocks("pybuild") if block.name.startswith("README.md"))
    example = (ROOT / "examples" / "greeting" / "build.pybuild").read_text(encoding="utf-8")
    for declaration in shown.split("\n\n"):
        assert declaration.strip() in example, declaration


@pytest.mark.parametrize("block", parameters("toml"))
def test_configuration_is_valid(block: Block) -> None:
    name = block.text.split("\n")[0].removeprefix("# ")
    schemas = {"pybuild.toml": PROJECT_FILE, "config.toml": USER_FILE, "buildkitd.toml": DAEMON_FILE}
    assert read(Source(name, block.text), schemas[name])


def test_the_examples_configuration_is_valid() -> None:
    for path in (ROOT / "examples").rglob("pybuild.toml"):
        read(Source(str(path), path.read_text(encoding="utf-8")), PROJECT_FILE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(FENCE.findall(text))
    assert {match["kind"] for match in FENCE.finditer(text)} <= KINDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index


def test_the_readme_fits_a_screen() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 70
    assert lines[0] == "# pybuild"
