"""Expressions of each type as tokens, and tokens in any spacing: what `programs` are written with."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_WORDS = (
    "a",
    "b b",
    "it's",
    'say "x"',
    "",
    "x/y",
    "päth",
    "\\",
    "$$",
    "long" * 12,
    "0.1",
    "#no",
    "${{",
    "\t",
)
_TIGHT = frozenset("()[]{},:.=")
"""Tokens that need no blank beside them."""
Tokens = list[str]


class Names:
    """What is bound where a text goes on, by type."""

    def __init__(self, outer: Names | None = None) -> None:
        self.of: dict[str, list[str]] = (
            {kind: list(names) for kind, names in outer.of.items()} if outer else {}
        )

    def bind(self, name: str, kind: str) -> str:
        self.of.setdefault(kind, []).append(name)
        return name


class Expressions:
    """Writes rows of text into `out`."""

    def __init__(self, rng: random.Random, *, comments: bool) -> None:
        self.rng = rng
        self.out: list[str] = []
        self._comments = comments
        self.count = 0
        self._remark = 0

    # Text

    def maybe(self, chance: float = 0.5) -> bool:
        return self.rng.random() >= 1 - chance

    def _comment(self) -> str:
        self._remark += 1
        return f"#{self.rng.choice((' ', '', '  '))}c{self._remark}{self.rng.choice(('', '  '))}"

    def _blanks(self) -> str:
        return " " * self.rng.choice((1, 1, 1, 2, 5))

    def _between(self, left: str, right: str, depth: int) -> str:
        """The space between two tokens."""
        if depth and left != ":" and right not in ("if", "for", "else") and self.maybe(0.12):
            text = ""
            if self._comments and self.maybe(0.4):
                text += self._blanks() + self._comment()
            while self._comments and self.maybe(0.2):
                text += "\n" + self._blanks() * self.rng.choice((1, 3)) + self._comment()
            return text + "\n" * self.rng.choice((1, 1, 2)) + " " * self.rng.choice((1, 4, 9))
        tight = left in _TIGHT or right in _TIGHT or left == "-"
        return self._blanks() if not tight or self.maybe(0.3) else ""

    def _spaced(self, tokens: Sequence[str]) -> str:
        out, depth, left = "", 0, ""
        for token in tokens:
            if left:
                out += self._between(left, token, depth)
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            out += token
            left = token
        return out

    def line(self, indent: int, tokens: Sequence[str]) -> None:
        text = " " * indent + self._spaced(tokens)
        if self._comments and self.maybe(0.1):
            text += self.rng.choice(("", " ", "    ")) + self._comment()
        elif self.maybe(0.1):
            text += "  "
        self.out.append(text)

    def above(self, indent: int) -> None:
        """Blank rows and comments above a line."""
        while self.maybe(0.2):
            if self._comments and self.maybe(0.6):
                self.out.append(
                    " " * self.rng.choice((indent, indent, indent, 0, indent + 3)) + self._comment()
                )
            else:
                self.out.append(self.rng.choice(("", "", "   ")))

    def name(self) -> str:
        self.count += 1
        return f"{self.rng.choice(('n', 'Name', '_private', 'a_long_name_of_something'))}{self.count}"

    # Expressions

    def string(self, names: Names, depth: int, *, plain: bool = False) -> str:
        rng = self.rng
        word = rng.choice(_WORDS)
        if plain or self.maybe(0.1):
            return (
                f'r"{word}"'
                if '"' not in word and "$" not in word and not plain
                else f'"{self._escaped(word, chr(34))}"'
            )
        quote = rng.choice("\"'")
        out = self._escaped(word, quote)
        while self.maybe(0.3):
            inner = self.expr("str", names, depth + 1, flat=True)
            space = rng.choice(("", " "))
            out += f"${{{{{space}{' '.join(inner)}{space}}}}}" + self._escaped(rng.choice(_WORDS), quote)
        return quote + out + quote

    def _escaped(self, word: str, quote: str) -> str:
        out = ""
        for char in word.replace("${{", "\0"):
            if char in "\\" or char == quote or (char in "\"'" and self.maybe(0.2)):
                out += "\\" + char
            elif char == "$":
                out += "\\$"
            else:
                out += {"\t": "\\t", "\0": "$${{"}.get(char, char)
        return out

    def rows(self, indent: int) -> str:
        margin = " " * self.rng.choice((0, 2, indent + 4))
        rows = [self.rng.choice(("one", "  two", 'say "x"', "", "it's \\\\ ${{'x'}}")) for _ in range(3)]
        closing = self.rng.choice(("", margin, "    "))
        return '"""\n' + "".join(f"{margin}{row}\n" for row in rows) + f'{closing}"""'

    def expr(self, kind: str, names: Names, depth: int = 0, *, flat: bool = False) -> Tokens:
        """The tokens of an expression of a type. `flat`: it stays on one row."""
        rng = self.rng
        known = names.of.get(kind, [])
        if known and self.maybe(0.3):
            return [rng.choice(known)]
        if depth < 4 and self.maybe(0.2):
            return ["(", *self.expr(kind, names, depth + 1, flat=flat), ")"]
        if depth < 4 and self.maybe(0.12):
            one = [self.expr(kind, names, depth + 2, flat=flat) for _ in range(2)]
            condition = self.expr("bool", names, depth + 2, flat=flat)
            return ["(", *one[0], "if", *condition, "else", *one[1], ")"]
        made: Callable[..., Tokens] = getattr(self, f"_{kind.replace('[', '_').rstrip(']')}")
        return made(names, depth, flat)

    def _str(self, names: Names, depth: int, flat: bool) -> Tokens:
        rng = self.rng
        choice = rng.randrange(6) if depth < 3 else 0
        if choice == 1:
            return ["str", "(", *self.expr("int", names, depth + 1, flat=flat), ")"]
        if choice == 2:
            parts = [self.expr("str", names, depth + 1, flat=flat) for _ in range(rng.randrange(2, 6))]
            return ["(", *separated("+", parts), ")"]
        if choice == 3:
            method = rng.choice(("upper", "lower", "strip"))
            return [self.string(names, depth), ".", method, "(", ")"]
        if choice == 4:
            args = [self.string(names, 9, plain=True), ",", self.string(names, 9, plain=True)]
            return [self.string(names, 9), ".", "replace", "(", *args, *self.comma(), ")"]
        return [self.string(names, depth)]

    def _int(self, names: Names, depth: int, flat: bool) -> Tokens:
        number = self.rng.choice(("0", "1", "42", "1_000", "0o755", "0xff"))
        choice = self.rng.randrange(4) if depth < 3 else 0
        if choice == 1:
            parts = [self.expr("int", names, depth + 1, flat=flat) for _ in range(3)]
            return ["(", *separated(self.rng.choice("+-*"), parts), ")"]
        if choice == 2:
            return ["-", number]
        if choice == 3:
            return ["len", "(", *self.expr("list[str]", names, depth + 1, flat=flat), *self.comma(), ")"]
        return [number]

    def _bool(self, names: Names, depth: int, flat: bool) -> Tokens:
        choice = self.rng.randrange(5) if depth < 3 else 0
        if choice == 1:
            parts = [self.expr("bool", names, depth + 1, flat=flat) for _ in range(self.rng.randrange(2, 5))]
            return ["(", *separated(self.rng.choice(("and", "or")), parts), ")"]
        if choice == 2:
            return ["(", "not", *self.expr("bool", names, depth + 1, flat=flat), ")"]
        if choice == 3:
            two = [self.expr("int", names, depth + 1, flat=flat) for _ in range(2)]
            return ["(", *two[0], self.rng.choice(("<", "<=", ">", ">=")), *two[1], ")"]
        if choice == 4:
            one = self.expr("str", names, depth + 1, flat=flat)
            return [
                "(",
                *one,
                *self.rng.choice((["in"], ["not", "in"])),
                *self.expr("list[str]", names, 9, flat=flat),
                ")",
            ]
        return [self.rng.choice(("true", "false"))]

    def _list_str(self, names: Names, depth: int, flat: bool) -> Tokens:
        if depth < 3 and self.maybe(0.2):
            name = self.name()
            inner = Names(names)
            inner.bind(name, "str")
            item = self.expr("str", inner, depth + 1, flat=flat)
            axes = ["for", name, "in", *self.expr("list[str]", names, 9, flat=flat)]
            return ["[", *item, *axes, *(["if", "true"] if self.maybe(0.3) else []), "]"]
        items = [
            self.expr("str", names, depth + 2, flat=flat) for _ in range(self.rng.choice((1, 1, 2, 3, 6)))
        ]
        return ["[", *separated(",", items), *self.comma(), "]"]

    def _map_str(self, names: Names, depth: int, flat: bool) -> Tokens:
        count = self.rng.choice((1, 2, 4))
        entries = [[f'"k{at}"', ":", *self.expr("str", names, depth + 2, flat=flat)] for at in range(count)]
        return ["{", *separated(",", entries), *self.comma(), "}"]

    def comma(self) -> Tokens:
        return [","] if self.maybe(0.3) else []


def separated(separator: str, parts: Sequence[Tokens]) -> Tokens:
    out: Tokens = []
    for part in parts:
        out += [separator, *part] if out else part
    return out
