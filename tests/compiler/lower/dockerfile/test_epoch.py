"""SOURCE_DATE_EPOCH: numbers, and the names of contexts and stages that tell the time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compiler.lower.dockerfile.world import World, execs, lowered, sources, vertices

from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.lower.dockerfile import LoweredTarget
from pybuild.compiler.ops import ExecOp
from pybuild.compiler.remote import git_state
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import SourceError, UsageError, UserError, render

GIT = "https://example.com/repo.git"
AS_GIT = "git://example.com/repo.git"
FILE = "https://example.com/pack.tar"
TIMES = {AS_GIT: 1_600_000_000, AS_GIT + "#v1": 1_500_000_000, FILE: 1_400_000_000}
SHOWN = "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n"
STAGE = f"FROM scratch AS src\nADD {FILE} /\n"


def build(text: str, value: str | None = None, world: World | None = None, **options: Any) -> LoweredTarget:
    args = {} if value is None else {"SOURCE_DATE_EPOCH": value}
    return lowered(
        text, world or World(times=TIMES), build_args={**args, **options.pop("args", {})}, **options
    )


def seen(result: LoweredTarget) -> str | None:
    """What the last step sees."""
    return environment(execs(result)[-1]).get("SOURCE_DATE_EPOCH")


def environment(step: ExecOp) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in step.meta.env)


def created(result: LoweredTarget) -> str | None:
    value: str | None = json.loads(result.image.to_json())["history"][-1].get("created")
    return value


# Numbers


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("+7", 7), ("-7", -7), ("0007", 7), ("0", 0)])
def test_a_number_is_that_time_and_stages_see_it_plain(text: str, seconds: int) -> None:
    for result in (build(SHOWN, text), build(f"ARG SOURCE_DATE_EPOCH={text}\n{SHOWN}")):
        assert result.epoch == seconds
        assert seen(result) == str(seconds)
        assert result.epoch_source is None


def test_nothing_is_no_time_and_leaves_a_default_in_force() -> None:
    text = "FROM base\nARG SOURCE_DATE_EPOCH=3\nRUN x\n"
    result = build("ARG SOURCE_DATE_EPOCH=5\n" + text, "")
    assert (result.epoch, seen(result)) == (None, "3")
    assert (build(SHOWN, "").epoch, seen(build(SHOWN, ""))) == (None, None)
    assert build("ARG SOURCE_DATE_EPOCH\n" + SHOWN).epoch is None
    assert build(text).epoch is None  # of a stage: no more than a variable


def test_a_build_argument_wins_over_the_file() -> None:
    assert build("ARG SOURCE_DATE_EPOCH=5\n" + SHOWN, "7").epoch == 7
    assert build("ARG N=6\nARG SOURCE_DATE_EPOCH=${N}\n" + SHOWN).epoch == 6
    assert build("ARG SOURCE_DATE_EPOCH=context\n" + SHOWN, "7").epoch == 7


@pytest.mark.parametrize("text", ["253402300800", "-62135596801", "9" * 19, "9" * 30, "9" * 5000])
def test_a_time_that_no_image_can_have(text: str) -> None:
    with pytest.raises(UsageError, match="invalid SOURCE_DATE_EPOCH: " + text[:9]):
        build(SHOWN, text)
    assert created(build(SHOWN, "253402300799")) == "9999-12-31T23:59:59Z"
    assert created(build(SHOWN, "-62135596800")) == "0001-01-01T00:00:00Z"


@given(st.text(alphabet="ab:/@.-_+0159Σ \n", min_size=1, max_size=12))
def test_any_text_is_a_number_or_an_error_of_the_user(text: str) -> None:
    try:
        assert build(SHOWN, text).epoch == int(text)
    except UserError as error:
        told = str(error)
    else:
        return
    assert told.startswith("invalid SOURCE_DATE_EPOCH: ")


# The main context


def test_the_main_context_is_a_repository() -> None:
    ref = parse_git_ref(GIT + "#v1")
    assert ref is not None
    world = World(times={AS_GIT + "#v1": 5})
    for text, value in ((SHOWN, "context"), ("ARG SOURCE_DATE_EPOCH=context\n" + SHOWN, None)):
        result = build(text, value, world, context=git_state(ref, "").edge)
        assert (result.epoch, seen(result), created(result)) == (5, "5", "1970-01-01T00:00:05Z")
        assert result.epoch_source is not None
        assert result.epoch_source.identifier == AS_GIT + "#v1"
    assert "[internal] resolve main build context metadata" in world.log_names


def test_the_main_context_is_an_unpacked_archive() -> None:
    from pybuild.compiler.state import copy

    unpacked = State.scratch().file(copy(State.http(FILE), "/pack.tar", "/", unpack=True))
    assert build(SHOWN, "context", context=unpacked.edge).epoch == TIMES[FILE]


def test_a_local_context_tells_no_time() -> None:
    world = World(times=TIMES)
    result = build(SHOWN, "context", world)
    assert (result.epoch, seen(result), world.timed) == (None, None, [])
    assert build("ARG SOURCE_DATE_EPOCH=context\n" + SHOWN).epoch is None
    assert "context" not in json.dumps([entry.created_by for entry in result.image.history])


# Named contexts


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        (GIT, TIMES[AS_GIT]),
        (GIT + "#v1", TIMES[AS_GIT + "#v1"]),
        ("https://example.com/untimed.git", None),
        ("docker-image://base", None),
        ("oci-layout://unknown@sha256:" + "0" * 64, None),
        ("local:somewhere", None),
        ("target:src", TIMES[FILE]),
        ("target:other", None),
    ],
)
def test_a_named_context(source: str, seconds: int | None) -> None:
    text = STAGE + "FROM base AS other\nFROM other\nARG SOURCE_DATE_EPOCH\nRUN x\n"
    result = build(text, "ctx", contexts={"ctx": source})
    assert (result.epoch, seen(result)) == (seconds, None if seconds is None else str(seconds))
    in_file = build("ARG SOURCE_DATE_EPOCH=ctx\n" + text, contexts={"ctx": source})
    assert (in_file.epoch, seen(in_file)) == (seconds, None if seconds is None else str(seconds))


def test_a_context_stands_before_a_stage_of_its_name() -> None:
    assert build(STAGE + SHOWN, "src", contexts={"src": GIT}).epoch == TIMES[AS_GIT]
    assert build(STAGE + SHOWN, "src", contexts={"src": "docker-image://base"}).epoch is None


def test_a_target_that_is_a_context_is_built_with_the_time_as_it_is() -> None:
    text = "FROM base AS made\nARG SOURCE_DATE_EPOCH\nRUN made\nFROM scratch AS src\nADD WHERE /\nFROM ctx\nRUN x\n"
    result = build(text.replace("WHERE", FILE), "src", contexts={"ctx": "target:made"})
    assert environment(execs(result)[0])["SOURCE_DATE_EPOCH"] == str(TIMES[FILE])


def test_an_unreadable_context_says_which_argument_named_it() -> None:
    with pytest.raises(UserError, match="unsupported context source") as caught:
        build(SHOWN, "ctx", contexts={"ctx": "ftp://x"})
    assert "SOURCE_DATE_EPOCH=ctx" in render(caught.value.diagnostic)


# Stages


@pytest.mark.parametrize("value", ["src", "SRC"])
def test_a_stage_with_one_address(value: str) -> None:
    world = World(times=TIMES)
    result = build(STAGE + SHOWN, value, world)
    assert (result.epoch, seen(result)) == (TIMES[FILE], str(TIMES[FILE]))
    assert sources(result).keys() == {"docker-image://docker.io/library/base:latest@sha256:" + "d" * 64}
    assert "[internal] resolve SOURCE_DATE_EPOCH source stage src" in world.log_names


def test_what_the_stage_adds_is_asked_as_it_is_built() -> None:
    text = (
        "ARG TAG=v0\nARG WHERE=https://example.com\nARG SOURCE_DATE_EPOCH=src\n"
        "FROM scratch AS src\nARG TAG\nARG WHERE\nARG NAME=repo\nARG GONE\n"
        "ADD --keep-git-dir --checksum=abcd $WHERE/$NAME.git?tag=$TAG&subdir=d /\nFROM src\n"
    )
    world = World(times={"git://example.com/repo.git#refs/tags/v1:d": 9})
    result = build(text, None, world, args={"TAG": "v1"})
    assert result.epoch == 9
    (asked,) = world.timed
    (built,) = (vertex.op for vertex in vertices(result) if vertex.op == asked)
    assert built == asked


def test_a_stage_with_a_checksum() -> None:
    digest = "sha256:" + "a" * 64
    world = World(times=TIMES)
    build(STAGE.replace("ADD", "ARG SUM\nADD --checksum=$SUM") + SHOWN, "src", world, args={"SUM": digest})
    assert world.timed[0].attrs["http.checksum"] == digest


@pytest.mark.parametrize(
    ("stage", "said", "line"),
    [
        ("FROM base AS src\nADD URL /", "stage must use FROM scratch", 1),
        ("FROM scratch AS src", "must contain exactly one remote ADD", 1),
        ("FROM scratch AS src\nADD URL /\nADD URL /b", "must contain exactly one remote ADD", 3),
        ("FROM scratch AS src\nADD URL URL /d/", "must contain exactly one remote ADD source", 2),
        ("FROM scratch AS src\nADD <<a /d/\na", "must contain exactly one remote ADD source", 2),
        ("FROM scratch AS src\nADD local /", r"source must be a single HTTP\(S\) or Git ADD", 2),
        ("FROM scratch AS src\nADD github.com/a/b /", r"source must be a single HTTP\(S\) or Git ADD", 2),
        (
            "FROM scratch AS src\nARG A=1\nADD URL /\nLABEL a=b",
            "requirements: unsupported LABEL instruction",
            4,
        ),
        ("FROM scratch AS src\nADD URL /\ncopy a /", "requirements: unsupported COPY instruction", 3),
        ("FROM scratch AS src\nADD URL?x=${} /", "failed to process", 2),
        ("FROM scratch AS src\nADD https://e.com/r.git?tga=v1 /", 'unexpected query "tga"', 2),
        ("FROM scratch AS src\nADD --checksum=md5:1 URL /", "digest", 2),
        ("FROM scratch AS src\nADD https://example.com/gone /", "invalid response status 404", 2),
    ],
)
def test_what_a_stage_must_be(stage: str, said: str, line: int) -> None:
    with pytest.raises(UserError, match=said) as caught:
        build(stage.replace("URL", FILE) + "\n" + SHOWN, "src")
    assert caught.value.diagnostic.labels[0].span.line == line


# What can't be meant


def test_a_name_of_nothing() -> None:
    with pytest.raises(UsageError, match="invalid SOURCE_DATE_EPOCH: scr") as caught:
        build(STAGE + SHOWN, "scr")
    assert "did you mean src?" in render(caught.value.diagnostic)
    with pytest.raises(SourceError, match="invalid SOURCE_DATE_EPOCH: yesterday") as placed:
        build("ARG A\nARG SOURCE_DATE_EPOCH=yesterday\n" + SHOWN)
    assert placed.value.diagnostic.labels[0].span.line == 2
    assert "date +%s" in render(placed.value.diagnostic)
    with pytest.raises(UsageError, match="Context"):
        build(SHOWN, "Context")
