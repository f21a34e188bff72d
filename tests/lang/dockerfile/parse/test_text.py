"""What can't be seen in a case file: white space, bytes, recorded texts, triggers of base images."""

from __future__ import annotations

import pytest

from pybuild.lang.diagnostics import SourceError, render
from pybuild.lang.dockerfile.heredocs import is_heredoc, parse_heredoc
from pybuild.lang.dockerfile.instructions import (
    CopyInstruction,
    EnvInstruction,
    Instruction,
    LabelInstruction,
    OnbuildInstruction,
    RunInstruction,
)
from pybuild.lang.dockerfile.parse import decode, parse, parse_onbuild
from pybuild.lang.source import Source


def only(text: str | bytes) -> Instruction:
    """The one instruction below `FROM a`."""
    data = text if isinstance(text, bytes) else text.encode()
    (stage,) = parse(decode("Dockerfile", b"FROM a\n" + data)).stages
    (command,) = stage.commands
    return command


def failure(data: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        parse(decode("Dockerfile", data))
    return render(caught.value.diagnostic)


TEXTS = [
    ("RUN x", "RUN x"),
    ("  \t\u00a0RUN  x  y \t", "RUN  x  y"),
    ("run x", "run x"),
    ("RUN a \\\n  b \\\n# c\n\n  d\n", "RUN a   b   d"),
    ("RUN a\\ \t\nb", "RUN ab"),
    ("RUN x\r\n", "RUN x"),
    ("RUN a \\\r\n  b\r\n", "RUN a   b"),
    ("RUN --network=none \\\n  x", "RUN --network=none   x"),
    ("RUN <<E cat\n1\nE\n", "RUN <<E cat"),
    ('CMD [ "a" ]', 'CMD [ "a" ]'),
    ("EXPOSE 2 1", "EXPOSE 2 1"),
    ("ENV\ta=b", "ENV\ta=b"),
]


@pytest.mark.parametrize(("text", "recorded"), TEXTS)
def test_recorded_text(text: str, recorded: str) -> None:
    assert only(text).text == recorded


def test_a_stage_records_its_own_line() -> None:
    (stage,) = parse(decode("Dockerfile", b" FROM  a \\\n AS b \nRUN x")).stages
    assert stage.text == "FROM  a  AS b"


ONBUILD = [
    ("ONBUILD RUN  x \t", "RUN  x \t"),
    ("ONBUILD \t RUN x", "RUN x"),
    ("ONBUILD \\\n  RUN x", "RUN x"),
    ("ONBUILD RUN <<E  \n1\n\nE\n", "RUN <<E  \n1\n\nE"),
    ("ONBUILD RUN <<E\r\n1\r\nE\r\n", "RUN <<E\n1\r\nE"),
]


@pytest.mark.parametrize(("text", "expression"), ONBUILD)
def test_onbuild_keeps_white_space(text: str, expression: str) -> None:
    command = only(text)
    assert isinstance(command, OnbuildInstruction)
    assert command.expression == expression


@pytest.mark.parametrize(
    "expression", ["RUN x", "ENV a=b c=d", "COPY --from=x a b", "RUN <<E cat\na\n\tb\nE"]
)
def test_a_trigger_means_what_its_instruction_means(expression: str) -> None:
    stored = only(f"ONBUILD {expression}\n")
    assert isinstance(stored, OnbuildInstruction)
    assert stored.expression == expression
    assert parse_onbuild(stored.expression, "base:1") == only(expression)


TRIGGER_ERRORS = [
    ("FROM a", "FROM cannot be the trigger of an ONBUILD"),
    ("RUN x\nRUN y", "an ONBUILD trigger holds one instruction, not 2"),
    ("", "an ONBUILD trigger holds one instruction, not 0"),
    ("# x", "an ONBUILD trigger holds one instruction, not 0"),
    ("RNU x", "unknown instruction RNU"),
    (
        "RUN --mount=from=$x,target=/x y",
        "'from' doesn't support variable expansion, define alias stage instead",
    ),
]


@pytest.mark.parametrize(("expression", "title"), TRIGGER_ERRORS)
def test_bad_triggers(expression: str, title: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_onbuild(expression, "the ONBUILD of base:1")
    assert str(caught.value) == title
    assert "the ONBUILD of base:1:" in render(caught.value.diagnostic)


def test_line_ends_of_heredocs_stay() -> None:
    command = only(b"COPY <<E /x\r\na\r\nb\nE\r\n")
    assert isinstance(command, CopyInstruction)
    assert command.heredocs[0].content == "a\r\nb\n"


def test_run_keeps_the_tabs_of_a_heredoc_and_its_body_has_none() -> None:
    command = only("RUN <<-E\n\ta\n\t\tb\n\nc\t\n\tE\n")
    assert isinstance(command, RunInstruction)
    (heredoc,) = command.command.heredocs
    assert heredoc.content == "\ta\n\t\tb\n\nc\t\n"
    assert heredoc.body == "a\nb\n\nc\t\n"


def test_only_a_line_feed_ends_a_line() -> None:
    command = only("RUN a\x0bb\u2028c\rd")
    assert isinstance(command, RunInstruction)
    assert command.command.args == ("a\x0bb\u2028c\rd",)


def test_a_byte_order_mark_in_a_text() -> None:
    file = parse(Source("Dockerfile", "\ufeff# escape=`\nFROM a\nRUN x `\ny"))
    assert file.escape == "`"
    assert file.stages[0].commands[0].text == "RUN x y"
    with pytest.raises(SourceError) as caught:
        parse(Source("Dockerfile", "\ufeffFORM a"))
    assert "Dockerfile:1:2" in render(caught.value.diagnostic)


def test_the_escape_directive_may_follow_others() -> None:
    file = parse(decode("Dockerfile", b"# check=skip=all;error=true\n# escape=`\nFROM a"))
    assert file.escape == "`"


def test_bytes_that_are_not_utf8_in_comments_and_values() -> None:
    command = only(b"# caf\xe9\nENV a=\xff\xfe LABEL\xe9=1")
    assert isinstance(command, EnvInstruction)
    assert [(pair.key, pair.value) for pair in command.env] == [
        ("a", "\ufffd\ufffd"),
        ("LABEL\ufffd", "1"),
    ]
    assert command.text == "ENV a=\ufffd\ufffd LABEL\ufffd=1"
    label = only(b'LABEL "\xc3\xa9"="\xed\xa0\x80"')
    assert isinstance(label, LabelInstruction)
    assert (label.labels[0].key, label.labels[0].value) == ('"é"', '"\ufffd\ufffd\ufffd"')


def test_bytes_that_are_not_utf8_in_a_command() -> None:
    assert failure(b"FROM a\nRUN x \\\n  y\xff") == (
        "error: a command must be UTF-8 text\n"
        " --> Dockerfile:3:4\n"
        "  |\n"
        "3 |   y\ufffd\n"
        "  |    ^\n"
        "  |\n"
        "  = help: save the file in the UTF-8 encoding"
    )
    assert "Dockerfile:4:2" in failure(b"FROM a\nRUN <<E\nx\ny\xff\nE\n")


def test_bytes_that_are_not_utf8_in_files() -> None:
    command = only(b"COPY <<a <<'b' /x/\n\xff\na\n\xff\xe9\nb\n")
    assert isinstance(command, CopyInstruction)
    expanded, raw = command.heredocs
    assert expanded.content == "\ufffd\n"
    assert raw.content.encode(errors="surrogateescape") == b"\xff\xe9\n"


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
def test_utf16(codec: str) -> None:
    data = "\ufeffFROM a".encode(codec) if codec == "utf-16-be" else "FROM a".encode(codec)
    with pytest.raises(SourceError) as caught:
        decode("Dockerfile", data)
    assert str(caught.value) == "Dockerfile is encoded in UTF-16"


HEREDOCS = [
    ("<<a", ("a", True, False, 0)),
    ("<<-a", ("a", True, True, 0)),
    ("3<<a", ("a", True, False, 3)),
    ("03<<-'a'", ("a", False, True, 3)),
    ('<<"a"b', ("ab", False, False, 0)),
    ("<<a\\b", ("ab", True, False, 0)),
    ('<<"\'"', ("'", False, False, 0)),
    ("<<--", ("-", True, True, 0)),
    ("<<${x:-y}", ("${x:-y}", True, False, 0)),
    ("9" * 5000 + "<<a", ("a", True, False, 2**64 - 1)),
    ("<<", None),
    ("<<-", None),
    ("<<<a", None),
    ("<a", None),
    ("x<<a", None),
    ("<<a<b", None),
    ("<<a b", None),
    ("<<''", None),
    ("<<'a", None),
    ("<<${}", None),
    ("\u0663<<a", None),
    ("", None),
]


@pytest.mark.parametrize(("word", "expected"), HEREDOCS, ids=[repr(row[0][-20:]) for row in HEREDOCS])
def test_heredoc_words(word: str, expected: tuple[str, bool, bool, int] | None) -> None:
    heredoc = parse_heredoc(word)
    assert is_heredoc(word) == (expected is not None)
    found = heredoc and (heredoc.name, heredoc.expand, heredoc.chomp, heredoc.file_descriptor)
    assert found == expected


def test_a_control_character_never_reaches_a_title() -> None:
    with pytest.raises(SourceError) as caught:
        parse(decode("Dockerfile", b"FROM a\n\x1b[31mRED\x07 x"))
    assert str(caught.value) == r"unknown instruction \x1b[31mRED\x07"


def test_a_long_word_is_cut_in_a_title() -> None:
    with pytest.raises(SourceError) as caught:
        parse(decode("Dockerfile", b"x" * 10_000))
    assert len(str(caught.value)) < 100
