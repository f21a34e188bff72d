"""Export solved goals: images, archives, files. The command line, programs and the daemon share it."""

from __future__ import annotations

import os

from attrs import frozen

from pybuild.compiler.graph import walk
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.build.plan import Plan
    from pybuild.frontends.goal import Files, Goal
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.build import Build, Push
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import Result
    from pybuild.runtime.ops.failures import StepFailed
    from pybuild.runtime.progress.observer import Observer


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
        cancelled=engine.cancellation,
    )


def export_goal(
    goal: Goal,
    plan: Plan,
    request: BuildRequest,
    outputs: Sequence[Output],
    snapshots: Sequence[int | None],
    engine: Engine,
) -> ExportedGoal:
    """Carry out the outputs of a goal that has been solved to `snapshots`. Raises UserError."""
    from pybuild.runtime.export.exports import export_all
    from pybuild.runtime.image.assemble import Result

    results = [
        Result(target.config, snapshot, base=target.base, made=engine.creation.time)
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
    )
    metadata: dict[str, object] = {}
    for exported in export_all(outputs, build):
        metadata.update(exported)
    blobs = engine.store.blobs
    digests = build.digests() if any(output.type == "image" for output in outputs) else []
    paths = [path for one in goal.files for path in _export_files(one, plan, snapshots[one.target], engine)]
    digest = str(metadata.get("containerimage.digest", ""))
    return ExportedGoal(
        name=goal.name,
        digest=digest,
        iid=str(metadata.get("containerimage.config.digest", "")) or digest,
        metadata=metadata,
        summary=tuple(_summary(goal, metadata, request, outputs)),
        blobs=tuple(blobs.path(one) for one in digests if blobs.has(one)),
        files=tuple(paths),
        snapshots=tuple(snapshots),
    )


def _export_files(files: Files, plan: Plan, snapshot: int | None, engine: Engine) -> list[str]:
    from pybuild.runtime.export.paths import export_paths
    from pybuild.runtime.progress.observer import Tracked

    with Tracked(engine.observer, f"exporting to {os.path.relpath(files.dest, plan.project)}"):
        tree = engine.snapshotter.tree(snapshot)
        try:
            return export_paths(tree, files.sources, files.dest, clean=files.clean, root=plan.project)
        except UserError as error:
            if files.span is not None and not error.diagnostic.labels:
                error.diagnostic = error.diagnostic.at(files.span)
            raise


def export_failed(goal: Goal, plan: Plan, failed: StepFailed, engine: Engine) -> None:
    """Take out files of a goal also when a step of it failed, from the snapshot that the step left."""
    if failed.snapshot is None:
        return
    for one in goal.files:
        edge = goal.targets[one.target].edge
        if not one.always or edge is None or failed.vertex not in set(walk([edge])):
            continue
        try:
            _export_files(one, plan, failed.snapshot, engine)
        except UserError as error:
            engine.observer.notice(f"not exported: {error}")


def steps_of_kept_files(plan: Plan) -> set[str]:
    """Return the digests of the steps whose files are taken out also when they fail."""
    edges = [edge for goal in plan.goals if any(one.always for one in goal.files) for edge in goal.edges]
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
    lines += [f"output {os.path.relpath(one.dest)}" for one in goal.files]
    if not request.outputs and not goal.files and all(output.type == "none" for output in outputs):
        lines.append("the result is in the build cache: name it with -t, or export it with -o")
    return lines


def _annotations(goal: Goal, request: BuildRequest) -> Annotations | None:
    """Return the annotations of the build file, with those of the request put over them."""
    if not request.annotations and not goal.annotations:
        return None
    from pybuild.runtime.image.annotations import Annotations, parse_flags

    return Annotations(goal.annotations) + parse_flags(request.annotations)
