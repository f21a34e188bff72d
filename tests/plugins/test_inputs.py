"""What frontends are given to start from: contexts, bases; and the example's reading of its files."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.frontend import Base, Context, FrontendInputs
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import SourceError, UsageError, render
from pybuild.lang.source import Source
from pybuild.plugins.invocation import check_result

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "recipe-frontend"
ARM = Platform("arm64", "linux")
INPUTS = FrontendInputs(Source("file", ""), "1", (ARM,), ARM)
DIGEST = "sha256:" + "0" * 64
CONFIG = {
    "architecture": "arm64",
    "os": "linux",
    "created": "2020-01-01T00:00:00Z",
    "config": {"Env": ["A=1", "B=x=y"], "WorkingDir": "/w", "User": "me", "OnBuild": ["RUN x"]},
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
}


class Registry:
    """A bridge for which every image has the config above, less its layers if it is called `empty`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Platform]] = []

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self.asked.append((ref, platform))
        layers = [] if "empty" in ref else [DIGEST]
        config = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": layers}}
        return ResolvedImage(ref, DIGEST, json.dumps(config).encode())


def bridge() -> Any:
    return Registry()


def source(state: State) -> SourceOp:
    assert state.edge is not None
    assert isinstance(state.edge.vertex.op, SourceOp)
    return state.edge.vertex.op


def test_a_base_runs_as_its_config_says() -> None:
    asked = bridge()
    base = INPUTS.base("a:1", ARM, asked)
    assert asked.asked == [("docker.io/library/a:1", ARM)]
    assert source(base.state).identifier == f"docker-image://docker.io/library/a:1@{DIGEST}"
    assert base.state.environment == (("A", "1"), ("B", "x=y"))
    assert (base.state.cwd, base.state.user_name, base.state.platform) == ("/w", "me", ARM)
    assert base.image.config.env == ("A=1", "B=x=y")
    assert (base.image.created, base.image.config.on_build) == (None, ())
    assert base.config is not None
    assert base.built(base.state).base_config == base.config


def test_an_image_without_layers_is_the_empty_file_system() -> None:
    assert INPUTS.base("empty", ARM, bridge()).state.edge is None
    assert INPUTS.base("scratch", ARM, None) == Base.scratch(ARM)  # type: ignore[arg-type]


def test_pulling_is_passed_on() -> None:
    pulling = evolve(INPUTS, resolve_mode="pull")
    assert source(pulling.base("a", ARM, bridge()).state).attrs == {"image.resolvemode": "pull"}


def test_named_contexts_come_before_images() -> None:
    inputs = evolve(INPUTS, contexts={"a": "docker-image://b", "a::linux/amd64": "docker-image://c"})
    asked = bridge()
    inputs.base("a:latest", ARM, asked)
    inputs.base("docker.io/library/a", Platform("amd64", "linux"), asked)
    assert [ref for ref, _ in asked.asked] == ["docker.io/library/b:latest", "docker.io/library/c:latest"]
    assert inputs.named("other", ARM, asked) is None


def test_a_target_of_a_dockerfile_is_no_context() -> None:
    inputs = evolve(INPUTS, contexts={"a": "target:stage"})
    with pytest.raises(UsageError, match="the build context a is a target of a Dockerfile"):
        inputs.base("a", ARM, bridge())


def test_of_a_directory_the_paths_are_named() -> None:
    context = Context("context", None, ("*.o",))
    op = source(context.state("/src/../lib", "a*"))
    assert op.identifier == "local://context"
    assert json.loads(op.attrs["local.followpaths"]) == ["a*", "lib"]
    assert json.loads(op.attrs["local.excludepatterns"]) == ["*.o"]
    assert "local.followpaths" not in source(context.state()).attrs
    assert "local.followpaths" not in source(context.state("a", ".")).attrs


def test_what_lies_elsewhere_is_the_state_that_it_is() -> None:
    elsewhere = State.git("https://example.org/r.git", "main").edge
    assert Context("context", elsewhere).state("a").edge is elsewhere


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pybuild_recipe", EXAMPLE / "pybuild_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_registers_what_is_there(example: ModuleType) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pybuild.frontends"] == {"recipe": "pybuild_recipe:frontend"}
    assert example.frontend.versions == ("1",)


def test_the_example_makes_an_image_a_platform(example: ModuleType) -> None:
    text = json.dumps(
        {"from": "a", "run": ["x"], "env": {"B": "2"}, "command": ["c"], "files": {"/d/": ["e", "f*"]}}
    )
    inputs = evolve(INPUTS, source=Source("recipe.json", text), platforms=(ARM, Platform("amd64", "linux")))
    built = example.frontend.build(bridge(), inputs)
    assert check_result(None, evolve(built, images=built.images[:1]), inputs)  # type: ignore[arg-type]
    assert [one.image.config.env for one in built.images] == [("A=1", "B=2")] * 2
    assert [one.image.config.cmd for one in built.images] == [("c",)] * 2


@pytest.mark.parametrize(
    ("text", "title", "place"),
    [
        ('{\n "form": "a"}', "a recipe has no member 'form'", "recipe.json:2:2"),
        ('{"run": "a"}', "'run' is not a list of texts", "recipe.json:1:2"),
        ('{"files": {"/": [1]}}', "'files' is not lists of texts by name", "recipe.json:1:2"),
        ('{"a": \n ]', "the recipe is no JSON", "recipe.json:2:2"),
        ("[]", "the recipe is no JSON object", "recipe.json:1:1"),
    ],
)
def test_the_examples_errors_have_a_place(example: ModuleType, text: str, title: str, place: str) -> None:
    with pytest.raises(SourceError) as caught:
        example.read(Source("recipe.json", text))
    assert str(caught.value) == title
    assert f"--> {place}" in render(caught.value.diagnostic)
