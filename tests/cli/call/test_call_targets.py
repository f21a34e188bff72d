"""`--call=targets`, `--call=subrequests.describe`, and how calls are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.call.conftest import Run

FILE = """\
# web what is served
FROM --platform=$BUILDPLATFORM registry.invalid/no:such AS Web
FROM web
RUN false
# last
FROM scratch AS last
"""


def test_text(call: Run) -> None:
    assert call("targets", FILE) == (
        0, "TARGET         DESCRIPTION\nweb            what is served\n               \nlast (default) \n", ""
    )  # fmt: skip


def test_a_nameless_default(call: Run) -> None:
    assert call("targets", "FROM scratch\n")[1] == "TARGET    DESCRIPTION\n(default) \n"


def test_json(call: Run) -> None:
    code, out, _ = call("targets,format=json", FILE)
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert list(found) == ["targets", "sources"]
    places = [one.pop("location")["ranges"][0]["start"]["line"] for one in found["targets"]]
    assert places == [2, 3, 6]
    assert found["targets"] == [
        {
            "name": "web", "description": "what is served", "base": "registry.invalid/no:such",
            "platform": "$BUILDPLATFORM",
        },
        {"base": "web"},
        {"name": "last", "default": True, "base": "scratch"},
    ]  # fmt: skip


def test_nothing_is_opened_for_it(call: Run, tmp_path: Path) -> None:
    assert call("targets", FILE)[0] == 0
    assert not (tmp_path / "store").exists()


def test_describe(call: Run) -> None:
    code, out, _ = call("subrequests.describe", FILE)
    assert code == 0
    assert [line.split(" ")[0] for line in out.splitlines()] == [
        "NAME", "outline", "targets", "subrequests.describe"
    ]  # fmt: skip
    found = json.loads(call("subrequests.describe,format=json", FILE)[1])
    assert [one["name"] for one in found] == [
        "frontend.outline", "frontend.targets", "frontend.subrequests.describe"
    ]  # fmt: skip
    assert all(one["version"] == "1.0.0" for one in found)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--call=targets"],
        ["--call", "targets,format=text"],
        ["--print=targets"],
        ["--call=targets", "--print=targets"],
        ["--call=targets", "--push", "-t", "x", "-o", "out", "--iidfile=id"],
    ],
)
def test_spellings(arguments: list[str], place: Path, pybuild: Run) -> None:
    (place / "Dockerfile").write_text(FILE)
    code, out, _ = pybuild("build", "--progress=quiet", *arguments)
    assert (code, out.splitlines()[0].split()) == (0, ["TARGET", "DESCRIPTION"])
    assert [path.name for path in place.iterdir()] == ["Dockerfile"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--call=outlin"], "did you mean outline?"),
        (["--call=xyzzy"], "choose one of build, check, outline, targets, subrequests.describe"),
        (["--call=targets,format=yaml"], "choose one of text, json"),
        (["--call=targets,colour=red"], "invalid call"),
        (["--call=format=json"], "unknown call ''"),
        (["--call=targets,outline"], "invalid call"),
        (["--call=check,ignorestatus=maybe"], "give true or false"),
        (["--call=targets", "--check"], "several calls: targets and check"),
        (["--call=targets", "--print=outline"], "several calls: targets and outline"),
    ],
)
def test_bad_calls(arguments: list[str], words: str, place: Path, pybuild: Run) -> None:
    (place / "Dockerfile").write_text(FILE)
    code, out, err = pybuild("build", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_metadata(call: Run, place: Path) -> None:
    assert call("targets", FILE, "--metadata-file=m.json")[0] == 0
    found = json.loads((place / "m.json").read_text())
    assert [one.get("name") for one in found["result.json"]["targets"]] == ["web", None, "last"]
    assert found["result.txt"].startswith("TARGET")


def test_standard_input(place: Path, pybuild: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FILE.encode())))
    code, out, _ = pybuild("build", "--call=targets", "--progress=quiet", "-f", "-", ".")
    assert (code, "last (default)" in out) == (0, True)
