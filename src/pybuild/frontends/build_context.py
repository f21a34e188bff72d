"""A request with its inputs on this machine: the build file, its ignore file, the main context, the named contexts,
the build arguments."""

from __future__ import annotations

import os
import stat
import sys

from attrs import evolve, frozen

from pybuild.compiler.remote import FILE, is_remote
from pybuild.compiler.urls import is_http
from pybuild.frontends.named_contexts import NamedContexts
from pybuild.frontends.types import GraphNames
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.replay.dependencies import Dependencies
from pybuild.request.arguments import RequestArguments
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer

CONTEXT = "context"
"""Local source name of the main context."""
STDIN = "-"
DOCKERFILES = ("Dockerfile", "Containerfile", "dockerfile")
LANGUAGE_FILE = "build.pybuild"
EXTENSION = ".pybuild"
MODULE_FILE = "build.py"
LARGEST_FILE = 16 << 20
"""Maximum size in bytes of a build file; a larger one is something else."""


@frozen(eq=False)
class BuildInputs:
    """The build file and the context of a request.

    The context is the `directory` (an absolute path); without one it is at the address `remote`, or an
    archive on standard input, whose bytes are `archive`; with none of them it is empty. `edge` is the context
    as a state, once it was fetched or unpacked. `data` holds the build file's bytes, None while it lies in
    such a context or at the address `url`; `name` is its name for the user. `ignore` are the bytes of the
    ignore file `ignore_name`.
    """

    name: str = ""
    data: bytes | None = None
    directory: str | None = None
    remote: str | None = None
    archive: bytes | None = None
    url: str | None = None
    edge: Edge | None = None
    ignore: bytes = b""
    ignore_name: str = ".dockerignore"

    @property
    def fetches(self) -> bool:
        """True if the context or the build file has to be fetched or unpacked."""
        return self.remote is not None or self.url is not None or self.archive is not None

    @property
    def excludes(self) -> tuple[str, ...]:
        """The patterns of the ignore file. Raises UsageError for an invalid one."""
        return tuple(read_patterns(self.ignore.decode("utf-8", "surrogateescape"), self.ignore_name))


class BuildContext:
    """A request with its inputs and the values that follow from both. Immutable, except for `dependencies`,
    which collects.

    `arguments` are what the flags come to, `args` the build arguments among them, with those of the environment.
    `syntax` is the value of BUILDKIT_SYNTAX, the command line of a frontend that replaces the file's own. `frontend`
    is the one that builds the file, as far as the inputs tell it. `named` are the contexts of `--build-context`.
    """

    __slots__ = ("args", "arguments", "dependencies", "frontend", "inputs", "named", "request", "syntax")

    def __init__(
        self,
        request: BuildRequest,
        inputs: BuildInputs,
        dependencies: Dependencies,
        arguments: RequestArguments | None = None,
        named: NamedContexts | None = None,
    ) -> None:
        """Raises UsageError for an invalid named context or platform, or a frontend that several packages
        register."""
        self.request = request
        self.inputs = inputs
        self.dependencies = dependencies
        self.arguments = arguments or RequestArguments(request)
        self.args = self.arguments.args
        self.syntax = self.args.get("BUILDKIT_SYNTAX", "").strip()
        self.frontend = frontend_of(inputs, self.syntax)
        self.named = named or NamedContexts(request.build_contexts, dependencies)

    def with_inputs(self, inputs: BuildInputs) -> BuildContext:
        """Return the same context with more complete inputs."""
        return BuildContext(self.request, inputs, self.dependencies, self.arguments, self.named)

    def graph_names(self) -> GraphNames:
        """Return the names of the graph on this machine. Copies the commands of `host:` contexts. Raises
        UserError."""
        directories = dict(self.named.directories)
        if self.inputs.directory is not None:
            directories[CONTEXT] = os.fsencode(self.inputs.directory)
        hosts = self.named.host_layouts(self.dependencies) if self.named.hosts else {}
        return GraphNames(directories, {**self.named.images, **hosts})

    def provide(self, engine: Engine) -> None:
        """Give the engine's client a main context that is no directory of the user's: an archive from standard
        input, or nothing. It lies in the build's work directory."""
        inputs = self.inputs
        if inputs.directory is not None or inputs.remote is not None or inputs.edge is not None:
            return
        directory = os.path.join(engine.store.work, "stdin")
        os.mkdir(directory, 0o700)
        if inputs.archive is not None:
            with open(os.path.join(directory, FILE), "wb") as file:
                file.write(inputs.archive)
        engine.client.provide(directories={CONTEXT: os.fsencode(directory)})


