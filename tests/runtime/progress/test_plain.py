"""Plain progress: golden texts, and the law that no line of any step is lost."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.progress.script import Clock, Script

from pybuild.runtime.progress.amounts import bytes_text
from pybuild.runtime.progress.observer import StatusEvent, VertexEvent
from pybuild.runtime.progress.plain import FRONT_SECONDS, LONGEST_LINE, Plain


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(Plain, Clock(monkeypatch))


def test_steps_one_after_the_other(script: Script) -> None:
    script.know("a")
    script.know("b", "a")
    script.end("a", cached=True)
    script.start("b")
    script.clock.on(0.123)
    script.log("b", b"one\ntwo\r\nthr")
    script.clock.on(1)
    script.log("b", b"ee\n\xff\xfe\n")
    script.log("b", b"end without newline")
    script.end("b")
    script.display.stop()
    assert script.text == (
        "#1 step a\n"
        "#1 CACHED\n"
        "\n"
        "#2 step b\n"
        "#2 0.123 one\n"
        "#2 0.123 two\n"
        "#2 0.123 three\n"
        "#2 1.123 ��\n"
        "#2 1.123 end without newline\n"
        "#2 DONE 1.1s\n"
    )


def test_steps_side_by_side(script: Script) -> None:
    script.start("a")
    script.start("b")
    script.log("a", b"a1\n")
    script.log("b", b"b1\n")
    script.clock.on(1)
    script.log("a", b"a2\n")
    script.log("b", b"b2\n")
    script.end("b", error="exit code: 1")
    script.log("a", b"a3\n")
    script.end("a", error="context canceled")
    assert script.text == (
        "#1 step a\n"
        "#1 0.000 a1\n"
        "#1 1.000 a2\n"
        "#1 ...\n"
        "\n"
        "#2 step b\n"
        "#2 0.000 b1\n"
        "#2 1.000 b2\n"
        "#2 ERROR: exit code: 1\n"
        "\n"
        "#1 step a\n"
        "#1 1.000 a3\n"
        "#1 CANCELED\n"
    )


def test_a_step_that_is_long_in_front_gives_way(script: Script) -> None:
    script.start("a")
    script.start("b")
    script.log("b", b"b1\n")
    assert "step b" not in script.text
    script.clock.on(FRONT_SECONDS + 0.1)
    script.log("b", b"b2\n")
    assert script.text.endswith("#1 ...\n\n#2 step b\n#2 0.000 b1\n#2 5.100 b2\n")


def test_what_waits_comes_up_when_the_front_is_done(script: Script) -> None:
    script.start("a")
    script.start("b")
    script.start("c")
    script.log("c", b"c1\n")
    script.end("a")
    assert script.text == "#1 step a\n#1 DONE 0.0s\n\n#2 step c\n#2 0.000 c1\n"


def test_streams_of_a_step_do_not_mix_within_a_line(script: Script) -> None:
    script.start("a")
    script.log("a", b"out", 1)
    script.log("a", b"err\n", 2)
    script.log("a", b"put\n", 1)
    assert script.text == "#1 step a\n#1 0.000 err\n#1 0.000 output\n"


def test_progress_of_pieces(script: Script) -> None:
    script.start("a")
    for current in range(0, 3_200_001, 32_000):
        script.status("a", "sha256:f00", current, 3_200_000)
        script.clock.on(0.02)
    script.status("a", "sha256:f00", 3_200_000, 3_200_000, done=True)
    script.status("a", "exporting layers", 0, 0)
    script.clock.on(0.3)
    script.status("a", "exporting layers", 0, 0, done=True)
    script.status("a", "transferring context:", 386, 0, done=True)
    lines = script.text.split("\n")
    assert lines[1] == "#1 sha256:f00 0B / 3.20MB"
    assert lines[2] == "#1 sha256:f00 160.00kB / 3.20MB 0.1s"
    assert len(lines) == 22 + 1 + 4
    assert lines[-5:] == [
        "#1 sha256:f00 3.20MB / 3.20MB 2.0s done",
        "#1 exporting layers 2.0s",
        "#1 exporting layers 2.3s done",
        "#1 transferring context: 386B 2.3s done",
        "",
    ]


def test_a_line_without_end_is_shown_in_pieces_at_characters(script: Script) -> None:
    script.start("a")
    script.log("a", "ä".encode() * LONGEST_LINE)
    script.log("a", b"\n")
    lines = [line.split(" ", 2)[2] for line in script.text.split("\n")[1:-1]]
    assert len(lines) == 2
    assert "".join(lines) == "ä" * LONGEST_LINE


def test_a_step_that_never_ran_and_was_cancelled_is_not_told(script: Script) -> None:
    script.know("a")
    script.end("a", error="cancelled")
    script.display.stop()
    assert script.text == ""


def test_a_step_still_open_at_the_end_loses_nothing(script: Script) -> None:
    script.start("a")
    script.start("b")
    script.log("b", b"last words")
    script.display.stop()
    script.display.stop()
    script.log("b", b"too late\n")
    assert script.text == "#1 step a\n#1 ...\n\n#2 step b\n#2 0.000 last words\n"


def test_notices_stand_between_steps(script: Script) -> None:
    script.display.notice("waiting for process 7")
    script.start("a")
    script.display.notice("two\nlines")
    script.log("a", b"x\n")
    assert script.text == (
        "#0 waiting for process 7\n\n#1 step a\n#1 ...\n\n#0 two\n#0 lines\n\n#1 step a\n#1 0.000 x\n"
    )


def test_the_same_end_is_told_once(script: Script) -> None:
    script.start("a")
    script.end("a")
    script.end("a")
    assert script.text.count("DONE") == 1


def test_a_name_is_one_line(script: Script) -> None:
    script.display.vertex(VertexEvent("d", "RUN a\nb", started=script.clock.now))
    assert script.text == "#1 RUN a b\n"


def test_waiting_lines_come_out_without_another_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybuild.runtime.progress.plain.FRONT_SECONDS", 0.1)
    stream = StringIO()
    display = Plain(stream)
    display.vertex(VertexEvent("a", "a", started=time.time()))
    display.vertex(VertexEvent("b", "b", started=time.time()))
    display.start()
    display.log("b", 1, b"listening\n")
    assert "listening" not in stream.getvalue()
    deadline = time.monotonic() + 5
    while "listening" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    display.stop()
    assert "listening" in stream.getvalue()


def test_a_stream_that_fails_is_left_alone() -> None:
    class Broken(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "x")

    display = Plain(Broken())
    display.vertex(VertexEvent("a", "a", started=1.0))
    display.log("a", 1, b"x\n")
    display.stop()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 2), st.binary(max_size=12)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_line_of_any_step_is_lost(events: list[tuple[str, int, bytes]]) -> None:
    stream = StringIO()
    display = Plain(stream)
    for name in "abcd":
        display.vertex(VertexEvent(name, name, started=1.0))
    sent: dict[tuple[str, int], bytes] = {}
    for name, number, data in events:
        display.log(name, number, data)
        sent[name, number] = sent.get((name, number), b"") + data
    for name in "abcd":
        display.vertex(VertexEvent(name, name, started=1.0, completed=2.0))
    display.stop()
    shown: dict[str, list[str]] = {name: [] for name in "abcd"}
    current = ""
    for line in stream.getvalue().split("\n"):
        _, _, rest = line.partition(" ")
        if rest in shown:
            current = rest
        elif rest[:1].isdigit():
            shown[current].append(rest.partition(" ")[2])
    for name in "abcd":
        expected = []
        for number in (1, 2):
            lines = sent.get((name, number), b"").split(b"\n")
            expected += lines if lines[-1] else lines[:-1]
        texts = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in expected]
        assert sorted(shown[name]) == sorted(texts)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.00kB"),
        (2_020_000, "2.02MB"),
        (10**15, "1.00PB"),
        (10**19, "10000.00PB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert bytes_text(count) == text


def test_status_of_an_unknown_vertex() -> None:
    stream = StringIO()
    display = Plain(stream)
    display.status(StatusEvent("x", "piece", current=5, timestamp=1.0))
    assert stream.getvalue() == "#1 x\n#1 piece 5B\n"
