"""What a build reads: the Dockerfile, its ignore file, the main context and the named ones."""

from __future__ import annotations

import os
import stat
import sys

from pybuild.compiler.remote import is_remote
from pybuild.compiler.urls import is_http
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.signatures import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.replay.signatures import Signature
    from pybuild.request.request import BuildRequest

STDIN = "-"
DOCKERFILES = ("Dockerfile", "Containerfile", "dockerfile")
LANGUAGE_FILE = "build.pybuild"
EXTENSION = ".pybuild"
MODULE_FILE = "build.py"
LARGEST_FILE = 16 << 20
"""Bytes of a build file; a larger one is something else."""


class Inputs:
    """The files of one build. The context is the `directory`; without one it is at the address `remote`, or an
    archive on standard input, whose bytes are `archive`, empty once they are placed. `dockerfile` is the Dockerfile's
    text, None before it is fetched from the context or from the address `url`; `name` is what the user calls it.
    `consulted` has every path that was read or looked for, with its state before that."""

    __slots__ = (
        "archive",
        "consulted",
        "directory",
        "dockerfile",
        "ignore",
        "ignore_name",
        "name",
        "remote",
        "url",
    )

    def __init__(self) -> None:
        self.directory: str | None = None
        self.archive: bytes | None = None
        self.remote: str | None = None
        self.url: str | None = None
        self.dockerfile: bytes | None = None
        self.name = ""
        self.ignore = b""
        self.ignore_name = ".dockerignore"
        self.consulted: dict[str, Signature | None] = {}

    def consult(self, path: str) -> None:
        """Note the state of a path that is about to be read or looked for."""
        note(os.path.abspath(path), self.consulted)

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None if it is not there. Raises UsageError."""
        self.consult(path)
        try:
            with open(path, "rb", opener=None if path == "/dev/stdin" else _at_once) as file:
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


def _at_once(path: str, flags: int) -> int:
    """Opens without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_inputs(context: str, file: str | None) -> Inputs:
    """Find and read what a build of `context` with `-f file` needs. Raises UsageError."""
    inputs = Inputs()
    if context == STDIN:
        if file == STDIN:
            raise UsageError("standard input cannot be both the context and the Dockerfile")
        _from_stdin(inputs, file)
        return inputs
    if os.path.isdir(context):
        inputs.directory = os.path.abspath(context)
    elif is_remote(context):
        inputs.remote = context
    else:
        what = "is not a directory" if os.path.exists(context) else "does not exist"
        if "[" in context.partition("/")[0] and not os.path.exists(context):
            raise UsageError(
                f"{context} is neither a selection of a target nor a context",
                help="a selection is NAME[axis=value,…], with nothing behind the bracket",
            )
        raise UsageError(
            f"the context {context} {what}",
            help="give the directory that holds the files to copy, or the address of a repository or an archive",
        )
    if file == STDIN:
        inputs.dockerfile, inputs.name = _stdin(), "Dockerfile"
    elif file is not None and is_http(file):
        inputs.url, inputs.name = file, "Dockerfile"
    elif inputs.remote is not None:
        inputs.name = file or ""
        return inputs
    else:
        path = file if file is not None else _default_file(inputs, context)
        found = inputs.read(path)
        if found is None:
            raise UsageError(f"the build file {path} does not exist", help="name it with -f")
        inputs.dockerfile, inputs.name = found, path
    if inputs.directory is not None:
        read_ignore(inputs, None if file == STDIN or inputs.url is not None else inputs.name)
    return inputs


def _from_stdin(inputs: Inputs, file: str | None) -> None:
    from pybuild.runtime.image.decompression import detect_compression

    data = _stdin()
    if detect_compression(data[:6]) == "none" and data[257:262] != b"ustar":
        if file is not None:
            raise UsageError(
                "standard input is no archive, so it is the Dockerfile, and -f names another",
                help="leave out -f, or give a context directory",
            )
        inputs.dockerfile, inputs.name = data, "Dockerfile"
        return
    inputs.archive = data
    inputs.name = file or ""


