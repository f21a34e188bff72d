"""Whole programs that are right, as a hypothesis strategy: declarations, bodies, typed expressions, scripts and
comments, in any spacing that the language allows.

    @given(programs())                       # text that parses, checks, expands and lowers
    @given(programs(comments=False))

Nothing is read but images; every name is bound once. Comments are `# c1`, `# c2` and so on, in order.
"""

from __future__ import annotations

import random

from hypothesis import strategies as st
from tests.lang.textual.expressions import Expressions, Names, Tokens, separated

HEADER = "# syntax=pybuild:1\n"

_COMMANDS = (
    "make",
    "echo  two   blanks",
    "cat /etc/os-release | grep ID",
    "echo '# no comment'",
    "true && false || exit 0",
    "echo tail  ",
)


def programs(*, comments: bool = True, uses: bool = False) -> st.SearchStrategy[str]:
    """Texts of programs. With `uses` they have `use` lines. A program comes from one number: the choices it is made
    of are too many to be given one by one."""
    return st.builds(
        lambda seed, targets: random_program(seed, targets, comments=comments, uses=uses),
        st.integers(0, 2**32),
        st.integers(1, 4),
    )


def random_program(seed: int, targets: int = 3, *, comments: bool = True, uses: bool = False) -> str:
    return _Writer(random.Random(seed), comments=comments).program(targets, uses=uses)


