"""A request with its inputs: the main context, the named ones, the build arguments."""

from __future__ import annotations

import os

from pybuild.compiler.remote import FILE, is_remote
from pybuild.frontends.types import GraphNames
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.dependencies import Dependencies
from pybuild.request.arguments import RequestArguments
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.frontends.found_inputs import FoundInputs
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine

CONTEXT = "context"
"""Local source name of the main context."""


def check_single(request: BuildRequest, kind: str, *, instead: str = "") -> None:
    """Raises UsageError for settings that only files of the language take: several targets, params, a lock
    file. `kind` is what is built in their place."""
    if len(request.targets) > 1:
        raise UsageError(
            f"several targets of {kind} are not supported: " + " ".join(request.targets),
            help="build one after the other",
        )
    for value, flag in ((request.params or request.params_files, "-p"), (request.locked, "--locked")):
        if value:
            raise UsageError(f"{flag} is for build files of the language{instead}")


class BuildContext:
    """A request with its inputs and the values that follow from both. Immutable, except for `dependencies`,
    which collects.

    `arguments` are what the flags come to, `named` the contexts of `--build-context`.
    """

    __slots__ = ("arguments", "dependencies", "inputs", "named", "request")

    def __init__(
        self,
        request: BuildRequest,
        inputs: FoundInputs,
        dependencies: Dependencies,
        arguments: RequestArguments | None = None,
        named: NamedContexts | None = None,
    ) -> None:
        """Raises UsageError for an invalid named context or platform."""
        self.request = request
        self.inputs = inputs
        self.dependencies = dependencies
        self.arguments = arguments or RequestArguments(request)
        self.named = named or NamedContexts.of(request, dependencies)

    def with_inputs(self, inputs: FoundInputs) -> BuildContext:
        """Return the same context with more complete inputs."""
        return BuildContext(self.request, inputs, self.dependencies, self.arguments, self.named)

    @property
    def args(self) -> Mapping[str, str]:
        """The build arguments, with those of the environment."""
        return self.arguments.args

    @property
    def syntax(self) -> str:
        """The value of BUILDKIT_SYNTAX: the command line of a frontend that replaces the file's own."""
        return self.args.get("BUILDKIT_SYNTAX", "").strip()

    def graph_names(self) -> GraphNames:
        """Return the names of the graph on this machine. Copies the commands of `host:` contexts. Raises
        UserError."""
        directories = dict(self.named.directories)
        if self.inputs.directory is not None:
            directories[CONTEXT] = os.fsencode(self.inputs.directory)
        return GraphNames(directories, {**self.named.images, **self._hosts()})

    def provide(self, engine: Engine) -> None:
        """Place a main context that is no directory of the user's in the build's work directory: an archive
        from standard input, or nothing."""
        inputs = self.inputs
        if inputs.directory is not None or inputs.remote is not None:
            return
        directory = os.path.join(engine.store.work, "context")
        os.mkdir(directory, 0o700)
        if inputs.archive is not None:
            with open(os.path.join(directory, FILE), "wb") as file:
                file.write(inputs.archive)
        engine.client.provide(directories={CONTEXT: os.fsencode(directory)})

    def _hosts(self) -> dict[str, str]:
        """Return the `host:` contexts as OCI layouts."""
        layouts: dict[str, str] = {}
        if self.named.hosts:
            from pybuild.runtime.content.root import make_root
            from pybuild.runtime.sources.host import materialize

            make_root(default_root())
            for name, commands in self.named.hosts.items():
                host = materialize(commands, os.path.join(default_root(), "host"))
                layouts[name] = "oci-layout://" + host.path
                for path in host.files:
                    self.dependencies.note(path)
        return layouts


class ContextFrontend:
    """The part of a frontend that is the same for all that read a main context and named ones. See
    `types.Frontend`."""

    owner = ""

    def __init__(self, context: BuildContext) -> None:
        self._context = context

    def begin(self, *, enter: bool) -> GraphNames:
        return self._context.graph_names()

    def provide(self, engine: Engine) -> None:
        self._context.provide(engine)


def local_name(name: str) -> str:
    """Return the local source name of a named context."""
    return f"context:{name}"


class NamedContexts:
    """Values of `--build-context`, sorted by kind.

    `directories` and `images` are what the graph's local names and layout names stand for, `hosts` the commands of
    host file systems, `sources` the texts that the lowering gets. All are by the context's name.
    """

    __slots__ = ("directories", "hosts", "images", "sources")

    def __init__(self) -> None:
        self.directories: dict[str, bytes] = {}
        self.images: dict[str, str] = {}
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.sources: dict[str, str] = {}

    @classmethod
    def of(cls, request: BuildRequest, dependencies: Dependencies) -> NamedContexts:
        """Sort the contexts of a request; files that decide what a name means are noted in `dependencies`. Raises
        UsageError for a value that names no context."""
        contexts = cls()
        for name, value in request.build_contexts:
            contexts._add(name, value, dependencies)
        return contexts

    def _add(self, name: str, value: str, dependencies: Dependencies) -> None:
        if value.startswith("docker-image://"):
            self.sources[name] = value
        elif value.startswith(("oci-layout://", "docker-archive:")):
            self.images[name] = value
            self.sources[name] = f"oci-layout://{name}"
            _note_image(value, dependencies)
        elif value.startswith("host:"):
            commands = tuple(part.strip() for part in value[5:].split(",") if part.strip())
            if not commands:
                raise UsageError(f"the build context {name} names no command: {value}", help="host:sh,cat,ls")
            self.hosts[name] = commands
            self.sources[name] = f"oci-layout://{name}"
        elif value == "target:":
            raise UsageError(f"the build context {name} names no stage: {value}", help="target:STAGE")
        elif value.startswith("target:") or is_remote(value):
            self.sources[name] = value
        elif os.path.isdir(value):
            self.directories[local_name(name)] = os.fsencode(os.path.abspath(value))
            self.sources[name] = f"local:{local_name(name)}"
        else:
            what = "is not a directory" if os.path.exists(value) else "does not exist"
            raise UsageError(
                f"the build context {name}={value} {what}",
                help="give a directory, docker-image://REF, oci-layout://PATH, docker-archive:PATH, host:COMMANDS, "
                "target:STAGE or the address of a git repository or an archive",
            )


def _note_image(value: str, dependencies: Dependencies) -> None:
    """Note the files that tell whether an image outside of registries is the same."""
    from pybuild.runtime.sources.archive import parse_archive_name
    from pybuild.runtime.sources.layout import parse_layout_name

    scheme, _, rest = value.partition(":")
    if scheme == "docker-archive":
        path = os.path.abspath(parse_archive_name(rest.removeprefix("//")).path)
    else:
        path = os.path.abspath(parse_layout_name(rest.removeprefix("//")).path)
    dependencies.note(os.path.abspath(rest.removeprefix("//")))  # a file of the whole text is the path
    dependencies.note(path)
    dependencies.note(os.path.join(path, "index.json"))
