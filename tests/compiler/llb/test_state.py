"""What `State` makes: ops, inputs and numbers as BuildKit's client lays them out."""

from __future__ import annotations

from typing import Any

import pytest

from pybuild.compiler import ops
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge, Vertex
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.ops import EMPTY, CacheSharing, MountType, NetMode, Platform
from pybuild.compiler.platforms import default as default_platform
from pybuild.compiler.sources import git_remote, json_list
from pybuild.compiler.state import (
    Options,
    State,
    bind,
    cache,
    copy,
    diff,
    merge,
    mkdir,
    mkfile,
    rm,
    secret,
    ssh,
    symlink,
    tmpfs,
)
from pybuild.lang.diagnostics import UserError

ARM = Platform("arm64", "linux")
BASE = State.image("base")
CONTEXT = State.local("context")


def frozen(items: dict[str, Any]) -> Any:
    return FrozenMap(items)


def vertex(state: State) -> Vertex:
    assert state.edge is not None
    return state.edge.vertex


def source(state: State) -> ops.SourceOp:
    op = vertex(state).op
    assert isinstance(op, ops.SourceOp)
    return op


def exec_op(state: State) -> ops.ExecOp:
    op = vertex(state).op
    assert isinstance(op, ops.ExecOp)
    return op


def actions(state: State) -> tuple[ops.FileAction, ...]:
    op = vertex(state).op
    assert isinstance(op, ops.FileOp)
    return op.actions


# Sources


def test_an_image() -> None:
    state = State.image("alpine", resolve_mode="pull", layer_limit=0, options=Options(platform=ARM))
    attrs = {"image.layerlimit": "0", "image.resolvemode": "pull"}
    assert source(state) == ops.SourceOp("docker-image://docker.io/library/alpine:latest", frozen(attrs))
    assert vertex(state).platform == ARM
    assert state.platform == ARM
    assert set(vertex(state).metadata.caps) == {
        "source.image",
        "source.image.layerlimit",
        "source.image.resolvemode",
    }


def test_an_image_without_a_platform_takes_the_machines() -> None:
    assert vertex(State.image("alpine")).platform == default_platform()
    assert State.image("alpine").platform is None


def test_a_local_directory() -> None:
    state = State.local(
        "context",
        include=["src", "a&b<c>"],
        exclude=["*.pyc"],
        follow_paths=["é"],
        shared_key="k",
        session="s",
        differ="none",
        metadata_only=True,
        metadata_exceptions=["x"],
        options=Options(platform=ARM),
    )
    assert source(state) == ops.SourceOp(
        "local://context",
        frozen(
            {
                "local.includepattern": r'["src","a\u0026b\u003cc\u003e"]',
                "local.excludepatterns": '["*.pyc"]',
                "local.followpaths": '["é"]',
                "local.sharedkeyhint": "k",
                "local.session": "s",
                "local.differ": "none",
                "local.metadatatransfer": "true",
                "local.metadatatransferexclude": '["x"]',
            }
        ),
    )
    assert vertex(state).platform is None
    assert source(State.local("a")) == ops.SourceOp("local://a")
    assert source(State.local("a", unique="u")).attrs == {"local.unique": "u"}


def test_an_oci_layout() -> None:
    state = State.oci_layout("n@sha256:0", session="s", store="t", layer_limit=2)
    attrs = {"oci.session": "s", "oci.store": "t", "oci.layerlimit": "2"}
    assert source(state) == ops.SourceOp("oci-layout://n@sha256:0", frozen(attrs))
    assert vertex(state).platform == default_platform()


def test_a_file_by_http() -> None:
    state = State.http(
        "https://x/y",
        checksum="sha256:0",
        filename="y",
        mode=0o4755,
        uid=1,
        gid=2,
        auth_header_secret="t",
        headers={"Accept": "a"},
    )
    assert source(state) == ops.SourceOp(
        "https://x/y",
        frozen(
            {
                "http.checksum": "sha256:0",
                "http.filename": "y",
                "http.perm": "0755",
                "http.uid": "1",
                "http.gid": "2",
                "http.authheadersecret": "t",
                "http.header.accept": "a",
            }
        ),
    )
    assert source(State.http("https://x/y")).attrs == {}


