"""Scan a POSIX shell script for the places of its slots: one pass, with a stack of open constructs.

The result must hold for every shell: a value that is quoted for the wrong place is executed as code. So where
dash, bash, busybox sh and ksh read a text in different ways (`"${X:-'…'}"`, extended globs, `$[…]`), or it isn't a
script at all, the scan ends. The places of all further slots are `UNKNOWN` then, where only plain words are
accepted. A construct that one shell knows and the others reject as an error is read as the one reads it: nothing
runs in the others.
"""

from __future__ import annotations

import re

from attrs import evolve

from pybuild.lang.quoting.expansions import Arithmetic, Body, Double, Parameter
from pybuild.lang.quoting.heredocs import Unsure
from pybuild.lang.quoting.places import Heredoc, Kind, Place, Scan, Slot, Use
from pybuild.lang.quoting.words import Commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Frame(Protocol):
        """An open construct. `step` reads on from the scanner's position."""

        def step(self, scanner: Scanner) -> None: ...


DEEPEST = 100
"""The deepest nesting of open constructs."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTINUATIONS = re.compile(r"(?:\\\n)*")
_PARAMETER_HEAD = re.compile(r"\$\{([!#]?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])?(:?[-+=?])?")
_ANSI_RUN = re.compile(r"[^\0'\\]+")


def scan(pieces: Sequence[str | Slot]) -> list[Place]:
    """Return the place of each slot of a script."""
    return list(examine(pieces).places)


def examine(pieces: Sequence[str | Slot], *, opaque: Kind | None = None) -> Scan:
    """Return everything a scan finds. Never raises.

    `opaque` is the kind of all places in a text that is not for an sh-like shell."""
    # NUL stands for a slot. No script with a NUL of its own is ever run, so U+0001 may replace it.
    text = "".join("\0" if isinstance(piece, Slot) else piece.replace("\0", "\1") for piece in pieces)
    scanner = Scanner(text)
    if opaque is Kind.INTERPRETER:
        scanner.verbatim(len(text), opaque)
    elif opaque is not None:
        scanner.opaque(0, len(text), opaque)
    else:
        scanner.run()
    return Scan(text, tuple(scanner.places), tuple(scanner.uses), frozenset(scanner.assigned))


class Scanner:
    """The state of a scan.

    `at` is the current offset, `end` the end of the text or of the innermost here-document's body. `waiting` is
    the number of here-documents whose bodies are still to come. `name_end` is the offset after the last `$NAME`."""

    __slots__ = (
        "assigned",
        "at",
        "bodies",
        "end",
        "frames",
        "name_end",
        "outer",
        "places",
        "text",
        "uses",
        "waiting",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.end = len(text)
        self.outer = Commands(nested=False)
        self.frames: list[Frame] = [self.outer]
        self.places: list[Place] = []
        self.uses: list[Use] = []
        self.assigned: set[str] = set()
        self.bodies: tuple[Heredoc, ...] = ()
        self.waiting = 0
        self.name_end = -1

    def run(self) -> None:
        try:
            while self.at < self.end or self._leave_body():
                if self.at < self.end:
                    self.frames[-1].step(self)
            if len(self.frames) == 1:
                self.outer.end_word(self)
            self._abandon()
        except Unsure as unsure:
            self._abandon()
            # Slots after the last recorded one, as `at` can be beyond slots that a frame has skipped.
            start = self.places[-1].offset + 1 if self.places else 0
            self.opaque(start, len(self.text), Kind.UNKNOWN, str(unsure))

    def _leave_body(self) -> bool:
        """Leave the here-document whose end is reached. Returns False at the end of the script."""
        frame = self.frames[-1]
        if isinstance(frame, Body):
            self.frames.pop()
            self.bodies = self.bodies[:-1]
            self.at, self.end = frame.after, frame.outer_end
            return True
        # The construct on top of the stack began in the body and goes on after it.
        if self.end < len(self.text):
            raise Unsure("a here-document that ends inside of something")
        return False

    def _abandon(self) -> None:
        for frame in self.frames:
            if isinstance(frame, Commands):
                frame.abandon(self)

    # Operations of frames

    def push(self, frame: Frame) -> None:
        if len(self.frames) >= DEEPEST:
            raise Unsure("very deep nesting")
        self.frames.append(frame)

    def record(self, kind: Kind, place: Place | None = None) -> int:
        """Record the slot at `at`, step over it, and return the index of its place."""
        template = place or Place(kind)
        self.places.append(
            evolve(
                template,
                kind=kind,
                offset=self.at,
                after_name=self.at == self.name_end,
                waiting=self.waiting > 0,
                heredocs=template.heredocs or self.bodies,
            )
        )
        self.at += 1
        return len(self.places) - 1

    def change(self, index: int, **changes: bool) -> None:
        """Set flags of a recorded place."""
        self.places[index] = evolve(self.places[index], **changes)  # type: ignore[arg-type]

    def opaque(self, start: int, end: int, kind: Kind, reason: str = "") -> None:
        """Record the slots of a text that is not parsed, and step over the text."""
        at = self.text.find("\0", start, end)
        while at >= 0:
            self.at = at
            place = Place(kind, reason=reason, redirected=self.text[at + 1 : at + 2] in ("<", ">"))
            self.record(_touched(self.text, at) or kind, place)
            at = self.text.find("\0", at + 1, end)
        self.at = end

    def verbatim(
        self, end: int, kind: Kind, heredocs: tuple[Heredoc, ...] = (), operand: bool = False
    ) -> range:
        """Record the slots of a text without structure, and step over it. Returns the range of their indexes."""
        first = len(self.places)
        at = self.text.find("\0", self.at, end)
        while at >= 0:
            self.at = at
            self.record(kind, Place(kind, heredocs=heredocs, operand=operand))
            at = self.text.find("\0", at + 1, end)
        self.at = end
        return range(first, len(self.places))

    def skip(self, run: re.Pattern[str]) -> bool:
        """Step over a match of `run`. Raises `Unsure` if it contains a line end while a here-document's body is
        due."""
        match = run.match(self.text, self.at, self.end)
        if match is None:
            return False
        if self.waiting:
            self.no_line_end(match.start(), match.end())
        self.at = match.end()
        return True

    def no_line_end(self, start: int, end: int) -> None:
        # The body starts at the next line end. Shells disagree on one inside quotes or substitutions.
        if self.waiting and self.text.find("\n", start, end) >= 0:
            raise Unsure("a line end between a here-document and its body")

    def peek(self, distance: int = 1) -> str:
        at = self.at + distance
        return self.text[at] if at < self.end else ""

    def escape(self) -> None:
        """Step over a backslash and the character after it, inside or outside of quotes."""
        self.no_line_end(self.at, min(self.at + 2, self.end))
        self.at += 1
        if self.peek(0) == "\0":
            self.record(Kind.ESCAPED)
        elif self.at < self.end:
            self.at += 1

    def single(self, kind: Kind, *, operand: bool = False) -> range:
        """Read single quotes, from `'` to the next `'`. Returns the indexes of their slots."""
        stop = self.text.find("'", self.at + 1, self.end)
        stop = self.end if stop < 0 else stop
        self.no_line_end(self.at, stop)
        self.at += 1
        slots = self.verbatim(stop, kind, operand=operand)
        self.at = min(stop + 1, self.end)
        return slots

    def backtick(self) -> None:
        """Read from a backtick to the next unescaped one. No shell heeds quotes in between."""
        start = at = self.at + 1
        while at < self.end and self.text[at] != "`":
            at += 2 if self.text[at] == "\\" else 1
        stop = min(at, self.end)
        self.no_line_end(start, stop)
        self.opaque(start, stop, Kind.BACKTICK)
        self.at = min(stop + 1, self.end)

    def dollar(self, *, quoted: bool) -> None:
        """Read a dollar sign and the construct that it begins. With `quoted`, `'` and `"` after it are ordinary
        characters."""
        char = self.peek()
        if char == "(":
            self._substitution()
        elif char == "{":
            self._parameter(quoted)
        elif char == "\0":
            self.at += 1
            self.record(Kind.DOLLAR)
        elif char == "[" or (char == "\\" and self.peek(2) == "\n"):
            raise Unsure("`$[…]`" if char == "[" else "a `$` at the end of a line that goes on")
        elif match := _NAME.match(self.text, self.at + 1, self.end):
            self.uses.append(Use(match[0], self.at, len(match[0]) + 1))
            self._end_name(match.end())
        elif char.isdigit():
            self._end_name(self.at + 2)
        elif char and char in "@*#?$!-":
            self.at += 2
        elif char == "'" and not quoted:
            self.at += 1
            self._ansi()
        else:
            self.at += 1

    def _end_name(self, at: int) -> None:
        match = _CONTINUATIONS.match(self.text, at, self.end)
        self.at = at
        self.name_end = match.end() if match else at

    def _substitution(self) -> None:
        if self.peek(2) == "\\" and self.peek(3) == "\n":
            raise Unsure("`$(` at the end of a line that goes on")
        arithmetic = self.peek(2) == "("
        self.at += 3 if arithmetic else 2
        self.push(Arithmetic(command=False) if arithmetic else Commands(nested=True))

    def _parameter(self, quoted: bool) -> None:
        match = _PARAMETER_HEAD.match(self.text, self.at, self.end)
        # `${ …; }` and `${|…}` are command substitutions in ksh and in bash 5.3.
        if match is None or self.peek(2) in tuple(" \t\n|\\"):
            raise Unsure("`${` without a name")
        if match[2] and match[2][0] not in "0123456789@*#?$!-":
            self.uses.append(Use(match[2], self.at, match.end(2) - self.at))
        self.at = match.end()
        self.push(Parameter(quoted, operand=match[2] is not None and match[3] is not None and not match[1]))

    def _ansi(self) -> None:
        """Read `$'…'`: bash resolves escapes in it; to other shells it is a dollar sign and single quotes."""
        self.at += 1
        while self.at < self.end and self.peek(0) != "'":
            if self.peek(0) == "\0":
                self.record(Kind.ANSI)
            elif self.peek(0) != "\\":
                self.skip(_ANSI_RUN)
            elif self.peek() == "'":
                raise Unsure("`\\'` in `$'…'`")
            else:
                self.escape()
        self.at = min(self.at + 1, self.end)

    def enter_body(self, heredoc: Heredoc, after: int) -> None:
        """Enter the body of a here-document."""
        self.at = heredoc.start
        if heredoc.raw:
            self.verbatim(heredoc.end, Kind.RAW_HEREDOC, (*self.bodies, heredoc))
            self.at = after
            return
        self.push(Body(after, self.end))
        self.bodies = (*self.bodies, heredoc)
        self.end = heredoc.end

    def double(self, owner: Commands) -> None:
        self.at += 1
        self.push(Double(owner))

    def arithmetic(self) -> None:
        """Enter a `((` command."""
        self.at += 2
        self.push(Arithmetic(command=True))


def _touched(text: str, at: int) -> Kind | None:
    """Return the kind of a slot that a `$` or a backslash directly before it affects, None if none does."""
    start = at
    while start and text[start - 1].isascii() and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    before = text[max(0, start - 3) : start]
    if before.endswith("$"):
        return Kind.DOLLAR
    if before.endswith(("${", "${!", "${#")):
        return Kind.PARAMETER
    return Kind.ESCAPED if start == at and before.endswith("\\") else None
