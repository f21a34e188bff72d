"""Which stages are lowered, what they start from, and in which scope their words are expanded."""

from __future__ import annotations

import pytest
from attrs import evolve
from tests.compiler.lower.dockerfile.world import (
    AMD64,
    ARM64,
    DIGEST,
    PATH,
    World,
    config_of,
    copies,
    execs,
    history_of,
    image_config,
    lowered,
    names,
    sources,
)

from pybuild.compiler.ops import FileOp, Platform
from pybuild.lang.diagnostics import SourceError, UsageError

BASE = "docker.io/library/base:latest"


def resolved(world: World) -> list[str]:
    return [ref for ref, _ in world.resolved]


def test_stages_that_are_not_needed_resolve_nothing() -> None:
    world = World()
    text = "FROM nowhere AS a\nRUN x\nFROM base AS b\nFROM nowhere2 AS c\nCOPY --from=a x y\nFROM b\n"
    lowered(text, world)
    assert resolved(world) == [BASE]


def test_an_image_named_twice_is_resolved_once_for_a_platform() -> None:
    world = World()
    text = "FROM base AS a\nFROM --platform=arm64 base AS b\nFROM base\nCOPY --from=a x y\nCOPY --from=base x y\n"
    lowered(text + "COPY --from=b x y\n", world)
    assert world.resolved == [(BASE, "amd64"), (BASE, "arm64")]


@pytest.mark.parametrize(("target", "steps"), [("one", ["RUN 1"]), ("TWO", ["RUN 2"]), (None, ["RUN 3"])])
def test_target(target: str | None, steps: list[str]) -> None:
    text = "FROM base AS one\nRUN 1\nFROM base AS Two\nRUN 2\nFROM base\nRUN 3\n"
    result = lowered(text, target=target)
    assert [name.split("] ")[1] for name in names(result)[1:]] == steps
    assert result.stage_names == ("one", "two", "stage-2")


def test_a_later_stage_of_the_same_name_wins() -> None:
    text = "FROM base AS a\nRUN 1\nFROM a AS a\nRUN 2\nFROM a\nRUN 3\n"
    assert history_of(lowered(text)) == [f"+ RUN /bin/sh -c {n} # buildkit" for n in (1, 2, 3)]


def test_arguments_of_global_scope_must_be_declared_to_be_seen() -> None:
    text = "ARG A=1\nARG B=${A}2\nARG N=base\nFROM $N\nRUN x$A\nARG A\nARG B=own\nARG C=$A\n"
    result = lowered(text)
    assert history_of(result)[1:] == ["ARG A=1", "ARG B=own", "ARG C=1"]
    assert [(arg.name, arg.value) for arg in result.args] == [
        ("N", "base"),
        ("A", "1"),
        ("B", "own"),
        ("C", "1"),
    ]


def test_build_arguments_win_over_defaults() -> None:
    text = "ARG N=nowhere\nFROM $N\nARG A=1\nENV B=$A\n"
    result = lowered(text, build_args={"N": "base", "A": "2"})
    assert history_of(result) == ["ARG A=2", "ENV B=2"]


def test_a_build_argument_may_be_empty() -> None:
    assert history_of(lowered("FROM base\nARG A=1", build_args={"A": ""})) == ["ARG A="]


def test_predefined_arguments_of_the_platforms() -> None:
    text = """
FROM --platform=${BUILDPLATFORM} base
ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT TARGETSTAGE
"""
    arm = Platform("arm", "linux", "v7")
    result = lowered(text, target_platform=arm)
    assert history_of(result) == [
        "ARG TARGETPLATFORM=linux/arm/v7 TARGETOS=linux TARGETARCH=arm TARGETVARIANT=v7 "
        "BUILDPLATFORM=linux/amd64 BUILDOS=linux BUILDARCH=amd64 BUILDVARIANT= TARGETSTAGE=default"
    ]
    assert result.image.platform == arm


def test_predefined_arguments_can_be_overridden() -> None:
    result = lowered("FROM base\nARG TARGETARCH", build_args={"TARGETARCH": "z80"})
    assert history_of(result) == ["ARG TARGETARCH=z80"]


def test_arguments_of_a_parent_stage_stay_in_scope() -> None:
    result = lowered("FROM base AS a\nARG A=1\nFROM a\nRUN x")
    assert history_of(result)[-1] == "+ RUN |1 A=1 /bin/sh -c x # buildkit"
    assert execs(result)[0].meta.env == ("A=1", PATH)


