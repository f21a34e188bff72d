"""`pybuild init`: what it writes for which project, and that it does no harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.projects import LAYOUTS, make

from pybuild.cli.commands import main
from pybuild.cli.init import init, starters
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.textual.fmt import format_source
from pybuild.language.compiled import Compiled
from pybuild.language.projects import Files, recognised, repository

NAMES = sorted(LAYOUTS)


def written(directory: Path) -> str:
    return (directory / "build.pybuild").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written(name: str, tmp_path: Path) -> None:
    """It checks clean, is in the formatter's form, has no gaps, and is the same each time."""
    first, second = (make(LAYOUTS[name], tmp_path / place / name) for place in ("one", "two"))
    for directory in (first, second):
        init(str(directory))
    text = written(first)
    assert text == written(second)
    assert format_source("build.pybuild", text.encode()) == text
    assert "#?" not in text
    assert "@" not in text
    compiled = Compiled(str(first / "build.pybuild"), text.encode())
    program, found = compiled.findings()
    assert found == []
    assert program is not None
    made = compiled.recipe(program)
    (goal,) = made.requested
    assert [tag.name for tag in goal.instances[0].tags] == [f"{LAYOUTS[name].tag}:latest"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = make(LAYOUTS[name], tmp_path / name)
    assert main(["init", str(directory)]) == 0
    path = directory / "build.pybuild"
    said = capsys.readouterr().out
    assert said == f"wrote {path}, {LAYOUTS[name].title}\nnext: pybuild build {directory}\n"


def test_in_this_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(make(LAYOUTS["static"], tmp_path / "site"))
    main(["init"])
    assert capsys.readouterr().out == "wrote build.pybuild, for a site of files\nnext: pybuild build\n"
    assert 'tag "site:latest"' in written(Path())


def test_every_starter_is_used() -> None:
    used = {recognised_as(name) for name in NAMES}
    assert used == {path.stem for path in Path(starters()).glob("*.pybuild")}


def recognised_as(name: str) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        return recognised(str(make(LAYOUTS[name], Path(place) / name))).starter


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_nothing_is_overwritten(kind: str, tmp_path: Path) -> None:
    directory = tmp_path / "project"
    directory.mkdir()
    path = directory / "build.pybuild"
    if kind == "file":
        path.write_text("mine")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(UsageError, match=f"{path} is there already"):
        init(str(directory))
    assert kind != "file" or path.read_text() == "mine"
    assert os.listdir(directory) == ["build.pybuild"]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        init(str(tmp_path / "nowhere"))


def test_beside_a_dockerfile(tmp_path: Path) -> None:
    """Where both are, a build has to say which it means."""
    directory = make(LAYOUTS["static"], tmp_path / "site")
    (directory / "Dockerfile").write_text("FROM scratch\n")
    path = directory / "build.pybuild"
    assert init(str(directory)).text().endswith(f"next: pybuild build -f {path} {directory}\n")


@pytest.mark.parametrize(
    ("files", "first"),
    [
        ({"package.json": "{}"}, "npm install --package-lock-only, which makes package-lock.json"),
        (
            {"package.json": '{"packageManager": "pnpm@10.0.0"}'},
            "pnpm install --lockfile-only, which makes pnpm-lock.yaml",
        ),
        ({"Cargo.toml": ""}, "cargo generate-lockfile, which makes Cargo.lock"),
    ],
)
def test_a_lock_file_is_missing(files: dict[str, str], first: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert f"\nfirst: {first}\n" in init(str(tmp_path)).text()


@pytest.mark.parametrize(
    ("files", "starter"),
    [
        ({"pyproject.toml": "", "package.json": ""}, "python_pip"),
        ({"go.mod": "", "package.json": ""}, "go"),
        ({"Cargo.toml": "", "index.html": ""}, "rust"),
        ({"package.json": "", "index.html": ""}, "node_npm"),
        ({"README.md": ""}, "hello"),
    ],
)
def test_projects_of_several_kinds(files: dict[str, str], starter: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert recognised(str(tmp_path)).starter == starter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "project = 1",
        "[project]\nname = 3\nscripts = []",
        '{"scripts": [], "name": {}}',
        "[[[[",
        "\x00\xff",
    ],
)
@pytest.mark.parametrize(
    "name", ["pyproject.toml", "package.json", "Cargo.toml", "go.mod", "uv.lock", ".nvmrc"]
)
def test_manifests_that_say_nothing(name: str, text: str, tmp_path: Path) -> None:
    """What can't be read gets usual values; the program is sound whatever is in them."""
    directory = tmp_path / "place"
    directory.mkdir()
    (directory / name).write_text(text, encoding="latin-1")
    init(str(directory))
    compiled = Compiled(str(directory / "build.pybuild"), written(directory).encode())
    assert compiled.findings()[1] == []


@pytest.mark.parametrize(
    "name",
    ['a"b', "${{x}}", "$HOME", "a\\nb", "Ünïcode", "-x-", "a/b", "@scope/pack.age", "x" * 300, "@app@"],
)
def test_names_are_data(name: str, tmp_path: Path) -> None:
    import json

    manifest = {"name": name, "main": name, "scripts": {name: name, "build": name}, "packageManager": name}
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    init(str(tmp_path))
    compiled = Compiled(str(tmp_path / "build.pybuild"), written(tmp_path).encode())
    assert compiled.findings()[1] == []
    assert format_source("b", written(tmp_path).encode()) == written(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web", "web"),
        ("My.Web_App", "my-web-app"),
        ("@acme/api", "api"),
        ("example.com/tool/", "tool"),
        ("__", ""),
        ("é", ""),
        ("a" * 200, "a" * 100),
    ],
)
def test_names_of_images(name: str, expected: str) -> None:
    assert repository(name) == expected


def test_a_name_where_there_is_none(tmp_path: Path) -> None:
    place = tmp_path / "__"
    place.mkdir()
    assert Files(str(place)).image("") == "app"
