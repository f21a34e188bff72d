"""Sources as states of the recipe, and what they refuse."""

from __future__ import annotations

from typing import TypeVar

import pytest
from tests.lang.textual.evaluate.scenes import PLATFORM, Stage

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import modules
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.types import REF, STATE, ListOf

S = TypeVar("S")

FILES = {"legacy/Dockerfile": "FROM scratch\n", "data/x": "1", "layout/index.json": "{}"}
SHA = "0123456789abcdef" * 4


def made(text: str, kind: type[S], stage: Stage | None = None) -> S:
    value = (stage or Stage(files=FILES)).value(text, STATE)
    assert isinstance(value, kind)
    return value


def test_an_image_is_for_the_platform_that_is_built_for() -> None:
    image = made('image("alpine:3.20")', recipe.Image)
    assert (image.ref, image.platform) == ("alpine:3.20", PLATFORM)


def test_an_image_of_another_platform() -> None:
    assert made('image("alpine", platform="linux/arm64/v8")', recipe.Image).platform == "linux/arm64"
    assert made('image("alpine", platform=build_platform)', recipe.Image).platform == "linux/amd64"


def test_sources_are_taken_for_the_platform_of_from_on() -> None:
    stage = Stage()
    frame = stage.frame.inner(taken_for="linux/s390x")
    value = stage.value('image("alpine:${{platform.arch}}")', STATE, frame)
    assert isinstance(value, recipe.Image)
    assert (value.ref, value.platform) == ("alpine:arm64", "linux/s390x")


def test_a_string_is_an_image_where_a_state_is_wanted() -> None:
    image = made('"alpine" if true else scratch', recipe.Image)
    assert (image.ref, image.platform) == ("alpine", PLATFORM)
    assert image.span is not None
    assert image.span.column == 10


def test_a_target_is_a_state_where_one_is_wanted() -> None:
    stage = Stage("target a:\n    from scratch\n")
    assert made("a", recipe.Built, stage).body.title == "a"
    assert stage.targets == [("a", PLATFORM)]


def test_the_context_is_one_state() -> None:
    stage = Stage()
    assert stage.value("context") is stage.value("context")


def test_git() -> None:
    git = made(
        'git("https://github.com/acme/t.git", ref="v2", subdir="./a/", submodules=false, keep_git=true,'
        ' auth=[secret("token"), ssh()])',
        recipe.Git,
    )
    assert (git.url, git.ref, git.subdir) == ("https://github.com/acme/t.git", "v2", "a")
    assert (git.submodules, git.keep_git) == (False, True)
    assert (git.token, git.ssh, git.checksum) == ("token", "default", "")


def test_git_defaults() -> None:
    git = made('git("git@github.com:acme/t.git")', recipe.Git)
    assert (git.ref, git.subdir, git.submodules, git.keep_git) == ("HEAD", "", True, False)
    assert (git.token, git.ssh) == ("", "")


def test_http() -> None:
    http = made(
        f'http("https://x.org/a.tgz", sha256="{SHA}", name="b", unpack=true, strip=1, mode=0o755,'
        ' auth=[secret("t")])',
        recipe.Http,
    )
    assert (http.url, http.sha256, http.name) == ("https://x.org/a.tgz", SHA, "b")
    assert (http.unpack, http.strip, http.mode, http.auth) == (True, 1, 0o755, "t")


def test_http_defaults() -> None:
    http = made('http("https://x.org/a")', recipe.Http)
    assert (http.sha256, http.name, http.unpack, http.strip, http.mode, http.auth) == (
        "",
        "",
        False,
        0,
        0o644,
        "",
    )


def test_local() -> None:
    local = made('local("./data", exclude=["*.tmp"])', recipe.Directory)
    assert (local.path, local.exclude, local.include) == ("/project/data", ("*.tmp",), ())


def test_names_of_local_directories_tell_their_patterns_apart() -> None:
    texts = (
        'local("data")',
        'local("legacy")',
        'local("data", exclude=["a"])',
        'local("data", include=["a"])',
        'local("data", include=["a", "b"])',
    )
    names = [made(text, recipe.Directory).name for text in texts]
    assert len(set(names)) == len(texts)
    assert made('local("data/")', recipe.Directory).name == names[0]


def test_local_outside_the_project_must_be_allowed() -> None:
    stage = Stage(allowed=("/srv/data",))
    assert made('local("/srv/data/x")', recipe.Directory, stage).path == "/srv/data/x"
    failure = stage.failure('local("/srv")', STATE)
    assert failure.code == "E0903"
    assert ("help", "run the command with `--allow read=/srv`") in failure.notes


def test_local_of_an_absolute_path_in_the_project() -> None:
    assert made('local("/project/data")', recipe.Directory).path == "/project/data"


def test_oci() -> None:
    assert made('oci("layout")', recipe.Layout).path == "/project/layout"
    assert made('oci("layout:v1")', recipe.Layout).path == "/project/layout:v1"
    assert made(f'oci("./layout:v1@sha256:{SHA}")', recipe.Layout).path == f"/project/layout:v1@sha256:{SHA}"


def test_a_module_that_is_nowhere_has_no_directories() -> None:
    stage = Stage(files=FILES, origin=modules.FOREIGN, base=None)
    assert stage.failure('oci("layout")', STATE).code == "E0513"


