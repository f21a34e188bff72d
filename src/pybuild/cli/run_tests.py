"""The command `pybuild test`: run all or the named tests of a file side by side, and print a table of the
results."""

from __future__ import annotations

import sys

from pybuild.build import errors
from pybuild.build.execute import export_failed, export_goal, steps_of_kept_files
from pybuild.cli.run_build import print_warnings, run_observed
from pybuild.cli.terminal import tell
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.lang.textual.expand.options import TESTS
from pybuild.runtime.progress.display import make_display, warnings_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.build.plan import Plan
    from pybuild.frontends.types import Goal
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.protected import ProtectedFiles
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation, Outcome


class Verdict:
    """The result of one test: `error` is None if it passed, `cached` says that no step of it had to run; it
    took `seconds`. `base` is the target that failed before the test could run, else empty."""

    __slots__ = ("base", "cached", "error", "name", "seconds")

    def __init__(
        self, name: str, error: UserError | None, cached: bool, seconds: float, base: str = ""
    ) -> None:
        self.name = name
        self.error = error
        self.cached = cached
        self.seconds = seconds
        self.base = base

    @property
    def status(self) -> str:
        """The words of the table, with the time if the test ran."""
        if self.base:
            return f"not run: {self.base} failed"
        if self.error is None and self.cached:
            return "cached"
        return f"{'passed' if self.error is None else 'FAILED'}  {self.seconds:.1f}s"


def run_tests(request: BuildRequest) -> int:
    """Run the tests that the request names, or all, and return the exit code. Raises UserError."""
    display = make_display(request.progress, sys.stderr, quiet=request.quiet)
    tested = run_observed(request, display, test)
    if display.warnings:
        print_warnings(warnings_text(display.warnings))
    shown: list[str] = []
    for result in tested:
        if result.error is None:
            continue
        text = str(result.error)
        if text not in shown:  # a step that several wait for fails once
            shown.append(text)
            errors.report(result.error, sys.stderr, output_shown=display.output_shown)
    tell(table(tested))
    return int(any(result.error is not None for result in tested))


def test(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> list[Verdict]:
    """Run the tests and return their results in the order of the file. Raises UserError for an error before
    one can run."""
    from pybuild.build.pipeline import planned, warner
    from pybuild.build.protection import protected_files
    from pybuild.frontends.build_context import find_context
    from pybuild.frontends.language import LanguageFrontend

    context = find_context(request, observer)
    if not context.frontend.records:
        raise UsageError(
            f"{context.inputs.name} has no tests", help="tests are targets of the language: `test NAME:`"
        )
    names = request.targets or TESTS
    frontend = LanguageFrontend(context, warner(observer), wanted=names)
    with planned(frontend, context, observer, cancellation) as (plan, engine):
        protected = protected_files(plan, request, ())
        outcomes = iter(engine.solve_each(plan.edges, keep_failed=steps_of_kept_files(plan)))
        return [
            _verdict(goal, plan, request, [next(outcomes) for _ in goal.edges], engine, protected)
            for goal in plan.goals
        ]


def _verdict(
    goal: Goal,
    plan: Plan,
    request: BuildRequest,
    outcomes: Sequence[Outcome[Result]],
    engine: Engine,
    protected: ProtectedFiles | None,
) -> Verdict:
    """Return the result of one goal and export its outputs."""
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.ops.failures import StepFailed

    error = next((outcome.error for outcome in outcomes if isinstance(outcome.error, UserError)), None)
    seconds = max((outcome.seconds for outcome in outcomes), default=0.0)
    try:
        if isinstance(error, StepFailed):
            export_failed(goal, plan, error, engine, protected)
        elif error is None and goal.files:
            remaining = iter(outcomes)
            snapshots = [
                None if target.edge is None else _snapshot(next(remaining), engine) for target in goal.targets
            ]
            export_goal(goal, plan, request, [Output("none")], snapshots, engine, protected)
    except UserError as wrong:
        error = wrong
    cached = all(one.cached for one in outcomes)
    return Verdict(goal.name, error, cached, seconds, "" if error is None else _failed_base(goal, error))


def _failed_base(goal: Goal, error: UserError) -> str:
    """Return the target below a test that an error came from; "" if it is the test's own or of no target."""
    from pybuild.compiler.descriptions import BODY

    vertex = getattr(error, "vertex", None) or getattr(error.origin, "vertex", None)
    body = "" if vertex is None else vertex.metadata.description.get(BODY, "")
    # `f(…)` is the body of a function, which belongs to its caller; a platform may follow a target's name.
    own = "(" in body or body == goal.name or body.startswith(f"{goal.name} ")
    return "" if own else body


def _snapshot(outcome: Outcome[Result], engine: Engine) -> int | None:
    assert outcome.result is not None
    return engine.snapshot(outcome.result)


def table(tested: Sequence[Verdict]) -> str:
    """Return a line for each test, and a closing one."""
    if not tested:
        return "no tests\n"
    width = max(len(one.name) for one in tested)
    lines = [f"{one.name:<{width}}  {one.status}" for one in tested]
    counts = dict.fromkeys(("passed", "cached", "failed", "not run"), 0)
    for one in tested:
        if one.error is None:
            counts["cached" if one.cached else "passed"] += 1
        else:
            counts["not run" if one.base else "failed"] += 1
    parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return "\n".join(lines) + f"\n\n{parts}\n"
