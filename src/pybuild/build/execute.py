"""Execute a plan: solve its goals and export them to the outputs of the request. Every frontend shares this part of a
build; the daemon shares `build_of`."""

from __future__ import annotations

import os

from attrs import frozen

from pybuild.build.evidence import evidence_of
from pybuild.compiler.graph import walk
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.export.output import Output, parse_output
from pybuild.runtime.ops.failures import StepFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.build.evidence import Evidence
    from pybuild.build.plan import Plan
    from pybuild.frontends.types import Files, Goal
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.build import Build, Push
    from pybuild.runtime.export.protected import ProtectedFiles
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import Result
    from pybuild.runtime.progress.observer import Observer

_NO_IMAGE = ("local", "tar", "none")


@frozen
class ExportedGoal:
    """The outcome of one goal. `digest` is the image's ("" if no image was made), `iid` the text for
    `--iidfile` (the config's digest, as in buildx, if there is one config), `metadata` the values for
    `--metadata-file`, `summary` lines for the user; `blobs` are the files that the local store holds of it,
    `files` those that were taken out of it, `snapshots` the solved targets."""

    name: str = ""
    digest: str = ""
    iid: str = ""
    metadata: Mapping[str, object] = {}
    summary: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    snapshots: tuple[int | None, ...] = ()


@frozen
class BuildResult:
    """The outcome of a build: its exported goals, and the `evidence` of what it depended on, None where it can't be
    replayed."""

    goals: tuple[ExportedGoal, ...] = ()
    evidence: Evidence | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(goal.digest for goal in self.goals if goal.digest)

    @property
    def metadata(self) -> Mapping[str, object]:
        """The metadata of the only goal, else of each by its name, as buildx bake writes them."""
        if len(self.goals) == 1:
            return self.goals[0].metadata
        return {goal.name: dict(goal.metadata) for goal in self.goals}

    @property
    def summary(self) -> tuple[str, ...]:
        several = len(self.goals) > 1
        return tuple(
            f"{goal.name}: {line}" if several else line for goal in self.goals for line in goal.summary
        )

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for goal in self.goals for path in goal.files)


# Outputs


def requested_outputs(request: BuildRequest) -> list[Output]:
    """Return the outputs that a request names. Raises UsageError."""
    outputs = [parse_output(text) for text in request.outputs]
    if request.push:
        images = [output for output in outputs if output.type == "image"]
        for output in images:
            output.attributes["push"] = "true"
        if not images:
            outputs.append(Output("image", attributes={"push": "true"}))
    if request.load:
        outputs.append(Output("docker"))
    if sum(output.dest == "-" for output in outputs) > 1:
        raise UsageError("more than one output goes to standard output", help="give all but one a dest=FILE")
    if outputs and request.iidfile is not None and all(output.type in _NO_IMAGE for output in outputs):
        kinds = " and ".join(dict.fromkeys(output.type for output in outputs))
        raise UsageError(
            f"--iidfile: an output of type {kinds} makes no image, so there is no ID to write",
            help="leave out --iidfile, or export an image as well: -o type=image",
        )
    for output in outputs:
        output.check()
    return outputs


def _default_output(request: BuildRequest, tags: Sequence[str]) -> Output:
    """Return the output of an image with the names `tags` if the request names none: an image in the local store if
    something needs one (a tag, its digest); else the result stays in the build cache, as with buildx."""
    needed = tags or request.quiet or request.progress == "quiet"
    needed = needed or request.iidfile is not None or request.metadata_file is not None
    return Output("image" if needed else "none")


def _check_several(request: BuildRequest, outputs: Sequence[Output]) -> None:
    """Raises UsageError for settings that can belong to one goal only."""
    placed = next((output for output in outputs if output.dest), None)
    for present, what in (
        (placed is not None, f"-o {placed.dest}" if placed is not None else ""),
        (bool(request.tags), "-t"),
        (request.iidfile is not None, "--iidfile"),
    ):
        if present:
            raise UsageError(
                f"{what} is for one target, and several are built", help="build one target, or leave it out"
            )


# Solve and export


def execute(plan: Plan, request: BuildRequest, outputs: Sequence[Output], engine: Engine) -> BuildResult:
    """Solve and export. Raises UserError, Cancelled."""
    from pybuild.build.protection import protected_files

    protected = protected_files(plan, request, outputs)
    wanted = [(goal, outputs or [_default_output(request, goal.tags)]) for goal in plan.goals]
    if len(wanted) > 1:
        _check_several(request, outputs)
    try:
        results = iter(engine.solve(plan.edges, keep_failed=steps_of_kept_files(plan)))
    except StepFailed as failed:
        for goal in plan.goals:
            export_failed(goal, plan, failed, engine, protected)
        raise
    exported = []
    for goal, of_goal in wanted:
        snapshots = [
            None if target.edge is None else engine.snapshot(next(results)) for target in goal.targets
        ]
        exported.append(export_goal(goal, plan, request, of_goal, snapshots, engine, protected))
    blobs = [path for goal in exported for path in goal.blobs]
    return BuildResult(tuple(exported), evidence_of(plan, request, outputs, blobs, engine))


