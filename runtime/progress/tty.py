"""A live view on a terminal: what ended scrolls by above, what runs is drawn again and again below.

     ✔ [base 1/2] COPY app /app                          0.1s
     ✔ [base 2/2] RUN make deps                        cached
    Building 2.8s · 3 of 10 done, 1 cached
     ● [build 1/1] RUN make                              1.2s
       │ gcc -O2 -c main.c
     ● [internal] load build context                     0.4s
       ↓ transferring context: 1.05MB / 3.20MB  32%

A thread draws, ten times a second; events only change the state. The block below is as high as the terminal at
most, each line at most as wide, so that erasing it is exact; after the terminal has become narrower, the rows
that its lines were broken into are counted again.
"""

from __future__ import annotations

from time import time

from pybuild.lang.diagnostics import visible
from pybuild.runtime.progress.amounts import bytes_text, counted, seconds_text
from pybuild.runtime.progress.display import Display
from pybuild.runtime.progress.plain import CANCELED
from pybuild.runtime.progress.steps import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Event, Thread
    from typing import TextIO

    from rich.console import Console
    from rich.text import Text

    from pybuild.runtime.progress.observer import StatusEvent, VertexEvent
    from pybuild.runtime.progress.steps import Step

INTERVAL = 0.1
STEP_LINES = 6
"""Most rows for the output of one running step."""
STEP_STATUSES = 4
FAILED_LINES = 200
"""Most lines of a failed step's output."""
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class _Signs:
    """Marks in front of lines; ASCII where the terminal's encoding lacks the others."""

    __slots__ = ("bar", "dot", "down", "ended", "failed", "runs", "stopped")

    def __init__(self, encoding: str) -> None:
        signs = ("✔", "✘", "●", "■", "│", "↓", "·")
        try:
            "".join(signs).encode(encoding)
        except (UnicodeEncodeError, LookupError):
            signs = ("+", "x", "*", "-", "|", ">", "-")
        self.ended, self.failed, self.runs, self.stopped, self.bar, self.down, self.dot = signs


