"""`--call=check` and `--check`: text and JSON as buildx prints them, exit codes."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from tests.cli.call.conftest import Run

CLEAN = "FROM scratch\nCOPY a /b\n"
URL = "https://pybuildkit.readthedocs.io/en/stable/dockerfile/checks"


def test_a_clean_file(call: Run) -> None:
    assert call("check", CLEAN) == (0, "Check complete, no warnings found.\n", "")


def test_one_warning_with_its_frame(call: Run) -> None:
    text = "FROM scratch AS base\n\nFROM base as next\n\n# end\nCOPY a /b\n"
    code, out, err = call("check", text)
    assert (code, err) == (1, "")
    assert out == (
        "Check complete, 1 warning has been found!\n"
        "\n"
        f"WARNING: FromAsCasing - {URL}/from-as-casing/\n"
        "'as' and 'FROM' keywords' casing do not match\n"
        "Dockerfile:3\n"
        "--------------------\n"
        "   1 |     FROM scratch AS base\n"
        "   2 |     \n"
        "   3 | >>> FROM base as next\n"
        "   4 |     \n"
        "   5 |     # end\n"
        "--------------------\n"
    )


def test_warnings_are_ordered_by_line_and_several_lines_are_marked(call: Run) -> None:
    text = "FROM scratch\nCOPY a /b\nMAINTAINER \\\n  me\nENV a b\n"
    code, out, _ = call("check", text)
    assert code == 1
    assert out.startswith("Check complete, 2 warnings have been found!\n\nWARNING: MaintainerDeprecated - ")
    assert (
        "Dockerfile:3\n"
        "--------------------\n"
        "   2 |     COPY a /b\n"
        "   3 | >>> MAINTAINER \\\n"
        "   4 | >>>   me\n"
        "   5 |     ENV a b\n"
        "--------------------\n"
        "\nWARNING: LegacyKeyValueFormat - "
    ) in out


def test_json(call: Run) -> None:
    text = "FROM scratch\nENV a \\\n  b\n"
    code, out, err = call("check,format=json", text)
    found: dict[str, Any] = json.loads(out)
    assert (code, err) == (1, "")
    assert found == {
        "warnings": [
            {
                "ruleName": "LegacyKeyValueFormat",
                "description": "Legacy key/value format with whitespace separator should not be used",
                "url": f"{URL}/legacy-key-value-format/",
                "detail": '"ENV key=value" should be used instead of legacy "ENV key value" format',
                "location": {
                    "ranges": [
                        {"start": {"line": 2}, "end": {"line": 2}},
                        {"start": {"line": 3}, "end": {"line": 3}},
                    ]
                },
            }
        ],
        "sources": [
            {"filename": "Dockerfile", "data": found["sources"][0]["data"], "language": "Dockerfile"}
        ],
    }
    assert b64decode(found["sources"][0]["data"]).decode() == text


def test_json_of_a_clean_file(call: Run) -> None:
    code, out, _ = call("check,format=json", CLEAN)
    assert (code, json.loads(out)["warnings"]) == (0, [])


@pytest.mark.parametrize("arguments", [["--check"], ["--call=lint"], ["--check", "--call=check"]])
def test_spellings(arguments: list[str], place: Path, pybuild: Run) -> None:
    (place / "Dockerfile").write_text(CLEAN)
    assert pybuild("build", "--progress=quiet", *arguments)[1] == "Check complete, no warnings found.\n"


def test_the_format_of_the_call_holds_with_check(place: Path, pybuild: Run) -> None:
    (place / "Dockerfile").write_text(CLEAN)
    out = pybuild("build", "--progress=quiet", "--check", "--call=check,format=json")[1]
    assert json.loads(out)["warnings"] == []


def test_status(call: Run) -> None:
    text = "FROM scratch\nENV a b\n"
    assert call("check", text)[0] == 1
    code, out, _ = call("check,ignorestatus=true", text)
    assert (code, "1 warning has been found!" in out) == (0, True)
    assert call("check", "# check=skip=LegacyKeyValueFormat\n" + text)[:2] == (
        0, "Check complete, no warnings found.\n"
    )  # fmt: skip


def test_checks_as_errors(call: Run) -> None:
    code, out, err = call("check", "# check=error=true\nFROM scratch\nENV a b\n")
    assert code == 1
    assert "Check complete, 1 warning has been found!" in out
    assert "lint violation found for rules: LegacyKeyValueFormat" in err
    out = call("check,format=json", "# check=error=true\nFROM scratch\nENV a b\n")[1]
    assert json.loads(out)["buildError"]["message"] == "lint violation found for rules: LegacyKeyValueFormat"


def test_a_file_that_cannot_be_built(call: Run) -> None:
    text = "FROM scratch\nMAINTAINER a\nRUM x\n"
    code, out, err = call("check", text)
    assert code == 2
    assert out.startswith("Check complete, 1 warning has been found!\n")
    assert "Dockerfile:3:1" in err
    code, out, err = call("check,format=json", text)
    found = json.loads(out)
    assert code == 2
    assert [one["ruleName"] for one in found["warnings"]] == ["MaintainerDeprecated"]
    assert found["buildError"]["location"] == {"ranges": [{"start": {"line": 3}, "end": {"line": 3}}]}
    assert found["buildError"]["message"] in err


def test_every_stage_is_checked_unless_there_is_a_target(call: Run) -> None:
    text = "FROM scratch AS a\nENV a b\nFROM scratch AS b\nENV c d\nENV e f\nFROM scratch AS c\n"
    assert "3 warnings" in call("check", text)[1]
    assert "2 warnings" in call("check", text, "--target=b")[1]
    assert "no warnings" in call("check", text, "c")[1]


def test_build_arguments_count(call: Run) -> None:
    text = "ARG base\nFROM ${base:-scratch} AS Big\n"
    assert call("check", text, "--build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=all")[0] == 0
    assert call("check", text)[0] == 1


def test_no_step_runs_and_nothing_is_exported(call: Run, place: Path) -> None:
    assert call("check", "FROM scratch\nRUN exit 7\n", "-t", "x", "-o", "out", "--iidfile=id")[0] == 0
    assert [path.name for path in place.iterdir()] == ["Dockerfile"]


def test_metadata(call: Run, place: Path) -> None:
    assert call("check", "FROM scratch\nENV a b\n", "--metadata-file=m.json")[0] == 1
    found = json.loads((place / "m.json").read_text())
    assert found["result.statuscode"] == 1
    assert len(found["result.json"]["warnings"]) == 1


def test_bytes_that_are_not_text(call: Run) -> None:
    code, out, _ = call("check", "FROM scratch\n# \udcff\x1b[31m\nENV a b\n")
    assert (code, "\x1b" in out, "   2 |     # ?" in out) == (1, False, True)
