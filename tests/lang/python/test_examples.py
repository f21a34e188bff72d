"""Each Python example makes the same recipe and graph as its textual twin (language spec, section 20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import World as Images
from tests.compiler.lower.dockerfile.world import image_config
from tests.lang.python.twins import recipe_of_python, recipe_of_text, shape
from tests.lang.textual.expand.programs import Asked
from tests.lang.textual.expand.test_expand_examples import CONTEXT, SOURCES, STANDARD_MODULES
from tests.lang.textual.worlds import World

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.lower.recipe import LowerOptions, lower
from pybuild.compiler.ops import Platform
from pybuild.lang import recipe
from pybuild.lang.textual.expand.options import EVERYTHING

EXAMPLES = Path(__file__).parent / "examples"
TWINS = Path(__file__).parents[2] / "language" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


class AnyImage(Images):
    """Has every image."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self.images[ref] = image_config(architecture=platform.architecture)
        return super().resolve_image(ref, platform, log_name=log_name)


def world(name: str) -> World:
    files = {
        "build.py": (EXAMPLES / f"{name}.py").read_text(),
        "build.pybuild": (TWINS / f"{name}.pybuild").read_text(),
    }
    return World({**SOURCES, **files, **dict.fromkeys(CONTEXT, "")}, STANDARD_MODULES)


def digests(made: recipe.Recipe) -> Iterator[Any]:
    """What each instance is: the digest of its vertex, and its image."""
    found = lower(made, LowerOptions(Platform("amd64", "linux")), AnyImage())
    for instance, lowered in found.instances.items():
        edge = lowered.edge
        where = (edge.vertex.digest, edge.index) if edge is not None else None
        yield instance.goal.title, instance.platform, where, lowered.make_image().to_json()


@pytest.mark.parametrize("platforms", [(), ("linux/arm64",)], ids=["its own", "another"])
@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_what_its_twin_is(name: str, platforms: tuple[str, ...]) -> None:
    asked = Asked(EVERYTHING, platforms=platforms)
    python = recipe_of_python(world(name), asked)
    text = recipe_of_text(world(name), asked)
    one, other = shape(python), shape(text)
    read = other.pop("params")
    assert {key: value for key, value in one.pop("params").items() if key in read} == read
    for said in (one, other):
        for goal in (*said["requested"], *said["needed"]):
            goal.pop(3)
    assert one == other
    graph = list(digests(python))
    assert graph == list(digests(text))
    assert len(graph) >= len(python.requested) * max(len(platforms), 1)


def test_all_examples_have_twins() -> None:
    assert len(NAMES) == 6
    assert {f"{name}.pybuild" for name in NAMES} <= {path.name for path in TWINS.iterdir()}
