"""The evaluation of value functions (language spec, section 8), which contain `let`, `check`, `if` and `return`
only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import mentions
from pybuild.lang.textual.expand import checks
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import Definition, Frame
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.expand.recorder import Placed, placed
from pybuild.lang.textual.types import STEP, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.values import Value


def gives(decl: tree.Def) -> Type:
    """Return the type of a call, STEP for a step."""
    return STEP if decl.returns is None else declared(decl.returns)


def value_of(
    definition: Definition,
    arguments: Mapping[str, Value],
    frame: Frame,
    span: Span,
    compilation: Compilation,
) -> Value:
    """Return the result of a function. `frame` is the caller's, `span` the place of the call."""
    decl = definition.definition
    name = compilation.scope_of(definition.module).named(decl.name.name)
    inside = Frame(definition.module, frame.platform, names=arguments, taken_for=frame.taken_for)
    with compilation.budget.inside(f"{name}(…)", span):
        return _returned(placed(decl.body, inside), gives(decl), compilation)


def _returned(body: Iterator[Placed], type: Type, compilation: Compilation) -> Value:
    blocks = [body]
    while blocks:
        statement, scope = next(blocks[-1], (None, None))
        if statement is None or scope is None:
            blocks.pop()
            continue
        compilation.count(statement.span)
        if isinstance(statement, tree.Return):
            return evaluate(statement.value, scope, compilation, type)
        if isinstance(statement, tree.Let):
            scope.bind(statement.name.name, evaluate(statement.value, scope, compilation))
        elif isinstance(statement, tree.Check):
            check(statement, scope, compilation)
        elif isinstance(statement, tree.If):
            blocks.append(placed(chosen(statement, scope, compilation), scope.inner()))
    raise LookupError("a function ends with `return`")


def check(statement: tree.Check, frame: Frame, compilation: Compilation) -> None:
    """Evaluate a `check` in a body. Its message shows all names that the condition mentions."""
    scope = compilation.scope_of(frame.module)
    direct = (one.name for one in mentions([statement.condition]) if not one.called)
    names = dict.fromkeys((*direct, *checks.params_of(statement.condition, scope)))
    checks.run(statement, frame, compilation, list(names))


def chosen(statement: tree.If, frame: Frame, compilation: Compilation) -> tuple[tree.Stmt, ...]:
    """Return the body of the first branch whose condition is true."""
    for branch in statement.branches:
        if evaluate(branch.condition, frame, compilation):
            return branch.body
    return statement.otherwise or ()
