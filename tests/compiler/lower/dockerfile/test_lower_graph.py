"""Dockerfile text to ops."""

from __future__ import annotations

import pytest
from tests.compiler.lower.dockerfile.world import (
    AMD64,
    ARM64,
    DIGEST,
    PATH,
    World,
    actions,
    copies,
    execs,
    image_config,
    lowered,
    names,
    sources,
    vertices,
)

from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import (
    ChownOpt,
    Copy,
    FileOp,
    HostIP,
    MkDir,
    MkFile,
    Mount,
    MountType,
    NamedUser,
    NetMode,
    ProxyEnv,
    SecurityMode,
    SourceOp,
    TmpfsOpt,
    Ulimit,
)

BASE = f"docker-image://docker.io/library/base:latest@{DIGEST}"


def test_the_base_is_pinned() -> None:
    result = lowered("FROM base")
    (vertex,) = vertices(result)
    assert vertex.op == SourceOp(BASE)
    assert vertex.platform == AMD64
    assert vertex.name == f"[1/1] FROM docker.io/library/base:latest@{DIGEST}"
    assert vertex.metadata.description["com.docker.dockerfile.v1.command"] == "FROM base"
    assert [span.line for span in vertex.metadata.spans] == [1]


@pytest.mark.parametrize(("mode", "attrs"), [("default", {}), ("pull", {"image.resolvemode": "pull"})])
def test_resolve_mode(mode: str, attrs: dict[str, str]) -> None:
    assert sources(lowered("FROM base", image_resolve_mode=mode)) == {BASE: attrs}


def test_an_image_without_layers_is_the_empty_file_system() -> None:
    world = World({"docker.io/library/base:latest": image_config(layers=0)})
    assert lowered("FROM base", world).edge is None


def test_run_sees_arguments_before_variables() -> None:
    (op,) = execs(lowered("FROM base\nENV E=1 A=e\nARG A=a B=b\nENV C=$B\nRUN x"))
    assert op.meta.env == (PATH, "E=1", "A=a", "B=b", "C=b")
    assert op.meta.args == ("/bin/sh", "-c", "x")
    assert op.meta.cwd == "/"
    assert op.meta.user == ""
    assert op.mounts == (Mount(input=0, dest="/", output=0),)
    assert op.meta.remove_mount_stubs_recursive


def test_run_in_the_directory_and_as_the_user_of_the_base() -> None:
    world = World({"docker.io/library/base:latest": image_config({"User": "u", "WorkingDir": "/w"})})
    (op,) = execs(lowered("FROM base\nRUN x", world))
    assert (op.meta.user, op.meta.cwd) == ("u", "/w")


def test_run_options_of_the_build() -> None:
    (op,) = execs(
        lowered(
            "FROM base\nRUN x",
            hostname="h",
            steps=StepDefaults(
                extra_hosts=(HostIP("a", "10.0.0.1"),),
                ulimits=(Ulimit("nofile", 1, 2),),
                cgroup_parent="/c",
                shm_size=65536,
                network="none",
            ),
        )
    )
    assert op.meta.hostname == "h"
    assert op.meta.extra_hosts == (HostIP("a", "10.0.0.1"),)
    assert op.meta.ulimit == (Ulimit("nofile", 1, 2),)
    assert op.meta.cgroup_parent == "/c"
    assert op.network is NetMode.NONE
    assert op.mounts[1] == Mount(
        input=-1, dest="/dev/shm", output=-1, mount_type=MountType.TMPFS, tmpfs_opt=TmpfsOpt(65536)
    )


@pytest.mark.parametrize(
    ("flags", "network", "security"),
    [
        ("", NetMode.HOST, SecurityMode.SANDBOX),
        ("--network=default ", NetMode.HOST, SecurityMode.SANDBOX),
        ("--network=none ", NetMode.NONE, SecurityMode.SANDBOX),
        ("--network=host --security=insecure ", NetMode.HOST, SecurityMode.INSECURE),
    ],
)
def test_run_flags(flags: str, network: NetMode, security: SecurityMode) -> None:
    (op,) = execs(lowered(f"FROM base\nRUN {flags}x", steps=StepDefaults(network="host")))
    assert (op.network, op.security) == (network, security)


def test_proxies_are_in_neither_environment_nor_history() -> None:
    result = lowered(
        "FROM base\nRUN x", build_args={"HTTP_PROXY": "http://p", "no_proxy": "n", "http_proxy": "http://q"}
    )
    (op,) = execs(result)
    assert op.meta.proxy_env == ProxyEnv(http_proxy="http://q", no_proxy="n")
    assert op.meta.env == (PATH,)
    assert result.image.history[-1].created_by == "RUN /bin/sh -c x # buildkit"


