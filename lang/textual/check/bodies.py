"""The rules of bodies: which statements may stand where (language spec, section 8), and what every path must do:
`from` first and once (E0501, E0502), `return` (E0408), no `run` on a file system without a shell (E0517).

A body is walked once with the facts of the path: branches start from the same `Path` and are joined after it.
"""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.lang.textual import tree
from pybuild.lang.textual.check import words
from pybuild.lang.textual.check.walk import preorder, statements, suites
from pybuild.lang.textual.problems import flow as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span
    from pybuild.lang.textual.check.checking import Checking

NO, MAYBE, YES = 0, 1, 2

DEEPEST: Final = 64
"""The deepest nesting of blocks."""

_FARTHEST: Final = 64

_PASSIVE = (tree.Let, tree.Check, tree.If, tree.For, tree.With, tree.Return, tree.Broken, tree.From)
"""Statements that may precede `from`, or that are checked on their own."""

_SHELL_FREE = frozenset(
    {
        "cache",
        "secret",
        "ssh",
        "tmpfs",
        "env",
        "user",
        "workdir",
        "network",
        "device",
        "insecure",
        "host",
        "limits",
    }
    | {"uncached"}
)
"""Run options that mount no file system with files."""


@frozen
class Path:
    """The facts at a point of a body.

    `started`: a `from` precedes it, on every path (YES) or on some (MAYBE). `first` is that `from`, `skips` the
    branching that makes it uncertain. `empty` is the `from scratch` after which nothing was written. `returned`:
    the point is unreachable."""

    started: int = NO
    first: Span | None = None
    skips: Span | None = None
    empty: Span | None = None
    returned: bool = False


def too_deep(body: tuple[tree.Stmt, ...]) -> tree.Stmt | None:
    """Return the first statement nested in more than `DEEPEST` blocks, if any."""
    stack = [(body, 1)]
    while stack:
        suite, depth = stack.pop()
        for statement in suite:
            inner = suites(statement)
            if inner and depth > DEEPEST:
                return statement
            stack.extend((one, depth + 1) for one in inner)
    return None


def check_body(decl: tree.Target | tree.Def, checking: Checking) -> list[Diagnostic]:
    """Return the violations in a body that is not `too_deep`. `checking` has the bindings of its names."""
    return _Body(decl, checking).check()


