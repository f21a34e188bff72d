"""What the daemon's own Dockerfile frontend gives to who calls it: states and metadata, by platform or not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import frozen
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.failure import Failure
from tests.daemon.client.solving import ask
from tests.frontends.dockerfile.asking import CONTEXT, files, made
from tests.support.daemons import Peer

from pybuild.compiler.state import State, copy, mkdir

CONFIG = "containerimage.config"


@frozen
class Made:
    """Names of files by platform, and metadata, decoded."""

    files: dict[str, list[str]]
    metadata: dict[str, Any]

    @property
    def config(self) -> Any:
        return self.metadata[CONFIG]["config"]


@frozen
class Case:
    """`IMAGE` in the text and in values of options is a base image."""

    text: str
    options: Mapping[str, str] = {}
    inputs: Mapping[str, State] = {}


def encoded(config: object) -> str:
    return json.dumps({CONFIG: base64.b64encode(json.dumps(config).encode()).decode()})


_GIVEN = {"architecture": "amd64", "os": "linux", "config": {"Env": ["A=b"], "User": "me"}}
_BY_PLATFORM = "FROM scratch\nARG TARGETARCH\nCOPY a /$TARGETARCH\n"
_STAGES = "FROM scratch AS one\nARG X\nLABEL x=$X\nCOPY a /one\nFROM scratch\nCOPY a /two\n"
_PLATFORMS = {
    "one of several": {"multi-platform": "true", "platform": "linux/arm64"},
    "several": {"platform": "linux/amd64,linux/arm/v7"},
    "another": {"platform": "linux/arm64"},
    "by argument": {"build-arg:BUILDKIT_MULTI_PLATFORM": "1", "platform": "linux/amd64"},
}
CASES = {
    "one": Case('FROM scratch\nCOPY a /\nENV x=y\nCMD ["a"]\n'),
    **{name: Case(_BY_PLATFORM, options) for name, options in _PLATFORMS.items()},
    "base": Case("FROM IMAGE\nCOPY a /\n"),
    "target": Case(_STAGES, {"target": "one", "build-arg:X": "1", "label:l": "m"}),
    "context image": Case(
        "FROM foo\nCOPY --from=foo /etc/passwd /copied\n", {"context:foo": "docker-image://IMAGE"}
    ),
    "context scratch": Case("FROM foo\nCOPY a /b\n", {"context:foo": "docker-image://scratch"}),
    "context platforms": Case(
        "FROM foo\nCOPY a /\n",
        {
            "context:foo::linux/amd64": "docker-image://IMAGE",
            "context:foo::linux/arm64": "docker-image://scratch",
            "platform": "linux/amd64,linux/arm64",
        },
    ),
    "context stage": Case(
        "FROM scratch AS base\nCOPY a /never\nFROM base\nCOPY a /\n",
        {"context:base": "docker-image://IMAGE"},
    ),
    "context input": Case(
        "FROM foo\nCOPY --from=foo x /y\n",
        {"context:foo": "input:foo", "input-metadata:foo": encoded(_GIVEN)},
        {"foo": files(x="x")},
    ),
    "context part": Case(
        "FROM scratch\nCOPY . /\n",
        {"contextsubdir": "sub"},
        {"context": State.scratch().file(mkdir("/sub")).file(copy(CONTEXT, "a", "/sub/q"))},
    ),
}

Results = Mapping[str, Made]


@pytest.fixture(scope="module")
def results(peer: Peer, base_reference: str) -> Results:
    """What came of all cases, in one build."""

    def frontend(gateway: Gateway) -> Results:
        return {name: _made(gateway, case, base_reference) for name, case in CASES.items()}

    return ask(peer.daemon, frontend)


def _made(gateway: Gateway, case: Case, image: str) -> Made:
    options = {name: value.replace("IMAGE", image) for name, value in case.options.items()}
    result = made(gateway, case.text.replace("IMAGE", image), options, case.inputs)
    if result.WhichOneof("result") == "ref":
        refs = {"": result.ref.id}
    else:
        refs = {key: one.id for key, one in result.refs.refs.items()}
    names = {
        key: [one.path for one in gateway.read_dir(id, "/")] if id else [] for key, id in sorted(refs.items())
    }
    return Made(names, {name: json.loads(value) for name, value in result.metadata.items()})


def test_one_platform(results: Results) -> None:
    found = results["one"]
    assert found.files == {"": ["a"]}
    assert sorted(found.metadata) == [CONFIG, "refs.platforms"]
    assert found.config["Env"][-1] == "x=y"
    assert found.config["Cmd"] == ["a"]
    (listed,) = found.metadata["refs.platforms"]["Platforms"]
    assert listed["ID"] == f"linux/{listed['Platform']['architecture']}"


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("one of several", ["linux/arm64"]),
        ("several", ["linux/amd64", "linux/arm/v7"]),
        ("another", [""]),
        ("by argument", ["linux/amd64"]),
    ],
)
def test_platforms(results: Results, name: str, keys: list[str]) -> None:
    found = results[name]
    assert list(found.files) == keys
    for key, names in found.files.items():
        platform = key or _PLATFORMS[name]["platform"]
        assert names == [platform.split("/")[1]]
        config = found.metadata[CONFIG + (f"/{key}" if key else "")]
        assert config["architecture"] == names[0]


def test_the_image_that_it_is_built_on(results: Results) -> None:
    found = results["base"]
    base = found.metadata["containerimage.base.config"]
    assert base["rootfs"]["diff_ids"]
    assert found.metadata[CONFIG]["rootfs"] == base["rootfs"]
    assert "a" in found.files[""]


def test_target_arguments_and_labels(results: Results) -> None:
    found = results["target"]
    assert found.files == {"": ["one"]}
    assert found.config["Labels"] == {"x": "1", "l": "m"}


# Named contexts


def test_a_context_from_an_image(results: Results) -> None:
    found = results["context image"]
    assert {"bin", "copied"} <= set(found.files[""])
    assert found.config["Cmd"] == ["sh"]


def test_a_context_that_is_nothing(results: Results) -> None:
    assert results["context scratch"].files == {"": ["b"]}


def test_a_context_for_one_platform(results: Results) -> None:
    found = results["context platforms"]
    assert found.files["linux/arm64"] == ["a"]
    assert "bin" in found.files["linux/amd64"]


def test_a_context_in_place_of_a_stage(results: Results) -> None:
    found = results["context stage"]
    assert "bin" in found.files[""]
    assert "never" not in found.files[""]


def test_a_context_that_comes_with_the_request(results: Results) -> None:
    found = results["context input"]
    assert found.files == {"": ["x", "y"]}
    assert found.config["User"] == "me"
    assert "A=b" in found.config["Env"]


def test_a_part_of_the_context(results: Results) -> None:
    assert results["context part"].files == {"": ["q"]}


REFUSED = {
    "input:nope": "invalid input nope for foo",
    "nope:nope": "unsupported context source nope for foo",
    "nope": "invalid context specifier nope for foo",
    "oci-layout://x": 'oci-layout reference "x" has no digest',
}


def test_contexts_that_are_none(peer: Peer) -> None:
    def frontend(gateway: Gateway) -> dict[str, str]:
        return {
            source: failure(lambda: made(gateway, "FROM foo\n", {"context:foo": source}))  # noqa: B023
            for source in REFUSED
        }

    assert ask(peer.daemon, frontend) == REFUSED


def failure(call: Callable[[], object]) -> str:
    try:
        call()
    except Failure as error:
        return error.message
    raise AssertionError("it is fine")


# Questions


def asked(peer: Peer, request: str, text: str) -> dict[str, bytes]:
    return ask(peer.daemon, lambda gateway: dict(made(gateway, text, {"requestid": request}).metadata))


TEXT = """\
# the first
FROM scratch AS one
# A is needed
ARG A=1
FROM one AS two
RUN --mount=type=secret,id=x,required --mount=type=ssh true
"""


def test_targets(peer: Peer) -> None:
    found = asked(peer, "frontend.targets", TEXT)
    listed = json.loads(found["result.json"])
    assert [(one["name"], one["base"], one.get("default", False)) for one in listed["targets"]] == [
        ("one", "scratch", False),
        ("two", "one", True),
    ]
    assert [base64.b64decode(one).decode() for one in listed["sources"]] == [TEXT]
    assert found["version"] == b"1.0.0"
    assert b"two (default)" in found["result.txt"]


def test_outline(peer: Peer) -> None:
    found = asked(peer, "frontend.outline", TEXT)
    outline = json.loads(found["result.json"])
    assert outline["name"] == "two"
    assert [(one["name"], one["value"], one["description"]) for one in outline["args"]] == [
        ("A", "1", "is needed")
    ]
    assert [(one["name"], one["required"]) for one in outline["secrets"]] == [("x", True)]
    assert [one["name"] for one in outline["ssh"]] == ["default"]
    assert outline["args"][0]["location"]["ranges"] == [{"start": {"line": 4}, "end": {"line": 4}}]


def test_questions_that_can_be_asked(peer: Peer) -> None:
    listed = json.loads(asked(peer, "frontend.subrequests.describe", TEXT)["result.json"])
    names = {one["name"] for one in listed}
    assert {"frontend.outline", "frontend.targets", "frontend.subrequests.describe"} <= names


def test_checks(ours: Peer) -> None:
    found = asked(ours, "frontend.lint", "from scratch AS one\nCOPY a /\n")
    listed = json.loads(found["result.json"])
    rules = {one["ruleName"]: one["location"] for one in listed["warnings"]}
    assert {"ConsistentInstructionCasing", "FromAsCasing"} <= rules.keys()
    assert rules["FromAsCasing"]["ranges"][0]["start"]["line"] == 1
    assert all("docs.docker.com" in one["url"] for one in listed["warnings"])
    assert found["result.statuscode"] == b"1"
    broken = json.loads(asked(ours, "frontend.lint", "FOO\n")["result.json"])
    message = "dockerfile parse error on line 1: unknown instruction: FOO (did you mean FROM?)"
    assert broken["buildError"]["message"] == message


def test_the_graph_as_json(ours: Peer) -> None:
    found = json.loads(asked(ours, "frontend.convertllb", "FROM scratch\nCOPY a /\n")["result.json"])
    assert {"def", "metadata", "source"} <= found.keys()
    assert any("file" in op for op in found["def"].values())
