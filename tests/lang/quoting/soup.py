"""Scripts that are mostly no scripts: tokens in any order, with values between them."""

from __future__ import annotations

import random

TOKENS = [
    *["p ", "p ", "x", "1", "a=", "=", " ", " ", " ", "\n", "\n", "\n", "\t", '"', '"', '"', "'", "'", "'"],
    *["`", "`", "\\", "\\\n", "$", "$X", "$1", "$#", "${X:-", "${X#", "${X/", "${", "}", "}", "$(", "$("],
    *["$(", ")", ")", ")", "$((", "))", "$[", "]", "((", "(", "{", "{ ", "[", "[[ ", " ]]", " -eq ", "a["],
    *["a=(", "case x in ", " in ", "x)", ";;", "esac", "<<E\n", "<<-E\n", "<<'E'\n", "<<E ", '<<"E" '],
    *["\nE\n", "\nE\n", "\nE\n", "\n\tE\n", "E", "<", ">", "<>", ">>", "<<<", "<(", ">(", "@(", "!(", "!"],
    *["|", "||", "&", "&&", "&>", ";", "if ", "then ", "fi", "do ", "done", "for x in ", "for x", "else "],
    *["{a,", "~", "*", "#", " #", "#x\n", "${#", "${!", "$'", '$"', "time ", "function f ", "f()", "coproc "],
    *["export ", "declare ", "local ", "select x in ", ":", "-", ",", "?", "%", "+", "@", "é"],
]
CLOSERS = ["", '"', "'", ")", "\nE\n", "}", "`", "\nE\n)", '"\nE\n', " ]]", ";; esac", "))"]


def soup(chooser: random.Random, length: int = 14) -> list[str | None]:
    """Texts, and None where values stand; there is at least one."""
    parts: list[str | None] = []
    for _ in range(chooser.randint(1, length)):
        parts.append(chooser.choice(TOKENS))
        if chooser.random() < 0.25:
            parts.append(None)
    if None not in parts:
        parts.append(None)
    parts += [chooser.choice(TOKENS) for _ in range(chooser.randint(0, 4))]
    return [*parts, chooser.choice(CLOSERS)]