def test_a_script_is_mounted() -> None:
    result = lowered("FROM base\nRUN <<-run.py\n\t#!/usr/bin/python3\n\tprint()\nrun.py\n")
    (op,) = execs(result)
    assert op.meta.args == ("/bin/sh", "-c", "/dev/pipes/run.py")
    assert op.mounts[1] == Mount(input=1, selector="/", dest="/dev/pipes/", output=-1, readonly=True)
    (script,) = actions(result)
    assert script == MkFile("/run.py", 0o755, b"#!/usr/bin/python3\nprint()\n")
    assert "[2/2] RUN <<-run.py (#!/usr/bin/python3...)" in names(result)
    assert "[internal] preparing inline document" in names(result)


def test_copy() -> None:
    (copy,) = copies(lowered("FROM base\nCOPY a /b"))
    assert copy == Copy(
        src="/a",
        dest="/b",
        follow_symlink=True,
        dir_copy_contents=True,
        create_dest_path=True,
        allow_wildcard=True,
        allow_empty_wildcard=True,
    )


@pytest.mark.parametrize(
    ("instruction", "src", "dest"),
    [
        ("COPY a b", "/a", "/w/b"),
        ("COPY a .", "/a", "/w/"),
        ("COPY a ./", "/a", "/w/"),
        ("COPY a b/", "/a", "/w/b/"),
        ("COPY a b/.", "/a", "/w/b/."),
        ("COPY a ../b/", "/a", "/b/"),
        ("COPY a /b//c/", "/a", "/b/c/"),
        ("COPY a /", "/a", "/"),
        ("COPY . /d", "/", "/d"),
        ("COPY ./ /d", "/", "/d"),
        ("COPY ../../a /d", "/a", "/d"),
        ("COPY /a/./b/ /d", "/a/b", "/d"),
        ("COPY a*/[b]? /d/", "/a*/[b]?", "/d/"),
    ],
)
def test_copy_paths(instruction: str, src: str, dest: str) -> None:
    (copy,) = copies(lowered(f"FROM base\nWORKDIR /w\n{instruction}"))
    assert (copy.src, copy.dest) == (src, dest)


@pytest.mark.parametrize(
    ("chown", "owner"),
    [
        ("7", ChownOpt(7)),
        ("7:8", ChownOpt(7, 8)),
        ("root:wheel", ChownOpt(0, NamedUser("wheel", 0))),
        ("bob", ChownOpt(NamedUser("bob", 0))),
    ],
)
def test_chown_looks_names_up_in_the_destination(chown: str, owner: ChownOpt) -> None:
    (copy,) = copies(lowered(f"FROM base\nCOPY --chown={chown} a b"))
    assert copy.owner == owner


@pytest.mark.parametrize(
    ("chmod", "mode", "symbolic"), [("755", 0o755, ""), ("0", 0, ""), ("u=rwX,go=rX", 0, "u=rwX,go=rX")]
)
def test_chmod(chmod: str, mode: int, symbolic: str) -> None:
    (copy,) = copies(lowered(f"FROM base\nCOPY --chmod={chmod} a b"))
    assert (copy.mode, copy.mode_str) == (mode, symbolic)


def test_several_sources_are_one_op() -> None:
    result = lowered("FROM base\nENV X=1\nADD a b /d/\nCOPY <<E <<'F' /d/\n$X 'y'\nE\n$X\nF\n")
    add, copy = (v.op for v in vertices(result) if v.name.startswith(("[2/3]", "[3/3]")))
    assert isinstance(add, FileOp)
    assert isinstance(copy, FileOp)
    assert [(a.input, a.secondary_input, a.output) for a in add.actions] == [(0, 1, -1), (2, 1, 0)]
    assert [(a.input, a.secondary_input, a.output) for a in copy.actions] == [(0, 1, -1), (3, 2, 0)]
    assert all(isinstance(a.action, Copy) and a.action.attempt_unpack for a in add.actions)
    assert copy.actions[0].action == Copy(src="/E", dest="/d/", create_dest_path=True)
    made = [action for action in actions(result) if isinstance(action, MkFile)]
    assert made == [MkFile("/E", 0o644, b"1 'y'\n"), MkFile("/F", 0o644, b"$X\n")]


def test_copy_into_the_empty_file_system() -> None:
    result = lowered("FROM scratch\nCOPY --chown=bob a b")
    (vertex,) = (v for v in vertices(result) if isinstance(v.op, FileOp))
    assert isinstance(vertex.op, FileOp)
    assert [(a.input, a.secondary_input) for a in vertex.op.actions] == [(-1, 0)]
    (copy,) = copies(result)
    assert copy.owner == ChownOpt(NamedUser("bob", -1))


