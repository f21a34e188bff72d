"""Commands: as much of the shell grammar as finds the bounds of words, comments and bodies."""

from __future__ import annotations

from collections import deque

from pybuild.lang.quoting import grammar
from pybuild.lang.quoting.grammar import DECLARING, EVALUATED, EVALUATING, HEADS, LISTS, NEXT, State
from pybuild.lang.quoting.heredocs import MOST_BODIES, Unsure, find_body, read_delimiter
from pybuild.lang.quoting.places import Heredoc, Kind, Place
from pybuild.lang.quoting.word import Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from pybuild.lang.quoting.scanner import Scanner


class Commands:
    """A list of commands: the script, or the inside of `$(…)` or `<(…)`.

    `opens` is the stack of open subshells, `case`s and arrays, each with the state to return to. `pending` are
    here-documents of the current line, `queue` those whose bodies come next. `redirect` is the operator whose
    target comes next, or "". `fresh` says that no pattern has begun. `tests` are the slots of a `[[`, and
    `evaluating` says that bash evaluates its words. `command` is the command's name, None unless literal."""

    __slots__ = (
        "command",
        "evaluating",
        "fresh",
        "nested",
        "opens",
        "pending",
        "queue",
        "redirect",
        "state",
        "tests",
        "word",
    )

    def __init__(self, *, nested: bool) -> None:
        self.nested = nested
        self.state = State.COMMAND
        self.opens: list[tuple[str, State]] = []
        self.fresh = False
        self.redirect = ""
        self.pending: list[Heredoc] = []
        self.queue: deque[Heredoc] = deque()
        self.command: str | None = None
        self.tests: list[int] = []
        self.evaluating = False
        self.word = Word()

    def step(self, scanner: Scanner) -> None:
        if self.queue:
            heredoc = self.queue.popleft()
            scanner.enter_body(*find_body(scanner.text, scanner.at, scanner.end, heredoc))
            return
        match = grammar.RUN.match(scanner.text, scanner.at, scanner.end)
        if match is None:
            _HANDLERS[scanner.text[scanner.at]](self, scanner)
            return
        self.word.add(scanner.at)
        if self.word.tilde and "/" in match[0]:
            self.word.tilde = False
        scanner.at = match.end()

    def abandon(self, scanner: Scanner) -> None:
        """Close all open constructs with the strictest interpretation."""
        for index in self.word.slots:
            scanner.change(index, glued=self.word.parts > 1, forced=True)
        self.evaluating = True
        self._end_test(scanner)

    # Words

    def quoted_slot(self, scanner: Scanner, index: int) -> None:
        """Flag a slot inside quotes that belong to the word."""
        if self.state is State.TEST:
            self.tests.append(index)
        if self.word.subscript or self._evaluates(scanner):
            scanner.change(index, evaluated=True)
        if self._declares():
            scanner.change(index, declared=True)

    def _declares(self) -> bool:
        return self.state is State.ARGUMENTS and self.command in DECLARING and not self.redirect

    def _evaluates(self, scanner: Scanner) -> bool:
        """Tell whether a shell evaluates the word's value as code. Bash expands the target of `>&` twice."""
        return self.redirect in (">&", "<&") or self.word.target(scanner.text, scanner.at) in EVALUATED

    def _slot(self, scanner: Scanner) -> None:
        state, before = self.state, self.word.parts
        self.word.add(scanner.at, literal=False)
        index = scanner.record(
            Kind.SUBSCRIPT if self.word.subscript else Kind.BARE,
            Place(
                Kind.BARE,
                command=state in (State.COMMAND, State.PREFIX) and not self.redirect,
                declared=self._declares(),
                evaluated=self._evaluates(scanner),
                lone=self.redirect != "" or state not in (*LISTS, State.ARRAY),
                forced=self.word.tilde
                or self.word.brackets > 0
                or state is State.TEST
                or (before > 0 and scanner.name_end == scanner.at),
                braces=self.word.braces,
            ),
        )
        self.word.slots.append(index)
        if state is State.TEST:
            self.tests.append(index)

    def end_word(self, scanner: Scanner, *, redirected: bool = False, forced: bool = False) -> None:
        """End the word, and flag its slots with what is known only there: whether other text is glued to them, and
        whether a redirection touches the word."""
        if self.word.start < 0:
            return
        word = scanner.text[self.word.start : scanner.at] if self.word.literal else None
        glued = self.word.parts > 1
        forced = forced or (glued and self.state not in (State.ARGUMENTS, State.ARRAY))
        for index in self.word.slots:
            place = scanner.places[index]
            scanner.change(index, glued=glued, redirected=redirected, forced=place.forced or forced)
        start = self.word.start
        self.word = Word()
        # A number that touches a redirection is a file descriptor, not a word.
        if redirected and word is not None and word.isdigit():
            return
        if self.redirect:
            self.redirect = ""
        else:
            self._advance(scanner, word, start)

    def _advance(self, scanner: Scanner, word: str | None, start: int) -> None:
        """Move to the state after a word."""
        match self.state:
            case State.COMMAND | State.PREFIX:
                self._first(scanner, word, start)
            case State.ARGUMENTS:
                if self.command in DECLARING and (name := grammar.NAME.match(scanner.text, start)):
                    scanner.assigned.add(name[0])
            case State.FUNCTION:
                self.state = State.COMMAND
            case State.FOR_NAME:
                scanner.assigned.add(word or "")
                self.state = State.FOR_IN
            case State.FOR_IN:
                self.state = State.COMMAND if word == "do" else State.ARGUMENTS
                self.command = None
            case State.CASE_WORD:
                self.state = State.CASE_IN
            case State.CASE_IN:
                if word != "in":
                    raise Unsure("`case` without `in`")
                self._patterns()
            case State.PATTERN:
                self._pattern(word)
            case State.TEST if word == "]]":
                self._end_test(scanner)
                self.state = State.COMMAND
            case State.TEST:
                self.evaluating = self.evaluating or word in EVALUATING

    def _first(self, scanner: Scanner, word: str | None, start: int) -> None:
        reserved = self.state is State.COMMAND
        # A command follows these words, so the state stays.
        if reserved and word in NEXT:
            return
        if reserved and word == "esac":
            self._close("case")
        elif reserved and word in HEADS:
            self.state = HEADS[word or ""]
            if word == "case":
                self.opens.append(("case", State.COMMAND))
        elif match := grammar.ASSIGNMENT.match(scanner.text, start, scanner.at):
            scanner.assigned.add(match[1])
            self.state = State.PREFIX
        else:
            self.command = word
            self.state = State.ARGUMENTS

    def _patterns(self) -> None:
        self.state, self.fresh = State.PATTERN, True

    def _pattern(self, word: str | None) -> None:
        if word == "esac":
            if not self.fresh:
                raise Unsure("`esac` as a pattern")
            self._close("case")
        self.fresh = False

    def _close(self, what: str) -> None:
        if not self.opens or self.opens[-1][0] != what:
            raise Unsure("something is closed that is not open")
        self.state = self.opens.pop()[1]

    def _end_test(self, scanner: Scanner) -> None:
        if self.evaluating:
            for index in self.tests:
                scanner.change(index, evaluated=True)
        self.tests = []
        self.evaluating = False

    # Characters

    def _blank(self, scanner: Scanner) -> None:
        self.end_word(scanner)
        scanner.at += 1

    def _newline(self, scanner: Scanner) -> None:
        self.end_word(scanner)
        if self.redirect or self.state in (State.FOR_NAME, State.CASE_WORD, State.FUNCTION):
            raise Unsure("a line that ends early")
        # Shells disagree on the start of a body whose here-document is in an outer list.
        if scanner.waiting > len(self.pending) or (self.pending and self.state is State.TEST):
            raise Unsure("a line end between a here-document and its body")
        if self.state in LISTS:
            self.state = State.COMMAND
        scanner.waiting -= len(self.pending)
        self.queue.extend(self.pending)
        self.pending = []
        scanner.at += 1

    def _backslash(self, scanner: Scanner) -> None:
        if scanner.peek() == "\n":
            self.word.literal = self.word.literal and self.word.start < 0
            scanner.at += 2
            return
        self.word.add(scanner.at, literal=False)
        scanner.escape()

    def _single(self, scanner: Scanner) -> None:
        self.word.add(scanner.at, literal=False)
        for index in scanner.single(Kind.SINGLE):
            self.quoted_slot(scanner, index)

    def _double(self, scanner: Scanner) -> None:
        self.word.add(scanner.at, literal=False)
        scanner.double(self)

    def _backtick(self, scanner: Scanner) -> None:
        self.word.add(scanner.at, literal=False)
        scanner.backtick()

    def _dollar(self, scanner: Scanner) -> None:
        self.word.add(scanner.at, literal=False)
        scanner.dollar(quoted=False)

    def _hash(self, scanner: Scanner) -> None:
        if self.word.start >= 0:
            self.word.add(scanner.at)
            scanner.at += 1
            return
        if self.state is State.TEST:
            raise Unsure("`#` in `[[ … ]]`")
        match = grammar.COMMENT.match(scanner.text, scanner.at, scanner.end)
        scanner.verbatim(match.end() if match else scanner.end, Kind.COMMENT)

    def _special(self, scanner: Scanner) -> None:
        """Read `~`, `[`, `]` or `{`, which shells expand."""
        self.word.special(scanner.text, scanner.at, item=self.state is State.ARRAY)
        scanner.at += 1

    def _separator(self, scanner: Scanner) -> None:
        """Read `;`, or the end of a `case` branch: `;;`, `;&`, `;;&`."""
        self.end_word(scanner)
        if scanner.peek() in (";", "&"):
            if not self.opens or self.opens[-1][0] != "case" or self.state not in LISTS:
                raise Unsure("`;;` outside of `case`")
            self._patterns()
            scanner.at += 3 if scanner.text.startswith(";;&", scanner.at) else 2
            return
        if self.redirect or self.state not in (*LISTS, State.FOR_IN):
            raise Unsure("`;` inside of a command")
        self.state = State.COMMAND
        scanner.at += 1

    def _and(self, scanner: Scanner) -> None:
        """Read `&` or `|`; the second of `&&` and `||` is read on its own."""
        self.end_word(scanner)
        char = scanner.text[scanner.at]
        if self.state is State.PATTERN and char == "|":
            self.fresh = False
        elif self.redirect or self.state not in (*LISTS, State.TEST):
            raise Unsure(f"`{char}` inside of a command")
        # `&>` is a redirection in bash; in other shells its `&` ends the command.
        elif char == "&" and scanner.peek() == ">":
            self.state = State.PREFIX if self.state is State.COMMAND else self.state
        elif self.state is not State.TEST:
            self.state = State.COMMAND
        scanner.at += 1

    def _open(self, scanner: Scanner) -> None:
        text, at = scanner.text, scanner.at
        if self.state is State.TEST:
            self.word.add(scanner.at)
        elif self.word.start >= 0:
            self._open_in_word(scanner)
        elif self.state is State.PATTERN and self.fresh:
            self.fresh = False
        elif self.redirect:
            raise Unsure("`(` after a redirection")
        elif text.startswith("((", at) and self.state in (State.COMMAND, State.FOR_NAME):
            self.state = State.COMMAND if self.state is State.COMMAND else State.FOR_IN
            scanner.arithmetic()
            return
        elif self.state is State.COMMAND:
            self.opens.append(("(", State.COMMAND))
        # `NAME ()` is a function definition, and its body follows.
        elif self.state is State.ARGUMENTS and (match := grammar.FUNCTION.match(text, at, scanner.end)):
            self.state = State.COMMAND
            scanner.at = match.end()
            return
        else:
            raise Unsure("`(` inside of a command")
        scanner.at += 1

    def _open_in_word(self, scanner: Scanner) -> None:
        """Read a parenthesis in a word: `NAME()` and `NAME=(`. Any other is an extended glob, which only bash and
        ksh know."""
        text, start, at = scanner.text, self.word.start, scanner.at
        assignment = grammar.ASSIGNMENT.match(text, start, at)
        if assignment and assignment.end() == at and not self.redirect and self.state in LISTS:
            self.end_word(scanner, forced=True)
            self.opens.append(("array", self.state))
            self.state = State.ARRAY
        elif self.state in LISTS and (match := grammar.FUNCTION.match(text, at, scanner.end)):
            self.end_word(scanner, forced=True)
            self.state = State.COMMAND
            scanner.at = match.end() - 1
        elif self.state is State.FUNCTION:
            self.end_word(scanner)
            self.opens.append(("(", State.COMMAND))
        else:
            raise Unsure("an extended glob")

    def _shut(self, scanner: Scanner) -> None:
        if self.state is State.TEST:
            self.word.add(scanner.at)
            scanner.at += 1
            return
        self.end_word(scanner)
        scanner.at += 1
        if self.state is State.PATTERN:
            self.state = State.COMMAND
        elif self.redirect or self.state not in (*LISTS, State.FOR_IN, State.ARRAY):
            raise Unsure("`)` inside of a command")
        elif self.opens:
            self._close("array" if self.state is State.ARRAY else "(")
        elif not self.nested or self.pending:
            raise Unsure("`)` without `(`" if not self.nested else "a here-document whose body is missing")
        else:
            scanner.frames.pop()

    def _redirection(self, scanner: Scanner) -> None:
        match = grammar.REDIRECTION.match(scanner.text, scanner.at, scanner.end)
        operator = match[0] if match else ""
        if operator in ("<(", ">("):
            self.word.add(scanner.at, literal=False)
            scanner.at += 2
            scanner.push(Commands(nested=True))
            return
        self.end_word(scanner, redirected=True)
        scanner.at += len(operator)
        if self.state is State.TEST and operator in ("<", ">"):
            return
        if self.redirect or self.state not in LISTS or scanner.text.startswith("\\\n", scanner.at):
            raise Unsure("a redirection inside of a command")
        if self.state is State.COMMAND:
            self.state = State.PREFIX
        if operator in ("<<", "<<-"):
            self._heredoc(scanner, operator)
        else:
            self.redirect = operator

    def _heredoc(self, scanner: Scanner, operator: str) -> None:
        delimiter = read_delimiter(
            scanner.text, scanner.at, scanner.end, strip=operator == "<<-", nested=self.nested
        )
        if delimiter is None:
            scanner.at = scanner.text.index("\0", scanner.at)
            scanner.record(Kind.DELIMITER)
            raise Unsure("a here-document whose delimiter is a value")
        heredoc, scanner.at = delimiter
        if len(scanner.bodies) >= MOST_BODIES:
            raise Unsure("very deep nesting")
        self.pending.append(heredoc)
        scanner.waiting += 1


_HANDLERS: Final[dict[str, Callable[[Commands, Scanner], None]]] = {
    "\0": Commands._slot,
    "\n": Commands._newline,
    "\\": Commands._backslash,
    "'": Commands._single,
    '"': Commands._double,
    "`": Commands._backtick,
    "$": Commands._dollar,
    "#": Commands._hash,
    ";": Commands._separator,
    "(": Commands._open,
    ")": Commands._shut,
    **dict.fromkeys(" \t", Commands._blank),
    **dict.fromkeys("~[]{", Commands._special),
    **dict.fromkeys("&|", Commands._and),
    **dict.fromkeys("<>", Commands._redirection),
}
