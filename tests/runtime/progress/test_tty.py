"""The live view in a pseudo-terminal, read by a small terminal of our own."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from pybuild.lang.diagnostics import Cancelled, UsageError, display_width
from pybuild.runtime.progress.display import Silent, make_display, warnings_text
from pybuild.runtime.progress.observer import StatusEvent, VertexEvent
from pybuild.runtime.progress.plain import Plain
from pybuild.runtime.progress.rawjson import RawJson
from pybuild.runtime.progress.steps import KEPT_LINES, Step
from pybuild.runtime.progress.terminal import last_state, printable
from pybuild.runtime.progress.tty import HIDE_CURSOR, SHOW_CURSOR, Tty


class Screen:
    """A pseudo-terminal and what was written to it."""

    def __init__(self, columns: int = 60, lines: int = 16) -> None:
        self._master, slave = os.openpty()
        self.size(columns, lines)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._seen = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            self._seen += data

    def close(self) -> None:
        self.stream.close()
        self._reader.join(5)
        os.close(self._master)

    @property
    def raw(self) -> str:
        return self._seen.decode("utf-8", "replace")

    def wait(self, words: str) -> str:
        """The raw text, once it holds `words`."""
        deadline = time.monotonic() + 10
        while words not in self.raw and time.monotonic() < deadline:
            time.sleep(0.02)
        assert words in self.raw
        return self.raw

    def rows(self) -> list[str]:
        """What stands on an endless screen: cursor up and erase below are obeyed, colours dropped."""
        rows, row = [""], 0
        for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r)", self.raw):
            if part == "\r\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            elif part == "\x1b[J":
                rows[row:] = [""]
            elif match := re.fullmatch(r"\x1b\[(\d+)A", part):
                row -= int(match[1])
            elif part and part != "\r" and part[0] != "\x1b":
                rows[row] += part
        return rows


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    one = Screen()
    yield one
    one.close()


def play(display: Tty) -> None:
    now = time.time()
    display.vertex(VertexEvent("c", "[1/3] COPY a /", completed=now, cached=True))
    display.vertex(VertexEvent("k", "[3/3] RUN later"))
    display.vertex(VertexEvent("r", "[2/3] RUN make", started=now))
    display.log("r", 1, b"gcc main.c\n\x1b[31mred\x1b[0m\rblue\n")
    display.status(StatusEvent("r", "sha256:f00", current=1_050_000, total=3_200_000, timestamp=now))


def test_what_returns_after_failures_was_not_built(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    now = time.time()
    display.vertex(VertexEvent("r", "[1/1] RUN false", started=now, completed=now, error="exit code: 1"))
    display.stop()
    screen.wait("Failed after")
    assert "Built in" not in screen.raw


def test_what_runs_and_what_ended(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    play(display)
    screen.wait("main.c")
    screen.wait("blue")
    rows = screen.rows()
    assert re.fullmatch(r" ✔ \[1/3\] COPY a / +cached", rows[0])
    assert re.fullmatch(r"Building \d\.\ds · 1 of 3 done, 1 cached", rows[1])
    assert re.fullmatch(r" ● \[2/3\] RUN make +\d\.\ds", rows[2])
    assert rows[3:6] == ["   ↓ sha256:f00 1.05MB / 3.20MB  32%", "   │ gcc main.c", "   │ blue"]
    assert display_width(rows[0]) == 59
    display.vertex(VertexEvent("r", "[2/3] RUN make", started=time.time(), completed=time.time()))
    display.stop()
    screen.wait("Built in")
    rows = screen.rows()
    assert re.fullmatch(r" ✔ \[2/3\] RUN make +0\.0s", rows[1])
    assert re.fullmatch(r"Built in \d\.\ds: 3 steps, 1 cached", rows[2])
    assert "Building" not in "\n".join(rows)
    assert screen.raw.count(HIDE_CURSOR) == 1
    screen.wait(SHOW_CURSOR)
    assert not display.output_shown


def test_a_failed_step_shows_its_output(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    play(display)
    display.log("r", 2, b"".join(b"line %d\n" % n for n in range(300)))
    display.vertex(VertexEvent("r", "[2/3] RUN make", started=1.0, completed=2.0, error="exit code: 2"))
    display.vertex(VertexEvent("k", "[3/3] RUN later", completed=2.0, error="cancelled"))
    display.stop(RuntimeError("x"))
    screen.wait("Failed after")
    rows = screen.rows()
    assert any(re.fullmatch(r" ✘ \[2/3\] RUN make +failed", row) for row in rows)
    assert "output of [2/3] RUN make:" in rows
    assert "   │ line 299" in rows
    assert "   │ line 100" in rows
    assert "   │ line 99" not in rows
    assert "   (the last lines; --progress=plain shows all)" in rows
    assert not any("RUN later" in row for row in rows)
    assert display.output_shown


def test_cancelled(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    play(display)
    display.vertex(VertexEvent("r", "[2/3] RUN make", started=1.0, completed=2.0, error="cancelled"))
    display.stop(Cancelled())
    screen.wait("Cancelled after")
    assert any(re.fullmatch(r" ■ \[2/3\] RUN make +cancelled", row) for row in screen.rows())
    assert not display.output_shown


def test_a_build_that_never_started_the_view(screen: Screen) -> None:
    display = Tty(screen.stream)
    play(display)
    threads = threading.active_count()
    display.notice("said once")
    display.stop()
    assert threading.active_count() == threads
    screen.wait("Built in")
    assert screen.rows()[0] == "said once"


@pytest.mark.parametrize(("columns", "lines"), [(24, 6), (10, 3), (200, 60)])
def test_never_wider_or_higher_than_the_terminal(columns: int, lines: int, screen: Screen) -> None:
    screen.size(columns, lines)
    display = Tty(screen.stream)
    display.start()
    for number in range(12):
        name = f"[{number}/12] RUN 日本語のとても長い名前 and more of it"
        display.vertex(VertexEvent(str(number), name, started=time.time()))
        display.log(str(number), 1, "ワイド文字 wide and long output line\n".encode() * 9)
    screen.wait("Building")
    time.sleep(0.3)
    rows = [row for row in screen.rows() if row]
    assert len(rows) < lines
    assert all(display_width(row) < columns for row in rows)
    display.stop()


def test_a_terminal_that_becomes_narrower(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    play(display)
    screen.wait("blue")
    before = len(screen.raw)
    screen.size(30, 16)
    time.sleep(0.4)
    display.stop()
    ups = [int(text) for text in re.findall(r"\x1b\[(\d+)A", screen.raw[before:])]
    assert max(ups) > 5  # rows of 59 cells stand on two lines each
    screen.wait("Built in")


def test_plain_signs_where_the_encoding_has_no_others() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    display = Tty(stream)
    display.vertex(VertexEvent("c", "COPY a", completed=1.0, cached=True))
    display.stop()
    stream.seek(0)
    text = stream.read()
    stream.close()
    assert " + COPY a" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_no_color(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    display = Tty(screen.stream)
    play(display)
    display.stop()
    screen.wait("Built in")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", screen.raw)


def test_restore_takes_no_lock(screen: Screen) -> None:
    display = Tty(screen.stream)
    display.start()
    screen.wait(HIDE_CURSOR)
    with display._lock:
        thread = threading.Thread(target=display.restore)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
    screen.wait(SHOW_CURSOR)
    display.stop()


def test_output_kept_of_a_step() -> None:
    step = Step(VertexEvent("a", "a"))
    for number in range(KEPT_LINES + 5):
        step.take(1, b"line %d\n" % number)
    step.take(2, b"part")
    assert step.lost == 5
    assert step.output(3) == [f"line {KEPT_LINES + 3}", f"line {KEPT_LINES + 4}", "part"]
    assert step.output(0) == []
    assert len(step.output(10_000)) == KEPT_LINES + 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✔ 日本", "plain ✔ 日本"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy"),
        ("a\x1b[2K\x1b[1Ab\x08\x07", "ab"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x9b31mx\u202ey\u2066z", "31mxyz"),
        ("\x1b", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(("line", "shown"), [("a\rb", "b"), ("10%\r20%\r", "20%"), ("x", "x"), ("\r", "")])
def test_last_state(line: str, shown: str) -> None:
    assert last_state(line) == shown


def test_the_choice_of_a_display(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    assert type(make_display("auto", file)) is Plain
    assert type(make_display("auto", screen.stream)) is Tty
    assert type(make_display("plain", screen.stream)) is Plain
    assert type(make_display("rawjson", screen.stream)) is RawJson
    assert type(make_display("quiet", screen.stream)) is Silent
    assert type(make_display("tty", screen.stream, quiet=True)) is Silent
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_display("auto", screen.stream)) is Plain
    with pytest.raises(UsageError, match="terminal"):
        make_display("tty", file)
    with pytest.raises(UsageError, match="unknown"):
        make_display("fancy", file)


def test_list_of_warnings() -> None:
    from pybuild.lang.diagnostics import Diagnostic, Label
    from pybuild.lang.source import Source, Span

    span = Span(Source("Dockerfile", "from a"), 1, 1, 1, 5)
    display = Plain(io.StringIO())
    display.warning("v", Diagnostic("casing differs", labels=[Label(span)], code="FromAsCasing"))
    display.warning("w", Diagnostic("casing differs", labels=[Label(span)], code="FromAsCasing"))
    assert warnings_text(display.warnings) == (
        "1 warning found:\n - FromAsCasing: casing differs (Dockerfile:1)\n"
    )
    display.warning("v", Diagnostic("something else"))
    assert warnings_text(display.warnings).startswith("2 warnings found:\n")
    assert warnings_text([]) == ""
