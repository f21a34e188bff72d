"""The statements of a body: types of their expressions, their options, names that they bind (language spec, section
9).

Rules about literal values are in `values`, rules about paths through the body in `bodies`.
"""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check import values, words
from pybuild.lang.textual.check.calls import call_statement
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.literals import item_type
from pybuild.lang.textual.check.named import named_arguments
from pybuild.lang.textual.check.options import check_with
from pybuild.lang.textual.check.scope import Binding, Scope, broken
from pybuild.lang.textual.check.scripts import check_script
from pybuild.lang.textual.check.variables import refuse_variables
from pybuild.lang.textual.check.visit import At
from pybuild.lang.textual.check.wanted import FROM, Expectation
from pybuild.lang.textual.problems import calls as call_problems
from pybuild.lang.textual.problems import states as problems
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import (
    BOOL,
    ERROR,
    INT,
    OPTION,
    PATH,
    PLATFORM,
    REF,
    STR,
    TARGET,
    ListOf,
    MapOf,
    Type,
    is_text,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from pybuild.lang.textual.check.checking import Checking

_STRINGS: Final = ListOf(STR)
_LITERAL: Final = frozenset({"user", "expose", "stop_signal"})
"""Statements whose strings don't expand variables, besides those that take paths and references."""

_COMMANDS: Final = frozenset({"entrypoint", "cmd", "shell"})
_SOURCES: Final = Expectation(PATH, several=True, what="a source")
_DEST: Final = Expectation(PATH, what="the destination")
_PATHS: Final = Expectation(PATH, several=True, what="a path")
_TEXT: Final = Expectation(STR, also=(INT,))
_EXPANDED: Final = Expectation(STR, also=(INT,), expands=True)


@frozen
class _Simple:
    """The items that a statement takes. `single` allows one item only."""

    wanted: Expectation
    single: bool = False


_SIMPLE: Final = {
    "workdir": _Simple(Expectation(PATH, expands=True, what="`workdir`"), single=True),
    "user": _Simple(Expectation(STR, what="`user`"), single=True),
    "expose": _Simple(Expectation(INT, also=(STR,), several=True, what="a port")),
    "volume": _Simple(Expectation(PATH, several=True, what="a volume")),
    "stop_signal": _Simple(Expectation(STR, also=(INT,), what="`stop_signal`"), single=True),
    "tag": _Simple(Expectation(REF, several=True, what="a tag")),
    "needs": _Simple(Expectation(TARGET, several=True, what="`needs`")),
}


class Statements:
    """The check of one body. `returns` is the type of a function's result; `bound` are the names that its
    statements bind."""

    __slots__ = ("bound", "checking", "report", "returns", "scope")

    def __init__(self, checking: Checking, scope: Scope, returns: Type) -> None:
        self.checking = checking
        self.report = checking.report
        self.scope = scope
        self.returns = returns
        self.bound: list[Binding] = []

    def check(self, body: tuple[tree.Stmt, ...]) -> None:
        """Check the statements of a block in the current scope. Blocks nest no deeper than `bodies.DEEPEST`."""
        for statement in body:
            self.checking.statement = words.word(statement)
            rule = _RULES.get(type(statement))
            if rule is not None:
                rule(self, statement)

    def type(self, expr: tree.Expr, wanted: Expectation | Type | None = None) -> Type:
        return infer(expr, self.scope, self.checking, wanted)

    def block(self, body: tuple[tree.Stmt, ...], *names: Binding) -> None:
        outer = self.scope
        self.scope = outer.child()
        for name in names:
            self.bind(name)
        self.check(body)
        self.scope = outer

    def bind(self, binding: Binding) -> None:
        if self.scope.bind(binding, self.report):
            self.bound.append(binding)

    def options(self, word: str, options: tuple[tree.Argument, ...]) -> None:
        parameters = {one.name: one for one in builtins.STATEMENTS.get(word, ())}
        self.positional_after_named(options)
        for argument in named_arguments(options, parameters, word, self.report):
            if argument.name is None:
                continue
            type = parameters[argument.name.name].type
            if type == builtins.OWNER:
                self.type(argument.value, Expectation(STR, what="an owner"))
                values.owner(argument.value, self.checking)
            elif type == builtins.MODE:
                self.type(argument.value, Expectation(INT, also=(STR,), what="a mode"))
                values.mode(argument.value, self.checking)
            else:
                self.type(argument.value, Expectation(type, what=f"`{argument.name.name}`"))

    def items(self, word: str, items: tuple[tree.Argument, ...], wanted: Expectation) -> list[tree.Expr]:
        """Check the items of a statement and return those without a name; named ones are options."""
        self.options(word, items)
        unnamed = [item.value for item in items if item.name is None]
        for value in unnamed:
            self.type(value, wanted)
        return unnamed

    def positional_after_named(self, items: tuple[tree.Argument, ...]) -> None:
        named: tree.Argument | None = None
        for item in items:
            if item.name is not None:
                named = named or item
            elif named is not None:
                self.report(call_problems.positional_after_named(item.span, named.span))
                return

    def command(self, word: str, value: tree.Expr) -> None:
        """Check a list of strings; a single string is E0516."""
        wanted = Expectation(_STRINGS, what=f"`{word}`")
        if isinstance(value, tree.List | tree.ListComp):
            self.type(value, wanted)
            return
        type = self.type(value)
        if is_text(type):
            written = excerpt(value.span) if isinstance(value, tree.String | tree.Name) else ""
            self.report(problems.list_expected(value.span, word, written or None))
        elif type != ERROR:
            self.type(value, wanted)

    # Statements

    def let(self, statement: tree.Let) -> None:
        type = self.type(statement.value)
        name = statement.name
        constant = self.checking.constants.get(statement.value)
        self.bind(Binding(name.name, "let", type, name.span, statement, constant=constant))

    def broken(self, statement: tree.Broken) -> None:
        if statement.name is not None:
            self.bind(broken(statement.name.name, statement.name.span, statement))
        self.block(statement.body)

    def check_(self, statement: tree.Check) -> None:
        self.type(statement.condition, Expectation(BOOL, what="a condition"))
        if statement.message is not None:
            self.type(statement.message, Expectation(STR, what="the message"))

    def from_(self, statement: tree.From) -> None:
        self.type(statement.state, FROM)
        if statement.on is not None:
            self.type(statement.on, Expectation(PLATFORM, what="a platform"))
        self.options("from", statement.options)

    def run(self, statement: tree.Run) -> None:
        check_script(statement.script, self.scope, self.checking, run=True)

    def exec(self, statement: tree.Exec) -> None:
        self.command("exec", statement.command)

    def copy(self, statement: tree.Copy) -> None:
        for source in statement.sources:
            self.type(source, _SOURCES)
        if statement.state is not None:
            self.type(statement.state, FROM)
        self.type(statement.dest, _DEST)
        self.options("copy", statement.options)
        values.sources(statement.sources, statement.dest, self.checking)

    def write(self, statement: tree.Write) -> None:
        if isinstance(statement.text, tree.Script):
            check_script(statement.text, self.scope, self.checking, run=False)
        else:
            self.type(statement.text, Expectation(STR, what="the text"))
        self.type(statement.dest, _DEST)
        self.options("write", statement.options)

    def mkdir(self, statement: tree.Mkdir) -> None:
        self.items("mkdir", statement.items, _PATHS)

    def remove(self, statement: tree.Remove) -> None:
        self.items("remove", statement.items, _PATHS)

    def symlink(self, statement: tree.Symlink) -> None:
        self.type(statement.to, Expectation(PATH, what="the target of the link"))
        self.type(statement.link, Expectation(PATH, what="the link"))
        self.options("symlink", statement.options)

    def env(self, statement: tree.Env) -> None:
        names = [one.name.name for one in statement.assignments if one.name is not None]
        for argument in named_arguments(statement.assignments, names, "env", self.report):
            self.type(argument.value, _EXPANDED)

    def env_map(self, statement: tree.EnvMap) -> None:
        self.type(statement.value, Expectation(MapOf(STR), also=(MapOf(INT),), what="`env`", expands=True))

    def label(self, statement: tree.Label) -> None:
        for pair in statement.pairs:
            self.type(pair.key, Expectation(STR))
            self.type(pair.value, _TEXT)

    def label_map(self, statement: tree.LabelMap) -> None:
        self.type(statement.value, Expectation(MapOf(STR), also=(MapOf(INT),), what=f"`{statement.keyword}`"))

    def simple(self, statement: tree.Simple) -> None:
        word = statement.keyword
        if word in _COMMANDS:
            self.options(word, statement.items)
            unnamed = [item.value for item in statement.items if item.name is None]
            if len(unnamed) > 1:
                self.several_words(word, unnamed)
            else:
                for value in unnamed:
                    self.command(word, value)
            return
        rule = _SIMPLE[word]
        unnamed = self.items(word, statement.items, rule.wanted)
        if rule.single and len(unnamed) > 1:
            self.report(call_problems.too_many(unnamed[1].span, word, 1, ""))
        for value in unnamed if word in _LITERAL else ():
            if refuse_variables(value, self.scope, self.checking) and word == "expose":
                values.port(value, self.checking)

    def several_words(self, word: str, unnamed: list[tree.Expr]) -> None:
        types = [self.type(value) for value in unnamed]
        if ERROR in types:
            return
        texts = [excerpt(value.span) for value in unnamed]
        self.report(problems.words_for_list(unnamed[0].span, unnamed[-1].span, word, texts))

    def output(self, statement: tree.Output) -> None:
        for source in statement.sources:
            self.type(source, _SOURCES)
        self.type(statement.dest, _DEST)
        self.options("output", statement.options)
        values.sources(statement.sources, statement.dest, self.checking)

    def healthcheck(self, statement: tree.Healthcheck) -> None:
        self.options("healthcheck", statement.options)
        command = statement.command
        if not isinstance(command, tree.String) or [getattr(one, "value", "") for one in command.parts] != [
            "none"
        ]:
            self.command("healthcheck", command)

    def return_(self, statement: tree.Return) -> None:
        wanted = Expectation(self.returns, what="the result") if self.returns != ERROR else None
        if self.checking.body in (words.STATE, words.VALUE):
            self.type(statement.value, wanted)
        else:
            self.type(statement.value)

    def call(self, statement: tree.CallStmt) -> None:
        call_statement(statement, self.scope, self.checking)

    def if_(self, statement: tree.If) -> None:
        for branch in statement.branches:
            self.checking.statement = "if"
            self.type(branch.condition, Expectation(BOOL, what="a condition"))
            self.block(branch.body)
        if statement.otherwise is not None:
            self.block(statement.otherwise)

    def for_(self, statement: tree.For) -> None:
        type = self.type(statement.values)
        item = item_type(statement.values, type, At(self.scope, self.checking))
        name = statement.name
        self.block(statement.body, Binding(name.name, "loop", item, name.span, statement))

    def with_(self, statement: tree.With) -> None:
        for option in statement.options:
            self.type(option, Expectation(OPTION, several=True, what="`with`"))
        check_with(statement.options, self.checking)
        self.block(statement.body)


_RULES: Final[dict[type, Callable[[Statements, Any], None]]] = {
    tree.Let: Statements.let,
    tree.Broken: Statements.broken,
    tree.Check: Statements.check_,
    tree.From: Statements.from_,
    tree.Run: Statements.run,
    tree.Exec: Statements.exec,
    tree.Copy: Statements.copy,
    tree.Write: Statements.write,
    tree.Mkdir: Statements.mkdir,
    tree.Remove: Statements.remove,
    tree.Symlink: Statements.symlink,
    tree.Env: Statements.env,
    tree.EnvMap: Statements.env_map,
    tree.Label: Statements.label,
    tree.LabelMap: Statements.label_map,
    tree.Simple: Statements.simple,
    tree.Output: Statements.output,
    tree.Healthcheck: Statements.healthcheck,
    tree.Return: Statements.return_,
    tree.CallStmt: Statements.call,
    tree.If: Statements.if_,
    tree.For: Statements.for_,
    tree.With: Statements.with_,
}
