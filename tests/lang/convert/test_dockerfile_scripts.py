"""Scripts of RUN: what a shell makes of them stays the same."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.lang.convert.scripts import DEFAULT_SHELL, block, is_unaffected, line_breaks, run
from pybuild.lang.convert.values import literal, raw
from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.parse import parse

COMMANDS = [
    "echo a",
    "false",
    "true",
    "(exit 3)",
    "x=$(false; echo b)",
    "x=$(false)",
    "! true",
    "echo '; x'",
    "{ false; echo c; }",
    "if false; then :; fi",
    'echo "$(false && true)"',
    "false &",
    "eval 'false; echo d'",
    "set -e",
    "cat <<E\nq\nE\n",
    "wait",
]
JOINTS = [" && ", " || ", "; ", "\n", " | ", " & "]


def _outcome(*command: str) -> tuple[int, bytes]:
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    return done.returncode, done.stdout


@given(
    st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=4),
    st.lists(st.sampled_from(JOINTS), min_size=4, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_what_counts_as_unaffected_by_e_is(commands: list[str], joints: list[str]) -> None:
    script = "".join(
        command + joint for command, joint in zip(commands, [*joints[: len(commands) - 1], ""], strict=True)
    )
    if is_unaffected(script):
        assert _outcome("sh", "-c", script) == _outcome("sh", "-e", "-c", script)


@pytest.mark.parametrize(
    ("script", "unaffected"),
    [
        ("apt-get update && apt-get install -y git || true", True),
        ("set -eux; a; b", True),
        ("make -j$(nproc) > log 2>&1 && sed 's/a;b/c/' x", True),
        ("a; b", False),
        ("a\nb", False),
        ("a & b", False),
        ("for x in 1; do a; done", False),
        (". ./env && b", False),
        ("x=$(a; b) && c", False),
    ],
)
def test_unaffected(script: str, unaffected: bool) -> None:
    assert is_unaffected(script) is unaffected


def _scripts(rows: list[str]) -> list[tree.Script]:
    text = '# syntax=pybuild:1\n\ntarget a:\n    from "x"\n' + "".join(
        f"    {row}\n" if row else "\n" for row in rows
    )
    parsed = parse(Source("build.pybuild", text))
    assert not [one for one in parsed.diagnostics if one.level == "error"], text
    (target,) = parsed.file.decls
    assert isinstance(target, tree.Target)
    return [one.script for one in target.body if isinstance(one, tree.Run)]


def _text(script: tree.Script) -> str:
    return "".join(part.value for part in script.parts if isinstance(part, tree.ScriptText))


@given(st.text("ab $\\'\"#{}:!\n\t ;é", min_size=1, max_size=30))
@settings(max_examples=120)
def test_raw_text_is_what_the_shell_gets(script: str) -> None:
    lines = run(script, ("/bin/bash", "-c"))
    if lines[0].startswith("exec "):
        return
    (found,) = _scripts(lines)
    assert _text(found).removesuffix("\n") == script


@given(st.text("ab ${}\n\t", min_size=1, max_size=20))
def test_a_block_holds_its_text(text: str) -> None:
    escaped = raw(literal(text))
    rows = None if escaped is None else block(escaped)
    if rows is not None:
        (found,) = _scripts(["run:", *(f"    {row}" if row else "" for row in rows)])
        assert _text(found) == text


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (["RUN echo a && \\", "    echo b"], True),
        (["RUN echo a && \\", "  # a comment", "", "    echo b"], True),
        (["RUN printf '%s\\", "x'"], False),
        (['RUN printf "%s\\', 'x"'], True),
        (["RUN echo a \\", "  # b"], False),
        (["RUN echo `echo \\", " x`"], False),
        (["RUN echo a# \\", "  b"], True),
    ],
)
def test_line_ends_are_kept_where_a_shell_drops_them(rows: list[str], kept: bool) -> None:
    script = "".join(
        row.rstrip("\\") for row in rows if row.strip() and not row.startswith("  # a")
    ).removeprefix("RUN ")
    breaks = line_breaks(script, rows, "\\")
    lines = run(script, DEFAULT_SHELL, breaks)
    assert any(line.endswith("\\") for line in lines) is kept
    (found,) = _scripts(lines)
    assert _outcome("sh", "-c", script) == _outcome("sh", "-c", _text(found))


def test_a_difference_of_e_is_taken_back() -> None:
    assert run("a; b", DEFAULT_SHELL) == ["run:", "    set +e", "    a; b"]
    assert run("a; b", ("/bin/bash", "-c")) == ["run a; b"]
    assert run("a && b", DEFAULT_SHELL) == ["run a && b"]
