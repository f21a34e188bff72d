"""COPY and ADD with their flags: ops, names, history, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import (
    AMD64,
    ARM64,
    World,
    actions,
    copies,
    history_of,
    image_config,
    lowered,
    names,
    sources,
    vertices,
)

from pybuild.compiler.graph import Vertex
from pybuild.compiler.lower.dockerfile import LoweredTarget
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import ChownOpt, Copy, FileOp, MergeOp, MkFile, NamedUser, SourceOp
from pybuild.lang.diagnostics import SourceError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SUM = "sha256:" + "0123456789abcdef" * 4
LOCAL: dict[str, Any] = {
    "follow_symlink": True,
    "dir_copy_contents": True,
    "create_dest_path": True,
    "allow_wildcard": True,
    "allow_empty_wildcard": True,
}


def by_kind(result: LoweredTarget, kind: type) -> list[Vertex]:
    return [vertex for vertex in vertices(result) if isinstance(vertex.op, kind)]


# --link


def test_link_copies_onto_nothing_and_merges() -> None:
    result = lowered("FROM base\nWORKDIR /w\nCOPY --link --chown=3:4 a .\nRUN x")
    (merged,) = by_kind(result, MergeOp)
    below, layer = (edge.vertex for edge in merged.inputs)
    assert merged.op == MergeOp((0, 1))
    assert below.name == "[2/4] WORKDIR /w"
    assert isinstance(layer.op, FileOp)
    (action,) = layer.op.actions
    assert (action.input, action.secondary_input) == (-1, 0)
    assert action.action == Copy("/a", "/w/", ChownOpt(3, 4), **LOCAL)
    assert [edge.vertex.name for edge in layer.inputs] == ["[internal] load build context"]


def test_names_and_groups_of_a_linked_step() -> None:
    result = lowered("FROM base\nCOPY --link a b\nCOPY c d")
    (merged,) = by_kind(result, MergeOp)
    layer = merged.inputs[1].vertex
    assert merged.name == "[2/3] LINK COPY --link a b"
    assert layer.name == "[2/3] COPY --link a b"
    assert names(result)[-1] == "[3/3] COPY c d"
    group, weak = merged.metadata.progress_group, layer.metadata.progress_group
    assert group is not None
    assert weak is not None
    assert (group.name, group.weak, weak.weak) == ("[2/3] COPY --link a b", False, True)
    assert (group.id, group.name) == (weak.id, weak.name)
    assert [span.line for vertex in (merged, layer) for span in vertex.metadata.spans] == [2, 2]


def test_link_on_the_empty_file_system_needs_no_merge() -> None:
    result = lowered("FROM scratch\nADD --link a b\n")
    assert by_kind(result, MergeOp) == []
    (vertex,) = by_kind(result, FileOp)
    assert vertex.name == "[1/1] ADD --link a b"


def test_link_with_a_mode_is_an_ordinary_copy() -> None:
    text = "FROM base\nCOPY --link --chmod=u+x --chown=user a b"
    result = lowered(text)
    assert by_kind(result, MergeOp) == []
    (copy,) = copies(result)
    assert (copy.mode, copy.mode_str) == (0, "u+x")
    assert copy.owner == ChownOpt(NamedUser("user", 0))


def test_linked_steps_do_not_depend_on_what_is_below() -> None:
    text = "FROM {}\nRUN {}\nCOPY --link a /a\nCOPY --link --from=base /b /b\n"
    world = {"docker.io/library/other:latest": image_config()}
    one = lowered(text.format("base", "x"))
    other = lowered(text.format("other", "y"), World(world))
    layers = [
        {merged.inputs[1].vertex.digest for merged in by_kind(result, MergeOp)} for result in (one, other)
    ]
    assert layers[0] == layers[1]
    assert len(layers[0]) == 2


def test_no_cache_reaches_both_steps_of_a_link() -> None:
    result = lowered("FROM base\nCOPY --link a b", steps=StepDefaults(no_cache=True))
    (merged,) = by_kind(result, MergeOp)
    assert merged.metadata.ignore_cache
    assert merged.inputs[1].vertex.metadata.ignore_cache


def test_links_of_heredocs_and_their_order() -> None:
    result = lowered("FROM scratch\nCOPY --link <<a b <<c /d/\n1\na\n2\nc\n")
    assert [action.path for action in actions(result) if isinstance(action, MkFile)] == ["/a", "/c"]
    assert [copy.src for copy in copies(result)] == ["/b", "/a", "/c"]
    assert history_of(result) == ["+ COPY b <<a <<c /d/ # buildkit"]


def test_names_of_platforms_stand_before_linked_steps() -> None:
    result = lowered(
        "FROM base\nCOPY --link a b",
        World({"docker.io/library/base:latest": image_config(architecture="arm64")}),
        target_platform=ARM64,
        build_platforms=(AMD64, ARM64),
        multi_platform=True,
    )
    assert names(result)[-2:] == [
        "[linux/arm64 2/2] COPY --link a b",
        "[linux/arm64 2/2] LINK COPY --link a b",
    ]


def test_onbuild_links() -> None:
    base = image_config({"OnBuild": ["COPY --link a /a"]})
    result = lowered("FROM base", World({"docker.io/library/base:latest": base}))
    assert names(result)[-1] == "[2/2] ONBUILD LINK COPY --link a /a"


# --parents


@pytest.mark.parametrize(
    ("written", "src", "include", "required"),
    [
        ("a/b/c", "/", "a/b/c", "/a/b/c"),
        ("/a/b", "/", "a/b", "/a/b"),
        ("./a", "/", "a", "/a"),
        ("a/./b/c", "/a", "b/c", "/a/b/c"),
        ("./a/./b", "/a", "b", "/a/b"),
        ("/./a", "/", "a", "/a"),
        ("a/./b/./c", "/a", "b/c", "/a/b/c"),
        ("a/.//b", "/a", "b", "/a/b"),
        ("a/./", "/a", "", "/a"),
        (".", "/", "", "/"),
        ("a/../b", "/", "b", "/b"),
        ("a/*.c", "/", "a/*.c", None),
        ("a/./**/b?", "/a", "**/b?", None),
        ("*/./b", "/*", "b", None),
        (r"a\*b", "/", r"a\*b", r"/a\*b"),
        ("a[12]", "/", "a[12]", None),
    ],
)
def test_parents(written: str, src: str, include: str, required: str | None) -> None:
    result = lowered(f'FROM scratch\nCOPY --parents ["{written.replace(chr(92), chr(92) * 4)}", "/d/"]')
    (copy,) = copies(result)
    expected = () if required is None else (required,)
    assert (copy.src, copy.include_patterns, copy.required_paths) == (src, (include,), expected)


def test_parents_of_several_sources() -> None:
    result = lowered("FROM base\nWORKDIR /w\nCOPY --parents --chown=user --chmod=600 a/b c/./d .\n")
    first, second = copies(result)
    assert (first.dest, second.dest) == ("/w/", "/w/")
    assert (first.include_patterns, second.include_patterns) == (("a/b",), ("d",))
    assert history_of(result)[-1] == "+ COPY --parents --chown=user --chmod=600 a/b c/./d . # buildkit"
    assert sources(result)["local://context"]["local.followpaths"] == '["a/b","c/d"]'


def test_parents_from_a_stage_and_linked() -> None:
    text = "FROM base AS s\nFROM base\nCOPY --parents --link --from=s /etc/./pass* /x/\n"
    result = lowered(text)
    (copy,) = copies(result)
    assert (copy.src, copy.include_patterns) == ("/etc", ("pass*",))
    assert len(by_kind(result, MergeOp)) == 1


# --exclude


def test_excludes_are_kept_as_written() -> None:
    text = "FROM scratch\nARG x=y\nCOPY --exclude=$x --exclude=!**/*.md a <<b /d/\nb\n"
    for copy in copies(lowered(text)):
        assert copy.exclude_patterns == ("$x", "!**/*.md")
    assert history_of(lowered(text))[-1] == "+ COPY a <<b /d/ # buildkit"


def test_excludes_of_a_fetched_repository() -> None:
    (copy,) = copies(lowered("FROM scratch\nADD --exclude=*.md git@h:r.git /d/\n"))
    assert copy == Copy("/", "/d/", exclude_patterns=("*.md",), create_dest_path=True)


# ADD of addresses


def test_download() -> None:
    text = f"FROM base\nARG v=1\nADD --checksum={SUM} --chmod=755 --chown=user http://h/x-$v.tgz?y /d/\n"
    result = lowered(text)
    assert sources(result)["http://h/x-1.tgz?y"] == {"http.checksum": SUM, "http.filename": "x-1.tgz"}
    (copy,) = copies(result)
    assert copy == Copy("/x-1.tgz", "/d/", ChownOpt(NamedUser("user", 0)), mode=0o755, create_dest_path=True)
    name = f"[2/2] ADD --checksum={SUM} --chmod=755 --chown=user http://h/x-1.tgz?y /d/"
    assert names(result)[1:] == [name, name]
    assert history_of(result)[-1] == "+ ADD --chown=user --chmod=755 http://h/x-1.tgz?y /d/ # buildkit"


def test_unnamed_download() -> None:
    result = lowered("FROM scratch\nADD https://h/ /d/")
    assert sources(result)["https://h/"] == {"http.filename": "__unnamed__"}
    assert [copy.src for copy in copies(result)] == ["/__unnamed__"]


@pytest.mark.parametrize(
    ("flag", "of_context", "of_download"),
    [("", True, False), ("--unpack ", True, True), ("--unpack=false ", False, False)],
)
def test_unpack(flag: str, of_context: bool, of_download: bool) -> None:
    result = lowered(f"FROM scratch\nADD {flag}a.tgz http://h/b.tgz /d/")
    assert [copy.attempt_unpack for copy in copies(result)] == [of_context, of_download]


def test_repository() -> None:
    result = lowered("FROM base\nADD --keep-git-dir --link https://h/a/r.git#v1:d/e /d\n")
    (identifier,) = (name for name in sources(result) if name.startswith("git:"))
    assert identifier == "git://h/a/r.git#v1:d/e"
    assert sources(result)[identifier] == {
        "git.authheadersecret": "GIT_AUTH_HEADER",
        "git.authtokensecret": "GIT_AUTH_TOKEN",
        "git.fullurl": "https://h/a/r.git",
        "git.keepgitdir": "true",
    }
    (copy,) = copies(result)
    assert copy == Copy("/", "/d", create_dest_path=True)
    (merged,) = by_kind(result, MergeOp)
    assert merged.name == "[2/2] LINK ADD --keep-git-dir --link https://h/a/r.git#v1:d/e /d"


def test_repository_by_query() -> None:
    query = f"tag=v1&subdir=d&checksum={COMMIT}&keep-git-dir&submodules=false&mtime=commit&fetch-by-commit"
    result = lowered(f"FROM scratch\nADD http://h/r.git?{query} /d\n")
    attrs = sources(result)["git://h/r.git#refs/tags/v1:d"]
    assert attrs == {
        "git.authheadersecret": "GIT_AUTH_HEADER",
        "git.authtokensecret": "GIT_AUTH_TOKEN",
        "git.checksum": COMMIT,
        "git.fetchbycommit": "true",
        "git.fullurl": "http://h/r.git",
        "git.keepgitdir": "true",
        "git.mtime": "commit",
        "git.skipsubmodules": "true",
    }


def test_repository_by_ssh() -> None:
    attrs = sources(lowered("FROM scratch\nADD git@h:a/r.git#main /d\n"))["git://h/a/r.git#main"]
    assert attrs["git.fullurl"] == "git@h:a/r.git"
    assert attrs["git.mountsshsock"] == "default"


@pytest.mark.parametrize("flag", ["", "--keep-git-dir=false "])
def test_git_dir_is_dropped(flag: str) -> None:
    result = lowered(f"FROM scratch\nADD {flag}http://h/r.git /d\n")
    assert "git.keepgitdir" not in sources(result)["git://h/r.git"]


def test_the_query_speaks_for_its_own_source_only() -> None:
    result = lowered(f"FROM scratch\nADD http://h/a.git?keep-git-dir&commit={COMMIT} http://h/b.git /d\n")
    assert sources(result)["git://h/a.git"]["git.keepgitdir"] == "true"
    assert sources(result)["git://h/b.git"].keys() == {
        "git.authheadersecret",
        "git.authtokensecret",
        "git.fullurl",
    }


def test_checksum_of_a_repository() -> None:
    text = f"FROM scratch\nARG C={COMMIT}\nADD --checksum=$C http://h/r.git?commit={COMMIT} /d\n"
    assert sources(lowered(text))["git://h/r.git"]["git.checksum"] == COMMIT


@pytest.mark.parametrize("path", ["./r.git", "r.git", "github.com/a/r.git", "ftp://h/r.git", "a@b/c:d"])
def test_paths_that_look_like_addresses(path: str) -> None:
    for verb in ("ADD", "COPY"):
        result = lowered(f"FROM scratch\n{verb} {path} /d\n")
        assert list(sources(result)) == ["local://context"]


def test_fetched_files_are_no_paths_of_the_context() -> None:
    result = lowered("FROM scratch\nADD a http://h/b git@h:c /d/\n")
    assert sources(result)["local://context"]["local.followpaths"] == '["a"]'
    context_free = lowered("FROM scratch\nADD http://h/b git@h:c <<E /d/\nE\n")
    assert "local://context" not in sources(context_free)


def test_ignored_files_are_named_by_their_paths() -> None:
    world = World()
    text = "# check=experimental=all\nFROM scratch\nCOPY --parents a/./b.o ok /x/\nADD http://h/b.o /y\n"
    lowered(text, world, excludes=("**/*.o",))
    assert [(w.code, w.title) for w in world.warnings] == [
        ("CopyIgnoredFile", 'Attempting to Copy file "a/b.o" that is excluded by .dockerignore')
    ]


def test_from_an_image_and_a_named_context() -> None:
    text = "FROM scratch\nCOPY --link --from=base /a /a\nCOPY --link --from=dir --exclude=x b/ /b/\n"
    result = lowered(text, contexts={"dir": "local:name"})
    assert set(sources(result)) == {
        "local://name",
        "docker-image://docker.io/library/base:latest@sha256:" + "d" * 64,
    }
    assert sources(result)["local://name"]["local.followpaths"] == '["b"]'
    (merged,) = by_kind(result, MergeOp)
    assert all(isinstance(edge.vertex.op, FileOp) for edge in merged.inputs)


def test_a_shared_download_is_one_vertex() -> None:
    result = lowered("FROM scratch\nADD http://h/a /1\nADD http://h/a /2\n")
    assert len(by_kind(result, SourceOp)) == 1


# Refusals

REFUSED = [
    ("COPY http://h/a /", "source can't be a URL for COPY"),
    ("COPY https://h/r.git /", "source can't be a git ref for COPY"),
    ("COPY --from=base git@h:r /", "source can't be a git ref for COPY"),
    ("ADD --checksum=x a b", "checksum requires HTTP(S) or Git sources"),
    ("ADD --checksum=x <<a b\na", "checksum can't be specified for multiple sources"),
    (f"ADD --checksum={SUM} http://h/a http://h/b /", "checksum can't be specified for multiple sources"),
    ("ADD --checksum=x http://h/a /", "invalid checksum digest format: x"),
    ("ADD --checksum=sha256: http://h/a /", "invalid checksum digest format: sha256:"),
    ("ADD --checksum=sha256:00 http://h/a /", "invalid checksum digest length: sha256:00"),
    ("ADD --checksum=md5:00 http://h/a /", "unsupported digest algorithm: md5:00"),
    (f"ADD --checksum={SUM.upper().replace('SHA', 'sha')} http://h/a /", "invalid checksum digest format"),
    ("ADD --checksum=zz http://h/r.git /", "invalid checksum zz for Git source, expected hex commit hash"),
    ("ADD --checksum=aa http://h/r.git?commit=bb /", 'checksum mismatch "aa" != "bb"'),
    ("ADD --keep-git-dir=false http://h/r.git?keep-git-dir /", "inconsistent keep-git-dir configuration"),
    ("ADD http://h/r.git?x=1 /", 'unexpected query "x"'),
    ("ADD a http://h/r.git?ref /", 'query "ref" has no value'),
    ("COPY --link --chown=user a b", "invalid user index: -1"),
    ("COPY --link --chown=0:group a b", "invalid user index: -1"),
    ("ADD --link --chmod=8 a b", "invalid chmod parameter: '8'"),
    ("COPY --parents --chmod=u+x, a b", "invalid chmod parameter: 'u+x,'"),
]


@pytest.mark.parametrize(("instruction", "message"), REFUSED, ids=lambda text: text.split("\n")[0])
def test_refusals(instruction: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        lowered(f"FROM base\n{instruction}\n")
    assert str(caught.value).startswith(message)
    (label,) = caught.value.diagnostic.labels
    assert label.span.line == 2


@pytest.mark.parametrize("mode", ["u=rwX,go=rX", "+x", "g=u", "u=gw-x+t", "a-w,o=", "ug+s", "u+r-w"])
def test_symbolic_modes(mode: str) -> None:
    (copy,) = copies(lowered(f"FROM scratch\nCOPY --chmod={mode} a b"))
    assert copy.mode_str == mode


@pytest.mark.parametrize("owner", ["0", "root:root", "12:34", "root", ":5"])
def test_owners_that_links_know(owner: str) -> None:
    assert by_kind(lowered(f"FROM base\nCOPY --link --chown={owner} a b"), MergeOp)
