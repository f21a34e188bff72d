"""What the mounts and devices of RUN become in the graph, and what they use of contexts and stages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import (
    World,
    actions,
    execs,
    image_config,
    lowered,
    names,
    sources,
    vertices,
)

from pybuild.compiler.lower.dockerfile.lower import lower, lower_stages
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.options import LowerOptions, Used
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import (
    EMPTY,
    CacheOpt,
    CacheSharing,
    CDIDevice,
    ChownOpt,
    ExecOp,
    FileOp,
    MkDir,
    MkFile,
    Mount,
    MountType,
    NetMode,
    SecretEnv,
    SecretOpt,
    SecurityMode,
    SourceOp,
    SSHOpt,
    TmpfsOpt,
)
from pybuild.lang.diagnostics import SourceError, UserError
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source

ROOT = Mount(dest="/")


def only_exec(text: str, world: World | None = None, **options: Any) -> ExecOp:
    found = execs(lowered(text, world, **options))
    assert len(found) == 1
    return found[0]


def mount(value: str, before: str = "", **options: Any) -> Mount:
    """The one mount besides the root."""
    op = only_exec(f"FROM base\n{before}RUN --mount={value} x\n", **options)
    others = [mount for mount in op.mounts if mount != ROOT]
    assert len(others) == 1
    return others[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("target=/x", Mount(1, "", "/x", EMPTY, True)),
        ("type=bind,dst=/x,src=a/../b/", Mount(1, "/b", "/x", EMPTY, True)),
        ("TYPE=Bind,Destination=/x,source=../b", Mount(1, "/b", "/x", EMPTY, True)),
        ("target=/x,rw", Mount(1, "", "/x", EMPTY)),
        ("target=/x,readwrite=T", Mount(1, "", "/x", EMPTY)),
        ("target=/x,ro=false", Mount(1, "", "/x", EMPTY)),
        ("target=/x,rw,readonly=1", Mount(1, "", "/x", EMPTY, True)),
        ("target=/x,rw=0", Mount(1, "", "/x", EMPTY, True)),
        ("target=/x/../y/,source=/", Mount(1, "", "/x/../y/", EMPTY, True)),
        ("target=x/../y/", Mount(1, "", "/y", EMPTY, True)),
        ("target=/a,target=/b,id=ignored,env=ignored", Mount(1, "", "/b", EMPTY, True)),
    ],
)
def test_bind(value: str, expected: Mount) -> None:
    assert mount(value) == expected


def test_a_relative_target_lies_in_the_working_directory() -> None:
    assert mount("target=../x", "WORKDIR /w/v\n").dest == "/w/x"
    assert mount("type=tmpfs", "WORKDIR /w\n").dest == "/w"


@pytest.mark.parametrize(
    ("value", "id", "sharing", "readonly"),
    [
        ("type=cache,target=/c", "//c", CacheSharing.SHARED, False),
        ("type=cache,target=/c/./d/", "//c/d", CacheSharing.SHARED, False),
        ("type=cache,target=c", "/c", CacheSharing.SHARED, False),
        ("type=cache,target=/c,id=k,sharing=locked", "/k", CacheSharing.LOCKED, False),
        ("sharing=Private,type=cache,target=/c,ro", "//c", CacheSharing.PRIVATE, True),
        ("type=cache,target=/c,sharing=locked,sharing=shared", "//c", CacheSharing.SHARED, False),
    ],
)
def test_cache(value: str, id: str, sharing: CacheSharing, readonly: bool) -> None:
    target = "/c/./d/" if "./d" in value else "/c"
    expected = Mount(EMPTY, "", target, EMPTY, readonly, MountType.CACHE, cache_opt=CacheOpt(id, sharing))
    assert mount(value) == expected


def test_a_namespace_comes_before_the_ids_of_caches() -> None:
    found = mount("type=cache,target=/c,id=k", build_args={"BUILDKIT_CACHE_MOUNT_NS": "ns"})
    assert found.cache_opt == CacheOpt("ns/k")


@pytest.mark.parametrize(
    ("given", "mode", "owner"),
    [
        ("uid=5", 0o755, (5, 0)),
        ("gid=0", 0o755, (0, 0)),
        ("mode=0700,gid=6,uid=4294967295", 0o700, (4294967295, 6)),
        ("mode=1777,source=/", 0o777, (0, 0)),
    ],
)
def test_an_owned_cache_starts_from_a_directory(given: str, mode: int, owner: tuple[int, int]) -> None:
    result = lowered(f"FROM base\nRUN --mount=type=cache,target=/c,{given} x\n")
    made = MkDir("/cache", mode, owner=ChownOpt(*owner))
    assert list(actions(result)) == [made]
    assert "[internal] settings cache mount permissions" in names(result)
    expected = Mount(1, "/cache", "/c", EMPTY, mount_type=MountType.CACHE, cache_opt=CacheOpt("//c"))
    assert execs(result)[0].mounts == (ROOT, expected)


def test_a_cache_from_a_stage() -> None:
    text = "FROM base AS b\nRUN one\nFROM base\n"
    result = lowered(text + "RUN --mount=type=cache,target=/c,from=b,source=d x\n")
    assert execs(result)[1].mounts[1] == Mount(
        1, "/d", "/c", EMPTY, mount_type=MountType.CACHE, cache_opt=CacheOpt("//c")
    )
    # With a source there is a directory to start from: its owner stays.
    result = lowered(text + "RUN --mount=type=cache,target=/c,from=b,source=d,uid=4 x\n")
    assert list(actions(result)) == []
    result = lowered(text + "RUN --mount=type=cache,target=/c,from=B,uid=4 x\n")
    (made,) = (vertex for vertex in vertices(result) if isinstance(vertex.op, FileOp))
    assert isinstance(made.inputs[0].vertex.op, ExecOp)


@pytest.mark.parametrize(
    ("given", "size", "readonly", "selector"),
    [
        ("", 0, False, ""),
        (",size=64", 64, False, ""),
        (",size=64m,ro", 64 << 20, True, ""),
        (",size=1.5KiB", 1536, False, ""),
        (",size=2 gb", 2 << 30, False, ""),
        (",size=1e3", 1000, False, ""),
        (",size=10B", 10, False, ""),
        (",source=/a", 0, False, "/a"),
    ],
)
def test_tmpfs(given: str, size: int, readonly: bool, selector: str) -> None:
    expected = Mount(EMPTY, selector, "/t", EMPTY, readonly, MountType.TMPFS, tmpfs_opt=TmpfsOpt(size))
    assert mount(f'"type=tmpfs,target=/t{given}"') == expected


@pytest.mark.parametrize(
    ("given", "dest", "option"),
    [
        ("id=a", "/run/secrets/a", SecretOpt("a", mode=0o400, optional=True)),
        ("source=a/b,required", "/run/secrets/b", SecretOpt("a/b", mode=0o400)),
        ("target=/x/y/,required=false", "/x/y/", SecretOpt("y", mode=0o400, optional=True)),
        ("id=a,dst=rel", "rel", SecretOpt("a", mode=0o400, optional=True)),
        ("id=a,uid=7", "/run/secrets/a", SecretOpt("a", uid=7, mode=0o400, optional=True)),
        ("id=a,mode=0,gid=8", "/run/secrets/a", SecretOpt("a", gid=8, optional=True)),
        ("id=a,ro,rw,mode=0440", "/run/secrets/a", SecretOpt("a", mode=0o440, optional=True)),
    ],
)
def test_secret_file(given: str, dest: str, option: SecretOpt) -> None:
    expected = Mount(EMPTY, dest=dest, mount_type=MountType.SECRET, secret_opt=option)
    assert mount(f"type=secret,{given}") == expected


def test_secret_variables() -> None:
    text = "FROM base\nENV A=1\nRUN --mount=type=secret,id=a,env=A,required "
    text += "--mount=type=secret,id=b,target=/b,env=B --mount=type=secret,id=c echo $A $B $C ${PATH}\n"
    result = lowered(text)
    op = execs(result)[0]
    assert op.secret_env == (SecretEnv("a", "A"), SecretEnv("b", "B", optional=True))
    assert [mount.dest for mount in op.mounts] == ["/", "/b", "/run/secrets/c"]
    assert "A=1" in op.meta.env
    assert names(result)[-1].endswith(
        "echo **** **** $C /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
    assert result.image.history[-1].created_by == "RUN /bin/sh -c echo $A $B $C ${PATH} # buildkit"


def test_agent_sockets() -> None:
    text = "FROM base\nRUN --mount=type=ssh --mount=type=ssh,id=k,target=/s,required,uid=1,mode=0666 x\n"
    op = only_exec(text)
    first = SSHOpt("", mode=0o600, optional=True)
    assert op.mounts[1:] == (
        Mount(EMPTY, dest="/run/buildkit/ssh_agent.0", mount_type=MountType.SSH, ssh_opt=first),
        Mount(EMPTY, dest="/s", mount_type=MountType.SSH, ssh_opt=SSHOpt("k", 1, 0, 0o666)),
    )
    assert op.meta.env[-1] == "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"


def test_variables_are_those_the_command_sees() -> None:
    text = """\