@pytest.mark.parametrize(
    ("remote", "ref", "subdir", "identifier", "full"),
    [
        ("https://h/a/b.git", "", "", "git://h/a/b.git", "https://h/a/b.git"),
        ("https://h/a/b.git", "v1", "/d/../e", "git://h/a/b.git#v1:e", "https://h/a/b.git"),
        ("https://h/a/b.git", "", "e", "git://h/a/b.git#:e", "https://h/a/b.git"),
        ("h/a", "", "", "git://h/a", "https://h/a"),
        ("https://u@h:1/a", "", "", "git://h:1/a", "https://u@h:1/a"),
        ("git@h:a/b", "main", "", "git://h/a/b#main", "git@h:a/b"),
        ("ssh://git@h:22/a", "", "", "git://h:22/a", "ssh://git@h:22/a"),
    ],
)
def test_a_repository(remote: str, ref: str, subdir: str, identifier: str, full: str) -> None:
    op = source(State.git(remote, ref, subdir=subdir))
    assert op.identifier == identifier
    expected = {
        "git.fullurl": full,
        "git.authtokensecret": "GIT_AUTH_TOKEN",
        "git.authheadersecret": "GIT_AUTH_HEADER",
    }
    if "git@" in remote:
        expected["git.mountsshsock"] = "default"
    assert op.attrs == expected


def test_a_repository_with_everything() -> None:
    op = source(
        State.git(
            "git@h:a",
            keep_git_dir=True,
            checksum="c",
            skip_submodules=True,
            mtime="commit",
            auth_token_secret="",
            auth_header_secret="",
            known_ssh_hosts="h key\n",
            ssh_socket="s",
        )
    )
    assert op.attrs == {
        "git.fullurl": "git@h:a",
        "git.keepgitdir": "true",
        "git.checksum": "c",
        "git.skipsubmodules": "true",
        "git.mtime": "commit",
        "git.knownsshhosts": "h key\n",
        "git.mountsshsock": "s",
    }


@pytest.mark.parametrize("remote", ["", "ftp://h/a", "https://", "a b", "git@h", "https://h/a?x"])
def test_no_repository(remote: str) -> None:
    with pytest.raises(UserError):
        git_remote(remote)


def test_a_bad_reference_is_refused() -> None:
    with pytest.raises(UserError):
        State.image("Alpine")


def test_json_lists_are_those_of_go() -> None:
    assert json_list([]) == ""
    assert json_list(['"\\', "\u2028", "é\x01"]) == '["\\"\\\\","\\u2028","é\\u0001"]'


# Commands


def test_a_command_and_what_it_inherits() -> None:
    state = (
        BASE.dir("/a/b")
        .dir("../c")
        .env("A", "1")
        .env("B", "2")
        .env("A", "3")
        .user("u:g")
        .hostname("h")
        .add_host("x", "1.2.3.4")
        .add_ulimit("nofile", 1, 2)
        .in_cgroup("p")
        .with_valid_exit_codes([0, 3])
        .network(NetMode.HOST)
        .on_platform(Platform("aarch64", "Linux", "v8"))
    )
    done = state.run(["true"])
    op = exec_op(done)
    assert op.meta == ops.Meta(
        args=("true",),
        env=("B=2", "A=3"),
        cwd="/a/c",
        user="u:g",
        extra_hosts=(ops.HostIP("x", "1.2.3.4"),),
        hostname="h",
        ulimit=(ops.Ulimit("nofile", 1, 2),),
        cgroup_parent="p",
        remove_mount_stubs_recursive=True,
        valid_exit_codes=(0, 3),
    )
    assert op.network is NetMode.HOST
    assert vertex(done).platform == ARM
    assert done.cwd == "/a/c"
    assert done.environment == (("B", "2"), ("A", "3"))
    assert done.unset_env("A").get_env("A") is None
    assert done.edge == Edge(vertex(done), 0)


