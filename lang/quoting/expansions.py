"""The scanner's frames for everything but commands: double quotes, expansions, bodies of here-documents."""

from __future__ import annotations

import re

from pybuild.lang.quoting.heredocs import Unsure
from pybuild.lang.quoting.places import Kind, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.quoting.scanner import Scanner
    from pybuild.lang.quoting.words import Commands

_DOUBLE_RUN = re.compile(r'[^\0"\\`$]+')
_BODY_RUN = re.compile(r"[^\0\\`$]+")
_ARITHMETIC_RUN = re.compile(r"[^\0\"'\\`$()<#;]+")
_PARAMETER_RUN = re.compile(r"[^\0'\"\\`$}{]+")
_HARMLESS_PAIR = re.compile(r"""'[^'"\\$`{}\0\n]*'|"[^'"\\$`{}\0\n]*\"""")


class Double:
    """Double quotes: `"…"`. `owner` is None inside `${…}`, else the command list with the word that they are part
    of."""

    __slots__ = ("owner",)

    def __init__(self, owner: Commands | None) -> None:
        self.owner = owner

    def step(self, scanner: Scanner) -> None:
        if scanner.skip(_DOUBLE_RUN):
            return
        match scanner.peek(0):
            case '"':
                scanner.at += 1
                scanner.frames.pop()
            case "\\":
                scanner.escape()
            case "`":
                scanner.backtick()
            case "$":
                scanner.dollar(quoted=True)
            case _ if self.owner is None:
                scanner.record(Kind.PARAMETER, Place(Kind.PARAMETER))
            case _:
                self.owner.quoted_slot(scanner, scanner.record(Kind.DOUBLE))


class Parameter:
    """The inside of `${…}` after its operator. `quoted` is set inside double quotes or a here-document."""

    __slots__ = ("operand", "quoted")

    def __init__(self, quoted: bool, operand: bool) -> None:
        self.quoted = quoted
        self.operand = operand

    def step(self, scanner: Scanner) -> None:
        if scanner.skip(_PARAMETER_RUN):
            return
        char = scanner.peek(0)
        match char:
            case "}":
                scanner.at += 1
                scanner.frames.pop()
            case "\0":
                scanner.record(Kind.PARAMETER, Place(Kind.PARAMETER, operand=self.operand))
            case "\\":
                scanner.escape()
            case "`":
                scanner.backtick()
            case "$":
                scanner.dollar(quoted=self.quoted)
            case "{":
                raise Unsure("a brace in `${…}`")
            # Shells disagree on quotes inside a quoted `${…}`, except for a pair around harmless text.
            case _ if self.quoted:
                if not scanner.skip(_HARMLESS_PAIR):
                    raise Unsure("quotes in a quoted `${…}`")
            case "'":
                scanner.single(Kind.PARAMETER, operand=self.operand)
            case _:
                scanner.at += 1
                scanner.push(Double(None))


class Arithmetic:
    """Arithmetic: `$((…))`, or `((…))` as a command, which dash reads as two nested subshells."""

    __slots__ = ("command", "depth")

    def __init__(self, command: bool) -> None:
        self.command = command
        self.depth = 0

    def step(self, scanner: Scanner) -> None:
        if scanner.skip(_ARITHMETIC_RUN):
            return
        char = scanner.peek(0)
        match char:
            case "\0":
                scanner.record(Kind.ARITHMETIC)
            case "(":
                self.depth += 1
                scanner.at += 1
            case ")" if self.depth:
                self.depth -= 1
                scanner.at += 1
            case ")":
                if scanner.peek() != ")":
                    raise Unsure("`((` that is no arithmetic")
                scanner.at += 2
                scanner.frames.pop()
            case "`":
                scanner.backtick()
            case "$":
                scanner.dollar(quoted=True)
            # To dash, `#` in a `((` command starts a comment and `<<` a here-document.
            case "<" | "#" | ";" if not self.command or char == ";":
                scanner.at += 1
            case "<" if scanner.peek() != "<":
                scanner.at += 1
            case _:
                raise Unsure("quotes, `#` or `<<` in arithmetic")


class Body:
    """The unquoted body of a here-document. The scan goes on at `after`, and there the limit is `outer_end`."""

    __slots__ = ("after", "outer_end")

    def __init__(self, after: int, outer_end: int) -> None:
        self.after = after
        self.outer_end = outer_end

    def step(self, scanner: Scanner) -> None:
        if scanner.skip(_BODY_RUN):
            return
        match scanner.peek(0):
            case "\\":
                scanner.escape()
            case "`":
                scanner.backtick()
            case "$":
                scanner.dollar(quoted=True)
            case _:
                scanner.record(Kind.HEREDOC)
