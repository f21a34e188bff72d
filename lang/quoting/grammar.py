"""The words and patterns of the shell grammar that decide what can follow."""

from __future__ import annotations

import re
from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class State(Enum):
    """The state of the scanner, named after what the next word is."""

    COMMAND = "a reserved word, an assignment or a command's name"
    PREFIX = "an assignment or a command's name"
    ARGUMENTS = "an argument"
    FUNCTION = "the name after `function`"
    FOR_NAME = "the name after `for`"
    FOR_IN = "`in` or `do`"
    CASE_WORD = "the word after `case`"
    CASE_IN = "the `in` of `case`"
    PATTERN = "a pattern of `case`, or `esac`"
    TEST = "a word of `[[ … ]]`"
    ARRAY = "an item of `NAME=( … )`"


LISTS: Final = (State.COMMAND, State.PREFIX, State.ARGUMENTS)
NEXT: Final = frozenset("if then else elif do while until ! { time coproc fi done }".split())
HEADS: Final = {
    "for": State.FOR_NAME,
    "select": State.FOR_NAME,
    "case": State.CASE_WORD,
    "function": State.FUNCTION,
    "[[": State.TEST,
}
DECLARING: Final = frozenset("export local readonly declare typeset read getopts mapfile readarray".split())
EVALUATING: Final = frozenset("-eq -ne -lt -le -gt -ge -v -R".split())
EVALUATED: Final = frozenset(
    "RANDOM SRANDOM SECONDS OPTIND LINENO HISTCMD PS0 PS1 PS2 PS3 PS4 ENV BASH_ENV PROMPT_COMMAND".split()
)
"""Variables that a shell evaluates as code or as an arithmetic expression."""

RUN: Final = re.compile(r"[^\0 \t\n\\'\"`$;&|()<>#~\[\]{]+")
ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?\+?=")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FUNCTION: Final = re.compile(r"\([ \t]*\)")
REDIRECTION: Final = re.compile(r"<<<|<<-?|<>|<&|>&|>>|>\||<\(|>\(|[<>]")
COMMENT: Final = re.compile(r"#[^\n]*")