def test_the_forms_of_a_command() -> None:
    assert exec_op(BASE.run("a 'b c'")).meta.args == ("a", "b c")
    assert exec_op(BASE.run(shell="a && b")).meta.args == ("/bin/sh", "-c", "a && b")
    with pytest.raises(UserError):
        BASE.run()
    with pytest.raises(UserError):
        BASE.run(["a"], shell="b")
    with pytest.raises(UserError, match="split into words"):
        BASE.run("a 'b")


def test_mounts_are_ordered_and_numbered() -> None:
    done = BASE.run(
        ["x"],
        mounts=[
            ssh(),
            bind("/z", CONTEXT),
            secret("/run/s", uid=5),
            bind("/m", State.scratch()),
            cache("/c", "id", source=CONTEXT, sharing=CacheSharing.LOCKED, selector="d"),
            tmpfs("/t", size=9),
            bind("/ro", BASE, readonly=True),
            bind("/no", CONTEXT, output=False),
            ssh("/sock", id="i"),
            secret(None, id="e", env="E", optional=True),
        ],
    )
    op = exec_op(done)
    shown = [(m.dest, m.input, m.output, m.mount_type) for m in op.mounts]
    assert shown == [
        ("/", 0, 0, MountType.BIND),
        ("/c", 1, EMPTY, MountType.CACHE),
        ("/m", EMPTY, 1, MountType.BIND),
        ("/no", 1, EMPTY, MountType.BIND),
        ("/ro", 0, EMPTY, MountType.BIND),
        ("/t", EMPTY, EMPTY, MountType.TMPFS),
        ("/z", 1, 2, MountType.BIND),
        ("/run/s", EMPTY, 0, MountType.SECRET),
        ("/run/buildkit/ssh_agent.0", EMPTY, 0, MountType.SSH),
        ("/sock", EMPTY, 0, MountType.SSH),
    ]
    assert vertex(done).inputs == (BASE.edge, CONTEXT.edge)
    assert op.meta.env == ("SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0",)
    assert op.secret_env == (ops.SecretEnv("e", "E", True),)
    assert op.mounts[7].secret_opt == ops.SecretOpt("/run/s", 5, 0, 0o400)
    assert op.mounts[1].selector == "d"
    assert done.mount("/z").edge == Edge(vertex(done), 2)
    assert done.mount("/m").edge == Edge(vertex(done), 1)
    assert done.mount("/ro").edge == BASE.edge
    for target in ("/c", "/t", "/no", "/run/s", "/elsewhere"):
        with pytest.raises(UserError):
            done.mount(target)


def test_a_target_that_sorts_before_the_root() -> None:
    done = BASE.run(["x"], mounts=[bind("", CONTEXT)])
    assert [(m.dest, m.output) for m in exec_op(done).mounts] == [("", 0), ("/", 1)]
    assert done.edge == Edge(vertex(done), 1)


def test_a_read_only_root_stays_what_it_was() -> None:
    done = BASE.run(["x"], readonly_root=True, mounts=[bind("/out", State.scratch())])
    assert done.edge == BASE.edge
    assert done.mount("/out").edge is not None
    made = done.mount("/out").edge
    assert made is not None
    op = made.vertex.op
    assert isinstance(op, ops.ExecOp)
    assert [(m.dest, m.readonly, m.output) for m in op.mounts] == [("/", True, EMPTY), ("/out", False, 0)]


def test_a_socket_does_not_replace_the_users_variable() -> None:
    op = exec_op(BASE.env("SSH_AUTH_SOCK", "/mine").run(["x"], mounts=[ssh()]))
    assert op.meta.env == ("SSH_AUTH_SOCK=/mine",)


