"""The expansion: the recipe of a checked program for the requested targets (language spec, sections 7 to 13).

    recipe = expand(program, options, world)

1. Read the root file's params and resolve the requested goals. A goal refers to a body for each of its platforms.
2. Record bodies from a worklist: a body that another one needs is added to it, never entered.
3. Resolve the gates of goals (`needs`) to goals: 2 and 3 alternate until there is no new goal.
4. Check that goals write different paths and have different tags.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError, SourceErrors
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.bodies import Record
from pybuild.lang.textual.expand.budget import BudgetError
from pybuild.lang.textual.expand.compilation import Compilation
from pybuild.lang.textual.expand.destinations import collisions
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import DeferredValue, Frame
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions, World
from pybuild.lang.textual.expand.params import as_text
from pybuild.lang.textual.expand.reach import unset_params
from pybuild.lang.textual.expand.requests import requested
from pybuild.lang.textual.problems import params as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.lang.textual.expand.modulescope import ModuleScope


def expand(program: modules.Program, options: ExpandOptions, world: World) -> recipe.Recipe:
    """Return the recipe of a program that passed the check. Raises `SourceErrors` with all mistakes."""
    compilation = Compilation(program, options, world)
    recorded = program.root.recorded
    try:
        goals, needed, skipped = _expanded(compilation)
    except BudgetError as error:
        raise SourceErrors([error.diagnostic]) from None
    if compilation.errors:
        raise SourceErrors(arranged((*compilation.errors, *compilation.warnings)))
    if recorded is not None:
        compilation.warnings += recorded.warnings
        compilation.vcs_reads.update(recorded.asked)
        compilation.reads.update(recorded.reads)
    return recipe.Recipe(
        requested=tuple(goals),
        needed=tuple(needed),
        params=_params(compilation),
        reads=dict(sorted(compilation.reads.items())),
        modules={key: _digest(module) for key, module in program.modules.items()},
        vcs=dict(sorted(compilation.vcs_reads.items())),
        warnings=tuple(arranged(compilation.warnings)),
        skipped=tuple(skipped),
    )


Skipped = tuple[str, tuple[str, ...]]


def _expanded(compilation: Compilation) -> tuple[list[recipe.Goal], list[recipe.Goal], list[Skipped]]:
    _unknown_params(compilation)
    root = compilation.root
    if root.module.recorded is not None:
        _read_params(root, compilation)
    root.checks.read("", Frame(root, compilation.options.build_platform))
    request = requested(compilation)
    needed = _gates(request.goals, compilation)
    goals = request.goals
    skipped: list[Skipped] = [(name, (param,)) for name, param in request.skipped]
    if compilation.options.wanted == EVERYTHING:
        goals, needed, incomplete = _complete(goals, needed, compilation)
        order = {compilation.root.named(name): at for at, name in enumerate(compilation.root.decls)}
        skipped = sorted((*skipped, *incomplete), key=lambda one: order.get(one[0].partition("[")[0], -1))
        for goal in goals:
            compilation.errors += collisions([goal], compilation.options)
    else:
        compilation.errors += collisions(goals, compilation.options)
    return goals, needed, skipped


def _read_params(root: ModuleScope, compilation: Compilation) -> None:
    """Read all params of the root file: a program that records it has read each of them."""
    frame = Frame(root, compilation.options.build_platform)
    for name, decl in root.decls.items():
        if isinstance(decl, tree.Param):
            value = root.value(name, frame, decl.span)
            if isinstance(value, DeferredValue):
                value.finish(evaluate(value.expr, value.frame, compilation, value.wanted))


def _unknown_params(compilation: Compilation) -> None:
    """Report the unknown params of the command line (E0604)."""
    root = compilation.root
    params = [name for name, decl in root.decls.items() if isinstance(decl, tree.Param)]
    for name, value in compilation.options.params.items():
        if name not in params:
            elsewhere = _module_with(name, compilation)
            compilation.report(SourceError(problems.no_such_param(name, value.origin, params, elsewhere)))


def _module_with(param: str, compilation: Compilation) -> str | None:
    """Return the alias of a module, used by the root file, that has a param of this name."""
    root = compilation.root.module
    for alias, key in root.uses.items():
        for decl in compilation.program.modules[key].file.decls:
            if isinstance(decl, tree.Param) and decl.name.name == param:
                return alias
    return None


def _gates(goals: Iterable[recipe.Goal], compilation: Compilation) -> list[recipe.Goal]:
    """Record all bodies and resolve the gates of the goals. Returns the goals that are added by them, in order."""
    known = dict.fromkeys(goals)
    needed: list[recipe.Goal] = []
    waiting = deque(known)
    while True:
        compilation.bodies.record_all()
        if not waiting:
            return needed
        for instance in waiting.popleft().instances:
            record = compilation.bodies.by_body[instance.body]
            instance.needs = gates = _gates_of(record, compilation)
            for gate in gates:
                if gate not in known:
                    known[gate] = None
                    needed.append(gate)
                    waiting.append(gate)


def _gates_of(record: Record, compilation: Compilation) -> list[recipe.Goal]:
    if record.gates is None:
        gates: dict[recipe.Goal, None] = {}
        for value, span in record.needs:
            try:
                gates.update(dict.fromkeys(compilation.goals.of(value, span)))
            except BudgetError:
                raise
            except SourceError as error:
                if not compilation.unset_in(record, error):
                    compilation.report(error)
        record.gates = list(gates)
    return record.gates


def _complete(
    goals: Sequence[recipe.Goal], needed: Sequence[recipe.Goal], compilation: Compilation
) -> tuple[list[recipe.Goal], list[recipe.Goal], list[Skipped]]:
    """Split goals by their params: returns the complete ones of `goals` and of `needed`, and the incomplete ones
    of `goals` with the params that they lack."""
    lacking = unset_params((*goals, *needed), compilation.bodies.by_body)
    skipped = [(goal.title, lacking[goal]) for goal in goals if lacking[goal]]
    complete = [[goal for goal in some if not lacking[goal]] for some in (goals, needed)]
    return complete[0], complete[1], skipped


def _params(compilation: Compilation) -> dict[str, recipe.ParamSetting]:
    root = compilation.root
    read = [(name, root.params[name]) for name in root.decls if name in root.params]
    return {
        name: recipe.ParamSetting(as_text(param.value), param.origin.partition(", line ")[0])
        for name, param in read
    }


def _digest(module: modules.Module) -> str:
    text = module.file.source.text
    return f"sha256:{sha256(text.encode(errors='surrogateescape')).hexdigest()}"
