"""From a plan to exported images: the part of a build that every frontend shares."""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.compiler.graph import walk
from pybuild.compiler.ops import ExecOp, SourceOp
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.content.place import default_root
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.export.output import Output, parse_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.reference import Reference
    from pybuild.invocation import Evidence
    from pybuild.plan import Plan
    from pybuild.request import BuildRequest
    from pybuild.runtime.export.build import Push
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Observer, Tracked
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.solver.types import Cancellation

_NO_IMAGE = ("local", "tar", "none")


@frozen
class BuildResult:
    """What came of a build. `digest` is the image's (empty when no image was made), `iid` what `--iidfile`
    gets (as buildx has it: the config's digest, where there is one config), `metadata` what `--metadata-file`
    gets; `summary` are lines for the user; `blobs` are the files of what the local store is to hold of it;
    `evidence` tells what it depended on, None where it can't be replayed."""

    digest: str = ""
    config_digest: str = ""
    iid: str = ""
    metadata: Mapping[str, object] = {}
    summary: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    evidence: Evidence | None = None


def open_engine(
    request: BuildRequest,
    directories: Mapping[str, bytes],
    images: Mapping[str, str],
    observer: Observer,
    cancellation: Cancellation,
    *,
    enter: bool = True,
) -> Engine:
    """The engine for a request. It enters the build's namespaces, unless nothing is to be run."""
    from pybuild.runtime.session import agents, secrets

    options = EngineOptions(
        default_root(),
        directories=directories,
        named=images,
        pull=request.pull,
        allow=frozenset(request.allow),
        isolate=request.isolate_network,
        parallelism=request.parallelism,
        hosts=_hosts(request),
        secrets=[secrets.parse(text) for text in request.secrets],
        agents=agents.parse_all(request.ssh),
    )
    return Engine(options, observer, cancellation, enter=enter)


def requested_outputs(request: BuildRequest) -> list[Output]:
    """The outputs of a request. One that names none gets an image in the local store if something asks for an
    image (a tag, its digest); else the result stays in the build cache, as with buildx. Raises UsageError."""
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
        wanted = request.tags or request.quiet or request.progress == "quiet"
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


def execute(plan: Plan, request: BuildRequest, outputs: Sequence[Output], engine: Engine) -> BuildResult:
    """Solve and export. Raises UserError."""
    results = iter(engine.solve(plan.edges))
    snapshots = [None if one.edge is None else engine.snapshot(next(results)) for one in plan.targets]
    result = _export(plan, request, outputs, snapshots, engine)
    return evolve(result, evidence=_evidence(plan, request, outputs, engine, result))


def _export(
    plan: Plan,
    request: BuildRequest,
    outputs: Sequence[Output],
    snapshots: Sequence[int | None],
    engine: Engine,
) -> BuildResult:
    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.exports import export_all
    from pybuild.runtime.image.assemble import Result

    results = [
        Result(target.config, snapshot, base=target.base, made=engine.made)
        for target, snapshot in zip(plan.targets, snapshots, strict=True)
    ]
    made = Build(
        engine.store,
        engine.snapshotter,
        engine.layers,
        results,
        engine.observer,
        index=plan.index,
        tags=request.tags,
        epoch=plan.targets[0].epoch,
        annotations=_annotations(request),
        push=_pusher(engine),
        cancelled=engine.cancellation,
    )
    metadata: dict[str, object] = {}
    for found in export_all(outputs, made):
        metadata.update(found)
    blobs = engine.store.blobs
    kept = made.digests() if any(output.type == "image" for output in outputs) else []
    paths = tuple(blobs.path(digest) for digest in kept if blobs.has(digest))
    return evolve(_result(metadata, request, outputs), blobs=paths)


def _evidence(
    plan: Plan,
    request: BuildRequest,
    outputs: Sequence[Output],
    engine: Engine,
    result: BuildResult,
) -> Evidence | None:
    """What the finished build depended on; None for one that can't be replayed."""
    from pybuild.invocation import Evidence, recordable

    vertices = list(walk(plan.edges))
    sources = {vertex.digest: vertex.op for vertex in vertices if isinstance(vertex.op, SourceOp)}
    generation = engine.store.known_generation()
    if generation is None or not recordable(request, outputs, [*sources.values(), *plan.dated_by]):
        return None
    trees = engine.local_trees
    local = [digest for digest, op in sources.items() if op.identifier.startswith("local://")]
    if not trees.keys() >= set(local) or any(map(_has_devices, vertices)):
        return None
    return Evidence(
        plan,
        generation,
        trees=[trees[digest] for digest in local],
        blobs=result.blobs,
        steps=[vertex.name for vertex in vertices],
    )


def _has_devices(vertex: Vertex) -> bool:
    """Whether the machine's devices decide about a step, also when its result is known."""
    return isinstance(vertex.op, ExecOp) and bool(vertex.op.cdi_devices)


def _result(metadata: dict[str, object], request: BuildRequest, outputs: Sequence[Output]) -> BuildResult:
    digest = str(metadata.get("containerimage.digest", ""))
    config = str(metadata.get("containerimage.config.digest", ""))
    summary = []
    if digest:
        named = f" as {metadata['image.name']}" if "image.name" in metadata else ""
        summary.append(f"image {digest}{named}")
    summary += [f"{output.type} {output.dest}" for output in outputs if output.dest not in ("", "-")]
    if not request.outputs and all(output.type == "none" for output in outputs):
        summary.append("the result is in the build cache: name it with -t, or export it with -o")
    return BuildResult(
        digest=digest,
        config_digest=config,
        iid=config or digest,
        metadata=metadata,
        summary=tuple(summary),
    )


def _pusher(engine: Engine) -> Push:
    def bring(image: Image, name: Reference, *, insecure: bool, by_digest: bool, tracked: Tracked) -> None:
        from pybuild.runtime.registry.client import Client
        from pybuild.runtime.registry.hosts import Hosts, RegistryConfig
        from pybuild.runtime.registry.push import push
        from pybuild.runtime.registry.transfer import Transfer

        transfer = Transfer(tracked, engine.cancellation)
        if not insecure:
            push(engine.images.client(), engine.store, image.target, name, transfer, by_digest=by_digest)
            return
        with Client(Hosts([RegistryConfig(name.domain, insecure=True)])) as client:
            push(client, engine.store, image.target, name, transfer, by_digest=by_digest)

    return bring


def _annotations(request: BuildRequest) -> Annotations | None:
    if not request.annotations:
        return None
    from pybuild.runtime.image.annotations import parse_flags

    return parse_flags(request.annotations)


def _hosts(request: BuildRequest) -> Hosts | None:
    """The registries of the user's configuration."""
    if not request.registries:
        return None
    from pybuild.runtime.registry.hosts import Hosts, RegistryConfig

    return Hosts([RegistryConfig(host, **settings) for host, settings in request.registries.items()])
