"""`--call=outline`: what a target takes, from all stages it needs."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from tests.cli.call.conftest import Run

FILE = """\
# outer the version of it
ARG outer=1
ARG unused=2
ARG from=scratch
# base where all begins
FROM ${from} AS base
ARG outer
# own a value of its own
ARG own="a b"
ARG none TARGETARCH
RUN --mount=type=secret,id=key,required --mount=type=cache,target=/c,id=cached true

FROM scratch AS aside
ARG aside=3
RUN --mount=type=ssh true

FROM scratch
ARG lost
RUN --mount=type=secret,id=lost true

FROM base AS last
COPY --from=aside / /
RUN --mount=type=secret,id=key --mount=type=secret,id=other true
"""


def outline(call: Run, text: str, *arguments: str) -> dict[str, Any]:
    code, out, _ = call("outline,format=json", text, *arguments)
    assert code == 0
    value: dict[str, Any] = json.loads(out)
    return value


def lines(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    return {
        str(one.get("name", one.get("ID"))): [place["start"]["line"] for place in one["location"]["ranges"]]
        for one in found
    }


def test_text(call: Run) -> None:
    code, out, err = call("outline", FILE)
    assert (code, err) == (0, "")
    assert out == (
        "TARGET: last\n"
        "\n"
        "BUILD ARG   VALUE     DESCRIPTION\n"
        "outer       1         the version of it\n"
        "from        scratch   \n"
        "own         a b       a value of its own\n"
        "none                  \n"
        "aside       3         \n"
        "\n"
        "SECRET   REQUIRED\n"
        "key      true\n"
        "other    \n"
        "\n"
        "SSH       REQUIRED\n"
        "default   \n"
        "\n"
        "CACHE\n"
        "cached\n"
        "\n"
    )


def test_json(call: Run) -> None:
    found = outline(call, FILE)
    assert list(found) == ["name", "args", "secrets", "ssh", "cache", "sources"]
    assert lines(found["args"]) == {"outer": [2], "from": [4], "own": [9], "none": [10], "aside": [14]}
    assert lines(found["secrets"]) == {"key": [11], "other": [23]}
    assert lines(found["ssh"]) == {"default": [15]}
    assert lines(found["cache"]) == {"cached": [11]}
    assert found["args"][0] == {
        "name": "outer", "description": "the version of it", "value": "1",
        "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
    }  # fmt: skip
    assert [b64decode(source).decode() for source in found["sources"]] == [FILE]


def test_a_target(call: Run) -> None:
    found = outline(call, FILE, "--target=base")
    assert (found["name"], found["description"]) == ("base", "where all begins")
    assert [arg["name"] for arg in found["args"]] == ["outer", "from", "own", "none"]
    assert found["secrets"][0]["required"] is True
    assert "TARGET:      base\nDESCRIPTION: where all begins\n" in call("outline", FILE, "base")[1]


def test_build_args_are_the_values(call: Run) -> None:
    found = outline(call, FILE, "--build-arg=outer=9", "--build-arg=none=x", "--target=base")
    assert {arg["name"]: arg.get("value") for arg in found["args"]} == {
        "outer": "9", "from": "scratch", "own": "a b", "none": "x"
    }  # fmt: skip


def test_arguments_of_defaults_are_needed(call: Run) -> None:
    text = "ARG a=scratch\nARG b=$a\nARG c=$b\nARG d=$a\nFROM $c\n"
    found = outline(call, text)
    assert [arg["name"] for arg in found["args"]] == ["a", "b", "c"]
    assert "name" not in found


def test_a_target_without_inputs(call: Run) -> None:
    assert call("outline", "FROM scratch\n") == (0, "", "")
    assert list(outline(call, "FROM scratch\n")) == ["sources"]


def test_an_instruction_of_several_lines(call: Run) -> None:
    text = "FROM scratch\nRUN --mount=type=secret,id=a \\\n  cat <<E\nx\nE\n"
    assert lines(outline(call, text)["secrets"]) == {"a": [2, 3, 4, 5]}


def test_a_trigger_stands_at_the_from(call: Run) -> None:
    text = "FROM scratch AS a\nONBUILD ARG x=1\nFROM a\n"
    assert lines(outline(call, text)["args"]) == {"x": [3]}


def test_control_characters_are_shown(call: Run) -> None:
    out = call("outline", "FROM scratch\n", "--build-arg=x=1")[1]
    assert out == ""
    out = call("outline", "FROM scratch\nARG x\n", "--build-arg=x=a\nb\x1b[2J<")[1]
    assert "x           a\\nb\\x1b[2J<   \n" in out
    json_out = call("outline,format=json", "FROM scratch\nARG x\n", "--build-arg=x=a<b")[1]
    assert '"value": "a\\u003cb"' in json_out


@pytest.mark.parametrize("method", ["outline", "targets"])
def test_bad_files(method: str, call: Run) -> None:
    code, out, err = call(method, "FROM scratch\nRUM x\n")
    assert (code, out) == (2, "")
    assert "Dockerfile:2:1" in err


def test_no_such_target(call: Run) -> None:
    code, out, err = call("outline", FILE, "--target=lats")
    assert (code, out) == (2, "")
    assert "did you mean last?" in err


@pytest.mark.long
def test_many_stages(call: Run) -> None:
    stages = "".join(f"FROM s{n - 1} AS s{n}\nARG a{n}\n" for n in range(1, 1500))
    assert len(outline(call, "FROM scratch AS s0\n" + stages)["args"]) == 1499
