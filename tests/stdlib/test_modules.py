"""What the standard library's steps run, in real builds: with which words, as whom, where, with which mounts, and
what is left of it in the image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.runtime.registry.behaving import Registry
from tests.support.standins.casefiles import cases, modules, program
from tests.support.standins.images import answer_for_all, described

from pybuild.compiler import platforms

pytestmark = [pytest.mark.root, pytest.mark.crun]

MACHINE = platforms.default().architecture

TITLES = [
    pytest.param(module, number, id=f"{module}: {case.title}")
    for module in modules()
    for number, case in enumerate(cases(module))
]


class Built:
    """The results of all cases of a module, built together when first asked for."""

    def __init__(self, place: Path, base: Path, registry: Registry) -> None:
        self._place = place
        self._base = base
        self._registry = registry

    def of(self, module: str) -> Path:
        place = self._place / module
        results = place / "project" / "out"
        if not place.exists():
            builder = Builder(place, self._base)
            answer_for_all(builder, self._registry)
            context = builder.context("project")
            (context / "build.pybuild").write_text(program(module))
            secret = "--secret=id=token,env=TOKEN"
            builder = builder.in_environment(TOKEN="s3cret")
            builder.run("build", "--progress=plain", "--target=all", secret, context)
            shutil.rmtree(builder.store, ignore_errors=True)
        return results


@pytest.fixture(scope="session")
def built(places: Path, base: Path, registry: Registry) -> Iterator[Built]:
    yield Built(places, base, registry)
    shutil.rmtree(places, ignore_errors=True)


def left(directory: Path) -> list[str]:
    """What is in a layer besides the record and the test's own users; of directories the empty ones."""
    paths = []
    for path in sorted(directory.rglob("*")):
        name = f"/{path.relative_to(directory)}"
        if name in ("/record", "/etc/passwd") or (path.is_dir() and any(path.iterdir())):
            continue
        paths.append(name + "/" if path.is_dir() else name)
    return paths


@pytest.mark.parametrize(("module", "number"), TITLES)
def test_calls(module: str, number: int, built: Built) -> None:
    result = built.of(module) / f"case_{number}"
    record = result / "record"
    text = described(record.read_text()) if record.exists() else ""
    text = text.replace(f" GOARCH={MACHINE} ", " GOARCH=amd64 ")
    changes = left(result)
    text += f"changes: {' '.join(changes)}\n" if changes else ""
    assert text == cases(module)[number].expected
