"""Images, repositories, downloads, layouts, states laid over one another, and errors about them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import AMD64, NoSuchImage, World, image_config
from tests.compiler.lower.recipe.making import (
    BASE,
    CONTEXT,
    DIGEST,
    PATH,
    body,
    built,
    copying,
    execs,
    history,
    image,
    last,
    lowered,
    run,
    scratch,
    span,
    template,
    vertices,
)
from tests.compiler.lower.recipe.test_copying import archive
from tests.runtime.ops.files.room import Room, files

from pybuild.compiler.lower.recipe import LoweredInstance, Pin
from pybuild.compiler.lower.recipe.sources import source_op
from pybuild.compiler.ops import DiffOp, FileOp, MergeOp, Platform, SourceOp
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, diff, merge
from pybuild.lang.diagnostics import UserError
from pybuild.lang.recipe import Cmd, Diff, Env, Git, Host, Http, Image, Labels, Layout, Merge, Start
from pybuild.lang.recipe import State as RecipeState

COMMIT = "0123456789" * 4


def source(state: RecipeState, **options: Any) -> SourceOp:
    """The op that the files of a state come from."""
    op = vertices(files_of(state, **options))[0].op
    assert isinstance(op, SourceOp)
    return op


def files_of(state: RecipeState, **options: Any) -> LoweredInstance:
    return lowered(body(base=state), **options)


# Images


def test_each_image_is_asked_for_once() -> None:
    world = World()
    lowered(body(copying("a", to="/", source=image("docker.io/library/base")), run()), world)
    assert world.resolved == [("docker.io/library/base:latest", "amd64")]
    assert world.log_names == ["[internal] load metadata for docker.io/library/base:latest"]


def test_images_are_asked_for_their_platform() -> None:
    world = World()
    made = lowered(body(base=image(platform="linux/arm/v7"), platform="linux/arm/v7"), world)
    assert last(made).platform == Platform("arm", "linux", "v7")
    assert world.resolved == [("docker.io/library/base:latest", "arm")]


def test_pull() -> None:
    assert source(image(), pull=True).attrs == {"image.resolvemode": "pull"}
    assert source(image()).attrs == {}


def test_an_image_without_layers_is_the_empty_file_system() -> None:
    world = World({"docker.io/library/base:latest": image_config(layers=0)})
    made = lowered(body(Env((("A", template("1")),))), world)
    assert made.edge is None
    assert made.image.config.cmd == ("sh",)


def test_an_image_that_only_a_copy_names_is_no_step() -> None:
    made = lowered(
        body(run(), copying("a", to="/", source=image("base:1"))),
        World({"docker.io/library/base:1": image_config()}),
    )
    names = [vertex.name for vertex in vertices(made)]
    assert names == [
        f"[web 1/3] from {BASE}",
        "[web 2/3] run make",
        f"from docker.io/library/base:1@{DIGEST}",
        '[web 3/3] copy "a" from "base:1" to "/"',
    ]


@pytest.mark.parametrize("ref", ["missing", "Not A Reference"])
def test_what_is_wrong_with_an_image_is_said_where_it_is_named(ref: str) -> None:
    with pytest.raises(UserError) as caught:
        files_of(Image(span(4), ref, "linux/amd64"))
    assert caught.value.diagnostic.span == span(4)
    assert isinstance(caught.value, NoSuchImage) is (ref == "missing")


def test_layouts() -> None:
    world = World({"layout0": image_config({"User": "x"})})
    state = Layout(None, "/data/image:v1", "linux/amd64")
    made = files_of(state, world=world, layouts={"/data/image:v1": "layout0"})
    assert made.edge is not None
    expected = State.oci_layout(f"layout0@{DIGEST}", options=Options(platform=AMD64))
    assert made.edge == expected.edge
    assert made.image.config.user == "x"


def test_commands_of_this_machine() -> None:
    world = World({"host0": image_config()})
    made = files_of(Host(None, ("git", "tar")), world=world, hosts={("git", "tar"): "host0"})
    assert last(made).op == SourceOp(f"oci-layout://host0@{DIGEST}")
    assert last(made).name == f"[web 1/1] from host0@{DIGEST}"


# Repositories and downloads


@pytest.mark.parametrize(
    ("state", "identifier", "attrs"),
    [
        (Git(None, "https://example.com/r.git", "HEAD"), "git://example.com/r.git", {}),
        (Git(None, "https://example.com/r.git", "v1"), "git://example.com/r.git#v1", {}),
        (
            Git(None, "https://example.com/r.git", COMMIT, subdir="docs"),
            f"git://example.com/r.git#{COMMIT}:docs",
            {"git.checksum": COMMIT},
        ),
        (
            Git(
                None,
                "https://example.com/r.git",
                "v1",
                submodules=False,
                keep_git=True,
                token="t",
                checksum=COMMIT,
            ),
            "git://example.com/r.git#v1",
            {
                "git.skipsubmodules": "true",
                "git.keepgitdir": "true",
                "git.authtokensecret": "t",
                "git.checksum": COMMIT,
            },
        ),
        (
            Git(None, "https://example.com/r.git", "v1", header="h"),
            "git://example.com/r.git#v1",
            {"git.authheadersecret": "h"},
        ),
    ],
)
def test_git(state: Git, identifier: str, attrs: dict[str, str]) -> None:
    found = source(state)
    assert found.identifier == identifier
    assert found.attrs == {"git.fullurl": "https://example.com/r.git", **attrs}


def test_git_over_ssh() -> None:
    attrs = source(Git(None, "git@example.com:o/r.git", "v1", ssh="work")).attrs
    assert attrs["git.mountsshsock"] == "work"


def test_http() -> None:
    url = "https://example.com/a%20b.tar.gz"
    assert source(Http(None, url)).identifier == url
    assert source(Http(None, url)).attrs == {"http.filename": "a b.tar.gz", "http.perm": "0644"}
    state = Http(None, url, sha256="a" * 64, name="x", mode=0o755, auth="t")
    assert source(state).attrs == {
        "http.filename": "x",
        "http.perm": "0755",
        "http.checksum": f"sha256:{'a' * 64}",
        "http.authheadersecret": "t",
    }


def test_pins() -> None:
    git, http = Git(None, "https://example.com/r.git", "v1"), Http(None, "https://example.com/x")
    pins = {git: Pin(COMMIT, "r#v1"), http: Pin(f"sha256:{'b' * 64}", "x")}
    assert source(git, pins=pins).attrs["git.checksum"] == COMMIT
    assert source(git, pins=pins).identifier == f"git://example.com/r.git#{COMMIT}"
    assert source(http, pins=pins).attrs["http.checksum"] == f"sha256:{'b' * 64}"
    assert "http.checksum" not in source_op(http).attrs
    assert source_op(git) == source(git)


def test_addresses_of_no_known_form() -> None:
    with pytest.raises(UserError, match="not the address of a git repository") as caught:
        files_of(Git(span(6), "nonsense", "v1"))
    assert caught.value.diagnostic.span == span(6)


@pytest.mark.root
@pytest.mark.parametrize(
    ("strip", "expected"),
    [
        (0, {"top", "top/bin", "top/bin/node", "top/README", "loose"}),
        (1, {"bin", "bin/node", "README"}),
        (2, {"node"}),
    ],
)
def test_unpacked_archives(overlay_room: Room, strip: int, expected: set[str]) -> None:
    data = archive({"top/bin/node": b"n", "top/README": b"r", "loose": b"l"})
    made = files_of(Http(None, "https://example.com/a.tar", unpack=True, strip=strip))
    op = last(made).op
    assert isinstance(op, FileOp)
    (out,) = overlay_room.run(op.actions, [overlay_room.state(files({"a.tar": data}))])
    assert overlay_room.paths(out) == expected


def test_files_start_with_an_empty_config() -> None:
    made = lowered(body(run("make"), base=Git(None, "https://example.com/r.git", "v1")))
    assert made.image.config.env == (f"PATH={PATH}",)
    assert execs(made)[0].meta.cwd == "/"


# Merge and diff


def test_merge_has_the_config_of_the_first() -> None:
    first = body(run("a"), Cmd(("a",)), title="first")
    second = body(run("b"), Cmd(("b",)), Labels((("b", "b"),)), title="second", base=scratch())
    made = files_of(Merge(None, (built(first), built(second), CONTEXT)))
    assert last(made).op == MergeOp((0, 1, 2))
    assert made.image.config.cmd == ("a",)
    assert made.image.config.labels == {}
    assert history(made) == ["+ run a", 'cmd ["a"]', "+ run b"]
    merged = files_of(Merge(None, (built(second), built(first))))
    assert history(merged) == ["+ run b", 'cmd ["b"]', 'label "b" = "b"', "+ layer 0", "+ run a"]
    expected = merge([State(edge) for edge in last(made).inputs])
    assert expected.edge == made.edge


def test_diff_has_the_config_of_the_upper() -> None:
    upper = body(run("a"), run("b"), Labels((("b", "b"),)))
    lower = upper.state
    assert lower is not None
    before = lower.before.before  # type: ignore[attr-defined]
    made = files_of(Diff(None, before, built(upper)))
    assert not made.image.history[0].created_by.startswith("layer")
    assert last(made).op == DiffOp(0, 1)
    assert made.image.config.labels == {"b": "b"}
    assert history(made) == ["+ run b"]
    assert len(made.image.history) == 1
    below, above = (State(edge) for edge in last(made).inputs)
    assert diff(below, above).edge == made.edge


def test_diff_of_nothing() -> None:
    upper = body(run("a"))
    assert files_of(Diff(None, scratch(), built(upper))).edge == lowered(upper).edge


def test_start_gives_the_platform() -> None:
    inner = body(run("a"), title="inner")
    outer = body(run("b"), base=built(inner), platform="linux/arm64")
    assert isinstance(inner.state.before, Start)  # type: ignore[union-attr]
    made = lowered(outer)
    platforms = [vertex.platform.architecture for vertex in vertices(made) if vertex.platform]
    assert platforms == ["amd64", "amd64", "arm64"]


def test_diff_of_states_that_have_nothing_in_common() -> None:
    made = files_of(
        Diff(None, built(body(run("a"), base=scratch(), title="a")), built(body(run("b"), title="b")))
    )
    assert history(made) == ["+ diff"]


def test_merges_that_double_each_time() -> None:
    state: RecipeState = image()
    for _ in range(30):
        state = Merge(None, (state, state))
    assert len(history(files_of(state))) <= 30 * 127