class _Body:
    __slots__ = ("checking", "decl", "kind", "problems", "reported")

    def __init__(self, decl: tree.Target | tree.Def, checking: Checking) -> None:
        self.decl = decl
        self.kind = words.kind(decl)
        self.checking = checking
        self.problems: list[Diagnostic] = []
        self.reported: set[str] = set()

    def check(self) -> list[Diagnostic]:
        path = self.suite(self.decl.body, Path(), ())
        broken = any(isinstance(one, tree.Broken) for one in preorder(self.decl))
        if self.kind == words.VALUE:
            if not path.returned and not broken and "value" not in self.reported:
                self.problems.append(problems.no_return(self.decl, path.skips))
        elif self.kind != words.STEP and path.started != YES:
            self.no_from(self.decl.name.span, path)
        return self.problems

    @property
    def starts(self) -> bool:
        """Tell whether a body of this kind begins with `from`."""
        return self.kind in (words.TARGET, words.TEST, words.STATE)

    def suite(self, body: tuple[tree.Stmt, ...], path: Path, around: tuple[tree.Stmt, ...]) -> Path:
        for at, statement in enumerate(body):
            if path.returned and "returned" not in self.reported:
                self.reported.add("returned")
                self.problems.append(problems.after_return(words.word_span(statement)))
            last = at == len(body) - 1 and not around
            path = self.statement(statement, path, around, last)
        return path

    def statement(self, statement: tree.Stmt, path: Path, around: tuple[tree.Stmt, ...], last: bool) -> Path:
        if not self.allowed(statement, around, last):
            return self.after_refused(statement, path)
        if isinstance(statement, tree.From):
            return self.from_(statement, path)
        path = self.needs_state(statement, path)
        if isinstance(statement, tree.If):
            return self.branches(statement, path, around)
        if isinstance(statement, tree.For):
            inner = self.suite(statement.body, path, (*around, statement))
            return evolve(path, started=max(path.started, inner.started), empty=path.empty and inner.empty)
        if isinstance(statement, tree.With):
            return self.suite(statement.body, path, (*around, statement))
        if isinstance(statement, tree.Return):
            return evolve(path, returned=True)
        if isinstance(statement, tree.Run) and path.empty is not None and not _brings_files(around):
            self.problems.append(problems.no_shell(words.word_span(statement), path.empty))
            return evolve(path, empty=None)
        if isinstance(statement, tree.Copy | tree.Write | tree.CallStmt | tree.Exec):
            return evolve(path, empty=None)
        return path

    def after_refused(self, statement: tree.Stmt, path: Path) -> Path:
        """Return the path after a broken or refused statement: it counts as what it was meant to be."""
        if isinstance(statement, tree.Broken):
            inner = self.suite(statement.body, Path(YES, returned=False), (statement,))
            return evolve(path, started=YES, empty=None, returned=path.returned or inner.returned)
        if isinstance(statement, tree.From | tree.Return):
            return evolve(path, started=YES)
        inside = any(isinstance(one, tree.Return) for suite in suites(statement) for one in statements(suite))
        return evolve(path, returned=path.returned or inside)

    def allowed(self, statement: tree.Stmt, around: tuple[tree.Stmt, ...], last: bool) -> bool:
        if isinstance(statement, tree.Broken):
            return False
        refusal = _refusal(statement, self.kind)
        if (
            not refusal
            and isinstance(statement, tree.From)
            and any(isinstance(one, tree.For) for one in around)
        ):
            refusal = "a loop runs any number of times, `from` once"
        if not refusal and isinstance(statement, tree.Return) and self.kind == words.STATE and not last:
            refusal = "the last line of a function that returns a state"
        if refusal and "value" not in self.reported:
            self.problems.append(
                problems.not_allowed(words.word(statement), words.word_span(statement), self.decl, refusal)
            )
        if refusal and self.kind == words.VALUE:
            self.reported.add("value")
        return not refusal

    def from_(self, statement: tree.From, path: Path) -> Path:
        if path.started != NO and "from" in self.reported and path.first is None:
            return evolve(path, first=words.word_span(statement))
        if path.started != NO:
            self.problems.append(problems.second_from(words.word_span(statement), path.first, path.skips))
            return evolve(path, started=YES, empty=None)
        scratch = self.is_scratch(statement.state)
        return Path(YES, words.word_span(statement), empty=statement.span if scratch else None)

    def needs_state(self, statement: tree.Stmt, path: Path) -> Path:
        """Report, once, that a statement changes or names the state before there is one."""
        if not self.starts or path.started == YES:
            return path
        if not isinstance(statement, _PASSIVE):
            self.no_from(words.word_span(statement), path, words.word(statement) or "this step")
            return evolve(path, started=YES)
        this = next((one for one in preorder(*_own(statement)) if _is_this(one)), None)
        if this is None:
            return path
        self.no_from(this.span, path, "this")
        return evolve(path, started=YES)

    def no_from(self, span: Span, path: Path, before: str = "") -> None:
        if "from" not in self.reported:
            self.reported.add("from")
            self.problems.append(problems.no_from(self.decl, span, before, path.skips, path.first))

    def branches(self, statement: tree.If, path: Path, around: tuple[tree.Stmt, ...]) -> Path:
        ends = [self.suite(body, path, (*around, statement)) for body in suites(statement)]
        if statement.otherwise is None:
            ends.append(path)
        through = [end for end in ends if not end.returned]
        if not through:
            return evolve(path, returned=True)
        returns = len(through) < len(ends)
        started = {end.started for end in through}
        certain = len(started) == 1
        first = next((end.first for end in through if end.first), None)
        skips = next((end.skips for end in through if end.skips), None)
        if returns or (not certain and not skips):
            skips = words.word_span(statement)
        empty = through[0].empty if all(end.empty for end in through) else None
        return Path(started.pop() if certain else MAYBE, first, skips, empty)

    def is_scratch(self, state: tree.Expr) -> bool:
        """Tell whether an expression is `scratch`, following names, parentheses and both arms."""
        stack = [state]
        for _ in range(_FARTHEST):
            if not stack:
                return True
            expr = stack.pop()
            binding = self.checking.bindings.get(expr)
            if isinstance(expr, tree.Ternary):
                stack += [expr.then, expr.otherwise]
            elif isinstance(expr, tree.Parens):
                stack.append(expr.value)
            elif binding is not None and isinstance(binding.node, tree.Let):
                stack.append(binding.node.value)
            elif not (isinstance(expr, tree.Name) and expr.name == "scratch"):
                return False
        return False


def _refusal(statement: tree.Stmt, kind: str) -> str:
    """Return why a statement may not stand in a body of this kind, "" if it may."""
    word = words.word(statement)
    if word in ("let", "check", "if"):
        return ""
    if kind == words.VALUE:
        return "" if word == "return" else "a function that returns a value computes and changes nothing"
    if word == "return" and kind != words.STATE:
        return (
            "a step has no value" if kind == words.STEP else "a target is the state that its statements make"
        )
    if word == "from" and kind == words.STEP:
        return "a step changes the state where it is called"
    if word in ("tag", "needs", "output") and kind in (words.STEP, words.STATE):
        return "what is exported is said in the target"
    if word == "tag" and kind == words.TEST:
        return "a test is never published"
    return ""


def _brings_files(around: tuple[tree.Stmt, ...]) -> bool:
    """Tell whether the blocks around a run may mount a file system with a shell."""
    for block in around:
        for option in block.options if isinstance(block, tree.With) else ():
            for item in option.items if isinstance(option, tree.List) else (option,):
                call = item if isinstance(item, tree.Call) else None
                name = call.function if call is not None else None
                if not isinstance(name, tree.Name) or name.name not in _SHELL_FREE:
                    return True
                if call is not None and any(arg.name and arg.name.name == "seed" for arg in call.arguments):
                    return True
    return False


def _own(statement: tree.Stmt) -> list[tree.Node]:
    """Return the parts of a statement other than its blocks."""
    if isinstance(statement, tree.If):
        return [branch.condition for branch in statement.branches]
    if isinstance(statement, tree.For):
        return [statement.values]
    if isinstance(statement, tree.With):
        return list(statement.options)
    return [statement]


def _is_this(node: tree.Node) -> bool:
    return isinstance(node, tree.Name) and node.name == "this"