ARG G=global
FROM base
ARG T=cache
ENV D=/d W='/two words'
WORKDIR /w
RUN --mount=type=$T,target=${D}/$G-,id="$W",ro=${G:-true},'sharing=${S:+private}shared' x
"""
    found = mount_of(text)
    assert found.dest == "/d/-"
    assert found.cache_opt == CacheOpt("//two words")
    assert found.readonly
    # One escape is for the flag's own word, the other for the expansion.
    assert mount_of("FROM base\nRUN --mount=target=/a\\\\\\$b x\n").dest == "/a$b"


def mount_of(text: str) -> Mount:
    return only_exec(text).mounts[1]


def test_a_mount_that_is_not_needed_is_not_read() -> None:
    text = "FROM base AS a\nRUN --mount=type=nothing x\nFROM base\nRUN --mount=target=/x y\n"
    assert mount_of(text).dest == "/x"


@pytest.mark.parametrize(
    ("lines", "followed"),
    [
        ("RUN --mount=target=/x,source=a x", ["a"]),
        (
            "RUN --mount=target=/x,source=/a/ --mount=target=/y,source=./b/../c,rw x\nCOPY d /",
            ["a", "c", "d"],
        ),
        ("RUN --mount=target=/x x\nCOPY d /", None),
        ("RUN --mount=type=cache,target=/x,source=s --mount=type=tmpfs,target=/y x\nCOPY d /", ["d"]),
        ("RUN --mount=type=secret,id=a --mount=type=ssh x\nCOPY d /", ["d"]),
        ("RUN --mount=target=/x,from=base x\nCOPY d /", ["d"]),
    ],
)
def test_only_what_is_mounted_of_the_context_is_read(lines: str, followed: list[str] | None) -> None:
    attributes = sources(lowered(f"FROM base\n{lines}\n"))["local://context"]
    assert json.loads(attributes.get("local.followpaths", "null")) == followed


def test_mounts_that_use_no_context_bring_none() -> None:
    found = sources(lowered("FROM base\nRUN --mount=type=tmpfs,target=/x --mount=type=ssh x\n"))
    assert "local://context" not in found


def test_only_what_is_mounted_of_a_named_directory_is_read() -> None:
    text = "FROM base\nRUN --mount=from=lib,source=one,target=/x --mount=from=lib,target=/y,source=two x\n"
    found = sources(lowered(text, contexts={"lib": "local:lib"}))
    assert json.loads(found["local://lib"]["local.followpaths"]) == ["one", "two"]
    text = "FROM base\nRUN --mount=from=lib,type=cache,target=/x,source=three x\n"
    found = sources(lowered(text, contexts={"lib": "local:lib"}))
    assert json.loads(found["local://lib"]["local.followpaths"]) == ["three"]


def test_mounts_from_images_and_contexts() -> None:
    world = World(images={"docker.io/library/0:latest": image_config()})
    # A number is the name of an image here.
    result = lowered("FROM base\nRUN --mount=from=0,target=/x x\n", world)
    assert ("docker.io/library/0:latest", "amd64") in world.resolved
    inputs = vertices(result)[-1].inputs
    assert [edge.vertex.op.identifier for edge in inputs if isinstance(edge.vertex.op, SourceOp)] == [
        "docker-image://docker.io/library/base:latest@sha256:" + "d" * 64,
        "docker-image://docker.io/library/0:latest@sha256:" + "d" * 64,
    ]
    assert mount_of("FROM base\nRUN --mount=from=scratch,target=/x x\n") == Mount(
        EMPTY, "", "/x", EMPTY, True
    )
    op = only_exec(
        "FROM base\nRUN --mount=from=other,target=/x x\n", contexts={"other": "docker-image://base"}
    )
    assert op.mounts[1] == Mount(0, "", "/x", EMPTY, True)


def test_a_stage_is_mounted_as_it_was_left() -> None:
    text = "FROM scratch AS a\nFROM base AS b\nRUN one\nFROM base\n"
    text += "RUN --mount=from=A,target=/a --mount=from=b,target=/b,source=x two\n"
    result = lowered(text)
    one, two = execs(result)
    assert [mount.input for mount in two.mounts] == [0, EMPTY, 1]
    assert vertices(result)[-1].inputs[1].vertex.op == one


def test_a_trigger_may_mount_other_images_and_stages() -> None:
    world = World(
        images={
            "docker.io/library/parent:latest": image_config(
                {
                    "OnBuild": [
                        "RUN --mount=from=tools,target=/t --mount=type=cache,target=/c one",
                        "RUN --mount=from=stage,target=/s two",
                    ]
                }
            ),
            "docker.io/library/tools:latest": image_config(),
        }
    )
    result = lowered("FROM base AS stage\nRUN zero\nFROM parent\nRUN three\n", world)
    assert ("docker.io/library/tools:latest", "amd64") in world.resolved
    two = next(vertex for vertex in vertices(result) if vertex.name.endswith("two"))
    assert two.name.startswith("[stage-1 3/4] ONBUILD RUN")
    assert [edge.vertex.name.rpartition(" ")[2] for edge in two.inputs] == ["one", "zero"]


def test_an_image_that_only_an_unneeded_stage_mounts_is_not_resolved() -> None:
    world = World()
    lowered("FROM base AS a\nRUN --mount=from=nowhere,target=/x x\nFROM base\n", world)
    assert [ref for ref, _ in world.resolved] == ["docker.io/library/base:latest"]


def test_names_of_steps() -> None:
    text = "FROM base\nRUN --mount=type=cache,target=/c,id=$H a $H $PATH\n"
    # A mount without `from` counts as one from the empty image, so that the stage isn't the only one.
    assert names(lowered(text))[-1].startswith(
        "[stage-0 2/2] RUN --mount=type=cache,target=/c,id=$H a $H /usr"
    )
    assert names(lowered("FROM base\nRUN x\n"))[-1] == "[2/2] RUN x"


def test_devices_network_and_security() -> None:
    op = only_exec(
        "FROM base\nRUN --device=v.e/c=1 --device=name=gpu,required --network=none --security=insecure x\n"
    )
    assert op.cdi_devices == (CDIDevice("v.e/c=1", optional=True), CDIDevice("gpu"))
    assert (op.network, op.security) == (NetMode.NONE, SecurityMode.INSECURE)
    op = only_exec(
        "FROM base\nRUN --network=default --security=sandbox x\n", steps=StepDefaults(network="host")
    )
    assert (op.network, op.security) == (NetMode.HOST, SecurityMode.SANDBOX)


def test_mounts_stand_beside_a_script_and_shared_memory() -> None:
    text = (
        "FROM base\nRUN --mount=type=tmpfs,target=/dev/shm --mount=type=tmpfs,target=/a <<E\n#!/bin/sh\nE\n"
    )
    op = only_exec(text, steps=StepDefaults(shm_size=1 << 20))
    assert [(mount.dest, mount.tmpfs_opt) for mount in op.mounts] == [
        ("/", None),
        ("/a", TmpfsOpt()),
        ("/dev/pipes/", None),
        ("/dev/shm", TmpfsOpt()),
        ("/dev/shm", TmpfsOpt(1 << 20)),
    ]


def test_tabs_are_dropped_before_a_script_is_recognized() -> None:
    result = lowered("FROM base\nRUN <<-E/../F\n\t#!/bin/x\n\t\ty\n\tE/../F\n")
    assert execs(result)[0].meta.args == ("/bin/sh", "-c", "/dev/pipes/F")
    (script,) = (action for action in actions(result) if isinstance(action, MkFile))
    assert (script.path, script.mode, script.data) == ("/F", 0o755, b"#!/bin/x\ny\n")


def test_arguments_are_in_the_environment_and_the_history() -> None:
    text = "FROM base\nARG A=1\nARG B\nRUN --mount=type=tmpfs,target=/$A x\n"
    result = lowered(text, build_args={"B": "2"})
    assert {"A=1", "B=2"} <= set(execs(result)[0].meta.env)
    assert result.image.history[-1].created_by == "RUN |2 A=1 B=2 /bin/sh -c x # buildkit"


def test_what_a_stage_uses_is_noted() -> None:
    text = """\