def test_options_are_outside_identity_but_for_platform_and_filters() -> None:
    plain = BASE.run(["x"])
    named = BASE.run(
        ["x"], options=Options(name="n", ignore_cache=True, export_cache=False, description={"k": "v"})
    )
    assert vertex(plain) == vertex(named)
    assert vertex(named).metadata.name == "n"
    assert vertex(named).metadata.description == {"llb.customname": "n", "k": "v"}
    assert vertex(BASE.run(["x"], options=Options(require=("a",)))) != vertex(plain)
    other = BASE.run(["x"], options=Options(platform=Platform("riscv64", "linux")))
    assert vertex(other).platform == Platform("riscv64", "linux")
    assert vertex(other.run(["y"])).platform == Platform("riscv64", "linux")


# Files


def test_a_chain_becomes_one_op() -> None:
    state = BASE.dir("/w").file(
        mkdir("d", mode=0o1777, parents=True, owner=(1, 2), created=5)
        .copy(CONTEXT.dir("/in"), "a/", "d/.", mode="u=rwX", owner="u:3")
        .mkfile("/f", b"x", mode=0o600, owner="root")
        .symlink("t", "l")
        .rm("../gone", allow_not_found=True, wildcard=True)
    )
    assert vertex(state).inputs == (BASE.edge, CONTEXT.edge)
    assert vertex(state).platform is None
    assert actions(state) == (
        ops.FileAction(0, EMPTY, EMPTY, ops.MkDir("/w/d", 0o777, True, ops.ChownOpt(1, 2), 5)),
        ops.FileAction(
            2,
            1,
            EMPTY,
            ops.Copy("/in/a", "/w/d/.", ops.ChownOpt(ops.NamedUser("u", 0), 3), 0, mode_str="u=rwX"),
        ),
        ops.FileAction(3, EMPTY, EMPTY, ops.MkFile("/f", 0o600, b"x", ops.ChownOpt(0))),
        ops.FileAction(4, EMPTY, EMPTY, ops.Symlink("t", "l")),
        ops.FileAction(5, EMPTY, 0, ops.Rm("/gone", True, True)),
    )
    assert state.cwd == "/w"


def test_actions_on_the_empty_file_system() -> None:
    (only,) = actions(State.scratch().file(mkfile("a", b"", owner="u")))
    assert only.input == EMPTY
    assert only.action == ops.MkFile("/a", 0o644, b"", ops.ChownOpt(ops.NamedUser("u", EMPTY)))


def test_a_copy_from_other_actions_of_the_same_op() -> None:
    made = mkfile("a", b"1").on(State.scratch().dir("/s"))
    state = BASE.file(mkdir("/d").copy(made, "a", "/d/").copy(made, "/s/a", "/e"))
    first, second, third, fourth = actions(state)
    assert (first.input, first.output) == (0, EMPTY)
    assert (second.input, second.action) == (EMPTY, ops.MkFile("/s/a", 0o644, b"1"))
    assert (third.input, third.secondary_input) == (1, 2)
    assert isinstance(third.action, ops.Copy)
    assert third.action.src == "/s/a"
    assert (fourth.input, fourth.secondary_input, fourth.output) == (3, 2, 0)
    assert vertex(state).inputs == (BASE.edge,)


