"""From a plan to exported images: the part of a build that every frontend shares."""

from __future__ import annotations

import os

from attrs import evolve, frozen

from pybuild.compiler.graph import walk
from pybuild.compiler.ops import ExecOp, SourceOp
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.content.place import default_root
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.export.output import Output, parse_output
from pybuild.runtime.ops.failures import StepFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.build.plan import Files, Goal, Plan
    from pybuild.compiler.graph import Vertex
    from pybuild.replay.record import Evidence
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.solver.types import Cancellation

_NO_IMAGE = ("local", "tar", "none")


@frozen
class Made:
    """What came of one goal. `digest` is the image's (empty when no image was made), `iid` what `--iidfile` gets
    (as buildx has it: the config's digest, where there is one config), `metadata` what `--metadata-file` gets,
    `summary` lines for the user; `blobs` are the files of what the local store is to hold of it, `files` those that
    were taken out of it, `snapshots` what its targets were solved to."""

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
    """What came of a build. `evidence` tells what it depended on, None where it can't be replayed."""

    made: tuple[Made, ...] = ()
    evidence: Evidence | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(one.digest for one in self.made if one.digest)

    @property
    def metadata(self) -> Mapping[str, object]:
        """That of the only goal, else that of each by its name, as buildx bake has it."""
        if len(self.made) == 1:
            return self.made[0].metadata
        return {one.name: dict(one.metadata) for one in self.made}

    @property
    def summary(self) -> tuple[str, ...]:
        several = len(self.made) > 1
        return tuple(f"{one.name}: {line}" if several else line for one in self.made for line in one.summary)

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for one in self.made for path in one.files)


def open_engine(
    request: BuildRequest,
    directories: Mapping[str, bytes],
    images: Mapping[str, str],
    observer: Observer,
    cancellation: Cancellation,
    *,
    enter: bool = True,
    project: str = "",
) -> Engine:
    """The engine for a request. It enters the build's namespaces, unless nothing is to be run. `project` is what the
    caches of its steps are known by."""
    from pybuild.runtime.clients.localclient import LocalClient
    from pybuild.runtime.session import agents, secrets

    client = LocalClient(
        directories=directories,
        named=images,
        secrets=[secrets.parse(text) for text in request.secrets],
        agents=agents.parse_all(request.ssh),
    )
    options = EngineOptions(
        default_root(),
        client=client,
        pull=request.pull,
        allow=frozenset(request.allow),
        isolate=request.isolate_network,
        parallelism=request.parallelism,
        hosts=_hosts(request),
        project=project,
    )
    return Engine(options, observer, cancellation, enter=enter)


def requested_outputs(request: BuildRequest, tags: Sequence[str] | None = None) -> list[Output]:
    """The outputs of a request for what has the names `tags` (None: those of the request). One that names none gets
    an image in the local store if something asks for an image (a tag, its digest); else the result stays in the
    build cache, as with buildx. Raises UsageError."""
    outputs = [parse_output(text) for text in request.outputs]
    if request.push:
        images = [output for output in outputs if output.type == "image"]
        for output in images:
            output.attributes["push"] = "true"
        if not images:
            outputs.append(Output("image", attributes={"push": "true"}))
    if request.load:
        outputs.append(Output("docker"))
    if not outputs:
        wanted = (request.tags if tags is None else tags) or request.quiet or request.progress == "quiet"
        named = wanted or request.iidfile is not None or request.metadata_file is not None
        outputs.append(Output("image" if named else "none"))
    if sum(output.dest == "-" for output in outputs) > 1:
        raise UsageError("more than one output goes to standard output", help="give all but one a dest=FILE")
    if request.iidfile is not None and all(output.type in _NO_IMAGE for output in outputs):
        kinds = " and ".join(dict.fromkeys(output.type for output in outputs))
        raise UsageError(
            f"--iidfile: an output of type {kinds} makes no image, so there is no ID to write",
            help="leave out --iidfile, or export an image as well: -o type=image",
        )
    for output in outputs:
        output.check()
    return outputs


def execute(plan: Plan, request: BuildRequest, engine: Engine) -> BuildResult:
    """Solve and export. Raises UserError."""
    wanted = [(goal, requested_outputs(request, goal.tags)) for goal in plan.goals]
    if len(wanted) > 1:
        _check_several(request, [output for _, outputs in wanted for output in outputs])
    try:
        results = iter(engine.solve(plan.edges, keep_failed=kept_failed(plan)))
    except StepFailed as failed:
        for goal in plan.goals:
            export_failed(goal, plan, failed, engine)
        raise
    made = []
    for goal, outputs in wanted:
        snapshots = [None if one.edge is None else engine.snapshot(next(results)) for one in goal.targets]
        made.append(export_goal(goal, plan, request, outputs, snapshots, engine))
    return BuildResult(tuple(made), _evidence(plan, request, wanted, engine, made))


def kept_failed(plan: Plan) -> set[str]:
    """Digests of the steps of which something is to be taken out also when they fail."""
    edges = [edge for goal in plan.goals if any(one.always for one in goal.files) for edge in goal.edges]
    return {vertex.digest for vertex in walk(edges)}


