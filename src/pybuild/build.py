"""The front door: from a request to exported images.

inputs   = read_inputs(context, file)            what the user wrote
parsed   = parse_dockerfile(inputs)              instructions
targets  = lower_all(parsed, …, bridge)          LLB vertices; the bridge answers what must be known
results  = engine.solve(edges)                   snapshots, cached and parallel
exported = export_all(outputs, …)                images, directories, archives
"""

from __future__ import annotations

import os
import sys
from time import time_ns

from attrs import evolve, frozen

from pybuild.compiler.graph import walk
from pybuild.contexts import Inputs, NamedContexts, complete, read_inputs
from pybuild.dockerfile import CONTEXT, lower_all, parse_dockerfile
from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.bridge.bridge import LocalBridge
from pybuild.runtime.content.store import ENTRIES, IN_USE, default_root
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.export.output import Output, parse_output
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile import Lowered
    from pybuild.compiler.reference import Reference
    from pybuild.invocation import Evidence
    from pybuild.request import BuildRequest
    from pybuild.runtime.export.build import Build, Push
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.solver.types import Cancellation


@frozen
class BuildResult:
    """What came of a build. `digest` is the image's (empty when no image was made), `iid` what `--iidfile`
    gets, `metadata` what `--metadata-file` gets; `summary` are lines for the user; `evidence` tells what it
    depended on, None where it can't be replayed."""

    digest: str = ""
    config_digest: str = ""
    iid: str = ""
    metadata: Mapping[str, object] = {}
    summary: tuple[str, ...] = ()
    evidence: Evidence | None = None


def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
    """Build and export. Must run in the main thread before another exists: it enters the build's namespaces.

    Raises UserError.
    """
    begun = time_ns()
    outputs = requested_outputs(request)
    with Tracked(observer, "[internal] load build definition from Dockerfile"):
        inputs = read_inputs(request.context, request.file)
    named = NamedContexts(request.build_contexts)
    if inputs.directory is not None:
        parse_dockerfile(inputs, observer)
    engine = open_engine(request, inputs, named, observer, cancellation)
    try:
        observer.start()
        targets = _lower(request, inputs, named, engine, observer)
        edges = [target.edge for target in targets if target.edge is not None]
        results = iter(engine.solve(edges))
        snapshots = [None if one.edge is None else engine.snapshot(next(results)) for one in targets]
        result = _export(request, outputs, targets, snapshots, engine)
        return evolve(
            result, evidence=_evidence(begun, request, outputs, inputs, named, engine, edges, result)
        )
    finally:
        engine.close()


def prune(root: str) -> None:
    """Delete all that the store at `root` holds, also what belongs to other users of a user namespace. Waits for
    the builds that use it. Raises UserError."""
    from pybuild.runtime.content.locks import wait_lock
    from pybuild.runtime.sandbox import namespaces
    from pybuild.runtime.snapshots.removal import remove_tree

    if not os.path.isdir(root):
        return
    namespaces.enter(root)
    path = os.path.join(root, IN_USE)
    lock = wait_lock(path, on_wait=lambda who: print(f"waiting for {who}", file=sys.stderr))
    assert lock is not None
    with lock:
        for name in os.listdir(root):
            if name.startswith(ENTRIES):
                remove_tree(os.path.join(root, name))


def graph(request: BuildRequest, observer: Observer, cancellation: Cancellation, format: str) -> bytes:
    """The graph of the target as `json`, `llb` (a `pb.Definition`) or `dot`. Nothing is run. Raises UserError."""
    from pybuild.compiler.dot import to_dot
    from pybuild.compiler.graphjson import dumps
    from pybuild.compiler.llb.encode import encode_definition

    inputs = read_inputs(request.context, request.file)
    named = NamedContexts(request.build_contexts)
    engine = open_engine(request, inputs, named, observer, cancellation, enter=False)
    try:
        (target, *others) = _lower(request, inputs, named, engine, observer)
    finally:
        engine.close()
    if others:
        raise UsageError("a graph is for one platform", help="give one --platform")
    if format == "llb":
        return encode_definition(target.edge)
    if target.edge is None:
        raise UsageError("the target is the empty file system: its graph has no vertex")
    return dumps(target.edge).encode() if format == "json" else to_dot(target.edge).encode()


def requested_outputs(request: BuildRequest) -> list[Output]:
    """The outputs of a request; an image in the local store when it names none. Raises UsageError."""
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
        outputs.append(Output("image"))
    to_stdout = [output for output in outputs if output.dest == "-"]
    if len(to_stdout) > 1:
        raise UsageError("more than one output goes to standard output", help="give all but one a dest=FILE")
    for output in outputs:
        output.check()
    return outputs


