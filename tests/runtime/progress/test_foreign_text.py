"""Text from elsewhere is quoted on every stream; a step's own output is made harmless on a terminal only."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.progress.display import Display, warnings_text
from pybuild.runtime.progress.observer import StatusEvent, VertexEvent
from pybuild.runtime.progress.plain import Plain
from pybuild.runtime.progress.rawjson import RawJson
from pybuild.runtime.progress.terminal import harmless
from pybuild.runtime.progress.tty import Tty

HOSTILE = "a\x1b]0;title\x07\x1b[2J\x9b31m\x7f\u202egnp\u2066\x00\b\udcff"
"""A window title, cursor movement, C1, DEL, overrides of the writing direction, a byte that isn't UTF-8."""
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SGR = re.compile(r"\x1b\[[0-9;:]*m")
OUTPUT = b"\x1b[31mred\x1b]0;t\x07\x1b[2J\x1b[6n\xc2\x9b1A\x1bc plain\n"


class Terminal(StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def everything(display: Display, name: str) -> None:
    display.start()
    display.vertex(VertexEvent("sha256:1", name, started=1.0))
    display.status(StatusEvent("sha256:1", name, current=1, total=2, timestamp=2.0, started=1.0))
    display.notice(name)
    display.waiting(name)
    display.vertex(VertexEvent("sha256:1", name, started=1.0, completed=2.0, error=name))
    display.warning("sha256:1", Diagnostic(name, url=HOSTILE))
    display.stop()


@pytest.mark.parametrize("stream", [StringIO, Terminal])
@pytest.mark.parametrize("kind", [Plain, RawJson])
def test_names_errors_and_notices_are_quoted(kind: type[Display], stream: type[StringIO]) -> None:
    display = kind(stream())
    everything(display, f"{HOSTILE}\n#9 DONE 0.0s")
    text = display._stream.getvalue() + warnings_text(display.warnings)  # type: ignore[attr-defined]
    assert "title" in text
    assert OBEYED.findall(text) == []
    if kind is RawJson:
        names = [json.loads(line)["vertexes"][0]["name"] for line in text.splitlines() if "vertexes" in line]
        assert names[0] == HOSTILE + "\n#9 DONE 0.0s"
    else:
        notices = [line for line in text.splitlines() if line.startswith("#0")]
        assert notices.count("#0 #9 DONE 0.0s") == 2  # a notice may have lines, which are marked as its own
        assert "\n#9 DONE" not in text


def test_a_live_view_has_only_its_own_sequences() -> None:
    stream = Terminal()
    display = Tty(stream)
    everything(display, HOSTILE)
    text = re.sub(r"\x1b\[[0-9;?]*[mJAlh]|\r", "", stream.getvalue())
    assert OBEYED.findall(text) == []
    assert "]0;title" in text


@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_output_of_a_step(stream: type[StringIO]) -> None:
    display = Plain(stream())
    display.vertex(VertexEvent("sha256:1", "RUN x", started=1.0))
    display.log("sha256:1", 1, OUTPUT)
    display.stop()
    text = display._stream.getvalue()  # type: ignore[attr-defined]
    if stream is StringIO:
        assert OUTPUT.decode() in text
    else:
        assert OBEYED.findall(SGR.sub("", text)) == []
        assert "\x1b[31mred1A plain\x1b[0m\n" in text


@given(st.text(alphabet=st.sampled_from("\x1b[]PX^_\\0;31mHJ\x07\x9b\x9c\u202e\r\bab \n\t"), max_size=60))
def test_any_output_is_harmless(text: str) -> None:
    shown = harmless(text)
    assert OBEYED.findall(SGR.sub("", shown)) == []
    assert all(line.endswith("\x1b[0m") for line in shown.split("\n") if "\x1b" in line)