def test_unused_build_arguments_are_warned_of() -> None:
    world = World()
    known = {"A": "1", "HTTP_PROXY": "p", "BUILDKIT_INLINE_CACHE": "1", "TARGETOS": "x", "IN_UNUSED": "1"}
    text = "ARG A\nFROM base AS u\nARG IN_UNUSED VERSION\nFROM base\n"
    lowered(text, world, build_args={**known, "VERSIOM": "1", "Z": "2"}, source_date_epoch=1)
    (warning,) = world.warnings
    assert warning.title == "[Warning] One or more build-args [VERSIOM Z] were not consumed"
    assert warning.notes == (("help", "did you mean VERSION?"),)


def test_platform_of_the_base() -> None:
    world = World()
    result = lowered("FROM --platform=arm64 base", world)
    assert world.resolved == [(BASE, "arm64")]
    assert result.platform == ARM64
    constant, warning = world.warnings
    assert constant.code == "FromPlatformFlagConstDisallowed"
    assert warning.code == "InvalidBaseImagePlatform"
    assert warning.title == (
        'Base image base was pulled with platform "linux/amd64", expected "linux/arm64" for current build'
    )


def test_an_implicit_target_follows_the_only_platform_of_its_base() -> None:
    world = World({BASE: image_config(architecture="arm64")})
    result = lowered("FROM base", world, build_platforms=(AMD64, ARM64))
    assert result.platform == ARM64
    assert result.image.architecture == "arm64"
    assert world.warnings == []


def test_an_explicit_target_is_written_into_the_image() -> None:
    world = World({BASE: image_config(architecture="386")})
    result = lowered("FROM base", world, target_platform=Platform("arm64", "linux", "v8"))
    assert (result.image.architecture, result.image.variant) == ("arm64", "")


def test_commands_on_the_empty_file_system_are_for_the_target() -> None:
    text = "FROM --platform=linux/amd64 scratch\nCOPY a /a\nRUN ['x']\n"
    result = lowered(text, target_platform=ARM64)
    assert result.edge is not None
    assert result.edge.vertex.platform == ARM64


TRIGGERS = image_config({"OnBuild": ["ARG Q=1", "COPY --from=tools /t /t", "RUN echo $Q", "ENV Z=9"]})


def test_triggers_of_the_base_come_first_and_may_need_more() -> None:
    world = World({BASE: TRIGGERS, "docker.io/library/tools:latest": image_config()})
    result = lowered("FROM base\nRUN own", world)
    assert history_of(result) == [
        "ARG Q=1",
        "+ COPY /t /t # buildkit",
        "+ RUN |1 Q=1 /bin/sh -c echo $Q # buildkit",
        "ENV Z=9",
        "+ RUN |1 Q=1 /bin/sh -c own # buildkit",
    ]
    assert "OnBuild" not in config_of(result)
    assert resolved(world) == [BASE, "docker.io/library/tools:latest"]
    assert f"FROM docker.io/library/tools:latest@{DIGEST}" in names(result)
    assert "[stage-0 3/6] ONBUILD RUN echo 1" not in names(result)
    assert "[3/6] ONBUILD RUN echo 1" in names(result)
    assert "[4/6] RUN own" in names(result)


def test_triggers_fire_once() -> None:
    world = World({BASE: TRIGGERS, "docker.io/library/tools:latest": image_config()})
    result = lowered("FROM base AS a\nFROM a AS b\nFROM b", world)
    assert len(history_of(result)) == 4


def test_a_trigger_may_copy_from_a_stage_of_the_file() -> None:
    world = World({BASE: TRIGGERS})
    result = lowered("FROM scratch AS tools\nCOPY t /t\nFROM base", world)
    assert resolved(world) == [BASE]
    assert sources(result)["local://context"]["local.followpaths"] == '["t"]'


def test_named_image_replaces_a_base() -> None:
    world = World({"docker.io/library/mine:2": image_config({"User": "m"})})
    for key in ("base", "base:latest", "docker.io/library/base"):
        result = lowered("FROM base\nRUN x", world, contexts={key: "docker-image://mine:2"})
        assert config_of(result)["User"] == "m"
        assert names(result)[0] == "[context base] mine:2"
    assert set(resolved(world)) == {"docker.io/library/mine:2"}


def test_named_context_for_one_platform_goes_first() -> None:
    world = World({"docker.io/library/mine:2": image_config(), "docker.io/library/mine:3": image_config()})
    contexts = {"base": "docker-image://mine:2", "base::linux/arm64": "docker-image://mine:3"}
    lowered("FROM base", world, contexts=contexts, target_platform=ARM64)
    lowered("FROM base", world, contexts=contexts)
    assert resolved(world) == ["docker.io/library/mine:3", "docker.io/library/mine:2"]


