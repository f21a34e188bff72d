"""The starters are built and tested as a user would, over images that stand in for theirs."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.projects import IMAGES, LAYOUTS, make
from tests.e2e.building import Builder, blob, manifest_of
from tests.runtime.registry.behaving import Registry
from tests.support.standins.images import answer_for_all, serve

pytestmark = [pytest.mark.root, pytest.mark.crun]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Iterator[Builder]:
    registry = Registry()
    serve(registry, tmp_path_factory.mktemp("images"), IMAGES)
    builder = Builder(tmp_path_factory.mktemp("starters"), base)
    answer_for_all(builder, registry)
    yield builder
    registry.close()
    shutil.rmtree(builder.place, ignore_errors=True)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_builds_and_passes_its_tests(name: str, shared: Builder) -> None:
    layout = LAYOUTS[name]
    directory = make(layout, shared.place / name)
    shared.run("init", directory)
    result = shared.place / f"{name}-layout"
    shared.run("build", f"--output=type=oci,dest={result},tar=false", directory)
    manifest = manifest_of(result)
    config = json.loads(blob(result, manifest["config"]["digest"]))["config"]  # type: ignore[index]
    assert [*config.get("Entrypoint", []), *config.get("Cmd", [])] == (layout.command or ["sh"])
    assert config.get("User", "") == {"npm": "node", "shrinkwrap": "node", "pnpm": "node"}.get(
        name, "" if name in ("hello", "static", "go") else "app"
    )
    declared = "\ntest " in (directory / "build.pybuild").read_text()
    if declared:
        shared.run("test", directory)
    assert bool(layout.tests or name in ("hello", "static")) == declared


@pytest.mark.parametrize("name", sorted(name for name, one in LAYOUTS.items() if one.calls))
def test_runs(name: str, shared: Builder, tmp_path: Path) -> None:
    """The programs that are called, in order, before the image and then in its test."""
    layout = LAYOUTS[name]
    directory = make(layout, tmp_path / name)
    shared.run("init", directory)
    wanted = [("program" if name in ("go", "rust") else "image", layout.calls)]
    if layout.tests:
        before = layout.calls[:1] if name == "go" else [] if name == "rust" else layout.calls
        wanted.append(("tests", [*before, *layout.tests]))
        if name in ("npm", "pnpm"):
            wanted[1] = ("tests", [*layout.calls[:-1], *layout.tests])
    path = directory / "build.pybuild"
    text = path.read_text()
    for target, calls in wanted:
        path.write_text(f'{text}\ntarget record:\n    from {target}\n    output "/record" to "record"\n')
        shared.run("build", "--target=record", directory)
        assert words(directory / "record") == calls


def words(record: Path) -> list[str]:
    from tests.support.standins.images import calls

    return [shlex.join(call.words) for call in calls(record.read_text())]
