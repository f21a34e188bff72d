"""`run` and `exec`, against graphs made with the client's builder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import AMD64, World, image_config
from tests.compiler.lower.recipe.making import (
    BASE,
    PATH,
    body,
    built,
    execs,
    history,
    image,
    last,
    lowered,
    lowered_all,
    run,
    scratch,
    span,
    template,
    vertices,
)

from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.mounts import bind, cache, secret, ssh, tmpfs
from pybuild.compiler.ops import (
    CDIDevice,
    ChownOpt,
    FileOp,
    HostIP,
    MkDir,
    MountType,
    NamedUser,
    NetMode,
    ProxyEnv,
    SecurityMode,
)
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, mkdir, mkfile
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.recipe import (
    AgentMount,
    BindMount,
    CacheMount,
    Device,
    Env,
    Exec,
    ExtraHost,
    Insecure,
    Limits,
    Network,
    Run,
    RunEnv,
    RunUser,
    RunWorkdir,
    SecretMount,
    Shell,
    Splice,
    TmpfsMount,
    Uncached,
    User,
    Workdir,
)
from pybuild.lang.source import Source as Text
from pybuild.lang.source import Span

SHELL = ("/bin/sh", "-e", "-c")
PLAIN = Options(platform=AMD64)


def base() -> State:
    return State.image(BASE, options=PLAIN).env("PATH", PATH)


def digest(state: State) -> str:
    assert state.edge is not None
    return state.edge.vertex.digest


def cached(path: str = "/root/.cache", **options: Any) -> CacheMount:
    given: dict[str, Any] = {
        "id": path,
        "scope": "project",
        "sharing": "shared",
        "seed": None,
        "uid": None,
        "gid": None,
        "mode": 0o755,
        **options,
    }
    return CacheMount(path, **given)


def secret_file(id: str = "token", **options: Any) -> SecretMount:
    given = {"at": f"/run/secrets/{id}", "env": "", "optional": False, "uid": 0, "gid": 0, "mode": 0o400}
    return SecretMount(id, **{**given, "rev": "", **options})


def test_a_script_is_run_by_the_languages_shell() -> None:
    made = lowered(body(run("echo hi")))
    assert last(made).digest == digest(base().run([*SHELL, "echo hi"]))
    assert last(made).name == "[web 2/2] run echo hi"
    assert [one.line for one in last(made).metadata.spans] == [2]


def test_the_base_is_pinned_and_named() -> None:
    source = vertices(lowered(body(run())))[0]
    assert source.name == f"[web 1/2] from {BASE}"
    assert source.platform == AMD64


def test_a_block_is_one_script() -> None:
    made = lowered(body(run("make\nmake install\n", block=True)))
    assert execs(made)[0].meta.args == (*SHELL, "make\nmake install")
    assert last(made).name == "[web 2/2] run make ..."


def test_a_long_line_is_cut_in_progress_alone() -> None:
    made = lowered(body(run("echo " + "x" * 1000)))
    assert last(made).name == "[web 2/2] run echo " + "x" * 191 + "…"
    assert history(made) == ["+ run echo " + "x" * 1000]


def test_a_block_that_says_by_what_it_is_run_is_a_file() -> None:
    text = "#!/usr/bin/env python3\nprint(1)\n"
    made = lowered(body(run(text, block=True)))
    document = State.scratch().file(mkfile("script", text.encode(), mode=0o755))
    mount = bind("/dev/pipes/", document, selector="/", readonly=True)
    assert last(made).digest == digest(base().run(["/dev/pipes/script"], mounts=[mount]))


def test_a_line_that_says_so_is_a_comment_of_the_shell() -> None:
    assert execs(lowered(body(run("#!/bin/true"))))[0].meta.args == (*SHELL, "#!/bin/true")


def test_exec_runs_without_a_shell() -> None:
    made = lowered(body(Exec(("make", "all files"))))
    assert last(made).digest == digest(base().run(["make", "all files"]))
    assert last(made).name == '[web 2/2] exec ["make", "all files"]'


def test_a_shell_statement_holds_from_there_on_and_in_what_is_built_on_it() -> None:
    first = body(run("a"), Shell(("/bin/bash", "-c")), run("b"), title="first")
    (made,) = lowered_all(body(run("c"), base=built(first)))
    assert [op.meta.args for op in execs(made)] == [
        (*SHELL, "a"),
        ("/bin/bash", "-c", "b"),
        ("/bin/bash", "-c", "c"),
    ]
    assert made.image.config.shell == ("/bin/bash", "-c")


def test_a_shell_of_the_images_config_is_for_others() -> None:
    world = World({"docker.io/library/base:latest": image_config({"Shell": ["/bin/bash", "-c"]})})
    made = lowered(body(run("a")), world)
    assert execs(made)[0].meta.args == (*SHELL, "a")
    assert made.image.config.shell == ("/bin/bash", "-c")


def test_what_commands_inherit() -> None:
    statements = (
        Env((("A", template("1")), ("B", template("2")))),
        Env((("A", template("3")),)),
        User("app"),
        Workdir(template("/src")),
        run("make"),
    )
    meta = execs(lowered(body(*statements)))[0].meta
    assert meta.env == (f"PATH={PATH}", "B=2", "A=3")
    assert (meta.user, meta.cwd) == ("app", "/src")


def test_env_of_a_block_is_for_its_runs_alone() -> None:
    inside = RunEnv((("A", template("1")), ("PATH", template("/opt:", "$PATH"))))
    made = lowered(body(run("a", inside), run("b")))
    assert [op.meta.env for op in execs(made)] == [("A=1", f"PATH=/opt:{PATH}"), (f"PATH={PATH}",)]
    assert made.image.config.env == (f"PATH={PATH}",)


def test_nested_env_sees_what_is_around_it() -> None:
    options = RunEnv((("A", template("1")),)), RunEnv((("B", template("$A", "2")),))
    assert execs(lowered(body(run("a", *options))))[0].meta.env[1:] == ("A=1", "B=12")


def test_an_unset_variable_in_env_of_a_block() -> None:
    with pytest.raises(SourceError, match="`\\$PAHT` is not set") as caught:
        lowered(body(run("a", RunEnv((("A", template("$PAHT")),)))))
    assert ("help", "did you mean `$PATH`?") in caught.value.diagnostic.notes


def test_user_and_directory_of_a_block() -> None:
    options = RunUser("root"), RunWorkdir("sub"), RunWorkdir("deeper"), RunUser("app")
    meta = execs(lowered(body(Workdir(template("/src")), run("a", *options))))[0].meta
    assert (meta.user, meta.cwd) == ("app", "/src/sub/deeper")


# Mounts


def test_a_cache() -> None:
    made = lowered(body(run("a", cached())))
    expected = base().run([*SHELL, "a"], mounts=[cache("/root/.cache", "/root/.cache")])
    assert last(made).digest == digest(expected)
    assert json.loads(last(made).metadata.description["pybuild.cache.scope"]) == {"/root/.cache": "project"}


def test_a_cache_of_the_user_has_no_scope() -> None:
    made = lowered(body(run("a", cached(scope="user", sharing="locked"))))
    assert "pybuild.cache.scope" not in last(made).metadata.description
    (mount,) = (mount for mount in execs(made)[0].mounts if mount.cache_opt)
    assert mount.cache_opt is not None
    assert mount.cache_opt.sharing.name == "LOCKED"


def test_the_inner_of_two_caches_says_the_scope() -> None:
    made = lowered(body(run("a", cached(), cached(scope="user"))))
    assert "pybuild.cache.scope" not in last(made).metadata.description


@pytest.mark.parametrize(
    ("user", "options", "owner"),
    [
        ("1000", {}, ChownOpt(1000, 0)),
        ("1000:1001", {}, ChownOpt(1000, 1001)),
        ("app", {}, ChownOpt(NamedUser("app", 0), None)),
        ("app:www", {}, ChownOpt(NamedUser("app", 0), NamedUser("www", 0))),
        ("app", {"uid": 7}, ChownOpt(7, 0)),
        ("app", {"gid": 7}, ChownOpt(NamedUser("app", 0), 7)),
        ("app", {"uid": 7, "gid": 8}, ChownOpt(7, 8)),
        ("", {"mode": 0o700}, ChownOpt(0, 0)),
        ("root", {"uid": 5}, ChownOpt(5, 0)),
    ],
)
def test_a_cache_belongs_to_the_user_in_force(user: str, options: Any, owner: ChownOpt) -> None:
    made = (
        lowered(body(User(user), run("a", cached(**options))))
        if user
        else lowered(body(run("a", cached(**options))))
    )
    (start,) = (vertex for vertex in vertices(made) if isinstance(vertex.op, FileOp))
    assert isinstance(start.op, FileOp)
    (action,) = start.op.actions
    assert action.action == MkDir("/cache", options.get("mode", 0o755), owner=owner)
    assert action.input == -1
    named = isinstance(owner.user, NamedUser) or isinstance(owner.group, NamedUser)
    assert len(start.inputs) == named
    (mount,) = (mount for mount in execs(made)[0].mounts if mount.mount_type is MountType.CACHE)
    assert mount.selector == "/cache"


@pytest.mark.parametrize("user", ["root", "0", "0:0"])
def test_a_cache_of_root_needs_no_directory(user: str) -> None:
    assert len(vertices(lowered(body(User(user), run("a", cached()))))) == 2


def test_the_user_of_the_block_owns_its_cache() -> None:
    made = lowered(body(User("app"), run("a", cached(), RunUser("0"))))
    assert len(vertices(made)) == 2


def test_a_seed() -> None:
    seed = image("seed")
    world = World({"docker.io/library/seed:latest": image_config()})
    made = lowered(body(run("a", cached(seed=seed))), world)
    start = State.image(BASE.replace("base", "seed"), options=PLAIN)
    expected = base().run([*SHELL, "a"], mounts=[cache("/root/.cache", "/root/.cache", source=start)])
    assert last(made).digest == digest(expected)


def test_a_seed_with_an_owner_is_copied() -> None:
    world = World({"docker.io/library/seed:latest": image_config()})
    made = lowered(body(run("a", cached(seed=image("seed"), uid=5, gid=6))), world)
    seed = State.image(BASE.replace("base", "seed"), options=PLAIN)
    chain = mkdir("/cache", owner=(5, 6)).copy(seed, "/", "/cache", owner=(5, 6), contents_only=True)
    start = State.scratch().file(chain)
    mount = cache("/root/.cache", "/root/.cache", source=start, selector="/cache")
    assert last(made).digest == digest(base().run([*SHELL, "a"], mounts=[mount]))


@pytest.mark.parametrize("rw", [False, True])
def test_a_bind(rw: bool) -> None:
    other = body(run("b"), title="other")
    made = lowered(body(run("a", BindMount(built(other), "/other", "/out", rw))))
    files = base().run([*SHELL, "b"])
    mount = bind("/other", files, selector="/out", readonly=not rw, output=False)
    assert last(made).digest == digest(base().run([*SHELL, "a"], mounts=[mount]))


def test_a_bind_at_a_relative_path_of_all_of_a_state() -> None:
    made = lowered(body(run("a", BindMount(scratch(), "sub", "/", False), RunWorkdir("/src"))))
    (mount,) = (mount for mount in execs(made)[0].mounts if mount.dest != "/")
    assert (mount.dest, mount.selector, mount.input, mount.readonly) == ("/src/sub", "", -1, True)


def test_secrets() -> None:
    options = secret_file(), secret_file("pip", at="/etc/pip.conf", optional=True, mode=0o440)
    made = lowered(body(run("a", *options, secret_file("key", at="", env="KEY"))))
    mounts = [
        secret("/run/secrets/token", id="token"),
        secret("/etc/pip.conf", id="pip", optional=True, mode=0o440),
        secret(None, id="key", env="KEY"),
    ]
    assert last(made).digest == digest(base().run([*SHELL, "a"], mounts=mounts))


def test_a_revision_of_a_secret_is_in_the_op() -> None:
    plain, first, second = (
        lowered(body(run("a", secret_file("my-token", rev=rev)))) for rev in ("", "1", "2")
    )
    assert len({last(one).digest for one in (plain, first, second)}) == 3
    assert execs(first)[0].meta.env[-1] == "PYBUILD_SECRET_REV_MY_TOKEN=1"
    assert first.image.config.env == plain.image.config.env


def test_agents() -> None:
    made = lowered(body(run("a", AgentMount("default", "", False), AgentMount("x", "/agent", True))))
    mounts = [ssh(id="default"), ssh("/agent", id="x", optional=True)]
    assert last(made).digest == digest(base().run([*SHELL, "a"], mounts=mounts))


def test_tmpfs() -> None:
    made = lowered(body(run("a", TmpfsMount("/tmp", 1 << 28))))
    assert last(made).digest == digest(base().run([*SHELL, "a"], mounts=[tmpfs("/tmp", size=1 << 28)]))


def test_the_inner_mount_wins_on_one_path() -> None:
    made = lowered(body(run("a", TmpfsMount("/x", 0), cached("/x/"))))
    (mount,) = (mount for mount in execs(made)[0].mounts if mount.dest != "/")
    assert mount.mount_type is MountType.CACHE


def test_nothing_is_mounted_at_the_root() -> None:
    with pytest.raises(SourceError, match="the root directory") as caught:
        lowered(body(run("a", TmpfsMount(".", 0, span(5)))))
    assert caught.value.diagnostic.code == "E0514"


# Other options


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (["host"], NetMode.HOST),
        (["none"], NetMode.NONE),
        (["sandbox"], NetMode.UNSET),
        (["host", "none"], NetMode.NONE),
        (["none", "host"], NetMode.NONE),
        (["sandbox", "host"], NetMode.UNSET),
    ],
)
def test_the_stricter_network_wins(modes: list[str], expected: NetMode) -> None:
    made = lowered(body(run("a", *map(Network, modes))), steps=StepDefaults(network="host"))
    assert execs(made)[0].network is expected


def test_the_builds_network() -> None:
    assert execs(lowered(body(run()), steps=StepDefaults(network="none")))[0].network is NetMode.NONE


def test_devices_hosts_and_privileges() -> None:
    options = (
        Device("nvidia.com/gpu=all", False),
        Device("nvidia.com/gpu=all", True),
        Insecure(),
        ExtraHost("db", "10.0.0.1"),
        ExtraHost("db", "10.0.0.2"),
    )
    made = lowered(body(run("a", *options)), steps=StepDefaults(extra_hosts=(HostIP("x", "10.0.0.9"),)))
    op = execs(made)[0]
    assert op.cdi_devices == (CDIDevice("nvidia.com/gpu=all", True),)
    assert op.security is SecurityMode.INSECURE
    assert op.meta.extra_hosts == (HostIP("x", "10.0.0.9"), HostIP("db", "10.0.0.2"))


def test_limits_are_beside_the_op() -> None:
    made = lowered(body(run("a", Limits(1 << 20, 0, 9), Limits(0, 2, 0))))
    plain = lowered(body(run("a")))
    assert last(made).digest == last(plain).digest
    found = last(made).metadata.linux_resources
    assert found is not None
    assert (found.memory, found.cpu_period, found.cpu_quota) == (1 << 20, 100_000, 200_000)
    assert last(made).metadata.description["pybuild.limits.pids"] == "9"
    assert last(plain).metadata.linux_resources is None


def test_uncached() -> None:
    made = lowered(body(run("a", Uncached()), run("b")))
    assert [vertex.metadata.ignore_cache for vertex in vertices(made)] == [False, True, False]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("target", {"steps": StepDefaults(no_cache=True)}, True),
        ("test", {"rerun": True}, True),
        ("target", {"rerun": True}, False),
    ],
)
def test_running_anew(kind: str, options: Any, expected: bool) -> None:
    made = lowered(body(run("a")), kind=kind, **options)
    assert last(made).metadata.ignore_cache is expected
    assert not vertices(made)[0].metadata.ignore_cache


def test_what_a_test_is_built_on_is_not_run_anew() -> None:
    first = body(run("a"), title="first")
    made = lowered(body(run("b"), base=built(first)), kind="test", rerun=True)
    assert [vertex.metadata.ignore_cache for vertex in vertices(made)] == [False, False, True]


def test_proxies_shared_memory_and_cgroup() -> None:
    proxies = {"HTTP_PROXY": "http://proxy"}
    made = lowered(
        body(run("a")), steps=StepDefaults(proxies=proxies, shm_size=1 << 20, cgroup_parent="builds")
    )
    expected = (
        base()
        .in_cgroup("builds")
        .run([*SHELL, "a"], mounts=[tmpfs("/dev/shm", size=1 << 20)], proxy=ProxyEnv("http://proxy"))
    )
    assert last(made).digest == digest(expected)


def test_steps_run_as_the_platform_of_from() -> None:
    made = lowered(body(run("a"), platform="linux/arm64", base=image(platform="linux/amd64")))
    assert last(made).platform is not None
    assert last(made).platform.architecture == "arm64"  # type: ignore[union-attr]


def test_a_state_that_several_use_is_made_once() -> None:
    shared = BindMount(built(body(run("s"), title="shared")), "/x", "/", False)
    assert len(vertices(lowered(body(run("a", shared), run("b", shared))))) == 4


# Values


def spliced(line: str, value: Any, *, raw: bool = False, block: bool = False) -> Run:
    """A script whose `${{x}}` is the value; it stands in line 3."""
    before, _, after = line.partition("${{x}}")
    text = Text("build.pybuild", f"\n\n{line}\n")
    number = 3 + before.count("\n")
    start = len(before) - before.rfind("\n")
    place = Span(text, number, start, number, start + len("${{x}}"))
    return Run((before, Splice(value, raw, place), after), block)


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("echo ${{x}}", "a b", "echo 'a b'"),
        ('echo "${{x}}"', "$a", 'echo "\\$a"'),
        ("apt ${{x}} -y", ("a", "b c"), "apt a 'b c' -y"),
    ],
)
def test_values_are_quoted(line: str, value: Any, expected: str) -> None:
    made = lowered(body(spliced(line, value)))
    assert execs(made)[0].meta.args == (*SHELL, expected)
    assert history(made) == [f"+ run {expected}"]


def test_a_raw_value_is_text() -> None:
    made = lowered(body(spliced("${{x}}", "a && b", raw=True)))
    assert execs(made)[0].meta.args == (*SHELL, "a && b")


@pytest.mark.parametrize(
    ("statement", "code", "title"),
    [
        (spliced('"${{x}}"', ("a",)), "E0307", "a list cannot be inserted into double quotes"),
        (spliced("# ${{x}}", "a b"), "E0308", "`a b` cannot be quoted in a comment"),
        (
            spliced("#!/bin/sh\n${{x}}", "a b", block=True),
            "E0308",
            "`a b` cannot be quoted in a `#!` script",
        ),
    ],
)
def test_values_that_cannot_be_quoted(statement: Run, code: str, title: str) -> None:
    with pytest.raises(SourceError) as caught:
        lowered(body(statement))
    found = caught.value.diagnostic
    assert (found.code, found.title) == (code, title)
    assert found.span is not None
    assert found.span.line in (3, 4)
    assert "X=x" in found.notes[0][1] or "(x)" in found.notes[0][1]


def test_only_plain_words_for_another_shell() -> None:
    shell = Shell(("/usr/bin/fish", "-c"))
    assert execs(lowered(body(shell, spliced("echo ${{x}}", "a"))))[0].meta.args[-1] == "echo a"
    with pytest.raises(SourceError, match="not sh-like"):
        lowered(body(shell, spliced("echo ${{x}}", "a b")))


@pytest.mark.parametrize("text", ["make", "make \\\n    install", "cat > /x <<X\nx\nX", "make \\\n"])
def test_a_script_is_one_op_as_a_line_and_as_a_block(text: str) -> None:
    line = lowered(body(run(text)))
    block = lowered(body(run(text.removesuffix("\n") + "\n", block=True)))
    assert last(line).digest == last(block).digest
    assert history(line) == history(block)


def test_values_at_the_end_of_a_block() -> None:
    line, block = (
        lowered(body(spliced(f"echo ${{{{x}}}}{end}", "a b", block=bool(end)))) for end in ("", "\n")
    )
    assert last(line).digest == last(block).digest
    assert execs(block)[0].meta.args == (*SHELL, "echo 'a b'")
