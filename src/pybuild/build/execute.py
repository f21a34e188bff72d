"""Execute a plan: solve its goals and export them. Every frontend shares this part of a build."""

from __future__ import annotations

from attrs import frozen

from pybuild.build.evidence import evidence_of
from pybuild.build.export import export_failed, export_goal, steps_of_kept_files
from pybuild.build.outputs import check_several, default_output
from pybuild.runtime.ops.failures import StepFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.build.evidence import Evidence
    from pybuild.build.export import ExportedGoal
    from pybuild.build.plan import Plan
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.output import Output


@frozen
class BuildResult:
    """The outcome of a build: its exported goals, and the `evidence` of what it depended on, None where it can't be
    replayed."""

    goals: tuple[ExportedGoal, ...] = ()
    evidence: Evidence | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(one.digest for one in self.goals if one.digest)

    @property
    def metadata(self) -> Mapping[str, object]:
        """The metadata of the only goal, else of each by its name, as buildx bake writes them."""
        if len(self.goals) == 1:
            return self.goals[0].metadata
        return {one.name: dict(one.metadata) for one in self.goals}

    @property
    def summary(self) -> tuple[str, ...]:
        several = len(self.goals) > 1
        return tuple(f"{one.name}: {line}" if several else line for one in self.goals for line in one.summary)

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for one in self.goals for path in one.files)


def execute(plan: Plan, request: BuildRequest, outputs: Sequence[Output], engine: Engine) -> BuildResult:
    """Solve and export. Raises UserError, Cancelled."""
    wanted = [(goal, outputs or [default_output(request, goal.tags)]) for goal in plan.goals]
    if len(wanted) > 1:
        check_several(request, outputs)
    try:
        results = iter(engine.solve(plan.edges, keep_failed=steps_of_kept_files(plan)))
    except StepFailed as failed:
        for goal in plan.goals:
            export_failed(goal, plan, failed, engine)
        raise
    exported = []
    for goal, of_goal in wanted:
        snapshots = [
            None if target.edge is None else engine.snapshot(next(results)) for target in goal.targets
        ]
        exported.append(export_goal(goal, plan, request, of_goal, snapshots, engine))
    blobs = [path for goal in exported for path in goal.blobs]
    return BuildResult(tuple(exported), evidence_of(plan, request, outputs, blobs, engine))