def test_dockerfile() -> None:
    stage = Stage(files={**FILES, "legacy/Dockerfile.dockerignore": "x\n"}, name="lib/build.pybuild")
    made_of = made(
        'dockerfile("./legacy/Dockerfile", target="b", args={"A": "1"}, contexts={"c": scratch})',
        recipe.Dockerfile,
        stage,
    )
    assert made_of.text == b"FROM scratch\n"
    assert made_of.ignore == b"x\n"
    assert made_of.name == "lib/legacy/Dockerfile"
    assert (made_of.target, made_of.platform) == ("b", PLATFORM)
    assert made_of.args == {"A": "1"}
    assert isinstance(made_of.contexts["c"], recipe.Scratch)
    assert made_of.context is stage.value("context")
    assert set(stage.reads) == {"lib/legacy/Dockerfile", "lib/legacy/Dockerfile.dockerignore"}


def test_dockerfile_without_an_ignore_file_of_its_own() -> None:
    made_of = made('dockerfile("legacy/Dockerfile", context=scratch)', recipe.Dockerfile)
    assert made_of.ignore is None
    assert isinstance(made_of.context, recipe.Scratch)


def test_host() -> None:
    assert made('host(["sh", "/bin/ls"])', recipe.Host).commands == ("sh", "/bin/ls")


def test_merge_and_diff() -> None:
    merge = made('merge(image("a"), [image("b"), scratch])', recipe.Merge)
    assert [type(state).__name__ for state in merge.states] == ["Image", "Image", "Scratch"]
    diff = made('diff(image("a"), image("b"))', recipe.Diff)
    assert isinstance(diff.lower, recipe.Image)
    assert isinstance(diff.upper, recipe.Image)
    assert (diff.lower.ref, diff.upper.ref) == ("a", "b")


def test_this_is_the_state_of_now() -> None:
    stage = Stage()

    class Now:
        body = recipe.Body("x", PLATFORM)
        state: recipe.State | None = recipe.Scratch(None)

    frame = Frame(stage.instance, PLATFORM, Now())
    assert stage.value("this", None, frame.inner()) is Now.state


@pytest.mark.parametrize(
    ("text", "code", "title"),
    [
        ('image("Alpine")', "E0309", '"Alpine" is not an image reference'),
        ('image("")', "E0309", "empty"),
        ('image("a:$TAG")', "E0106", "`$TAG` is not expanded in this string"),
        ('image("a", platform="amd64")', "E0309", "not a platform"),
        ('git("acme/tools")', "E0309", "not an address of a git repository"),
        ('git("")', "E0309", "cannot be empty"),
        ('git("https://x.org/a.git#main")', "E0309", "not an address"),
        ('git("https://$HOST/a.git")', "E0106", "$HOST"),
        ('git("https://x.org/a.git", ref="")', "E0603", "`git` needs a git reference"),
        ('git("https://x.org/a.git", ref="a b")', "E0603", "not a git reference"),
        ('git("https://x.org/a.git", ref="-x")', "E0603", "not a git reference"),
        ('git("https://x.org/a.git", subdir="../a")', "E0513", "leaves"),
        ('git("https://x.org/a.git", auth=[cache("/a")])', "E0603", "takes `secret(…)` and `ssh()`"),
        ('git("https://x.org/a.git", auth=[ssh(), ssh("b")])', "E0603", "takes one agent"),
        ('http("ftp://x.org/a")', "E0309", "not an address of a file"),
        ('http("https://x.org/a", sha256="abc")', "E0309", "not a SHA-256 checksum"),
        ('http("https://x.org/a", name="a/b")', "E0603", "not a file name"),
        ('http("https://x.org/a", strip=-1)', "E0603", "not a count"),
        ('http("https://x.org/a", mode=0o17777)', "E0515", "not a file mode"),
        ('http("https://x.org/a", mode="u+x")', "E0515", 'the mode "u+x" is not a number'),
        ('http("https://x.org/a", auth=[ssh()])', "E0603", "takes `secret(…)`"),
        ('local("dta")', "E0510", "`local` finds no `dta`"),
        ('local("data/x")', "E0510", "`local` finds no `data/x`"),
        ('local("../x")', "E0903", "`/x` is outside the project"),
        ('oci("nothing:v1")', "E0510", "`oci` finds no `nothing`"),
        ('dockerfile("Dockerfile")', "E0510", "`dockerfile` finds no file"),
        ('dockerfile("../Dockerfile")', "E0513", "`dockerfile` sees only files"),
        ("host([])", "E0603", "`host` needs the names of commands"),
        ('host(["a/b"])', "E0603", "not a command"),
        ("merge([])", "E0603", "`merge` needs states"),
    ],
)
def test_what_is_refused(text: str, code: str, title: str) -> None:
    failure = Stage(files=FILES).failure(text, STATE)
    assert failure.code == code
    assert title in failure.title
    assert failure.span is not None


@pytest.mark.parametrize("written", [f"sha256:{SHA}", SHA.upper(), f" {SHA}"])
def test_a_checksum_that_is_nearly_right(written: str) -> None:
    failure = Stage().failure(f'http("https://x.org/a", sha256="{written}")', STATE)
    assert [edit.text for edit in failure.edits] == [f'"{SHA}"']


def test_a_missing_file_has_a_near_name() -> None:
    failure = Stage(files=FILES).failure('dockerfile("legcy/Dockerfile")', STATE)
    assert ("help", "did you mean `legacy/Dockerfile`?") in failure.notes
    assert [edit.text for edit in failure.edits] == ['"legacy/Dockerfile"']


def test_items_of_a_list_are_converted_where_they_stand() -> None:
    with pytest.raises(SourceError) as caught:
        Stage().value('["a", ("B")]', ListOf(REF))
    span = caught.value.diagnostic.span
    assert span is not None
    assert (span.column, span.end_column) == (17, 20)