FROM base AS a
RUN --mount=type=secret,id=s --mount=type=ssh --mount=type=cache,target=/c/ x
FROM a
RUN --mount=type=secret,id=s,required --mount=type=secret,target=/x/t,required --mount=type=ssh,id=k x
RUN --mount=type=cache,target=/d,id=$PATH x
"""
    dockerfile = parse(Source("Dockerfile", text))
    given = LowerOptions(build_args={"BUILDKIT_CACHE_MOUNT_NS": "n"})
    target = lower_stages(Lowering(dockerfile, given, World(), lower))
    assert target.secrets == {"s": Used("s", True), "t": Used("t", True)}
    assert target.agents == {"default": Used("default"), "k": Used("k")}
    assert list(target.caches) == ["/c", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    span = target.secrets["s"].span
    assert span is not None
    assert (span.line, span.column) == (2, 13)


ERRORS = [
    ("type=nothing,target=/x", 'unsupported mount type "nothing"'),
    ("type=Cahce,target=/x", 'unsupported mount type "Cahce"'),
    ("type=,target=/x", 'unsupported mount type ""'),
    ("type=cache,target=/x,sharing=lock", 'unsupported sharing value "lock"'),
    ("target=/x,foo=$PATH", "unexpected key 'foo' in 'foo=$PATH'"),
    ("target=/x,Sourc=y", "unexpected key 'sourc' in 'Sourc=y'"),
    ("target", "invalid field 'target' must be a key=value pair"),
    ("target=/x,Reado", "invalid field 'Reado' must be a key=value pair"),
    ("target=/x,", "invalid field '' must be a key=value pair"),
    ("target=/x,ro=yes", "invalid value for ro: yes"),
    ("target=/x,readwrite=", "invalid value for readwrite: "),
    ("type=ssh,required=2", "invalid value for required: 2"),
    ("required,type=secret,id=a", "unexpected key 'required' for mount type 'bind'"),
    ("required=true,type=secret,id=a", "unexpected key 'required' for mount type 'bind'"),
    ("type=cache,target=/x,required", "unexpected key 'required' for mount type 'cache'"),
    ("size=1m,type=tmpfs,target=/x", "unexpected key 'size' for mount type 'bind'"),
    ("type=tmpfs,target=/x,size=", "invalid value for size: "),
    ("type=tmpfs,target=/x,size=-1", "invalid value for size: -1"),
    ("type=tmpfs,target=/x,size=1x", "invalid value for size: 1x"),
    ("type=tmpfs,target=/x,size=1kbi", "invalid value for size: 1kbi"),
    ("type=tmpfs,target=/x,size=1e99g", "invalid value for size: 1e99g"),
    ("type=secret,id=a,mode=0888", "invalid value 0888 for mode"),
    ("type=secret,id=a,mode=u+r", "invalid value u+r for mode"),
    ("type=secret,id=a,uid=root", "invalid value root for uid"),
    ("type=secret,id=a,gid=4294967296", "invalid value 4294967296 for gid"),
    ("type=secret,id=a,gid=", "invalid value  for gid"),
    ("type=bind,target=/x,mode=0700", 'mode not allowed for "bind" type mounts'),
    ("type=tmpfs,target=/x,uid=1", 'uid not allowed for "tmpfs" type mounts'),
    ("target=/x,gid=1", 'gid not allowed for "bind" type mounts'),
    ("type=secret,from=base,id=a", "secret mount should not have a from"),
    ("type=secret,sharing=shared,id=a", "secret mount should not define sharing"),
    ("type=secret", "invalid secret mount. one of source, target required"),
    ("type=secret,env=A", "invalid secret mount. one of source, target required"),
    ("type=secret,id=a,src=b", "both source and id can't be set"),
    ("type=ssh,source=a", "ssh does not support source"),
    ("sharing=locked,target=/x", "invalid cache sharing set for bind mount"),
    ("type=ssh,sharing=private", "invalid cache sharing set for ssh mount"),
    ("type=bind", 'invalid mount target "/"'),
    ("type=cache,target=/", 'invalid mount target "/"'),
    ("type=tmpfs,target=.", 'invalid mount target "/"'),
    ("target=/a/..", 'invalid mount target "/a/.."'),
    ("target=${X:?no X}", 'failed to process "${X:?no X}": X: no X'),
]


@pytest.mark.parametrize(("value", "title"), ERRORS)
def test_refusals_point_at_the_mount(value: str, title: str) -> None:
    with pytest.raises(SourceError) as caught:
        lowered(f"FROM base\nRUN --mount=target=/ok \\\n --mount='{value}' x\n")
    diagnostic = caught.value.diagnostic
    assert diagnostic.title == title
    span = diagnostic.labels[0].span
    assert (span.line, span.column) == (3, 10)
    if "${" not in value:
        assert [word for word, _ in diagnostic.notes] == ["help"]


@pytest.mark.parametrize(
    ("value", "help"),
    [
        ("type=cahce", "did you mean cache?"),
        ("type=cache,sharing=lockd", "did you mean locked?"),
        ("targte=/x", "did you mean target?"),
        ("target=/x,readolny", "did you mean readonly?"),
        ("target=/x,source", "write source=…"),
        ("target=/x,required", "required is for type=secret and type=ssh, which has to stand before it"),
    ],
)
def test_refusals_say_what_may_be_meant(value: str, help: str) -> None:
    with pytest.raises(SourceError) as caught:
        lowered(f"FROM base\nRUN --mount={value} x\n")
    assert caught.value.diagnostic.notes == (("help", help),)


def test_a_stage_below_is_refused() -> None:
    text = "FROM base AS a\nRUN --mount=from=b,target=/x x\nFROM base AS b\nRUN y\nFROM a\n"
    with pytest.raises(SourceError) as caught:
        lowered(text)
    assert str(caught.value) == (
        'cannot mount from stage "b" to "/x", stage needs to be defined before current command'
    )
    assert caught.value.diagnostic.labels[0].span.line == 2


def test_a_stage_can_not_mount_itself() -> None:
    with pytest.raises(SourceError) as caught:
        lowered("FROM base AS a\nRUN --mount=from=a,target=/x x\n")
    assert str(caught.value) == "circular dependency detected on stage: a"


def test_an_unknown_image_points_at_the_mount() -> None:
    text = "FROM base AS tools\nFROM base\nRUN --network=none --mount=from=tols,target=/x x\n"
    with pytest.raises(UserError) as caught:
        lowered(text)
    diagnostic = caught.value.diagnostic
    assert diagnostic.title == "docker.io/library/tols:latest: not found"
    span = diagnostic.labels[0].span
    assert (span.line, span.column) == (3, 28)
    assert diagnostic.notes == (("help", "no stage is called tols: did you mean tools?"),)
