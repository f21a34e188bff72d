"""The places in a shell script where a value can stand."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Kind(Enum):
    """The kind of a place; the value is its name in messages.

    The first five have a notation for any text. In the others up to `UNKNOWN` only a plain word keeps its meaning,
    and in the last three no value is accepted."""

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
    """The mark of a value in a script."""

    __slots__ = ()


SLOT = Slot()


@frozen(eq=False)
class Heredoc:
    """A here-document. Its body is `start` to `end` of the scanned text.

    `raw` means that the delimiter is quoted, `strip` that the operator is `<<-`, `nested` that it stands inside a
    substitution, where bash ends the body at any line that starts with the delimiter."""

    delimiter: str
    raw: bool
    strip: bool
    nested: bool
    start: int = -1
    end: int = -1


@frozen
class Place:
    """The place of a value: `offset` in the scanned text, in which every slot is one character.

    Flags of bare words: `glued`, other text is part of the word; `command`, the word is the command's name;
    `redirected`, a redirection operator touches its end; `lone`, exactly one word must stand here; `forced`, even a
    plain word would not be read literally; `braces`, an open brace precedes it in the word.

    Flags of all kinds: `declared`, the word is an argument of `export`, `declare` and the like; `evaluated`, bash
    evaluates even quoted text here (`[[ … -eq … ]]`, subscripts, `>&`, `PS4=`); `operand`, the place follows the
    operator of `${X:-…}`; `after_name`, a `$NAME` touches it; `waiting`, the body of a here-document begins at the
    next line end. `heredocs` are the here-documents around it, outermost first. `reason` explains an unknown
    place."""

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
    """A use of a variable, `$NAME` or `${NAME`, at `offset` of the scanned text, `length` characters long."""

    name: str
    offset: int
    length: int


@frozen(eq=False)
class Scan:
    """The result of a scan: the `text` with a NUL for each slot, a place for each slot, the uses of variables, and
    the names that the script sets itself."""

    text: str
    places: tuple[Place, ...]
    uses: tuple[Use, ...]
    assigned: frozenset[str]
