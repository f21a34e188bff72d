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
from pybuild.contexts import STDIN, Inputs, NamedContexts, read_inputs
from pybuild.dockerfile import (
    CONTEXT,
    build_args,
    lower_all,
    lower_options,
    parse_dockerfile,
    read_dockerfile,
    wants_index,
)
from pybuild.execute import BuildResult, execute, open_engine, requested_outputs
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.plan import Plan, Target
from pybuild.runtime.bridge.bridge import LocalBridge
from pybuild.runtime.content.place import default_root
from pybuild.runtime.content.store import ENTRIES, IN_USE
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.cached import Signature
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile import LowerOptions
    from pybuild.dockerfile import Text
    from pybuild.lang.dockerfile.extensions import ReadFile
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.source import Source
    from pybuild.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
    """Build and export. Must run in the main thread before another exists: it enters the build's namespaces.

    Raises UserError.
    """
    outputs = requested_outputs(request)
    asked = Asked(request, observer)
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

    asked = Asked(request, observer)
    engine = asked.open(observer, cancellation, enter=asked.fetches)
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


_AT_HAND = ("docker-image:", "local:", "oci-layout:", "target:")
"""Sources of named contexts that are not fetched to know the graph."""


class Asked:
    """A request with what it reads: the build files and the named contexts. The Dockerfile is parsed when it is
    read, unless `parse` leaves that to who asks."""

    def __init__(self, request: BuildRequest, observer: Observer, *, parse: bool = True) -> None:
        self._request = request
        from pybuild.invocation import given

        self._consulted: dict[str, Signature | None] = {}
        for path in (*request.consulted, *(given(request) or ())):
            note(path, self._consulted)
        file = request.file if request.file not in (None, STDIN) else "Dockerfile"
        with Tracked(observer, f"[internal] load build definition from {os.path.basename(file or '')}"):
            self._inputs = read_inputs(request.context, request.file)
        self._named = NamedContexts(request.build_contexts)
        self._args = build_args(request)
        self._parsed: tuple[Dockerfile, Linter] | None = None
        text = self.text if parse else None
        if text is not None and not text.extended:
            self._parsed = parse_dockerfile(text, self._args, None, observer)

    @property
    def fetches(self) -> bool:
        """Whether something may be fetched before there is a graph: the context, the Dockerfile, a named context,
        what tells the time."""
        inputs = self._inputs
        if inputs.remote is not None or inputs.url is not None or inputs.archive is not None:
            return True
        if any(not source.startswith(_AT_HAND) for source in self._named.sources.values()):
            return True
        epoch = self._args.get("SOURCE_DATE_EPOCH", "")
        return b"SOURCE_DATE_EPOCH" in self.written or not (epoch.lstrip("+-") or "0").isdecimal()

    @property
    def text(self) -> Text | None:
        """The Dockerfile's text, None before it is fetched. Raises SourceError, UsageError."""
        syntax = self._args.get("BUILDKIT_SYNTAX", "").strip().partition(" ")[0]
        return None if self._inputs.dockerfile is None else read_dockerfile(self._inputs, syntax)

    @property
    def written(self) -> bytes:
        """The Dockerfile's bytes as they were read."""
        return self._inputs.dockerfile or b""

    def linter(self, source: Source) -> Linter:
        """A linter as the file and the build arguments want it, which warns nobody. Raises as `Linter.of`."""
        return Linter.of(source, self._args)

    def open(self, observer: Observer, cancellation: Cancellation, *, enter: bool = True) -> Engine:
        """The engine, with the directories and images that the graph will name."""
        directories = {**self._named.directories}
        if self._inputs.directory is not None:
            directories[CONTEXT] = os.fsencode(self._inputs.directory)
        images = {**self._named.images, **self._hosts()}
        engine = open_engine(self._request, directories, images, observer, cancellation, enter=enter)
        if self._inputs.directory is None and self._inputs.remote is None:
            try:
                directory = _place_context(self._inputs, engine)
            except BaseException:
                engine.close()
                raise
            engine.options.directories[CONTEXT] = os.fsencode(directory)
        return engine

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        """Lower the target for every platform."""
        request, inputs, options = self._request, self._inputs, engine.options
        bridge = _bridge(engine, observer)
        context = self._fetch(bridge)
        if self._parsed is None:
            text = self.text
            assert text is not None
            self._parsed = parse_dockerfile(text, self._args, _reader(bridge, context), observer)
        parsed, linter = self._parsed
        lowered = lower_all(parsed, inputs, request, self._named.sources, context, bridge, linter)
        return Plan(
            [Target(one.edge, one.image.to_json(), one.base_config, one.epoch) for one in lowered],
            options.directories,
            options.named,
            index=wants_index(request, self._args),
            consulted={**self._consulted, **inputs.consulted, **self._named.consulted},
            names=[name for name, value in request.build_args if value is None],
            trees=list(engine.local_trees.values()),
            dated_by=[one.epoch_source for one in lowered if one.epoch_source is not None],
        )

    def question(
        self, engine: Engine, observer: Observer, bridge: Callable[[Bridge], Bridge] | None = None
    ) -> Question:
        """The Dockerfile, fetched where it lies elsewhere, and what its lowering needs. `bridge` may take the
        place of the one given to it."""
        own = _bridge(engine, observer)
        context = self._fetch(own)
        text = self.text
        assert text is not None
        options = lower_options(self._inputs, self._request, self._named.sources, context, Linter.off())
        asked = bridge(own) if bridge is not None else own
        return Question(text, options[0], asked, _reader(own, context))

    def _fetch(self, bridge: LocalBridge) -> Edge | None:
        """The main context if it lies elsewhere; reads a Dockerfile that does."""
        inputs = self._inputs
        if not self.fetches:
            return None
        from pybuild.remote import fetch_dockerfile, open_archive, open_context

        if inputs.url is not None:
            fetch_dockerfile(inputs, bridge)
        if inputs.archive is not None:
            return open_archive(inputs, CONTEXT, bridge)
        if inputs.remote is None:
            return None
        keep = self._args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")
        mtime = "commit" if self._args.get("SOURCE_DATE_EPOCH") else ""
        return open_context(inputs, bridge, keep_git_dir=bool(truth(keep)), mtime=mtime)

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


