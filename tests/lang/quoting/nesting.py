"""Random scripts of nested constructs with values in them, and the words that each command must get."""

from __future__ import annotations

import random

from tests.lang.quoting.texts import random_text

from pybuild.lang import recipe

Part = str | recipe.Splice


def render(tree: Tree) -> recipe.Script:
    return tuple(tree.parts)


class Tree:
    """`parts` is the script, `expected` maps the number of each command to its words."""

    def __init__(self, chooser: random.Random, *, prefix: str = "", depth: int = 3) -> None:
        self.chooser = chooser
        self.prefix = prefix
        self.count = 0
        self.expected: dict[str, list[str]] = {}
        self.parts = self.commands(depth)

    def number(self) -> str:
        self.count += 1
        return f"{self.prefix}{self.count}"

    def value(self) -> str:
        return random_text(self.chooser)

    def commands(self, depth: int) -> list[Part]:
        """Lines of commands."""
        out: list[Part] = []
        for _ in range(self.chooser.randint(1, 2)):
            out += self.command(depth)
            if str(out[-1]).endswith("\n"):
                continue
            out.append(self.chooser.choice(["\n", "\n", "\n\n", " \n", " # it's \" a ` comment ) $( \n"]))
        return out

    def command(self, depth: int) -> list[Part]:
        shapes = [self.print, self.print, self.items]
        if depth > 0:
            shapes += [
                self.heredoc,
                self.raw_heredoc,
                self.subshell,
                self.group,
                self.condition,
                self.case,
                self.loop,
                self.assignment,
                self.pipeline,
                self.function,
                self.twins,
            ]
        return self.chooser.choice(shapes)(depth - 1)

    def print(self, depth: int) -> list[Part]:
        number = self.number()
        parts: list[Part] = [f"p {number}"]
        words = []
        for _ in range(self.chooser.randint(1, 2)):
            text, word = self.word(depth)
            parts += [self.chooser.choice([" ", "  ", " \\\n ", "\t"]), *text]
            words.append(word)
        self.expected[number] = words
        return parts

    def items(self, depth: int) -> list[Part]:
        number = self.number()
        values = tuple(self.value() for _ in range(self.chooser.randint(0, 3)))
        self.expected[number] = [*values, "end"]
        return [f"p {number} ", recipe.Splice(values), " end"]

    def subshell(self, depth: int) -> list[Part]:
        return ["( ", *self.commands(depth), ")"]

    def group(self, depth: int) -> list[Part]:
        return ["{ ", *self.commands(depth), "}"]

    def condition(self, depth: int) -> list[Part]:
        return ["if true; then ", *self.commands(depth), "else echo case; fi"]

    def case(self, depth: int) -> list[Part]:
        text, _ = self.word(depth)
        opener = self.chooser.choice(["(", ""])
        return ["case ", *text, f" in\n{opener}'') ;;\n{opener}*|x) ", *self.commands(depth), ";; esac"]

    def loop(self, depth: int) -> list[Part]:
        text, _ = self.word(depth)
        return ["for Y in ", *text, "; do ", *self.commands(depth), "done"]

    def assignment(self, depth: int) -> list[Part]:
        number = self.number()
        # On one line, bash 5.2 takes it for `Y=… p` after a here-document in a substitution.
        text, word = self.word(depth)
        self.expected[number] = [word]
        return ["Y=", *text, f'\np {number} "$Y"']

    def pipeline(self, depth: int) -> list[Part]:
        return [": && ", *self.print(depth), " | cat && :"]

    def function(self, depth: int) -> list[Part]:
        return ["f() {\n", *self.commands(depth), "}\nf"]

    def heredoc(self, depth: int) -> list[Part]:
        number = self.number()
        end = f"E{number}"
        text, body = self.body(depth)
        self.expected[number] = [body + "\n"]
        strip = self.chooser.choice(["", "-"])
        return [f"h {number} <<{strip}{end}\n", *text, f"\n{end}\n"]

    def raw_heredoc(self, depth: int) -> list[Part]:
        number = self.number()
        end = f"E{number}"
        value = self.value()
        self.expected[number] = [f"it's $X `\\{value}\"\n"]
        quoted = self.chooser.choice([f"'{end}'", f'"{end}"', f"\\{end}"])
        return [f"h {number} << {quoted}\nit's $X `\\", recipe.Splice(value), f'"\n{end}\n']

    def twins(self, depth: int) -> list[Part]:
        one, other = self.number(), self.number()
        text, body = self.body(0)
        value = self.value()
        self.expected[one] = [body + "\n"]
        self.expected[other] = [value + "\n"]
        parts: list[Part] = [f"h {one} <<A{one}; h {other} <<'B{other}' # x\n", *text, f"\nA{one}\n"]
        return [*parts, recipe.Splice(value), f"\nB{other}\n"]

    # Texts and what they are

    def word(self, depth: int) -> tuple[list[Part], str]:
        parts: list[Part] = []
        word = ""
        for _ in range(self.chooser.randint(1, 3)):
            shape = self.chooser.choice(
                [self.bare, self.slot, self.slot, self.single, self.double, self.double, self.substitution]
            )
            text, made = shape(depth)
            parts += text
            word += made
        return ["w", *parts], "w" + word

    def bare(self, depth: int) -> tuple[list[Part], str]:
        texts = [("-a#b", "-a#b"), ("\\'", "'"), ("$X", "ex"), ("\\\n-", "-"), ("}", "}")]
        text, word = self.chooser.choice(texts)
        return [text], word

    def slot(self, depth: int) -> tuple[list[Part], str]:
        value = self.value()
        return [recipe.Splice(value)], value

    def single(self, depth: int) -> tuple[list[Part], str]:
        value = self.value()
        return ["'$(\"\\", recipe.Splice(value), "'"], f'$("\\{value}'

    def double(self, depth: int) -> tuple[list[Part], str]:
        text, word = self.inside(depth, '"')
        return ['"', *text, '"'], word

    def body(self, depth: int) -> tuple[list[Part], str]:
        text, word = self.inside(depth, "")
        return ["b", *text], "b" + word

    def inside(self, depth: int, quote: str) -> tuple[list[Part], str]:
        """The inside of double quotes or of a here-document."""
        parts: list[Part] = []
        word = ""
        for _ in range(self.chooser.randint(1, 4)):
            value = self.value()
            choices: list[tuple[list[Part], str]] = [
                ([recipe.Splice(value)], value),
                ([recipe.Splice(value)], value),
                ([" it's # ) "], " it's # ) "),
                (["\\$\\`\\\\"], "$`\\"),
                (["$X"], "ex"),
                (["${X}"], "ex"),
                ([f"\\{quote}" if quote else '"'], '"'),
                (["$((1 + (2)))"], "3"),
                (["`echo 'x`"] if not depth else ["`echo x`"], "x"),
                (["${NONE:-d}"], "d"),
            ]
            choices.pop(8 if not depth else 0)
            deeper = depth > 0 and self.chooser.random() < 0.3
            text, made = self.substitution(depth) if deeper else self.chooser.choice(choices)
            parts += text
            word += made
        return parts, word

    def substitution(self, depth: int) -> tuple[list[Part], str]:
        if depth <= 0:
            return ["$(:)"], ""
        inner = self.commands(depth - 1)
        if self.chooser.random() < 0.2:
            return ["${NONE-$( ", *inner, ")}"], ""
        return ["$( ", *inner, ")"], ""
