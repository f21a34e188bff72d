"""`pybuild check`: several files, frames, JSON, fixes, exit codes."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest
from tests.cli.call.conftest import Run

LEGACY = "FROM scratch\nENV a b\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_clean(place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", "FROM scratch\n")
    assert pybuild("check") == (0, "", "")


def test_findings(place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", LEGACY + "CMD a b\n")
    code, out, err = pybuild("check")
    assert code == 1
    assert out.startswith('warning[LegacyKeyValueFormat]: "ENV key=value" should be used')
    assert " --> ./Dockerfile:2:1\n" in out
    assert "dockerfile/checks/legacy-key-value-format/" in out
    assert err == "2 findings, 1 of which --fix puts right\n"


def test_files_and_directories(place: Path, pybuild: Run) -> None:
    write(place / "sub/Dockerfile", LEGACY)
    write(place / "other", LEGACY)
    write(place / "clean", "FROM scratch\n")
    code, out, _ = pybuild("check", "sub", "other", "clean")
    assert code == 1
    assert [line.strip() for line in out.splitlines() if "-->" in line] == [
        "--> sub/Dockerfile:2:1", "--> other:2:1"
    ]  # fmt: skip


def test_json_of_several_files(place: Path, pybuild: Run) -> None:
    write(place / "a", LEGACY)
    write(place / "b", LEGACY + "RUM\n")
    code, out, err = pybuild("check", "a", "b", "--format=json")
    found = json.loads(out)
    assert code == 2
    assert [one["filename"] for one in found["sources"]] == ["a", "b"]
    assert [one["location"].get("sourceIndex", 0) for one in found["warnings"]] == [0]
    assert found["buildError"]["location"]["sourceIndex"] == 1
    assert "b:3:1" in err


def test_standard_input(pybuild: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LEGACY.encode())))
    code, out, _ = pybuild("check", "-")
    assert (code, "Dockerfile:2:1" in out) == (1, True)
    assert "standard input can't be fixed" in pybuild("check", "--fix", "-")[2]


def test_arguments_and_targets(place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", "ARG x\nFROM ${x:?needed} AS a\nENV a b\nFROM scratch AS b\n")
    assert pybuild("check")[0] == 2
    assert pybuild("check", "--build-arg", "x=scratch")[0] == 1
    assert pybuild("check", "--build-arg=x=scratch", "--target=b")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such"], "there is no file no/such"),
        (["--format=yaml"], "choose one of text, json"),
        (["--push"], "no such option"),
    ],
)
def test_refusals(arguments: list[str], words: str, place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", LEGACY)
    code, _, err = pybuild("check", *arguments)
    assert (code, words in err) == (2, True)


def test_a_wrong_file_does_not_hide_the_others(place: Path, pybuild: Run) -> None:
    write(place / "a", "FROM scratch\nRUM x\n")
    write(place / "b", LEGACY)
    code, out, err = pybuild("check", "a", "b")
    assert code == 2
    assert "b:2:1" in out
    assert "a:2:1" in err


def test_checks_as_errors_are_findings(place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", "# check=error=true\n" + LEGACY)
    code, out, err = pybuild("check")
    assert code == 1
    assert "LegacyKeyValueFormat" in out
    assert "lint violation found" in err


def test_fix(place: Path, pybuild: Run) -> None:
    path = write(place / "Dockerfile", "from scratch\nENV a b  c\nCMD x\nRUN y\n")
    path.chmod(0o600)
    code, out, err = pybuild("check", "--fix")
    assert code == 1
    assert "JSONArgsRecommended" in out
    assert "LegacyKeyValueFormat" not in out
    assert path.read_text() == 'FROM scratch\nENV a="b  c"\nCMD x\nRUN y\n'
    assert err == (
        "./Dockerfile:1:1: fixed ConsistentInstructionCasing\n"
        "./Dockerfile:2:1: fixed LegacyKeyValueFormat\n"
        "1 finding\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_ino
    assert pybuild("check", "--fix")[2] == "1 finding\n"
    assert path.stat().st_ino == before


def test_fix_leaves_a_wrong_file_that_has_nothing_to_fix(place: Path, pybuild: Run) -> None:
    path = write(place / "Dockerfile", "FROM scratch\nRUM a b\n")
    assert pybuild("check", "--fix")[0] == 2
    assert path.read_text() == "FROM scratch\nRUM a b\n"


def test_skipped_rules_are_not_fixed(place: Path, pybuild: Run) -> None:
    path = write(place / "Dockerfile", "# check=skip=all\n" + LEGACY)
    assert pybuild("check", "--fix") == (0, "", "")
    assert path.read_text() == "# check=skip=all\n" + LEGACY


def test_bytes_stay(place: Path, pybuild: Run) -> None:
    path = place / "Dockerfile"
    path.write_bytes(b"\xef\xbb\xbfFROM scratch\r\nLABEL a \xff\r\nCOPY x /\xc3\xa9\r\n")
    assert pybuild("check", "--fix")[0] == 0
    assert path.read_bytes() == b"\xef\xbb\xbfFROM scratch\r\nLABEL a=\xff\r\nCOPY x /\xc3\xa9\r\n"


def test_an_image_that_cannot_be_asked_for(place: Path, pybuild: Run) -> None:
    write(place / "Dockerfile", "FROM 127.0.0.1:1/x\nRUN $UNKNOWN\nWORKDIR a\nENV a b\n")
    code, out, err = pybuild("check")
    assert code == 1
    assert [line.partition("]")[0] for line in out.splitlines() if line.startswith("warning")] == [
        "warning[LegacyKeyValueFormat"
    ]
    assert "checks that need an image were left out" in err
    assert "127.0.0.1:1" in err
