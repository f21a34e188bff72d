"""Lines as other languages have them: one message each, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.language.checked_programs import said, said_of_line

from pybuild.cli.check_language import check_file
from pybuild.lang.diagnostics import suggest
from pybuild.language.compiled import Compiled
from pybuild.request.request import BuildRequest


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("FROM alpine:3.20", "`from` stands in the body of a target"),
        ("RUN apk add curl", "`run` stands in the body of a target"),
        ("ARG X=1", "param NAME: str"),
        ("VERSION 0.8", ""),
        ("services:", "write `target services:`"),
        ("x = 1", "write `let x = 1`"),
        ("import os", "use NAME"),
        ("function f():", "def NAME"),
        ('variable "X" {', "param NAME: str"),
    ],
)
def test_a_line_at_the_top_level(tmp_path: Path, line: str, help: str) -> None:
    printed = said(tmp_path, line + "\n")
    assert printed.count("error[") == 1
    assert "error[E0112]" in printed
    assert help in printed


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ('CMD ["x"]', "did you mean `cmd`?"),
        ('ENTRYPOINT ["x"]', "did you mean `entrypoint`?"),
        ("pass", "leave it out"),
        ("locally", "`run` runs in the image"),
        ("save artifact", "write `output"),
        ("sudo apt-get update", "`run sudo apt-get update`"),
        ("while true:", "for NAME in LIST:"),
        ("x += 1", ""),
    ],
)
def test_a_line_of_a_body(tmp_path: Path, line: str, help: str) -> None:
    printed = said_of_line(tmp_path, line)
    assert printed.count("error[") == 1
    assert "error[E0112]" in printed
    assert help in printed
    assert "`run x += 1`" not in printed


@pytest.mark.parametrize(
    "line", ["run: echo hi", "run: |\n        echo hi", "run: # why\n        echo hi", "run:x"]
)
def test_a_script_behind_the_colon_is_not_the_command_colon(tmp_path: Path, line: str) -> None:
    printed = said_of_line(tmp_path, f"{line}\n    user 5")
    assert [code for code in ("E0104", "E0302") if code in printed] == ["E0104", "E0302"]
    assert printed.count("error[") == 2


def test_the_command_colon_may_be_run(tmp_path: Path) -> None:
    assert said_of_line(tmp_path, "run : nothing") == ""


@pytest.mark.parametrize("flag", ["--mount=type=cache,target=/x", "--network=none", "--security=insecure"])
def test_run_has_no_flags(tmp_path: Path, flag: str) -> None:
    printed = said_of_line(tmp_path, f"run {flag} \\\n        make\n    user 5")
    assert f"`run` has no flags, as `{flag.partition('=')[0]}`" in printed
    assert "with " in printed
    assert printed.count("error[") == 2
    assert said_of_line(tmp_path, "run --mounted") == ""


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("target my-target:\n    from scratch\n", "`my_target`"),
        ("let a-b = 1\n", "`a_b`"),
        ("let x == 1\n", "write `=`"),
        ('let x = f"a"\n', "every string takes `${{name}}`"),
        ("let x = true || false\n", "write `or`"),
        ("let x = true is false\n", "compare with `==`"),
        ("let größe = 1\n", "names are made of"),
    ],
)
def test_words_of_other_languages(tmp_path: Path, text: str, help: str) -> None:
    printed = said(tmp_path, text)
    assert printed.count("error[") == 1
    assert help in printed


def test_curly_quotes_are_put_right(tmp_path: Path) -> None:
    text = "# syntax=pybuild:1\ntarget a:\n    from “alpine”\n"
    compiled = Compiled(str(tmp_path / "build.pybuild"), text.encode())
    checked = check_file(compiled, BuildRequest(), fix=True)
    assert checked.data.decode() == text.replace("“", '"').replace("”", '"')
    assert checked.found == []


def test_a_word_with_nothing_in_common_is_not_suggested() -> None:
    assert suggest("y", ["a", "b"]) is None
    assert suggest("7", ["1", "2"]) is None
    assert suggest("A", ["a"]) == "a"
    assert suggest("ss", ["s"]) == "s"


def test_how_many_more_is_said_once(tmp_path: Path) -> None:
    text = "".join(f"let a{n} = = \nlet b{n} = zz{n}\n" for n in range(15))
    printed = said(tmp_path, text)
    assert printed.count("more errors are not shown") == 1
    assert "10 more errors are not shown" in printed