def default_name(context: str) -> str:
    """What the build file of a context is probably called."""
    names = (LANGUAGE_FILE, *DOCKERFILES, MODULE_FILE)
    return next((name for name in names if os.path.exists(os.path.join(context, name))), DOCKERFILES[0])


def _default_file(inputs: Inputs, context: str) -> str:
    kinds: dict[str, str] = {}
    for name in (*DOCKERFILES, LANGUAGE_FILE, MODULE_FILE):
        path = os.path.join(context, name)
        inputs.consult(path)
        if os.path.lexists(path) and (name != MODULE_FILE or _is_module(inputs, path)):
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


def frontend_of(inputs: Inputs, request: BuildRequest) -> frontends.Frontend:
    """The frontend that builds the file: that of BUILDKIT_SYNTAX, of its syntax line, of its name. A file of the
    language that names an image says more about the line itself than that the image is not run. Raises UsageError for
    a name that packages quarrel about."""
    args = dict(request.build_args)
    syntax = (args.get("BUILDKIT_SYNTAX") or "").strip().partition(" ")[0]
    if syntax:
        return _chosen(syntax)
    if inputs.dockerfile is not None:
        found = frontends.detect_syntax(inputs.dockerfile)
        if found is not None and found.reference:
            frontend = _chosen(found.reference)
            if frontend.kind != frontends.IMAGE or not inputs.name.endswith(EXTENSION):
                return frontend
    return frontends.by_name(inputs.name)


def _chosen(reference: str) -> frontends.Frontend:
    """What a reference names: a frontend of ours, else of an installed package, else an image."""
    frontend = frontends.choose(reference)
    if frontend.kind == frontends.IMAGE:
        from pybuild.plugins.installed import find

        if find(reference) is not None:
            return frontends.Frontend(frontends.PLUGIN, reference)
    return frontend


def _is_module(inputs: Inputs, path: str) -> bool:
    data = inputs.read(path) or b""
    return any(line.startswith(b"# syntax=python:") for line in data.split(b"\n", 5)[:5])


def read_ignore(inputs: Inputs, dockerfile: str | None) -> None:
    """Read the patterns of `<name>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context."""
    assert inputs.directory is not None
    candidates = [os.path.join(inputs.directory, ".dockerignore")]
    if dockerfile is not None:
        candidates.insert(0, dockerfile + ".dockerignore")
    for path in candidates:
        found = inputs.read(path)
        if found is not None:
            inputs.ignore, inputs.ignore_name = found, path
            return


def _stdin() -> bytes:
    return sys.stdin.buffer.read()


def local_name(name: str) -> str:
    """The local source name of a named context."""
    return f"context:{name}"


class NamedContexts:
    """`--build-context` values sorted by kind: `directories` and `images` are what the graph's local names and
    layout names stand for, `sources` what the lowering is told, `hosts` the commands of host file systems.
    `consulted` are files whose state decides what a name means, with that state before they were read."""

    __slots__ = ("consulted", "directories", "hosts", "images", "sources")

    def __init__(self, contexts: Iterable[tuple[str, str]]) -> None:
        self.directories: dict[str, bytes] = {}
        self.images: dict[str, str] = {}
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.sources: dict[str, str] = {}
        self.consulted: dict[str, Signature | None] = {}
        for name, value in contexts:
            self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        if value.startswith("docker-image://"):
            self.sources[name] = value
        elif value.startswith(("oci-layout://", "docker-archive:")):
            self.images[name] = value
            self.sources[name] = f"oci-layout://{name}"
            self._consult(value)
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

    def _consult(self, value: str) -> None:
        """The files of an image outside of registries that tell whether it is the same."""
        from pybuild.runtime.sources.archive import parse_archive_name
        from pybuild.runtime.sources.layout import parse_layout_name

        scheme, _, rest = value.partition(":")
        if scheme == "docker-archive":
            path = os.path.abspath(parse_archive_name(rest.removeprefix("//")).path)
        else:
            path = os.path.abspath(parse_layout_name(rest.removeprefix("//")).path)
        note(os.path.abspath(rest.removeprefix("//")), self.consulted)  # whether all of it is the path
        note(path, self.consulted)
        note(os.path.join(path, "index.json"), self.consulted)
