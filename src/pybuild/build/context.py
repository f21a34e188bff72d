"""Builds of a file with a context and named contexts: what they have in common, whatever frontend reads the file."""

from __future__ import annotations

import os

from pybuild.build.dockerfiles import CONTEXT, build_args
from pybuild.build.execute import open_engine
from pybuild.build.inputs import NamedContexts
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.signatures import note
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.build.inputs import Inputs
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def check_single(request: BuildRequest, kind: str, *, instead: str = "") -> None:
    """Raises UsageError for what only files of the language take: several targets, params, a lock file. `kind` is
    what is built in their place."""
    if len(request.targets) > 1:
        raise UsageError(
            f"several targets of {kind} are not supported: " + " ".join(request.targets),
            help="build one after the other",
        )
    for given, flag in ((request.params or request.params_files, "-p"), (request.locked, "--locked")):
        if given:
            raise UsageError(f"{flag} is for build files of the language{instead}")


class ContextBuild:
    """A request with what it reads: the build file, the context and the named ones. `args` are its build arguments,
    with those that come from the environment."""

    def __init__(self, request: BuildRequest, inputs: Inputs) -> None:
        """Raises UsageError for a named context that is none."""
        self.request = request
        self.inputs = inputs
        self.named = NamedContexts(request.build_contexts)
        self.args = build_args(request)

    @property
    def elsewhere(self) -> bool:
        """Whether the context or the build file has to be fetched or unpacked."""
        inputs = self.inputs
        return inputs.remote is not None or inputs.url is not None or inputs.archive is not None

    def open(self, observer: Observer, cancellation: Cancellation, *, enter: bool = True) -> Engine:
        """The engine, with the directories and images that the graph will name."""
        directories = {**self.named.directories}
        if self.inputs.directory is not None:
            directories[CONTEXT] = os.fsencode(self.inputs.directory)
        images = {**self.named.images, **self._hosts()}
        engine = open_engine(self.request, directories, images, observer, cancellation, enter=enter)
        if self.inputs.directory is None and self.inputs.remote is None:
            try:
                directory = _place_context(self.inputs, engine)
            except BaseException:
                engine.close()
                raise
            engine.client.provide(directories={CONTEXT: os.fsencode(directory)})
        return engine

    def fetch(self, bridge: Bridge) -> Edge | None:
        """The main context if it lies elsewhere; reads a build file that does."""
        if not self.elsewhere:
            return None
        from pybuild.build.remote_context import fetch_dockerfile, open_archive, open_context

        if self.inputs.url is not None:
            fetch_dockerfile(self.inputs, bridge)
        if self.inputs.archive is not None:
            return open_archive(self.inputs, CONTEXT, bridge)
        if self.inputs.remote is None:
            return None
        keep = self.args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")
        mtime = "commit" if self.args.get("SOURCE_DATE_EPOCH") else ""
        return open_context(self.inputs, bridge, keep_git_dir=bool(truth(keep)), mtime=mtime)

    def _hosts(self) -> dict[str, str]:
        """The `host:` contexts as OCI layouts."""
        found: dict[str, str] = {}
        if self.named.hosts:
            from pybuild.runtime.content.root import make_root
            from pybuild.runtime.sources.host import materialize

            make_root(default_root())
            for name, commands in self.named.hosts.items():
                host = materialize(commands, os.path.join(default_root(), "host"))
                found[name] = "oci-layout://" + host.path
                for path in host.files:
                    note(path, self.named.consulted)
        return found


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
