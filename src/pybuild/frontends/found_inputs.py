"""Find the inputs of a build on this machine: the build file, its ignore file, the context."""

from __future__ import annotations

import os
import stat
import sys

from pybuild.compiler.remote import is_remote
from pybuild.compiler.urls import is_http
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.replay.dependencies import Dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.graph import Edge

STDIN = "-"
DOCKERFILES = ("Dockerfile", "Containerfile", "dockerfile")
LANGUAGE_FILE = "build.pybuild"
EXTENSION = ".pybuild"
MODULE_FILE = "build.py"
LARGEST_FILE = 16 << 20
"""Maximum size in bytes of a build file; a larger one is something else."""


class FoundInputs:
    """The build file and the context of a request. Immutable.

    The context is the `directory` (an absolute path); without one it is at the address `remote`, or an
    archive on standard input, whose bytes are `archive`; with none of them it is empty. `edge` is the context
    as a state, once it was fetched or unpacked. `data` holds the build file's bytes, None while it lies in
    such a context or at the address `url`; `name` is its name for the user. `ignore` are the bytes of the
    ignore file `ignore_name`.
    """

    __slots__ = ("archive", "data", "directory", "edge", "ignore", "ignore_name", "name", "remote", "url")

    def __init__(
        self,
        name: str = "",
        data: bytes | None = None,
        *,
        directory: str | None = None,
        remote: str | None = None,
        archive: bytes | None = None,
        url: str | None = None,
        edge: Edge | None = None,
        ignore: bytes = b"",
        ignore_name: str = ".dockerignore",
    ) -> None:
        self.name = name
        self.data = data
        self.directory = directory
        self.remote = remote
        self.archive = archive
        self.url = url
        self.edge = edge
        self.ignore = ignore
        self.ignore_name = ignore_name

    @property
    def fetches(self) -> bool:
        """True if the context or the build file has to be fetched or unpacked."""
        return self.remote is not None or self.url is not None or self.archive is not None

    @property
    def excludes(self) -> tuple[str, ...]:
        """The patterns of the ignore file. Raises UsageError for an invalid one."""
        return tuple(read_patterns(self.ignore.decode("utf-8", "surrogateescape"), self.ignore_name))

    def with_file(self, name: str, data: bytes) -> FoundInputs:
        """Return the same inputs with the build file that was read."""
        return self._changed(name=name, data=data)

    def with_context(self, edge: Edge) -> FoundInputs:
        """Return the same inputs with the context as a state."""
        return self._changed(edge=edge)

    def with_directory(self, directory: str, name: str) -> FoundInputs:
        """Return the same inputs with the fetched context in a directory, and the build file's path in it."""
        return self._changed(directory=directory, name=name)

    def _changed(self, **changes: object) -> FoundInputs:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return FoundInputs(**{**fields, **changes})


def find_inputs(context: str, file: str | None, dependencies: Dependencies) -> FoundInputs:
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
            FoundInputs("Dockerfile", directory=directory, remote=remote, url=file), dependencies
        )
    elif remote is not None:
        return FoundInputs(file or "", remote=remote)
    else:
        name = file if file is not None else _default_file(context, dependencies)
        found = read_build_file(name, dependencies)
        if found is None:
            raise UsageError(f"the build file {name} does not exist", help="name it with -f")
        data = found
    inputs = FoundInputs(name, data, directory=directory, remote=remote)
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


def _from_stdin(file: str | None) -> FoundInputs:
    from pybuild.runtime.image.decompression import detect_compression

    data = _stdin()
    if detect_compression(data[:6]) == "none" and data[257:262] != b"ustar":
        if file is not None:
            raise UsageError(
                "standard input is no archive, so it is the Dockerfile, and -f names another",
                help="leave out -f, or give a context directory",
            )
        return FoundInputs("Dockerfile", data)
    return FoundInputs(file or "", archive=data)


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


def default_name(context: str) -> str:
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


def with_ignore(inputs: FoundInputs, dependencies: Dependencies, *, beside: str | None = None) -> FoundInputs:
    """Read the patterns of `<name>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context."""
    if inputs.directory is None:
        return inputs
    candidates = [os.path.join(inputs.directory, ".dockerignore")]
    if beside is not None:
        candidates.insert(0, beside + ".dockerignore")
    for path in candidates:
        data = read_build_file(path, dependencies)
        if data is not None:
            return inputs._changed(ignore=data, ignore_name=path)
    return inputs


def _stdin() -> bytes:
    return sys.stdin.buffer.read()


def frontend_of(inputs: FoundInputs, build_args: Mapping[str, str | None]) -> frontends.Frontend:
    """Return the frontend that builds the file: that of BUILDKIT_SYNTAX, of its syntax line, of its name.

    A file of the language that names an image says more about the line itself than that the image is not run. Raises
    UsageError for a name that several packages register.
    """
    syntax = (build_args.get("BUILDKIT_SYNTAX") or "").strip().partition(" ")[0]
    if syntax:
        return _named(syntax)
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
