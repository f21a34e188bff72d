"""Values that no statement can use: said where they stand, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.language.checked_programs import said, said_of_line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('copy "[" to "/x/"', 'error[E0309]: "[" is not a pattern'),
        ('copy "a/[b" from scratch to "/x/"', 'error[E0309]: "a/[b" is not a pattern'),
        ('output "/x[" to "out/"', 'error[E0309]: "/x[" is not a pattern'),
        ("exec []", "error[E0516]: `exec` needs a program"),
        ("shell []", "error[E0516]: `shell` needs a program"),
        ("healthcheck []", "error[E0516]: `healthcheck` needs a program"),
        ('env {"A=B": "x"}', 'error[E0603]: "A=B" is not a variable'),
        ('env {"": "x"}', 'error[E0603]: "" is not a variable'),
        ('label "" = "x"', "error[E0603]: `label` needs a key"),
        ('annotation {"": "x"}', "error[E0603]: `annotation` needs a key"),
        ('write "x" to "/dir/"', "ends in `/`, so it names a directory"),
        ('output "/x/" to ".", clean=true', "error[E0904]: `clean=true` would empty `.`"),
        ('output "/x" to "./", clean=true', "error[E0904]: `clean=true` would empty `./`"),
    ],
)
def test_what_cannot_be(tmp_path: Path, line: str, message: str) -> None:
    printed = said_of_line(tmp_path, line)
    assert message in printed
    assert printed.count("error[") == 1
    assert f"build.pybuild:4:{5 + len(line.split()[0]) + 1}" in printed or "output" in line or "write" in line


@pytest.mark.parametrize(
    "line",
    [
        "entrypoint []",
        "cmd []",
        'env {"a.b-c": "x"}',
        'output "/x" to "out", clean=true',
        'healthcheck "none"',
    ],
)
def test_what_can_be(tmp_path: Path, line: str) -> None:
    assert said_of_line(tmp_path, line) == ""


def test_a_shell_is_started_with_its_flag(tmp_path: Path) -> None:
    assert 'write `shell ["bash", "-c"]`' in said_of_line(tmp_path, 'shell "bash"')


def test_a_title_is_one_line(tmp_path: Path) -> None:
    printed = said(tmp_path, 'let bad = "a\\nB c"\ntarget a:\n    from bad\n')
    assert printed.splitlines()[0] == 'error[E0309]: "a␊B c" is not an image reference'
