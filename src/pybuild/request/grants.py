"""The requests of a `pybuild.toml`: the settings that would give a build more than the command line did.

A project may set defaults and narrow what a build may do. What reaches beyond the project (a registry, the machine's
network, files elsewhere, Python on this machine) is a request, which `trust.py` judges. `_READERS` is the list of the
settings that can be one.
"""

from __future__ import annotations

import os
import shlex

from pybuild.request.project import within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from pybuild.request.project import Project

    Reader = Callable[["Reach", str, Any], Iterator["Requested"]]

MODULE = ".py"
"""The end of the name of a file that may hold Python to be run."""
_PYTHON = "--file"


class Requested:
    """A request: `words` are the flag that grants it, `leads` is where its path really leads if that is elsewhere.
    `key` is its place in the file that makes it, () for a build file that runs Python."""

    __slots__ = ("key", "leads", "words")

    def __init__(self, words: tuple[str, ...], key: tuple[str | int, ...] = (), *, leads: str = "") -> None:
        self.words = words
        self.key = key
        self.leads = leads

    @property
    def flag(self) -> str:
        """The flag as a shell takes it."""
        return shlex.join(self.words)

    @property
    def text(self) -> str:
        """The text that is remembered: the same text is the same request."""
        return f"{self.flag} (leads to {self.leads})" if self.leads else self.flag


def module_request(path: str, key: tuple[str | int, ...] = ()) -> Requested:
    """Return the request of a build file to run as Python."""
    directory, name = os.path.split(os.path.abspath(path))
    return Requested((_PYTHON, os.path.join(os.path.realpath(directory), name)), key)


class Reach:
    """The reach of the paths in a `pybuild.toml` that lies in `directory`. `places` collects the paths that stay in
    the project, each with where it leads: a link may take their place later."""

    def __init__(self, project: Project, directory: str) -> None:
        self._project = project
        self._directory = directory
        self._real = os.path.realpath(directory)
        self.places: dict[str, str] = {}

    def leaves(self, path: str) -> bool:
        """Report whether an absolute path leaves the project, by its name or by a link."""
        # The directory may have been named by a link, over which `..` would lead elsewhere.
        name = os.path.normpath(os.path.join(self._real, os.path.relpath(path, self._directory)))
        self.places[path] = os.path.realpath(path)
        return not (self._project.holds(name) and within(self.places[path], self._project.root))

    def request(self, path: str, words: tuple[str, ...], key: tuple[str | int, ...]) -> Iterator[Requested]:
        """Yield a request if the path leaves the project."""
        if self.leaves(path):
            real = self.places[path]
            yield Requested(words, key, leads="" if real == path else real)


def requests_of(settings: Mapping[str, Any], reach: Reach) -> list[Requested]:
    """Return the requests among the settings of a `pybuild.toml`. Raises UsageError for an invalid output."""
    return [
        requested
        for field, (flag, read) in _READERS.items()
        if field in settings
        for requested in read(reach, f"--{flag}", settings[field])
    ]


def without_flags(settings: Mapping[str, Any], flags: Iterable[str]) -> dict[str, Any]:
    """Return the settings without those that could be requests and whose flag a command doesn't have: it makes no use
    of them. The build file is read by every command. `flags` are names of parameters."""
    known = {"file", *flags}
    return {
        field: value
        for field, value in settings.items()
        if field not in _READERS or _READERS[field][0].replace("-", "_") in known
    }


def _file(reach: Reach, flag: str, path: str) -> Iterator[Requested]:
    if path.endswith(MODULE):
        yield module_request(path, ("file",))
    else:
        yield from reach.request(path, (flag, path), ("file",))


def _path(key: str) -> Reader:
    return lambda reach, flag, path: reach.request(path, (flag, path), (key,))


def _params_files(reach: Reach, flag: str, paths: tuple[str, ...]) -> Iterator[Requested]:
    for number, path in enumerate(paths, 1):
        yield from reach.request(path, (flag, path), ("params-files", number))


def _switch(reach: Reach, flag: str, value: bool) -> Iterator[Requested]:
    if value:
        yield Requested((flag,), (flag.removeprefix("--"),))


def _network(reach: Reach, flag: str, mode: str) -> Iterator[Requested]:
    if mode == "host":
        yield Requested((flag, mode), ("network",))


def _allow(reach: Reach, flag: str, entitlements: tuple[str, ...]) -> Iterator[Requested]:
    for number, name in enumerate(entitlements, 1):
        yield Requested((flag, name), ("allow", number))


def _cgroup_parent(reach: Reach, flag: str, name: str) -> Iterator[Requested]:
    yield Requested((flag, name), ("cgroup-parent",))


def _contexts(reach: Reach, flag: str, contexts: tuple[tuple[str, str], ...]) -> Iterator[Requested]:
    for name, value in contexts:
        key = ("build-contexts", name)
        words = (flag, f"{name}={value}")
        if value.startswith("host:"):
            # Plain names are looked up on PATH, as those of `host(…)`; a path could be any file.
            if "/" in value:
                yield Requested(words, key)
            continue
        paths = _context_paths(value)
        if len(paths) == 1:
            # The same words from another working directory must be another request.
            words = (flag, f"{name}={paths[0]}")
        outside = [requested for path in paths for requested in reach.request(path, words, key)]
        yield from outside[:1]


def _context_paths(value: str) -> list[str]:
    """Return the absolute paths that a build context of `host:` or another kind may mean."""
    from pybuild.compiler.remote import is_remote
    from pybuild.runtime.sources.archive import parse_archive_name
    from pybuild.runtime.sources.layout import parse_layout_name

    for scheme, path_of in (("oci-layout://", parse_layout_name), ("docker-archive:", parse_archive_name)):
        if value.startswith(scheme):
            rest = value.removeprefix(scheme).removeprefix("//")
            # A file of the whole text goes before one without the tag.
            return [os.path.abspath(rest), os.path.abspath(path_of(rest).path)]
    if value.startswith(("docker-image://", "target:")) or is_remote(value):
        return []
    return [os.path.abspath(value)]


def _outputs(reach: Reach, flag: str, texts: tuple[str, ...]) -> Iterator[Requested]:
    from pybuild.runtime.export.output import parse_output

    for number, text in enumerate(texts, 1):
        output = parse_output(text)
        words, key = (flag, text), ("outputs", number)
        pushed = output.type == "image" and output.flag("push")
        # An archive for Docker without a destination goes into its daemon.
        if pushed or (output.type == "docker" and not output.dest):
            yield Requested(words, key)
        elif output.dest not in ("", "-"):
            yield from reach.request(os.path.abspath(output.dest), words, key)


_READERS: Mapping[str, tuple[str, Reader]] = {
    "file": ("file", _file),
    "params_files": ("params", _params_files),
    "build_contexts": ("build-context", _contexts),
    "outputs": ("output", _outputs),
    "push": ("push", _switch),
    "load": ("load", _switch),
    "network": ("network", _network),
    "allow": ("allow", _allow),
    "cgroup_parent": ("cgroup-parent", _cgroup_parent),
    "iidfile": ("iidfile", _path("iidfile")),
    "metadata_file": ("metadata-file", _path("metadata-file")),
}
"""The flag of each field of BuildRequest that can be a request, and a function that finds the requests in its value.
A key of `pybuild.toml` that grants something belongs here."""