def test_workdir_is_made_for_the_user() -> None:
    (made,) = actions(lowered("FROM base\nUSER u:7\nWORKDIR /a/b"))
    assert made == MkDir("/a/b", 0o755, True, ChownOpt(NamedUser("u", 0), 7))


def test_epoch_stamps_what_is_made_not_what_is_copied() -> None:
    result = lowered("FROM base\nWORKDIR /w\nCOPY a <<b /c/\nb\n", source_date_epoch=5)
    stamps = {type(action): action.timestamp for action in actions(result)}
    assert stamps == {MkDir: 5_000_000_000, Copy: -1, MkFile: -1}


def test_one_context_with_the_paths_of_all_stages_that_are_needed() -> None:
    text = """
FROM base AS a
COPY a1 ../a2 /x/
FROM base AS unused
COPY nothing /x
FROM base
COPY --from=a /x /x
ADD b*/c <<E /y/
E
"""
    result = lowered(text, excludes=("*.o", "!k<.o"))
    assert sources(result)["local://context"] == {
        "local.followpaths": '["a1","a2","b*/c"]',
        "local.excludepatterns": '["*.o","!k\\u003c.o"]',
        "local.sharedkeyhint": "context",
    }
    assert names(result).count("[internal] load build context") == 1


def test_copying_the_whole_context_follows_no_paths() -> None:
    result = lowered("FROM scratch\nCOPY a /x\nCOPY . /y")
    assert "local.followpaths" not in sources(result)["local://context"]


def test_copy_from_stage_and_image() -> None:
    world = World({"docker.io/library/other:1": image_config()})
    text = "FROM base AS a\nRUN x\nFROM scratch\nCOPY --from=A /f /f\nCOPY --from=0 /g /g\nCOPY --from=other:1 /h /h"
    result = lowered(text, world)
    assert [name for name in names(result) if name] == [
        f"[a 1/2] FROM docker.io/library/base:latest@{DIGEST}",
        "[a 2/2] RUN x",
        "[stage-1 1/3] COPY --from=A /f /f",
        "[stage-1 2/3] COPY --from=0 /g /g",
        f"FROM docker.io/library/other:1@{DIGEST}",
        "[stage-1 3/3] COPY --from=other:1 /h /h",
    ]
    assert "local://context" not in sources(result)


def test_names_expand_variables_that_are_set() -> None:
    result = lowered('FROM base\nENV A="1 2"\nRUN echo $A "$A" $B \'$A\'\nCOPY "$A" $B /d/\nworkdir $A')
    assert names(result)[1:2] + names(result)[3:] == [
        "[2/4] RUN echo 1 2 \"1 2\" $B '$A'",
        "[3/4] COPY 1 2  /d/",
        "[4/4] WORKDIR 1 2",
    ]


def test_step_numbers_are_padded() -> None:
    result = lowered("FROM base\n" + "RUN x\n" * 10)
    assert names(result)[0].startswith("[ 1/11] FROM")
    assert names(result)[-1] == "[11/11] RUN x"


def test_names_of_several_platforms() -> None:
    world = World()
    text = (
        "FROM --platform=$BUILDPLATFORM base AS b\nARG TARGETPLATFORM\nRUN x\nFROM base\nCOPY --from=b /x /x"
    )
    result = lowered(text, world, multi_platform=True, target_platform=ARM64)
    assert names(result) == [
        f"[linux/arm64 stage-1 1/2] FROM docker.io/library/base:latest@{DIGEST}",
        f"[linux/amd64 b 1/2] FROM docker.io/library/base:latest@{DIGEST}",
        "[linux/amd64->arm64 b 2/2] RUN x",
        "[linux/arm64 stage-1 2/2] COPY --from=b /x /x",
    ]
    assert world.log_names[0] == "[linux/amd64 internal] load metadata for docker.io/library/base:latest"


def test_no_cache_marks_the_steps_of_its_stages() -> None:
    text = "FROM base AS a\nRUN x\nCOPY y y\nFROM a AS b\nRUN z\n"
    marked = [v.name for v in vertices(lowered(text, no_cache_filter=("A",))) if v.metadata.ignore_cache]
    assert marked == ["[a 2/3] RUN x", "[a 3/3] COPY y y"]
    everything = lowered(text, steps=StepDefaults(no_cache=True))
    assert [v.metadata.ignore_cache for v in vertices(everything)] == [False, True, False, True, True]
    assert everything.ignore_cache


def test_a_thousand_stages_and_steps_need_no_recursion() -> None:
    text = "FROM base AS s0\n" + "RUN x\n" * 1500
    text += "".join(f"FROM base AS s{n}\nCOPY --from=s{n - 1} /x /x\n" for n in range(1, 1500))
    assert len(vertices(lowered(text))) == 3000
