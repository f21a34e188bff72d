"""Checks in a build from the command line: the list at its end, its replay, and the end that `error=true` brings."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

from tests.support.warm import program

from pybuild.lang.dockerfile.lint.rules import DOCUMENTATION

FILE = "FROM scratch AS Build\nCMD a\nCMD b\n"
LIST = f"""\
4 warnings found:
 - StageNameCasing: Stage name 'Build' should be lowercase (Dockerfile:1)
   see {DOCUMENTATION}stage-name-casing/
 - JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals \
(Dockerfile:2)
   see {DOCUMENTATION}json-args-recommended/
 - MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the \
last one will be used (Dockerfile:2)
   see {DOCUMENTATION}multiple-instructions-disallowed/
 - JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals \
(Dockerfile:3)
"""


def build(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (place / "Dockerfile").exists() or (place / "Dockerfile").write_text(FILE)
    env = {**os.environ, "PYBUILD_ROOT": str(place / "root")}
    done = program.run(["build", *arguments, "."], cwd=place, env=env, timeout=60)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def listed(stderr: str) -> str:
    """The list of warnings, with the file named as in `LIST`."""
    start = stderr.index("warnings found:") - 2
    end = stderr.find("\n", stderr.rindex(":3)")) + 1
    return stderr[start:end].replace("(./Dockerfile:", "(Dockerfile:")


def test_a_build_lists_what_checks_found_also_when_nothing_is_to_be_done(tmp_path: Path) -> None:
    for _ in range(2):
        done = build(tmp_path)
        assert done.returncode == 0, done.stderr
        assert listed(done.stderr) == LIST


def test_the_build_argument_turns_checks_off(tmp_path: Path) -> None:
    done = build(tmp_path, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def test_error_true_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# check=error=true\n" + FILE)
    for _ in range(2):
        done = build(tmp_path, "-q")
        assert done.returncode == 1
        assert (
            "error: lint violation found for rules: JSONArgsRecommended, MultipleInstructionsDisallowed, "
            "StageNameCasing\n" in done.stderr
        )
        assert "1 | # check=error=true\n" in done.stderr
        assert done.stdout == ""


def test_several_platforms_are_checked_once(tmp_path: Path) -> None:
    done = build(tmp_path, "--platform", "linux/amd64,linux/arm64")
    assert done.returncode == 0, done.stderr
    assert listed(done.stderr) == LIST


def test_programs_get_the_page_of_a_warning(tmp_path: Path) -> None:
    done = build(tmp_path, "--progress=rawjson")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stderr.splitlines()]
    (warning, *_) = [one for record in records for one in record.get("warnings", [])]
    assert warning["url"] == f"{DOCUMENTATION}stage-name-casing/"
    short = base64.b64decode(warning["short"]).decode()
    assert short == "StageNameCasing: Stage name 'Build' should be lowercase (line 1)"
    assert [base64.b64decode(text) for text in warning["detail"]] == [b"Stage names should be lowercase"]
    assert warning["range"][0]["start"]["line"] == 1
