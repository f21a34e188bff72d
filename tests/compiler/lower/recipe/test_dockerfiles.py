"""`dockerfile(…)`: the same graph that the file alone makes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import AMD64, World, image_config
from tests.compiler.lower.dockerfile.world import lowered as lowered_dockerfile
from tests.compiler.lower.recipe.making import (
    CONTEXT,
    body,
    built,
    execs,
    image,
    lowered,
    run,
    scratch,
    span,
    template,
    vertices,
)

from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import UserError
from pybuild.lang.recipe import Directory, Dockerfile, Env, State

TEXT = "FROM base AS build\nCOPY src /src\nENV A=1\nRUN make\nFROM build\nRUN other\n"


def dockerfile(text: str = TEXT, context: State = CONTEXT, target: str = "build", **more: Any) -> Dockerfile:
    return Dockerfile(span(3), text.encode(), "x/Dockerfile", context, target, "linux/amd64", **more)


def edge_of(state: Dockerfile, world: World | None = None, **options: Any) -> Edge | None:
    return lowered(body(base=state), world, **options).edge


def test_it_is_the_dockerfiles_graph() -> None:
    assert edge_of(dockerfile()) == lowered_dockerfile(TEXT, target="build", target_platform=AMD64).edge
    assert edge_of(dockerfile(target="")) == lowered_dockerfile(TEXT, target_platform=AMD64).edge


def test_its_config_is_inherited_but_not_its_shell() -> None:
    text = 'FROM base\nSHELL ["/bin/bash", "-c"]\nENV A=1\nCMD ["x"]\n'
    made = lowered(body(run("make"), base=dockerfile(text, target="")))
    assert execs(made)[-1].meta.args == ("/bin/sh", "-e", "-c", "make")
    assert execs(made)[-1].meta.env[-1] == "A=1"
    assert made.image.config.cmd == ("x",)
    assert [entry.created_by for entry in made.image.history[1:]][-2:] == ['CMD ["x"]', "run make"]


def test_arguments_and_proxies() -> None:
    text = "FROM base\nARG X\nRUN make\n"
    made = lowered(
        body(base=dockerfile(text, target="", args={"X": "1"})),
        steps=StepDefaults(proxies={"http_proxy": "p"}),
    )
    (op,) = execs(made)
    assert "X=1" in op.meta.env
    assert op.meta.proxy_env is not None


def test_options_of_the_build() -> None:
    made = lowered(body(base=dockerfile()), steps=StepDefaults(network="none", no_cache=True))
    assert execs(made)[0].network.name == "NONE"
    assert vertices(made)[-1].metadata.ignore_cache


@pytest.mark.parametrize(("ignore", "expected"), [(None, ("*.o",)), (b"# x\n\n/docs/\n!a\n", ("docs", "!a"))])
def test_what_the_context_leaves_out(ignore: bytes | None, expected: tuple[str, ...]) -> None:
    context = Directory(None, "/p", "context", exclude=("*.o",))
    found = lowered_dockerfile(TEXT, target="build", target_platform=AMD64, excludes=expected)
    assert edge_of(dockerfile(context=context, ignore=ignore)) == found.edge


def test_a_context_that_is_a_state() -> None:
    made = body(run("generate"), title="made")
    edge = lowered(made).edge
    found = lowered_dockerfile(TEXT, target="build", target_platform=AMD64, context=edge)
    assert edge_of(dockerfile(context=built(made))) == found.edge


def test_a_context_with_nothing_in_it() -> None:
    assert edge_of(dockerfile(context=scratch())) is not None


def test_a_context_of_which_a_part_is_included() -> None:
    context = Directory(None, "/p", "some", include=("src",))
    sources = [vertex.op for vertex in vertices(lowered(body(base=dockerfile(context=context))))]
    (op,) = (op for op in sources if isinstance(op, SourceOp) and op.identifier == "local://some")
    assert op.attrs["local.includepattern"] == '["src"]'


def test_named_contexts() -> None:
    text = "FROM tools AS a\nRUN make\nFROM a\nCOPY --from=data /x /x\nCOPY --from=part /y /y\n"
    tools = body(Env((("T", template("1")),)), run("install"), title="tools")
    contexts = {
        "tools": built(tools),
        "data": Directory(None, "/data", "local:data", exclude=("z",)),
        "part": Directory(None, "/data", "local:part", include=("y",)),
    }
    made = lowered(body(base=dockerfile(text, target="", contexts=contexts)))
    first, second = execs(made)
    assert first.meta.args[-1] == "install"
    assert "T=1" in second.meta.env
    sources = {
        op.identifier: dict(op.attrs)
        for op in (vertex.op for vertex in vertices(made))
        if isinstance(op, SourceOp)
    }
    assert sources["local://local:data"] == {
        "local.excludepatterns": '["z"]',
        "local.followpaths": '["x"]',
        "local.sharedkeyhint": "context:data-",
    }
    assert sources["local://local:part"]["local.includepattern"] == '["y"]'
    assert made.image.config.env[-1] == "T=1"


def test_an_image_as_named_context() -> None:
    world = World({"docker.io/library/other:latest": image_config({"User": "o"})})
    made = lowered(
        body(base=dockerfile("FROM tools\n", target="", contexts={"tools": image("other")})), world
    )
    assert made.image.config.user == "o"
    assert made.base_config == world.images["docker.io/library/other:latest"]


def test_errors_say_where_it_is_used() -> None:
    with pytest.raises(UserError, match='target stage "biuld" could not be found') as caught:
        edge_of(dockerfile(target="biuld"))
    assert ("note", "used at build.pybuild:3:1") in caught.value.diagnostic.notes
    assert caught.value.diagnostic.span is not None
    assert caught.value.diagnostic.span.source.name == "x/Dockerfile"


def test_without_linking_nothing_is_resolved() -> None:
    world = World({})
    made = lowered(body(run(), base=dockerfile()), world, linked=False)
    assert world.resolved == []
    identifiers = {
        op.identifier for op in (vertex.op for vertex in vertices(made)) if isinstance(op, SourceOp)
    }
    assert "docker-image://docker.io/library/base:latest" in identifiers


def test_time() -> None:
    made = lowered(body(base=dockerfile("FROM base\nWORKDIR /x\n", target="")), epoch=5)
    found = lowered_dockerfile("FROM base\nWORKDIR /x\n", target_platform=AMD64, source_date_epoch=5)
    assert made.edge == found.edge