def build_of(
    results: Sequence[Result],
    engine: Engine,
    observer: Observer,
    *,
    index: bool,
    tags: Sequence[str] = (),
    epoch: int | None = None,
    annotations: Annotations | None = None,
    push: Push | None = None,
    protected: ProtectedFiles | None = None,
) -> Build:
    """Return the build that exporters take: the results with the means to make an image of them."""
    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.pushing import pusher

    return Build(
        engine.store,
        engine.snapshotter,
        engine.layers,
        results,
        observer,
        index=index,
        tags=tags,
        epoch=epoch,
        annotations=annotations,
        push=push or pusher(engine),
        protected=protected,
        cancelled=engine.cancellation,
    )


def export_goal(
    goal: Goal,
    plan: Plan,
    request: BuildRequest,
    outputs: Sequence[Output],
    snapshots: Sequence[int | None],
    engine: Engine,
    protected: ProtectedFiles | None = None,
) -> ExportedGoal:
    """Carry out the outputs of a goal that has been solved to `snapshots`; none may write a file that is `protected`.
    Raises UserError."""
    from pybuild.runtime.export.exports import export_all
    from pybuild.runtime.image.assemble import Result

    results = [
        Result(target.config, snapshot, base=target.base, creation=engine.creation.time)
        for target, snapshot in zip(goal.targets, snapshots, strict=True)
    ]
    build = build_of(
        results,
        engine,
        engine.observer,
        index=goal.index,
        tags=goal.tags,
        epoch=goal.targets[0].epoch,  # one time for the whole image, also of several platforms
        annotations=_annotations(goal, request),
        protected=protected,
    )
    metadata: dict[str, object] = {}
    for exported in export_all(outputs, build):
        metadata.update(exported)
    blobs = engine.store.blobs
    digests = build.digests() if any(output.type == "image" for output in outputs) else []
    paths = [
        path
        for files in goal.files
        for path in _export_files(files, plan, snapshots[files.target], engine, protected)
    ]
    digest = str(metadata.get("containerimage.digest", ""))
    return ExportedGoal(
        name=goal.name,
        digest=digest,
        iid=str(metadata.get("containerimage.config.digest", "")) or digest,
        metadata=metadata,
        summary=tuple(_summary(goal, metadata, request, outputs)),
        blobs=tuple(blobs.path(digest) for digest in digests if blobs.has(digest)),
        files=tuple(paths),
        snapshots=tuple(snapshots),
    )


def _export_files(
    files: Files, plan: Plan, snapshot: int | None, engine: Engine, protected: ProtectedFiles | None
) -> list[str]:
    from pybuild.runtime.export.paths import export_paths
    from pybuild.runtime.progress.observer import Tracked

    with Tracked(engine.observer, f"exporting to {os.path.relpath(files.dest, plan.project)}"):
        tree = engine.snapshotter.tree(snapshot)
        try:
            return export_paths(
                tree, files.sources, files.dest, clean=files.clean, root=plan.project, protected=protected
            )
        except UserError as error:
            if files.span is not None and not error.diagnostic.labels:
                error.diagnostic = error.diagnostic.at(files.span)
            raise


def export_failed(
    goal: Goal, plan: Plan, failed: StepFailed, engine: Engine, protected: ProtectedFiles | None = None
) -> None:
    """Take out files of a goal also when a step of it failed, from the snapshot that the step left."""
    if failed.snapshot is None:
        return
    for files in goal.files:
        edge = goal.targets[files.target].edge
        if not files.always or edge is None or failed.vertex not in set(walk([edge])):
            continue
        try:
            _export_files(files, plan, failed.snapshot, engine, protected)
        except UserError as error:
            engine.observer.notice(f"not exported: {error}")


def steps_of_kept_files(plan: Plan) -> set[str]:
    """Return the digests of the steps whose files are taken out also when they fail."""
    edges = [edge for goal in plan.goals if any(files.always for files in goal.files) for edge in goal.edges]
    return {vertex.digest for vertex in walk(edges)}


def _summary(
    goal: Goal, metadata: Mapping[str, object], request: BuildRequest, outputs: Sequence[Output]
) -> list[str]:
    """Return the lines that tell the user the outcome of a goal."""
    lines = []
    if "containerimage.digest" in metadata:
        named = f" as {metadata['image.name']}" if "image.name" in metadata else ""
        lines.append(f"image {metadata['containerimage.digest']}{named}")
    lines += [f"{output.type} {output.dest}" for output in outputs if output.dest not in ("", "-")]
    lines += [f"output {os.path.relpath(files.dest)}" for files in goal.files]
    if not request.outputs and not goal.files and all(output.type == "none" for output in outputs):
        lines.append("the result is in the build cache: name it with -t, or export it with -o")
    return lines


def _annotations(goal: Goal, request: BuildRequest) -> Annotations | None:
    """Return the annotations of the build file, with those of the request put over them."""
    if not request.annotations and not goal.annotations:
        return None
    from pybuild.runtime.image.annotations import Annotations, parse_flags

    return Annotations(goal.annotations) + parse_flags(request.annotations)
