"""The example projects, each with the recipe it expands to (`examples/NAME.recipe`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lang.textual.dump import dump
from tests.lang.textual.expand.programs import Asked, Outside
from tests.lang.textual.worlds import STANDARD, World

from pybuild.lang.textual import modules
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING
from pybuild.lang.textual.listing import listing
from pybuild.lang.textual.load import load

GOLDEN = Path(__file__).parent / "examples"
FOLDER = Path(__file__).parent.parent / "check" / "examples"
SOURCES = {str(path.relative_to(FOLDER)): path.read_text() for path in sorted(FOLDER.rglob("*.pybuild"))}
CONTEXT = (
    "pyproject.toml uv.lock README.md src/main.py docs/index.md mkdocs.yml requirements.txt configs/a.toml "
    "package.json libs/a/package.json services/api/package.json services/worker/package.json "
    "services/billing/package.json go.mod"
).split()
STANDARD_MODULES = {**STANDARD, **{name: SOURCES[f"std/{name}.pybuild"] for name in ("uv", "apt")}}
NAMES = ("1_hello", "2_web", "3_go", "4_mono", "5_checks", "6_ml")


def program(name: str) -> modules.Program:
    world = World({**SOURCES, **dict.fromkeys(CONTEXT, "")}, STANDARD_MODULES)
    loaded = load(world.root(f"{name}.pybuild"), world)
    assert loaded.program is not None
    return loaded.program


def expanded(name: str) -> str:
    return dump(expand(program(name), Asked(EVERYTHING).options, Outside()))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_expands_to_this(name: str) -> None:
    assert expanded(name) == (GOLDEN / f"{name}.recipe").read_text()


def test_a_listing() -> None:
    listed = listing(program("4_mono"))
    assert listed.default == "all"
    assert [(one.name, one.kind, len(one.axes), one.platforms) for one in listed.targets] == [
        ("image", "target", 1, ('"linux/amd64"', '"linux/arm64"')),
        ("unit", "test", 2, ()),
    ]
    assert [(axis.name, axis.values) for axis in listed.targets[1].axes] == [
        ("name", "services"),
        ("db", '["sqlite", "postgres"]'),
    ]
    services = listed.params[0]
    assert (services.name, services.type, services.default) == (
        "services",
        "list[str]",
        '["api", "worker", "billing"]',
    )
    assert services.summary == "Services to build; override with -p services=api,worker."
    assert [(group.name, group.members) for group in listed.groups] == [("all", ("unit", "image"))]


def test_a_listing_names_secrets() -> None:
    listed = listing(program("6_ml"))
    assert listed.default == "train"
    assert [(one.id, one.optional) for one in listed.secrets] == [("hf_token", False), ("pip_conf", True)]
    assert listed.ssh == ("default",)


def test_a_listing_of_what_is_rare() -> None:
    text = (
        '# syntax=pybuild:1\n\nparam need: map[str]\nparam _own: str = ""\n'
        "# One\n# two. Three.\n#\n# Four.\ntarget only:\n    from scratch\ntarget _hidden:\n    from scratch\n"
        'test t:\n    from "x"\n    with ssh("a"), ssh(), secret("s", optional=true), secret("s"):\n        run x\n'
    )
    world = World({"build.pybuild": text})
    loaded = load(world.root(), world)
    assert loaded.program is not None
    listed = listing(loaded.program)
    assert listed.default == "only"
    assert [(one.name, one.summary) for one in listed.targets] == [("only", "One two."), ("t", "")]
    assert [(one.name, one.type, one.default) for one in listed.params] == [("need", "map[str]", None)]
    assert listed.ssh == ("a", "default")
    assert [(one.id, one.optional) for one in listed.secrets] == [("s", False)]
