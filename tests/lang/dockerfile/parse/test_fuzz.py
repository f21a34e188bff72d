"""Texts made by chance: only a SourceError comes out, and what is joined from known words gives these words."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.lang.diagnostics import Diagnostic, SourceError, render
from pybuild.lang.dockerfile.instructions import (
    ArgInstruction,
    CmdInstruction,
    CopyInstruction,
    Dockerfile,
    EnvInstruction,
    RunInstruction,
)
from pybuild.lang.dockerfile.parse import decode, parse, parse_onbuild
from pybuild.lang.source import Source

NAMES = (
    *(
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
    ),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR", "from", "Run", "NOPE", "#", ""),
)
PIECES = (
    *(
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\\\n",
        " \\\n",
        "`\n",
        "\\",
        "`",
        "#",
        "'",
        '"',
        "=",
        "$",
        "${",
        "}",
        "{",
    ),
    *(
        "<<",
        "<<-",
        "<<E",
        "E",
        "\nE\n",
        "--",
        "--from=",
        "--network=none",
        "--interval=1s",
        "[",
        "]",
        '["a"]',
    ),
    *(
        "a",
        "b=c",
        "AS",
        "NONE",
        "CMD",
        "x" * 30,
        "é",
        "日",
        "\x00",
        "\x1c",
        "\xa0",
        "\udcff",
        "\ud800",
        ":-",
        "/",
    ),
)
LINES = st.builds(
    lambda name, pieces: name + "".join(pieces),
    st.sampled_from([f"{name} " for name in NAMES] + ["# escape=`\n", "# syntax=x\n", "# check=x\n"]),
    st.lists(st.sampled_from(PIECES), max_size=8),
)
TEXTS = st.lists(LINES, max_size=6).map("\n".join)


def check(text: str) -> Dockerfile | None:
    """Parse `text`; whatever comes out can be shown, and points into the text."""
    source = Source("Dockerfile", text)
    shown: list[Diagnostic] = []
    file = None
    try:
        file = parse(source, shown.append)
    except SourceError as error:
        shown.append(error.diagnostic)
    lines = text.count("\n") + 1
    for diagnostic in shown:
        assert render(diagnostic)
        assert diagnostic.title.isprintable()
        for label in diagnostic.labels:
            span = label.span
            assert 1 <= span.line <= span.end_line <= lines
            assert (span.line, span.column) < (span.end_line, span.end_column)
            assert 1 <= span.column <= len(source.line(span.line)) + 1
            assert span.end_column <= len(source.line(span.end_line)) + 2
    return file


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    check(text)
    check("FROM a\n" + text)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for start in (b"", b"FROM a\nCOPY <<'E' <<F /x\n", b"FROM a\nRUN "):
        try:
            source = decode("Dockerfile", start + data)
        except SourceError:
            continue
        check(source.text)


@settings(max_examples=150)
@given(TEXTS)
def test_texts_of_the_grammar(text: str) -> None:
    for whole in (text, "FROM a\n" + text):
        file = check(whole)
        assert file is None or file == check(whole)


@settings(max_examples=200)
@given(LINES)
def test_any_trigger(text: str) -> None:
    try:
        parse_onbuild(text, "base")
    except SourceError as error:
        shown = render(error.diagnostic)
        assert shown


def test_deep_nesting() -> None:
    check("FROM a\n" + "ONBUILD " * 10_000 + "RUN x")
    check("FROM a\nRUN " + "[" * 100_000)
    check("FROM a\nRUN <<" + "${a:-" * 10_000)
    check("FROM a\nRUN x \\\n" * 10_000)


PLAIN = st.text("abcXYZ019-_./:é", min_size=1, max_size=10).filter(lambda word: not word.startswith("-"))
KEY = st.text("abcXYZ_019", min_size=1, max_size=8)
GAP = st.sampled_from([" ", "  ", "\t", " \\\n", " \\\n    ", " \\\n# note\n", " \\ \t\n\t"])


def join(name: str, words: list[str], gaps: list[str]) -> str:
    """The words behind `name`, with a gap before each."""
    return name + "".join(gap + word for gap, word in zip(gaps, words, strict=False))


@st.composite
def joined(draw: st.DrawFn, name: str, words: st.SearchStrategy[list[str]]) -> tuple[str, list[str]]:
    chosen = draw(words)
    gaps = draw(st.lists(GAP, min_size=len(chosen), max_size=len(chosen)))
    return join(name, chosen, gaps), chosen


def command(text: str) -> object:
    (stage,) = parse(decode("Dockerfile", f"FROM a\n{text}\n".encode())).stages
    (only,) = stage.commands
    return only


@given(joined("COPY", st.lists(PLAIN, min_size=2, max_size=6)))
def test_paths_come_back(case: tuple[str, list[str]]) -> None:
    text, words = case
    copy = command(text)
    assert isinstance(copy, CopyInstruction)
    assert [*copy.sources, copy.dest] == words


QUOTED = st.one_of(
    PLAIN,
    st.text("ab $=\\", max_size=8).map(lambda text: f"'{text}'"),
    st.text("ab $=", max_size=8).map(lambda text: f'"{text}"'),
    st.text("ab ", min_size=1, max_size=8).map(lambda text: text.replace(" ", "\\ ") + "z"),
)


@given(joined("ENV", st.lists(st.builds("{}={}".format, KEY, QUOTED), min_size=1, max_size=5)))
def test_pairs_come_back(case: tuple[str, list[str]]) -> None:
    text, words = case
    env = command(text)
    assert isinstance(env, EnvInstruction)
    assert [f"{pair.key}={pair.value}" for pair in env.env] == words
    assert not any(pair.legacy for pair in env.env)


@given(
    joined("ARG", st.lists(st.one_of(KEY, st.builds("{}={}".format, KEY, QUOTED)), min_size=1, max_size=5))
)
def test_arguments_come_back(case: tuple[str, list[str]]) -> None:
    text, words = case
    arg = command(text)
    assert isinstance(arg, ArgInstruction)
    assert [item.key if item.value is None else f"{item.key}={item.value}" for item in arg.args] == words


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), max_size=5), st.booleans())
def test_exec_form_comes_back(words: list[str], ascii_only: bool) -> None:
    cmd = command("CMD " + json.dumps(words, ensure_ascii=ascii_only).replace("\n", " "))
    assert isinstance(cmd, CmdInstruction)
    assert not cmd.command.shell
    assert list(cmd.command.args) == words


BODY = st.lists(st.text("ab\t \\#'\"$<", max_size=8), max_size=5).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(
    st.lists(st.tuples(st.sampled_from("EFGH"), st.booleans(), st.booleans(), BODY), min_size=1, max_size=4)
)
def test_heredocs_come_back(parts: list[tuple[str, bool, bool, str]]) -> None:
    words = [f"<<{'-' if chomp else ''}{repr(name) if quoted else name}" for name, quoted, chomp, _ in parts]
    run = command(f"RUN cat {' '.join(words)}\n" + "".join(f"{body}{name}\n" for name, _, _, body in parts))
    assert isinstance(run, RunInstruction)
    found = [(item.name, not item.expand, item.chomp, item.content) for item in run.command.heredocs]
    assert found == parts