def _check_several(request: BuildRequest, outputs: Sequence[Output]) -> None:
    """Raises UsageError for what can belong to one goal only."""
    placed = next((output for output in outputs if output.dest), None)
    for given, what in (
        (placed is not None, f"-o {placed.dest}" if placed is not None else ""),
        (bool(request.tags), "-t"),
        (request.iidfile is not None, "--iidfile"),
    ):
        if given:
            raise UsageError(
                f"{what} is for one target, and several are built", help="build one target, or leave it out"
            )


def export_goal(
    goal: Goal,
    plan: Plan,
    request: BuildRequest,
    outputs: Sequence[Output],
    snapshots: Sequence[int | None],
    engine: Engine,
) -> Made:
    """Carry out the outputs of a goal that has been solved to `snapshots`. Raises UserError."""
    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.exports import export_all
    from pybuild.runtime.export.pushing import pusher
    from pybuild.runtime.image.assemble import Result

    results = [
        Result(target.config, snapshot, base=target.base, made=engine.creation.time)
        for target, snapshot in zip(goal.targets, snapshots, strict=True)
    ]
    build = Build(
        engine.store,
        engine.snapshotter,
        engine.layers,
        results,
        engine.observer,
        index=goal.index,
        tags=goal.tags,
        epoch=goal.targets[0].epoch,
        annotations=_annotations(goal, request),
        push=pusher(engine),
        cancelled=engine.cancellation,
    )
    metadata: dict[str, object] = {}
    for found in export_all(outputs, build):
        metadata.update(found)
    blobs = engine.store.blobs
    kept = build.digests() if any(output.type == "image" for output in outputs) else []
    paths = tuple(blobs.path(digest) for digest in kept if blobs.has(digest))
    files = [path for one in goal.files for path in _export_files(one, plan, snapshots[one.target], engine)]
    made = _made(goal, metadata, request, outputs)
    return evolve(made, blobs=paths, files=tuple(files), snapshots=tuple(snapshots))


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
    """Take out what is wanted of a goal also when a step of it failed, as far as the step left it."""
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


def _evidence(
    plan: Plan,
    request: BuildRequest,
    wanted: Sequence[tuple[Goal, Sequence[Output]]],
    engine: Engine,
    made: Sequence[Made],
) -> Evidence | None:
    """What the finished build depended on; None for one that can't be replayed."""
    from pybuild.replay.record import Evidence, recordable

    vertices = list(walk(plan.edges))
    sources = {vertex.digest: vertex.op for vertex in vertices if isinstance(vertex.op, SourceOp)}
    generation = engine.store.known_generation()
    outputs = [output for _, outputs in wanted for output in outputs]
    if generation is None or not plan.still:
        return None
    if not recordable(request, outputs, [*sources.values(), *plan.told_by]):
        return None
    trees = engine.local_trees
    local = [digest for digest, op in sources.items() if op.identifier.startswith("local://")]
    if not trees.keys() >= set(local) or any(map(runs_anew, vertices)):
        return None
    return Evidence(
        plan,
        generation,
        trees=[trees[digest] for digest in local],
        blobs=[path for one in made for path in one.blobs],
        steps=[vertex.name for vertex in vertices],
    )


def runs_anew(vertex: Vertex) -> bool:
    """Whether a step must be looked at also when its result is known: the machine's devices decide about it, or it
    is never taken from the cache."""
    devices = isinstance(vertex.op, ExecOp) and bool(vertex.op.cdi_devices)
    return devices or vertex.metadata.ignore_cache


def _made(goal: Goal, metadata: dict[str, object], request: BuildRequest, outputs: Sequence[Output]) -> Made:
    digest = str(metadata.get("containerimage.digest", ""))
    config = str(metadata.get("containerimage.config.digest", ""))
    summary = []
    if digest:
        named = f" as {metadata['image.name']}" if "image.name" in metadata else ""
        summary.append(f"image {digest}{named}")
    summary += [f"{output.type} {output.dest}" for output in outputs if output.dest not in ("", "-")]
    summary += [f"output {os.path.relpath(one.dest)}" for one in goal.files]
    if not request.outputs and not goal.files and all(output.type == "none" for output in outputs):
        summary.append("the result is in the build cache: name it with -t, or export it with -o")
    return Made(
        name=goal.name,
        digest=digest,
        iid=config or digest,
        metadata=metadata,
        summary=tuple(summary),
    )


def _annotations(goal: Goal, request: BuildRequest) -> Annotations | None:
    """Those of the build file with those of the request over them."""
    if not request.annotations and not goal.annotations:
        return None
    from pybuild.runtime.image.annotations import Annotations, parse_flags

    return Annotations(goal.annotations) + parse_flags(request.annotations)


def _hosts(request: BuildRequest) -> Hosts | None:
    """The registries of the user's configuration."""
    if not request.registries:
        return None
    from pybuild.runtime.registry.hosts import Hosts, RegistryConfig

    return Hosts([RegistryConfig(host, **settings) for host, settings in request.registries.items()])