class _Writer(Expressions):
    def __init__(self, rng: random.Random, *, comments: bool) -> None:
        super().__init__(rng, comments=comments)
        self._top = Names()
        self._targets: list[str] = []
        self._steps: list[str] = []

    # Declarations

    def program(self, targets: int, *, uses: bool) -> str:
        for _ in range(self.rng.randrange(3) if uses else 0):
            self._use()
        for _ in range(self.rng.randrange(6)):
            self.rng.choice((self._let, self._param, self._check))()
        for _ in range(self.rng.randrange(3)):
            self._step()
        for _ in range(targets):
            self._target()
        if self.maybe(0.7):
            self.above(0)
            self.line(
                0, ["group", self.name(), "=", "[", *separated(",", [[name] for name in self._targets]), "]"]
            )
        if self.maybe(0.7):
            self.above(0)
            self.line(0, ["default", self._targets[-1]])
        self.above(0)
        return HEADER + "\n".join(self.out) + "\n" * self.rng.randrange(3)

    def _use(self) -> None:
        self.above(0)
        what = self.rng.choice(
            ("uv", "apt", "npm", '"./lib/a.pybuild"', "'../b.pybuild'", '"github.com/acme/pb@v1"')
        )
        self.line(0, ["use", what, "as", self.name()])

    def _let(self) -> None:
        self.above(0)
        kind = self.rng.choice(("str", "int", "bool", "list[str]", "map[str]"))
        name = self.name()
        value = self.expr(kind, self._top) if kind != "str" or self.maybe(0.8) else [self.rows(0)]
        self.line(0, ["let", name, "=", *value])
        self._top.bind(name, kind)

    def _param(self) -> None:
        self.above(0)
        kind = self.rng.choice(("str", "int", "bool", "list[str]", "map[str]"))
        name = self.name()
        type = kind.replace("[", " [ ").replace("]", " ]").split()
        self.line(0, ["param", name, ":", *type, "=", *self.expr(kind, self._top)])
        self._top.bind(name, kind)

    def _check(self) -> None:
        self.above(0)
        condition = ["true", "or", *self.expr("bool", self._top)]
        self.line(0, ["check", *condition, *([",", '"said"'] if self.maybe() else [])])

    def _step(self) -> None:
        self.above(0)
        names = Names(self._top)
        parameters = []
        for _ in range(self.rng.randrange(4)):
            parameter = names.bind(self.name(), "str")
            parameters.append([parameter, ":", "str", "=", self.string(self._top, 9, plain=True)])
        name = self.name()
        self.line(
            0,
            ["def", name, "(", *separated(",", parameters), *(self.comma() if parameters else []), ")", ":"],
        )
        self._body(0, names, 1)
        self._steps.append(name)

    def _target(self) -> None:
        self.above(0)
        name = self.name()
        kind = self.rng.choice(("target", "target", "test"))
        names = Names(self._top)
        matrix: Tokens = []
        if self.maybe(0.2):
            axis = names.bind(self.name(), "str")
            matrix = [
                "for",
                axis,
                "in",
                "[",
                '"x"',
                ",",
                "'y'",
                *self.comma(),
                "]",
                *(["if", "true"] if self.maybe() else []),
            ]
        on = ["on", '"linux/amd64"', ",", '"linux/arm64"'] if self.maybe(0.15) else []
        self.line(0, [kind, name, *matrix, *on, ":"])
        start = ["from", self.rng.choice(('"alpine:3.20"', "'debian'"))]
        plain = [one for one in self._targets if one]
        if plain and self.maybe(0.3):
            start = ["from", self.rng.choice(plain)]
        self._body(0, names, 0, start)
        self._targets += [] if matrix else [name]
        if not self._targets:
            self._target()

    # Statements

    def _body(self, indent: int, names: Names, depth: int, start: Tokens | None = None) -> None:
        indent += self.rng.choice((4, 4, 2, 8, 1, 3))
        inner = Names(names)
        if start is not None:
            self.above(indent)
            self.line(indent, start)
        for _ in range(self.rng.randrange(1, 6 - depth)):
            self.above(indent)
            self._statement(indent, inner, depth)
        self.above(indent)

    def _statement(self, indent: int, names: Names, depth: int) -> None:
        nested = (self._if, self._for, self._with) if depth < 3 else ()
        self.rng.choice((self._simple, self._simple, self._simple, self._run, self._run, *nested))(
            indent, names, depth
        )

    def _if(self, indent: int, names: Names, depth: int) -> None:
        self.line(indent, ["if", *self.expr("bool", names), ":"])
        self._body(indent, names, depth + 1)
        while self.maybe(0.3):
            self.above(indent)
            self.line(indent, ["elif", *self.expr("bool", names), ":"])
            self._body(indent, names, depth + 1)
        if self.maybe(0.4):
            self.line(indent, ["else", ":"])
            self._body(indent, names, depth + 1)

    def _for(self, indent: int, names: Names, depth: int) -> None:
        inner = Names(names)
        name = self.name()
        self.line(indent, ["for", name, "in", *self.expr("list[str]", names), ":"])
        inner.bind(name, "str")
        self._body(indent, inner, depth + 1)

    def _with(self, indent: int, names: Names, depth: int) -> None:
        def named(name: str, *value: str) -> Tokens:
            return [name, "=", *value]

        path = f"/cache/{self.name()}"
        options = [
            ["cache", "(", f'"{path}"', *([",", *named("mode", "493")] if self.maybe() else []), ")"],
            ["env", "(", *named("A", '"1"'), ",", *named("LONG_NAME", '"value"'), *self.comma(), ")"],
            ["network", "(", "'none'", ")"],
            ["tmpfs", "(", f"'{path}/tmp'", ",", *named("size", "64MiB"), ")"],
            ["user", "(", '"root"', ")"],
        ]
        chosen = self.rng.sample(options, self.rng.randrange(1, 5))
        listed = (
            ["[", *separated(",", chosen), *self.comma(), "]"] if self.maybe(0.3) else separated(",", chosen)
        )
        self.line(indent, ["with", *listed, ":"])
        self._body(indent, names, depth + 1)

    def _simple(self, indent: int, names: Names, depth: int) -> None:
        def expr(kind: str) -> Tokens:
            return self.expr(kind, names)

        path = f'"/{self.name()}"'
        rows = ["write", self.rows(indent), "to", path]
        choices: list[Tokens] = [
            ["env", f"A{self.count}", "=", *expr("int"), ",", "B", "=", "'b'"],
            ["env", *expr("map[str]")],
            ["label", '"k"', "=", *expr("str"), ",", "'l'", "=", *expr("int")],
            ["annotation", *expr("map[str]")],
            ["workdir", path],
            ["user", "'root'"],
            ["expose", "80", ",", '"53/udp"'],
            ["entrypoint", "[", '"a"', ",", *expr("str"), *self.comma(), "]"],
            ["cmd", *expr("list[str]")],
            ["exec", "[", "'/bin/x'", ",", *expr("str"), "]"],
            ["mkdir", path, ",", "'/d'", ",", "mode", "=", "493", ",", "owner", "=", '"1:2"'],
            ["remove", path, ",", "optional", "=", "true"],
            ["symlink", "'/a'", "to", path],
            [
                "write",
                *expr("str"),
                "to",
                path,
                ",",
                "mode",
                "=",
                self.rng.choice(("438", "0o600", "0x1a4")),
            ],
            ["healthcheck", "[", '"x"', "]", ",", "interval", "=", "30s", ",", "retries", "=", "2"],
            ["check", "true", "or", *expr("bool")],
            ["copy", "'/x'", ",", '"/y"', "from", "'busybox'", "to", '"/d/"', ",", "parents", "=", "true"],
            rows,
        ]
        if self._steps:
            choices.append([self.rng.choice(self._steps), "(", ")"])
        if self.maybe(0.15):
            name, kind = self.name(), self.rng.choice(("str", "int", "list[str]"))
            self.line(indent, ["let", name, "=", *expr(kind)])
            names.bind(name, kind)
        elif self.maybe(0.1):
            self.line(indent, ["write", "to", path, ":"])
            self._block(indent, names, text=True)
        else:
            self.line(indent, self.rng.choice(choices))

    def _run(self, indent: int, names: Names, depth: int) -> None:
        rng = self.rng
        choice = rng.randrange(4)
        if choice == 0:
            self.out.append(" " * indent + "run" + self._blanks() + self._command(names))
        elif choice == 1:
            rows = [rng.choice(_COMMANDS[:3]) for _ in range(rng.randrange(1, 4))]
            text = " && \\\n".join(
                rows[:1] + [" " * rng.choice((0, indent + 4, 1)) + row for row in rows[1:]]
            )
            text += rng.choice(("", " \\\n", " \\\n     ", f" \\\n{' ' * indent}  x"))
            self.out.append(" " * indent + "run " + text)
        else:
            self.out.append(" " * indent + "run" + rng.choice(("", " ")) + ":" + rng.choice(("", " ")))
            self._block(indent, names, text=False)

    def _command(self, names: Names) -> str:
        inserted = " ".join(self.expr("str", names, 9, flat=True))
        return self.rng.choice(
            (*_COMMANDS, f"echo ${{{{ {inserted} }}}}", f"echo \"${{{{{inserted}}}}}\" '$${{{{'")
        )

    def _block(self, indent: int, names: Names, *, text: bool) -> None:
        """Raw text below a line."""
        rng = self.rng
        margin = indent + rng.choice((1, 4, 6))
        rows = [self._command(names) for _ in range(rng.choice((1, 1, 2, 4)))]
        if self.maybe(0.2):
            rows += ["cat <<X", "  in here", "", "      # raw", "X"]
        if self.maybe(0.1):
            rows = ["#!/bin/cat", "x", "  y"]
        if self.maybe(0.1):
            rows = [rng.choice((":", "a \\", "\ttab", "# raw"))]
        for row in rows:
            deeper = "  " if self.maybe(0.1) and not row.startswith(("X", "#")) else ""
            self.out.append(
                (" " * margin + deeper + row) if row else rng.choice(("", " " * margin, " " * (margin + 2)))
            )
        while self.maybe(0.2):
            self.out.append("")