def open_engine(
    request: BuildRequest,
    inputs: Inputs,
    named: NamedContexts,
    observer: Observer,
    cancellation: Cancellation,
    *,
    enter: bool = True,
) -> Engine:
    """The engine for a request, with the directories and images its graph will name."""
    root = default_root()
    images = dict(named.images)
    if named.hosts:
        from pybuild.runtime.sources.host import materialize

        for name, commands in named.hosts.items():
            host = materialize(commands, os.path.join(root, "host"))
            images[name] = "oci-layout://" + host.path
            named.consulted.update(host.files)
    directories = dict(named.directories)
    directories[CONTEXT] = os.fsencode(inputs.directory or os.devnull)
    options = EngineOptions(
        root,
        directories=directories,
        named=images,
        pull=request.pull,
        allow=frozenset(request.allow),
        isolate=request.isolate_network,
        parallelism=request.parallelism,
        hosts=_hosts(request),
    )
    engine = Engine(options, observer, cancellation, enter=enter)
    if inputs.directory is None:
        try:
            engine.options.directories[CONTEXT] = os.fsencode(_unpack_context(inputs, request, engine))
        except BaseException:
            engine.close()
            raise
    return engine


def _lower(
    request: BuildRequest, inputs: Inputs, named: NamedContexts, engine: Engine, observer: Observer
) -> list[Lowered]:
    bridge = LocalBridge(
        lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation),
        lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
        lambda edge: engine.solve([edge])[0],
        engine.tree,
        observer,
    )
    return lower_all(parse_dockerfile(inputs, observer), inputs, request, named.sources, bridge)


def _unpack_context(inputs: Inputs, request: BuildRequest, engine: Engine) -> str:
    """The archive from standard input, unpacked into this process's work directory."""
    from io import BytesIO

    from pybuild.runtime.image.decompression import pull_decompressed
    from pybuild.runtime.image.extract import extract

    directory = os.path.join(engine.store.work, "context")
    os.mkdir(directory, 0o700)
    if inputs.archive is None:
        inputs.directory = directory
    else:
        pull = pull_decompressed(BytesIO(inputs.archive), name="standard input")
        extract(pull, os.fsencode(directory), owners=False, archive="standard input")
        inputs.archive = None
        complete(inputs, directory, request.file)
    return directory


def _export(
    request: BuildRequest,
    outputs: Sequence[Output],
    targets: Sequence[Lowered],
    snapshots: Sequence[int | None],
    engine: Engine,
) -> BuildResult:
    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.exports import export_all
    from pybuild.runtime.image.assemble import Result

    results = [
        Result(target.image.to_json(), snapshot, base=target.base_config, made=engine.made)
        for target, snapshot in zip(targets, snapshots, strict=True)
    ]
    made = Build(
        engine.store,
        engine.snapshotter,
        engine.layers,
        results,
        engine.observer,
        tags=request.tags,
        epoch=targets[0].epoch,
        annotations=_annotations(request),
        push=_pusher(engine),
        cancelled=engine.cancellation,
    )
    metadata: dict[str, object] = {}
    for found in export_all(outputs, made):
        metadata.update(found)
    return _result(metadata, made, outputs)


def _evidence(
    begun: int,
    request: BuildRequest,
    outputs: Sequence[Output],
    inputs: Inputs,
    named: NamedContexts,
    engine: Engine,
    edges: Sequence[Edge],
    result: BuildResult,
) -> Evidence | None:
    """What the finished build depended on."""
    from pybuild.invocation import Evidence, recordable

    generation = engine.store.known_generation()
    if generation is None or not recordable(request, outputs):
        return None
    evidence = Evidence(begun)
    evidence.generation = generation
    evidence.names = [name for name, value in request.build_args if value is None]
    evidence.files.update(os.path.abspath(path) for path in (*inputs.consulted, *request.consulted))
    evidence.files.update(named.consulted)
    evidence.trees = list(engine.local_trees)
    evidence.steps = [vertex.name for vertex in walk(edges)]
    if result.digest:
        evidence.blobs = [engine.store.blobs.path(result.digest)]
    return evidence


def _result(metadata: dict[str, object], made: Build, outputs: Sequence[Output]) -> BuildResult:
    digest = str(metadata.get("containerimage.digest", ""))
    summary = []
    if digest:
        named = f" as {metadata['image.name']}" if "image.name" in metadata else ""
        summary.append(f"image {digest}{named}")
    summary += [f"{output.type} {output.dest}" for output in outputs if output.dest not in ("", "-")]
    return BuildResult(
        digest=digest,
        config_digest=str(metadata.get("containerimage.config.digest", "")),
        iid=digest,
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