class Question:
    """What a frontend is given to say something of a build: the Dockerfile's text, the options of its first
    platform, whose linter is off, a bridge, and what reads a file of the main context."""

    __slots__ = ("bridge", "options", "read", "text")

    def __init__(self, text: Text, options: LowerOptions, bridge: Bridge, read: ReadFile) -> None:
        self.text = text
        self.options = options
        self.bridge = bridge
        self.read = read

    def parse(self, linter: Linter) -> Dockerfile:
        """Raises SourceError."""
        return self.text.parse(None, linter, self.read)


def _reader(bridge: Bridge, context: Edge | None) -> ReadFile:
    """What reads a file of the main context."""
    from pybuild.compiler.contextfile import read_context_file

    return lambda path: read_context_file(path, bridge, context=context, local_name=CONTEXT)


def _bridge(engine: Engine, observer: Observer) -> LocalBridge:
    return LocalBridge(
        lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation),
        lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
        lambda edge: engine.solve([edge])[0],
        engine.tree,
        observer,
        engine.source_time,
    )


def _place_context(inputs: Inputs, engine: Engine) -> str:
    """A directory of this process's own with the archive from standard input, or with nothing."""
    from pybuild.compiler.remote import FILE

    directory = os.path.join(engine.store.work, "context")
    os.mkdir(directory, 0o700)
    if inputs.archive is None:
        inputs.directory = directory
    else:
        with open(os.path.join(directory, FILE), "wb") as file:
            file.write(inputs.archive)
        inputs.archive = b""
    return directory


__all__ = ["BuildResult", "build", "graph", "prune"]