@pytest.mark.parametrize(
    ("cwd", "dest", "expected"),
    [
        ("/", "a", "/a"),
        ("/w", "", "/w"),
        ("/w", "./", "/w/"),
        ("/w", ".", "/w"),
        ("/w", "a/", "/w/a/"),
        ("/w", "a/.", "/w/a/."),
        ("/w", "../../x", "/x"),
        ("/", "/.", "/."),
        ("/", "/", "/"),
        ("/w", "//a//b", "/a/b"),
    ],
)
def test_destinations(cwd: str, dest: str, expected: str) -> None:
    (only,) = actions(State.scratch().dir(cwd).file(copy(CONTEXT, "a", dest)))
    assert isinstance(only.action, ops.Copy)
    assert only.action.dest == expected


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("1", ops.ChownOpt(1)),
        ("root:root", ops.ChownOpt(0, 0)),
        ("u:", ops.ChownOpt(ops.NamedUser("u", 0), 0)),
        (":g", ops.ChownOpt(0, ops.NamedUser("g", 0))),
        ("4294967296", ops.ChownOpt(ops.NamedUser("4294967296", 0))),
        ("-1", ops.ChownOpt(2**32 - 1)),
        ("a:b:c", ops.ChownOpt(ops.NamedUser("a", 0), ops.NamedUser("b:c", 0))),
        (None, None),
    ],
)
def test_owners(owner: Any, expected: ops.ChownOpt | None) -> None:
    (only,) = actions(BASE.file(mkdir("/d", owner=owner)))
    assert isinstance(only.action, ops.MkDir)
    assert only.action.owner == expected


def test_capabilities_of_file_ops() -> None:
    state = BASE.file(
        copy(CONTEXT, "a", "b", include=["x"], mode="a+x", always_replace=True).symlink("a", "b").rm("c")
    )
    assert set(vertex(state).metadata.caps) == {
        "file.base",
        "file.copy.alwaysreplaceexistingdestpaths",
        "file.copy.includeexcludepatterns",
        "file.copy.modestring",
        "file.symlink.create",
    }
    assert set(vertex(BASE.file(rm("*", wildcard=True))).metadata.caps) == {"file.base", "file.rm.wildcard"}
    assert set(vertex(BASE.file(symlink("a", "b"))).metadata.caps) == {"file.base", "file.symlink.create"}


def test_long_chains_need_no_recursion() -> None:
    chain = mkdir("/0")
    for number in range(3000):
        chain = chain.mkdir(f"/{number}")
    assert len(actions(BASE.file(chain))) == 3001


# Merge, diff, build


def test_merge() -> None:
    one, two = State.scratch().file(mkdir("/a")), State.scratch().file(mkdir("/b"))
    state = merge([State.scratch(), one, two, one])
    assert vertex(state).op == ops.MergeOp((0, 1, 2))
    assert vertex(state).inputs == (one.edge, two.edge, one.edge)
    assert vertex(state).platform is None
    assert merge([State.scratch(), one]) is one
    assert merge([]).edge is None


def test_diff() -> None:
    upper = BASE.dir("/x").run(["a"])
    state = diff(BASE, upper)
    assert vertex(state).op == ops.DiffOp(0, 1)
    assert vertex(state).inputs == (BASE.edge, upper.edge)
    assert vertex(diff(BASE, State.scratch())).op == ops.DiffOp(0, EMPTY)
    assert vertex(diff(BASE, State.scratch())).inputs == (BASE.edge,)
    assert diff(State.scratch(), upper) is upper
    assert diff(State.scratch(), State.scratch()).edge is None


def test_a_nested_build() -> None:
    state = CONTEXT.build(filename="x.pb")
    op = vertex(state).op
    assert op == ops.BuildOp(
        EMPTY,
        frozen({"buildkit.llb.definition": 0}),
        None,
        frozen({"llbbuild.filename": "x.pb"}),
    )
    with pytest.raises(UserError):
        State.scratch().build()


def test_apply() -> None:
    assert BASE.apply(lambda s: s.dir("/a"), lambda s: s.dir("b")).cwd == "/a/b"


def test_a_whole_graph_as_a_definition() -> None:
    built = BASE.file(copy(CONTEXT, "/", "/src")).run(["make"], mounts=[cache("/c", "c")])
    edge = merge([built, State.scratch().file(mkfile("/v", b"1"))]).edge
    data = encode_definition(edge)
    assert encode_definition(decode_definition(data)) == data