class Tty(Display):
    """The live display. Events before `start` are kept and shown with it; a build that ends before `start`
    shows all completed steps at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._steps = Steps()
        self._begun = time()
        self._ended: list[Step] = []
        self._failed: list[Step] = []
        self._notices: list[str] = []
        self._signs = _Signs(getattr(stream, "encoding", None) or "ascii")
        self._drawn: list[int] = []
        self._console: Console | None = None
        self._thread: Thread | None = None
        self._halt: Event | None = None
        self._stopped = False

    def start(self) -> None:
        from threading import Event, Thread

        super().start()
        with self._lock:
            if self._thread is not None or self._stopped:
                return
            self._halt = Event()
            self._thread = Thread(target=self._run, args=(self._halt,), name="pybuild display", daemon=True)
            self._thread.start()

    def stop(self, error: BaseException | None = None) -> None:
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        # Without the lock, which the drawing thread needs to end.
        if self._thread is not None and self._halt is not None:
            self._halt.set()
            self._thread.join()
        with self._lock:
            self._paint([*self._take_ended(), *self._failures(), self._summary(error)], [])
            self._write(SHOW_CURSOR)

    def restore(self) -> None:
        import os

        try:
            os.write(self._stream.fileno(), ("\r\x1b[J" + SHOW_CURSOR).encode())
        except (OSError, ValueError):
            pass

    def vertex(self, event: VertexEvent) -> None:
        with self._lock:
            ended = None if self._stopped else self._steps.update(event)
            if ended is None:
                return
            if not event.error.endswith(CANCELED):
                self._ended.append(ended)
                if event.error:
                    self._failed.append(ended)
            elif event.started is not None:
                self._ended.append(ended)

    def status(self, event: StatusEvent) -> None:
        with self._lock:
            self._steps.status(event)

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        with self._lock:
            self._steps.log(vertex, stream, data)

    def notice(self, text: str) -> None:
        with self._lock:
            self._notices.append(visible(text))

    def _run(self, halt: Event) -> None:
        self._write(HIDE_CURSOR)
        while not halt.wait(INTERVAL):
            with self._lock:
                self._paint(self._take_ended(), self._live())

    def _terminal(self) -> Console:
        """Return the console that encodes styled text, at the terminal's present size."""
        import os
        from io import StringIO

        from rich.console import Console

        if self._console is None:
            self._console = Console(file=StringIO(), force_terminal=True, highlight=False)
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            size = os.terminal_size((80, 24))
        self._console.size = (max(size.columns or 80, 10), max(size.lines or 24, 3))
        return self._console

    def _paint(self, above: list[Text], live: list[Text]) -> None:
        """Replace the drawn block by `above`, which stays, and `live`, which the next call replaces."""
        console = self._terminal()
        width = console.width
        # The terminal may have become narrower since: it has wrapped the drawn lines.
        rows = sum(max(-(-length // width), 1) for length in self._drawn)
        out = [f"\r\x1b[{rows}A" if rows else "\r", "\x1b[J"]
        for line in live:
            # A line of full width makes some terminals wrap, and the count of rows would be wrong.
            line.truncate(width - 1, overflow="ellipsis")
        self._drawn = [line.cell_len for line in live]
        self._write("".join((*out, _ansi(console, [*above, *live]))))

    def _take_ended(self) -> list[Text]:
        from rich.text import Text

        lines = [Text(line, style="yellow") for text in self._notices for line in text.split("\n")]
        lines.extend(self._line(step) for step in self._ended)
        self._notices.clear()
        self._ended.clear()
        return lines

    def _line(self, step: Step) -> Text:
        """Return one step as a line: sign, name, and at the right edge its time or outcome."""
        from rich.text import Text

        event, signs = step.event, self._signs
        sign, style, right = signs.runs, "cyan", seconds_text(step.seconds(time()))
        if event.error.endswith(CANCELED):
            sign, style, right = signs.stopped, "yellow", "cancelled"
        elif event.error:
            sign, style, right = signs.failed, "bold red", "failed"
        elif event.cached:
            sign, style, right = signs.ended, "blue", "cached"
        elif event.completed is not None:
            sign, style = signs.ended, "green"
        width = self._terminal().width - 1
        left = Text(f" {sign} ", style=style)
        left.append(_name(event), style="red" if step.failed else "")
        left.truncate(max(width - len(right) - 1, 4), overflow="ellipsis", pad=True)
        left.append(f" {right}", style=style if step.failed or event.cached else "dim")
        return left

    def _live(self) -> list[Text]:
        """Return the block of running steps, cut to the height of the terminal."""
        from rich.text import Text

        running = self._steps.running()
        room = self._terminal().height - 2
        total = seconds_text(time() - self._begun)
        head = Text(f"Building {total} {self._signs.dot} {self._counts()}", style="bold")
        shown = running if len(running) <= room else running[: max(room - 1, 0)]
        lines = [head]
        spare = room - len(shown) - (len(shown) < len(running))
        for place, step in enumerate(shown):
            lines.append(self._line(step))
            details = self._details(step, min(STEP_LINES, spare // (len(shown) - place)))
            spare -= len(details)
            lines.extend(details)
        if len(shown) < len(running):
            lines.append(Text(f"   and {len(running) - len(shown)} more running", style="dim"))
        return lines

    def _details(self, step: Step, rows: int) -> list[Text]:
        """Return the transfers and the last output of a running step, in at most `rows` rows."""
        from rich.text import Text

        open_ones = [one for one in step.statuses.values() if one.completed is None]
        statuses = [
            Text(f"   {self._signs.down} {_transfer(one)}", style="dim")
            for one in open_ones[: min(rows, STEP_STATUSES)]
        ]
        output = step.output(rows - len(statuses))
        return [*statuses, *(Text(f"   {self._signs.bar} {line}", style="dim") for line in output)]

    def _failures(self) -> list[Text]:
        """Return the output of the steps that failed, without those that were cancelled."""
        from rich.text import Text

        lines: list[Text] = []
        for step in self._failed:
            output = step.output(FAILED_LINES)
            if not output:
                continue
            self.output_shown = True
            lines.append(Text(f"output of {_name(step.event)}:", style="bold"))
            if step.lost or len(output) == FAILED_LINES:
                lines.append(Text("   (the last lines; --progress=plain shows all)", style="dim"))
            lines.extend(Text(f"   {self._signs.bar} {line}") for line in output)
        return lines

    def _counts(self) -> str:
        steps = self._steps
        cached = f", {steps.cached} cached" if steps.cached else ""
        return f"{steps.done} of {len(steps)} done{cached}"

    def _summary(self, error: BaseException | None) -> Text:
        from rich.text import Text

        from pybuild.lang.diagnostics import Cancelled

        total = seconds_text(time() - self._begun)
        # A run of several goals may return although steps of one failed.
        if error is None and not self._failed:
            steps = self._steps
            cached = f", {steps.cached} cached" if steps.cached else ""
            return Text(f"Built in {total}: {counted(len(steps), 'step')}{cached}", style="bold green")
        if isinstance(error, Cancelled | KeyboardInterrupt):
            return Text(f"Cancelled after {total}: {self._counts()}", style="bold yellow")
        return Text(f"Failed after {total}: {self._counts()}", style="bold red")


def _ansi(console: Console, lines: list[Text]) -> str:
    """Encode styled lines as terminal codes, neither wrapped nor cut."""
    with console.capture() as capture:
        for line in lines:
            console.print(line, soft_wrap=True)
    return capture.get()


def _name(event: VertexEvent) -> str:
    return visible(" ".join(event.name.split("\n")))


def _transfer(event: StatusEvent) -> str:
    name = visible(" ".join(event.id.split("\n")))
    if event.total:
        part = min(100 * event.current // event.total, 100)
        return f"{name} {bytes_text(event.current)} / {bytes_text(event.total)}  {part}%"
    return f"{name} {bytes_text(event.current)}" if event.current else name