def test_named_context_replaces_a_stage_and_what_it_needs() -> None:
    world = World({"docker.io/library/mine:2": image_config({"Env": [PATH, "M=1"]})})
    text = "FROM nowhere AS a\nRUN x\nFROM a\nRUN y"
    result = lowered(text, world, contexts={"a": "docker-image://mine:2"})
    assert history_of(result) == ["+ RUN /bin/sh -c y # buildkit"]
    assert execs(result)[0].meta.env == (PATH, "M=1")
    assert resolved(world) == ["docker.io/library/mine:2"]


def test_named_layout() -> None:
    world = World({"store:v1": image_config()})
    result = lowered("FROM base\nRUN x", world, contexts={"base": "oci-layout://store:v1"})
    assert list(sources(result)) == [f"oci-layout://store:v1@{DIGEST}"]
    assert names(result)[0] == "[context base] OCI load from client"


def test_named_directory_reads_what_is_used_of_it() -> None:
    world = World(directories={"dir": {".dockerignore": b"*.o\n# c\n!a.o\n"}})
    text = "FROM scratch AS s\nCOPY --from=data x y/ /\nFROM scratch\nCOPY --from=s / /\n"
    result = lowered(text, world, contexts={"data": "local:dir"})
    assert sources(result)["local://dir"] == {
        "local.excludepatterns": '["*.o","!a.o"]',
        "local.followpaths": '["x","y"]',
        "local.sharedkeyhint": "context:data-",
    }


def test_named_directory_as_a_base() -> None:
    result = lowered("FROM data\nRUN x", contexts={"data": "local:dir"})
    assert config_of(result) == {"Env": [PATH], "WorkingDir": "/"}
    assert "local.followpaths" not in sources(result)["local://dir"]
    assert result.edge is not None
    assert result.edge.vertex.platform == AMD64


def test_named_scratch() -> None:
    assert lowered("FROM base", contexts={"base": "docker-image://scratch"}).edge is None


def test_a_repository_as_context() -> None:
    result = lowered(
        "FROM scratch\nCOPY --from=repo a /\n", contexts={"repo": "https://example.com/x.git#v1:sub"}
    )
    assert sources(result)["git://example.com/x.git#v1:sub"]["git.fullurl"] == "https://example.com/x.git"


@pytest.mark.parametrize(("head", "unpacked"), [(b"\x1f\x8b\x08\x00", True), (b"FROM x\n", False)])
def test_an_address_as_context(head: bytes, unpacked: bool) -> None:
    world = World(directories={"http://example.com/x": {"context": head}})
    result = lowered("FROM scratch\nCOPY --from=x a /\n", world, contexts={"x": "http://example.com/x"})
    assert result.edge is not None
    (source,) = result.edge.vertex.inputs
    assert isinstance(source.vertex.op, FileOp) == unpacked


def test_another_target_as_context() -> None:
    text = "FROM scratch AS a\nCOPY x /\nENV A=1\nFROM base\nCOPY y /\n"
    result = lowered(text, contexts={"base": "target:a"})
    assert config_of(result)["Env"] == [PATH, "A=1"]
    assert result.edge is not None
    assert result.edge.vertex.inputs[0].vertex.name.endswith("COPY x /")
    with pytest.raises(SourceError, match=r"target stage .* could not be found"):
        lowered(text, contexts={"base": "target:c"})


@pytest.mark.parametrize("source", ["gopher://example.com/x", "nothing"])
def test_contexts_of_other_kinds_are_refused(source: str) -> None:
    with pytest.raises(UsageError, match="for base"):
        lowered("FROM base", contexts={"base": source})


def test_ignored_sources_are_warned_of() -> None:
    world = World()
    text = "# check=experimental=all\nFROM scratch\nCOPY a.o b /x/\nADD . /y\n"
    lowered(text, world, excludes=("*.o",))
    assert [(w.code, w.title) for w in world.warnings] == [
        ("CopyIgnoredFile", 'Attempting to Copy file "a.o" that is excluded by .dockerignore')
    ]
    world = World()
    lowered("# check=experimental=all\nFROM scratch\nCOPY a.o /x/\n", world, excludes=("*.o", "!a.o"))
    assert world.warnings == []


def test_copied_paths_of_a_stage_are_those_of_the_base_context() -> None:
    text = "FROM data AS s\nFROM scratch\nCOPY --from=s /a /b"
    result = lowered(text, contexts={"data": "local:dir"})
    assert sources(result)["local://dir"]["local.followpaths"] == '["a"]'
    assert [copy.src for copy in copies(result)] == ["/a"]


def test_lowering_twice_gives_equal_graphs() -> None:
    text = "FROM base AS a\nCOPY x /x\nFROM scratch\nCOPY --from=a /x /x\n"
    first, second = lowered(text), lowered(text)
    assert first.edge == second.edge
    assert evolve(first, edge=None) == evolve(second, edge=None)
