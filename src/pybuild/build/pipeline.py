"""The front door: from a request to exported images.

inputs   = read_inputs(context, file)            what the user wrote
asked    = ask(request, observer)                of which frontend it is
plan     = asked.plan(engine, observer)          LLB vertices; a bridge answers what must be known
result   = execute(plan, request, engine)        snapshots, cached and parallel; images and archives
"""

from __future__ import annotations

import os
import sys

from pybuild.build.execute import BuildResult, execute, requested_outputs
from pybuild.build.inputs import STDIN, default_name, frontend_of, read_inputs
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.signatures import note
from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.root import ENTRIES, IN_USE
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from pybuild.build.inputs import Inputs
    from pybuild.build.plan import Plan
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

    class Asked(Protocol):
        """A build of one frontend. Making it reads the build files; all may raise UserError."""

        @property
        def fetches(self) -> bool:
            """Whether something may be fetched before there is a graph."""

        def open(self, observer: Observer, cancellation: Cancellation, *, enter: bool = True) -> Engine:
            """The engine, with the directories and images that the graph will name."""

        def plan(self, engine: Engine, observer: Observer) -> Plan: ...


def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
    """Build and export. Must run in the main thread before another exists: it enters the build's namespaces.

    Raises UserError.
    """
    requested_outputs(request)  # what is wrong with them is said before anything is read
    asked = ask(request, observer)
    engine = asked.open(observer, cancellation)
    try:
        observer.start()
        return execute(asked.plan(engine, observer), request, engine)
    finally:
        engine.close()


def ask(request: BuildRequest, observer: Observer) -> Asked:
    """The build that is asked for, by its frontend. Raises UserError."""
    return _ask(request, load_inputs(request, observer), observer)


def _ask(request: BuildRequest, inputs: Inputs, observer: Observer) -> Asked:
    frontend = frontend_of(inputs, request)
    if frontend.records:
        from pybuild.frontends.language import LanguageBuild

        return LanguageBuild(request, inputs, observer)
    if frontend.kind == frontends.PLUGIN:
        from pybuild.frontends.plugin import PluginBuild

        return PluginBuild(request, inputs, frontend)
    if frontend.is_image:
        from pybuild.frontends.image_file import ImageFrontendBuild

        return ImageFrontendBuild(request, inputs)
    from pybuild.build.dockerfile import DockerfileBuild

    return DockerfileBuild(request, inputs, observer)


def load_inputs(request: BuildRequest, observer: Observer) -> Inputs:
    """The files that a request names, and the state of those that decide what it means. Raises UsageError."""
    from pybuild.replay.record import given

    states: dict[str, tuple[int, ...] | None] = {}
    for path in (*request.consulted, *(given(request) or ())):
        note(path, states)
    name = request.file if request.file not in (None, STDIN) else default_name(request.context)
    with Tracked(observer, f"[internal] load build definition from {os.path.basename(name or '')}"):
        inputs = read_inputs(request.context, request.file)
    inputs.consulted = {**states, **inputs.consulted}
    return inputs


def graph(
    request: BuildRequest,
    observer: Observer,
    cancellation: Cancellation,
    format: str,
    *,
    linked: bool = False,
) -> bytes:
    """The graph of what is asked for as `json`, `llb` (a `pb.Definition`) or `dot`. Nothing is run but what
    a package's frontend asks for. That of a Dockerfile is always `linked`. Raises UserError."""
    inputs = load_inputs(request, observer)
    if frontend_of(inputs, request).records:
        from pybuild.build import graph

        return graph.graph(request, inputs, observer, cancellation, format, linked=linked)
    return _dockerfile_graph(_ask(request, inputs, observer), observer, cancellation, format)


def _dockerfile_graph(asked: Asked, observer: Observer, cancellation: Cancellation, format: str) -> bytes:
    """That of the one target of the one platform."""
    from pybuild.compiler.dot import to_dot
    from pybuild.compiler.graphjson import dumps
    from pybuild.compiler.llb.encode import encode_definition

    engine = asked.open(observer, cancellation, enter=asked.fetches)
    try:
        targets = [target for goal in asked.plan(engine, observer).goals for target in goal.targets]
    finally:
        engine.close()
    target, *others = targets
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


__all__ = ["BuildResult", "build", "graph", "prune"]
