"""What is refused, with which words, and where the error points."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import NoSuchImage, World, image_config, lowered

from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.lang.diagnostics import SourceError, UsageError, UserError, render

CASES = [
    ("blank base", "ARG X\nFROM $X", 2, "base name ($X) should not be blank"),
    ("bad base", "FROM Base", 1, "invalid reference format: 'Base': the repository name must be lower case"),
    ("bad word in base", "FROM ${x", 1, "failed to process \"${x\": syntax error: missing '}'"),
    ("empty platform", "FROM --platform=$X base", 1, "empty platform value from expression $X"),
    (
        "bad platform",
        "ARG P=a/b/c/d\nFROM --platform=$P base",
        2,
        "failed to parse platform $P: bad platform 'a/b/c/d': it has 4 parts",
    ),
    ("windows", "FROM --platform=windows/amd64 base", 1, "Windows images are not supported"),
    (
        "bad global argument",
        "ARG A=${B\nFROM base",
        1,
        "failed to process \"${B\": syntax error: missing '}'",
    ),
    ("bad argument", "FROM base\nARG A=${B", 2, "failed to process \"${B\": syntax error: missing '}'"),
    (
        "bad env",
        'FROM base\nENV A="${B:?must be set}"',
        2,
        'failed to process ""${B:?must be set}"": B: must be set',
    ),
    (
        "bad label",
        "FROM base\nLABEL a=${b:x}",
        2,
        'failed to process "${b:x}": unsupported modifier (:x) in substitution',
    ),
    ("bad copy word", "FROM base\nCOPY ${a b", 2, "failed to process \"${a\": syntax error: missing '}'"),
    (
        "bad heredoc",
        "FROM base\nCOPY <<E /x\n${a:x}\nE\n",
        2,
        "cannot expand the heredoc: unsupported modifier (:x) in substitution",
    ),
    ("itself", "FROM scratch\nCOPY --from=0 a b", 2, "circular dependency detected on stage: stage-0"),
    ("itself by name", "FROM scratch AS a\nCOPY --from=A x y", 2, "circular dependency detected on stage: a"),
    (
        "circle",
        "FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=c x y\n"
        "FROM scratch AS c\nCOPY --from=a x y\n",
        2,
        "circular dependency detected on stage: a",
    ),
    (
        "a stage below",
        "FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY x y\nFROM a\n",
        2,
        'cannot copy from stage "b", it needs to be defined before current stage "a"',
    ),
    ("no such number", "FROM scratch\nCOPY --from=7 a b", 2, "invalid stage index 7"),
    ("negative number", "FROM scratch\nCOPY --from=-1 a b", 2, "invalid stage index -1"),
    (
        "variable in from",
        "FROM scratch\nCOPY --from=$x a b",
        2,
        "variable expansion is not supported for --from",
    ),
    ("url for copy", "FROM base\nCOPY https://x.y/z /", 2, "source can't be a URL for COPY"),
    ("git for copy", "FROM base\nCOPY git@x.y:z /", 2, "source can't be a git ref for COPY"),
    (
        "chmod too large",
        "FROM base\nCOPY --chmod=17777 a b",
        2,
        "invalid chmod parameter: '17777'. it should be octal string and between 0 and 07777",
    ),
    ("chmod", "FROM base\nCOPY --chmod=u~x a b", 2, "invalid chmod parameter: 'u~x'"),
    ("signal", "FROM base\nSTOPSIGNAL SIGTRM", 2, "invalid signal: SIGTRM"),
    ("signal zero", "FROM base\nSTOPSIGNAL 0", 2, "invalid signal: 0"),
    ("empty volume", "FROM base\nVOLUME $x", 2, "VOLUME specified can not be an empty string"),
    ("port", "FROM base\nEXPOSE 99999", 2, "invalid container port '99999' in 99999"),
    ("port word", "FROM base\nEXPOSE http", 2, "invalid container port 'http' in http"),
    (
        "port range",
        "FROM base\nEXPOSE 9-8",
        2,
        "invalid container port range '9-8' in 9-8: it ends before it begins",
    ),
    ("port protocol", "FROM base\nEXPOSE 80/icmp", 2, "invalid protocol 'icmp' in 80/icmp"),
    ("no port", "FROM base\nEXPOSE /tcp", 2, "no port specified: /tcp"),
    ("port address", "FROM base\nEXPOSE 1.2.3:80:80", 2, "invalid IP address '1.2.3' in 1.2.3:80:80"),
    ("host port", "FROM base\nEXPOSE x:80", 2, "invalid host port 'x' in x:80"),
    (
        "port ranges",
        "FROM base\nEXPOSE 1-3:80-81",
        2,
        "ranges of different size for container and host ports: 1-3:80-81",
    ),
]


@pytest.mark.parametrize(
    ("text", "line", "title"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_source_errors(text: str, line: int, title: str) -> None:
    with pytest.raises(UserError) as caught:
        lowered(text)
    diagnostic = caught.value.diagnostic
    assert diagnostic.title == title
    assert caught.value.exit_code == 2
    assert diagnostic.labels[0].primary
    assert diagnostic.labels[0].span.line == line
    assert diagnostic.labels[0].span.source.name == "Dockerfile"
    assert "Dockerfile:" in render(diagnostic)


def test_a_circle_points_at_every_instruction_in_it() -> None:
    with pytest.raises(SourceError) as caught:
        lowered("FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y\n")
    assert [label.span.line for label in caught.value.diagnostic.labels] == [2, 4]


def test_unknown_target() -> None:
    with pytest.raises(SourceError, match='target stage "buidl" could not be found') as caught:
        lowered("FROM base AS build\nFROM base AS other", target="buidl")
    assert caught.value.diagnostic.notes == (("help", "did you mean build?"),)
    with pytest.raises(SourceError, match='target stage "0" could not be found') as caught:
        lowered("FROM base AS build\nFROM base", target="0")
    assert caught.value.diagnostic.notes == (("help", "the stages are build, stage-1"),)


def test_an_image_that_is_not_found_keeps_its_error_and_gets_a_place() -> None:
    with pytest.raises(NoSuchImage) as caught:
        lowered("FROM base AS build\nFROM buidl")
    diagnostic = caught.value.diagnostic
    assert caught.value.exit_code == 1
    assert diagnostic.title == "docker.io/library/buidl:latest: not found"
    assert diagnostic.labels[0].span.line == 2
    assert ("help", "no stage is called buidl: did you mean build?") in diagnostic.notes


def test_an_image_of_copy_is_blamed_on_the_copy() -> None:
    with pytest.raises(NoSuchImage) as caught:
        lowered("FROM base\nCOPY --from=nowhere a b")
    assert caught.value.diagnostic.labels[0].span.line == 2


def test_a_config_that_is_no_config() -> None:
    for config in (b"{", b"[]", b'{"config": 7}', b'{"history": [1]}', b'{"created": "yesterday"}'):
        with pytest.raises(UserError) as caught:
            lowered("FROM base", World({"docker.io/library/base:latest": config}))
        assert caught.value.diagnostic.title.startswith("image config")
        assert caught.value.diagnostic.labels[0].span.line == 1


@pytest.mark.parametrize(
    ("trigger", "title"),
    [
        ("FROM x", "FROM cannot be the trigger of an ONBUILD"),
        ("RUN a\nRUN b", "an ONBUILD trigger holds one instruction, not 2"),
        ("COPY --from=9 a b", "invalid stage index 9"),
        ("BOGUS", "unknown instruction BOGUS"),
    ],
)
def test_bad_triggers_of_a_base(trigger: str, title: str) -> None:
    world = World({"docker.io/library/base:latest": image_config({"OnBuild": [trigger]})})
    with pytest.raises(SourceError) as caught:
        lowered("FROM base", world)
    assert caught.value.diagnostic.title == title
    assert caught.value.diagnostic.labels[0].span.source.name == "ONBUILD of base"
    assert ("note", "a trigger that FROM runs at Dockerfile:1:1") in caught.value.diagnostic.notes


def test_epoch_must_be_a_number() -> None:
    with pytest.raises(UsageError, match="invalid SOURCE_DATE_EPOCH: yesterday"):
        lowered("FROM base", build_args={"SOURCE_DATE_EPOCH": "yesterday"})


@pytest.mark.parametrize(
    "options", [{"steps": StepDefaults(network="bridge")}, {"image_resolve_mode": "never"}]
)
def test_options_of_other_kinds(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="unsupported value of"):
        lowered("FROM base", **options)


def test_nothing_is_asked_of_stages_that_are_not_needed() -> None:
    lowered("FROM Bad AS a\nEXPOSE nonsense\nFROM base")
