"""The places of a shell script where a value can stand."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Kind(Enum):
    """What a place is; the value is how a message calls it.

    The first five have a way to write any text. In those up to `UNKNOWN` only a plain word keeps its meaning, and
    nothing is right in the last three."""

    BARE = "a bare word"
    DOUBLE = "double quotes"
    SINGLE = "single quotes"
    HEREDOC = "a here-document"
    RAW_HEREDOC = "a here-document with a quoted delimiter"

    BACKTICK = "backticks"
    PARAMETER = "`${…}`"
    ARITHMETIC = "arithmetic"
    ANSI = "`$'…'`"
    SUBSCRIPT = "an array subscript"
    COMMENT = "a comment"
    INTERPRETER = "a `#!` script"
    SHELL = "a script for a shell that is not sh-like"
    UNKNOWN = "text that shells read in different ways"

    ESCAPED = "the character after a backslash"
    DOLLAR = "the name after a `$`"
    DELIMITER = "the delimiter of a here-document"


QUOTABLE = frozenset((Kind.BARE, Kind.DOUBLE, Kind.SINGLE, Kind.HEREDOC, Kind.RAW_HEREDOC))
NOWHERE = frozenset((Kind.ESCAPED, Kind.DOLLAR, Kind.DELIMITER))


class Slot:
    """Stands in a script for a value."""

    __slots__ = ()


SLOT = Slot()


@frozen(eq=False)
class Heredoc:
    """A here-document: its body is `start` to `end` of the scanned text. `raw`: the delimiter is quoted. `strip`:
    `<<-`. `nested`: inside a substitution, where bash ends the body at a line that merely starts with the
    delimiter."""

    delimiter: str
    raw: bool
    strip: bool
    nested: bool
    start: int = -1
    end: int = -1


@frozen
class Place:
    """Where a value stands: `offset` in the scanned text, in which every slot is one character.

    Of bare words: `glued` says that other text belongs to the word, `command` that it is the command's name,
    `redirected` that a redirection operator touches its end, `lone` that exactly one word must stand here, `forced`
    that a plain word would not be read literally, `braces` that an open brace precedes it in the word.

    `declared`: the word is an argument of `export`, `declare` and the like. `evaluated`: bash evaluates even quoted
    text here (`[[ … -eq … ]]`, subscripts, `>&`, `PS4=`). `operand`: in `${X:-…}`, after
    the operator. `after_name`: a `$NAME` touches it. `waiting`: the body of a here-document begins at the next line
    end. `heredocs` are those whose bodies it is in, outermost first. `reason` says what makes a place unknown."""

    kind: Kind
    offset: int = 0
    glued: bool = False
    command: bool = False
    redirected: bool = False
    lone: bool = False
    forced: bool = False
    braces: bool = False
    declared: bool = False
    evaluated: bool = False
    operand: bool = False
    after_name: bool = False
    waiting: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    reason: str = ""


@frozen(eq=False)
class Use:
    """`$NAME` or `${NAME` that the shell expands, at `offset` of the scanned text, `length` characters long."""

    name: str
    offset: int
    length: int


@frozen(eq=False)
class Scan:
    """What a script has: `text` with each slot as a NUL, a place for each slot, uses of variables, and names that it
    sets itself."""

    text: str
    places: tuple[Place, ...]
    uses: tuple[Use, ...]
    assigned: frozenset[str]
