"""The front door: from a request to exported images.

inputs   = read_inputs(context, file)            what the user wrote
parsed   = parse_dockerfile(inputs)              instructions
targets  = lower_all(parsed, …, bridge)          LLB vertices; the bridge answers what must be known
result   = execute(plan, …)                      snapshots, cached and parallel; images and archives
"""

from __future__ import annotations

import os
import sys

from pybuild.cached import note
from pybuild.contexts import STDIN, Inputs, NamedContexts, complete, read_inputs
from pybuild.dockerfile import CONTEXT, lower_all, parse_dockerfile
from pybuild.execute import BuildResult, execute, open_engine, requested_outputs
from pybuild.lang.diagnostics import UsageError
from pybuild.plan import Plan, Target
from pybuild.runtime.bridge.bridge import LocalBridge
from pybuild.runtime.content.place import default_root
from pybuild.runtime.content.store import ENTRIES, IN_USE
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.cached import Signature
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
    """Build and export. Must run in the main thread before another exists: it enters the build's namespaces.

    Raises UserError.
    """
    outputs = requested_outputs(request)
    asked = _Asked(request, observer)
    engine = asked.open(observer, cancellation)
    try:
        observer.start()
        return execute(asked.plan(engine, observer), request, outputs, engine)
    finally:
        engine.close()


def graph(request: BuildRequest, observer: Observer, cancellation: Cancellation, format: str) -> bytes:
    """The graph of the target as `json`, `llb` (a `pb.Definition`) or `dot`. Nothing is run. Raises UserError."""
    from pybuild.compiler.dot import to_dot
    from pybuild.compiler.graphjson import dumps
    from pybuild.compiler.llb.encode import encode_definition

    asked = _Asked(request, observer)
    engine = asked.open(observer, cancellation, enter=False)
    try:
        (target, *others) = asked.plan(engine, observer).targets
    finally:
        engine.close()
    if others:
        raise UsageError("a graph is for one platform", help="give one --platform")
    if format == "llb":
        return encode_definition(target.edge)
    if target.edge is None:
        raise UsageError("the target is the empty file system: its graph has no vertex")
    return dumps(target.edge).encode() if format == "json" else to_dot(target.edge).encode()


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
        # What is remembered of the store goes before the store.
        for name in sorted(os.listdir(root), key=lambda name: name != "invocations"):
            if name.startswith(ENTRIES):
                remove_tree(os.path.join(root, name))


class _Asked:
    """A request with what it reads: the build files, parsed, and the named contexts."""

    def __init__(self, request: BuildRequest, observer: Observer) -> None:
        self._request = request
        self._consulted: dict[str, Signature | None] = {}
        for path in request.consulted:
            note(path, self._consulted)
        file = request.file if request.file not in (None, STDIN) else "Dockerfile"
        with Tracked(observer, f"[internal] load build definition from {os.path.basename(file or '')}"):
            self._inputs = read_inputs(request.context, request.file)
        self._named = NamedContexts(request.build_contexts)
        self._parsed: Dockerfile | None = None
        if self._inputs.directory is not None:
            self._parsed = parse_dockerfile(self._inputs, observer)

    def open(self, observer: Observer, cancellation: Cancellation, *, enter: bool = True) -> Engine:
        """The engine, with the directories and images that the graph will name."""
        directories = {**self._named.directories}
        if self._inputs.directory is not None:
            directories[CONTEXT] = os.fsencode(self._inputs.directory)
        images = {**self._named.images, **self._hosts()}
        engine = open_engine(self._request, directories, images, observer, cancellation, enter=enter)
        if self._inputs.directory is None:
            try:
                directory = _unpack_context(self._inputs, self._request, engine)
            except BaseException:
                engine.close()
                raise
            engine.options.directories[CONTEXT] = os.fsencode(directory)
        return engine

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        """Lower the target for every platform."""
        request, inputs, options = self._request, self._inputs, engine.options
        bridge = LocalBridge(
            lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation),
            lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
            lambda edge: engine.solve([edge])[0],
            engine.tree,
            observer,
        )
        parsed = self._parsed or parse_dockerfile(inputs, observer)
        lowered = lower_all(parsed, inputs, request, self._named.sources, bridge)
        return Plan(
            [Target(one.edge, one.image.to_json(), one.base_config, one.epoch) for one in lowered],
            options.directories,
            options.named,
            consulted={**self._consulted, **inputs.consulted, **self._named.consulted},
            names=[name for name, value in request.build_args if value is None],
            trees=list(engine.local_trees.values()),
        )

    def _hosts(self) -> dict[str, str]:
        """The `host:` contexts as OCI layouts."""
        found: dict[str, str] = {}
        if self._named.hosts:
            from pybuild.runtime.content.store import make_root
            from pybuild.runtime.sources.host import materialize

            make_root(default_root())
            for name, commands in self._named.hosts.items():
                host = materialize(commands, os.path.join(default_root(), "host"))
                found[name] = "oci-layout://" + host.path
                for path in host.files:
                    note(path, self._named.consulted)
        return found


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


__all__ = ["BuildResult", "build", "graph", "prune"]