class ContextFrontend:
    """The part of a frontend that is the same for all that read a main context and named ones. See
    `types.Frontend`."""

    def __init__(self, context: BuildContext) -> None:
        self._context = context

    def begin(self, *, enter: bool) -> GraphNames:
        return self._context.graph_names()


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


def find_context(request: BuildRequest, observer: Observer) -> BuildContext:
    """Find and read the files that a request names, and note the state of those that decide what it means. Raises
    UsageError."""
    for text in request.notices:
        observer.notice(text)
    dependencies = Dependencies()
    files = _secret_files(request)
    dependencies.replayable = files is not None
    for path in (*request.consulted, *(files or ())):
        dependencies.note(path)
    dependencies.variables += [name for name, value in request.build_args if value is None]
    name = request.file if request.file not in (None, STDIN) else _probable_name(request.context)
    with Tracked(observer, f"[internal] load build definition from {os.path.basename(name or '')}"):
        inputs = find_inputs(request.context, request.file, dependencies)
    return BuildContext(request, inputs, dependencies)


def _secret_files(request: BuildRequest) -> tuple[str, ...] | None:
    """Return the files that `--secret` and `--ssh` name, which must be there as they were; None where what the flags
    mean depends on more. A build that runs no step reads none of them."""
    if not request.secrets and not request.ssh:
        return ()
    from pybuild.runtime.session import agents, secrets

    names: list[str] = []
    for files in (*map(secrets.named, request.secrets), *map(agents.named, request.ssh)):
        if files is None:
            return None
        names += files
    return tuple(names)


def find_inputs(context: str, file: str | None, dependencies: Dependencies) -> BuildInputs:
    """Find and read the inputs of a build of `context` with `-f file`. Every path that is read or looked for
    is noted in `dependencies`. Raises UsageError."""
    if context == STDIN:
        if file == STDIN:
            raise UsageError("standard input cannot be both the context and the Dockerfile")
        return _from_stdin(file)
    directory, remote = _context(context)
    if file == STDIN:
        name, data = "Dockerfile", _stdin()
    elif file is not None and is_http(file):
        return with_ignore(
            BuildInputs("Dockerfile", directory=directory, remote=remote, url=file), dependencies
        )
    elif remote is not None:
        return BuildInputs(file or "", remote=remote)
    else:
        name = file if file is not None else _default_file(context, dependencies)
        content = read_build_file(name, dependencies)
        if content is None:
            raise UsageError(f"the build file {name} does not exist", help="name it with -f")
        data = content
        dependencies.code.append(os.path.abspath(name))
    inputs = BuildInputs(name, data, directory=directory, remote=remote)
    return with_ignore(inputs, dependencies, beside=None if file == STDIN else name)


def _context(context: str) -> tuple[str | None, str | None]:
    """Return the context's absolute directory, or its address. Raises UsageError."""
    if os.path.isdir(context):
        return os.path.abspath(context), None
    if is_remote(context):
        return None, context
    if "[" in context.partition("/")[0] and not os.path.exists(context):
        raise UsageError(
            f"{context} is neither a selection of a target nor a context",
            help="a selection is NAME[axis=value,…], with nothing behind the bracket",
        )
    what = "is not a directory" if os.path.exists(context) else "does not exist"
    raise UsageError(
        f"the context {context} {what}",
        help="give the directory that holds the files to copy, or the address of a repository or an archive",
    )


def _from_stdin(file: str | None) -> BuildInputs:
    from pybuild.runtime.image.decompression import detect_compression

    data = _stdin()
    if detect_compression(data[:6]) == "none" and data[257:262] != b"ustar":
        if file is not None:
            raise UsageError(
                "standard input is no archive, so it is the Dockerfile, and -f names another",
                help="leave out -f, or give a context directory",
            )
        return BuildInputs("Dockerfile", data)
    return BuildInputs(file or "", archive=data)


