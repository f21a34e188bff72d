"""rawjson: the records `docker buildx --progress=rawjson` writes."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from tests.runtime.progress.script import Clock, Script

from pybuild.lang.diagnostics import Diagnostic, Label
from pybuild.lang.source import Source, Span
from pybuild.runtime.progress.rawjson import RawJson, time_text


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(RawJson, Clock(monkeypatch))


def records(script: Script) -> list[Any]:
    return [json.loads(line) for line in script.text.splitlines()]


def test_each_event_is_a_line(script: Script) -> None:
    script.know("a")
    script.know("b", "a")
    script.end("a", cached=True)
    script.start("b")
    script.clock.on(0.5)
    script.log("b", b"\xffx\n", 2)
    script.status("b", "layer", 0, 0)
    script.status("b", "layer", 5, 10, done=True)
    script.end("b", error="exit code: 1")
    assert script.text == (
        '{"vertexes":[{"digest":"sha256:a","name":"step a"}]}\n'
        '{"vertexes":[{"digest":"sha256:b","inputs":["sha256:a"],"name":"step b"}]}\n'
        '{"vertexes":[{"digest":"sha256:a","name":"step a","completed":"2023-11-14T22:13:20Z","cached":true}]}\n'
        '{"vertexes":[{"digest":"sha256:b","name":"step b","started":"2023-11-14T22:13:20Z"}]}\n'
        '{"logs":[{"vertex":"sha256:b","stream":2,"data":"/3gK","timestamp":"2023-11-14T22:13:20.5Z"}]}\n'
        '{"statuses":[{"id":"layer","vertex":"sha256:b","current":0,"timestamp":"2023-11-14T22:13:20.5Z",'
        '"started":"2023-11-14T22:13:20Z"}]}\n'
        '{"statuses":[{"id":"layer","vertex":"sha256:b","total":10,"current":5,'
        '"timestamp":"2023-11-14T22:13:20.5Z","started":"2023-11-14T22:13:20Z",'
        '"completed":"2023-11-14T22:13:20.5Z"}]}\n'
        '{"vertexes":[{"digest":"sha256:b","name":"step b","started":"2023-11-14T22:13:20Z",'
        '"completed":"2023-11-14T22:13:20.5Z","error":"exit code: 1"}]}\n'
    )


def test_warnings(script: Script) -> None:
    span = Span(Source("Dockerfile", "from a AS b\n"), 1, 1, 1, 12)
    warning = Diagnostic(
        "casing differs",
        labels=[Label(span)],
        notes=[("help", "use one")],
        code="FromAsCasing",
        level="warning",
    )
    script.display.warning("sha256:a", warning)
    script.display.warning("sha256:b", warning)
    (record,) = records(script)
    (entry,) = record["warnings"]
    assert base64.b64decode(entry["short"]) == b"FromAsCasing: casing differs (line 1)"
    assert [base64.b64decode(one) for one in entry["detail"]] == [b"use one"]
    assert entry["sourceInfo"]["filename"] == "Dockerfile"
    assert entry["range"] == [{"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 11}}]


def test_any_bytes_are_one_line(script: Script) -> None:
    script.start("a")
    data = bytes(range(256)) * 400
    script.log("a", data)
    assert base64.b64decode(records(script)[-1]["logs"][0]["data"]) == data


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.25Z"),
        (1_700_000_000.9999999, "2023-11-14T22:13:21Z"),
        (1_700_000_000.000001, "2023-11-14T22:13:20.000001Z"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z", text)