def read_build_file(path: str, dependencies: Dependencies) -> bytes | None:
    """Return the file's bytes, None if it doesn't exist. Raises UsageError."""
    dependencies.note(os.path.abspath(path))
    try:
        with open(path, "rb", opener=None if path == "/dev/stdin" else _open_nonblocking) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) and path != "/dev/stdin":
                raise UsageError(
                    f"{path} is not a regular file", help="-f - takes the Dockerfile from standard input"
                )
            data = file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory", help="name the build file with -f") from None
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", help="check where it leads, who owns it and its mode"
        ) from None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{path} is larger than {LARGEST_FILE >> 20} MiB: it is no build file")
    return data


def _open_nonblocking(path: str, flags: int) -> int:
    # Opening a named pipe would wait for its writer.
    return os.open(path, flags | os.O_NONBLOCK)


def _probable_name(context: str) -> str:
    """Return the probable name of a context's build file, for progress."""
    names = (LANGUAGE_FILE, *DOCKERFILES, MODULE_FILE)
    return next((name for name in names if os.path.exists(os.path.join(context, name))), DOCKERFILES[0])


def _default_file(context: str, dependencies: Dependencies) -> str:
    kinds: dict[str, str] = {}
    for name in (*DOCKERFILES, LANGUAGE_FILE, MODULE_FILE):
        path = os.path.join(context, name)
        dependencies.note(os.path.abspath(path))
        if os.path.lexists(path) and (name != MODULE_FILE or _is_module(path, dependencies)):
            kinds.setdefault(DOCKERFILES[0] if name in DOCKERFILES else name, path)
    if len(kinds) > 1:
        listed = ", ".join(os.path.basename(path) for path in kinds.values())
        raise UsageError(f"{context} has more than one build file: {listed}", help="choose one with -f")
    if not kinds:
        help = "name the build file with -f, give another directory, or make one with pybuild init"
        if os.path.exists(os.path.join(context, MODULE_FILE)):
            help = f"if {MODULE_FILE} is to build it, begin it with the line # syntax=python:1"
        raise UsageError(f"{context} has no {LANGUAGE_FILE} and no Dockerfile", help=help)
    (path,) = kinds.values()
    return path


def _is_module(path: str, dependencies: Dependencies) -> bool:
    data = read_build_file(path, dependencies) or b""
    return any(line.startswith(b"# syntax=python:") for line in data.split(b"\n", 5)[:5])


def with_ignore(inputs: BuildInputs, dependencies: Dependencies, *, beside: str | None = None) -> BuildInputs:
    """Read the patterns of `<name>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context."""
    if inputs.directory is None:
        return inputs
    candidates = [os.path.join(inputs.directory, ".dockerignore")]
    if beside is not None:
        candidates.insert(0, beside + ".dockerignore")
    for path in candidates:
        data = read_build_file(path, dependencies)
        if data is not None:
            return evolve(inputs, ignore=data, ignore_name=path)
    return inputs


def _stdin() -> bytes:
    return sys.stdin.buffer.read()


def frontend_of(inputs: BuildInputs, syntax: str = "") -> frontends.Frontend:
    """Return the frontend that builds the file: that of `syntax`, the value of BUILDKIT_SYNTAX, of the file's syntax
    line, of its name.

    A file of the language that names an image says more about the line itself than that the image is not run. Raises
    UsageError for a name that several packages register.
    """
    if syntax:
        return _named(syntax.partition(" ")[0])
    if inputs.data is not None:
        line = frontends.detect_syntax(inputs.data)
        if line is not None and line.reference:
            frontend = _named(line.reference)
            if frontend.kind != frontends.IMAGE or not inputs.name.endswith(EXTENSION):
                return frontend
    return frontends.by_name(inputs.name)


def _named(reference: str) -> frontends.Frontend:
    """Return the frontend that a reference names: a built-in one, else one of an installed package, else an
    image."""
    frontend = frontends.choose(reference)
    if frontend.kind == frontends.IMAGE:
        from pybuild.plugins.installed import find

        if find(reference) is not None:
            return frontends.Frontend(frontends.PLUGIN, reference)
    return frontend
