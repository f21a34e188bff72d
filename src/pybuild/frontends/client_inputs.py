"""The inputs of a Dockerfile build for a client: the Dockerfile, the ignore patterns, the main context, the named
ones.

Each comes from a state: a named context of the client, one at an address, or a directory of its session. The rules
and the names of the vertices are those of BuildKit's `frontend/dockerui`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import overload

from attrs import evolve, frozen

from pybuild.compiler import image
from pybuild.compiler.bridge import Bridge
from pybuild.compiler.contextfile import read_context_file
from pybuild.compiler.giturl import parse_git_ref
from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.lower.dockerfile.options import StateContext
from pybuild.compiler.lower.recipe.embedded import nothing
from pybuild.compiler.options import Options
from pybuild.compiler.remote import FILE, git_state, http_context
from pybuild.compiler.state import State, copy
from pybuild.compiler.urls import is_http
from pybuild.frontends.attributes import Attributes
from pybuild.frontends.build_context import CONTEXT, DOCKERFILES, LARGEST_FILE
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import Cancelled, UsageError, UserError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.source import Source

_DOCKERFILE = "dockerfile"
_IGNORE = ".dockerignore"


@frozen
class ClientInputs:
    """The inputs of a build. `data` is the Dockerfile as it was read, `source` its text, `vertex` the digest
    of the vertex that it was read from. `context` is the main context unless that is a directory of the
    session, for which `excludes` are the patterns of excluded files; they are read when they are first looked
    at."""

    data: bytes
    source: Source
    vertex: str
    context: Edge | None = None
    excludes: Sequence[str] = ()


class Patterns(Sequence[str]):
    """Patterns of an ignore file that is read when the first of them is needed: a build that copies nothing
    needs no context."""

    def __init__(self, read: Callable[[], Sequence[str]]) -> None:
        self._read = read

    @cached_property
    def _patterns(self) -> Sequence[str]:
        return self._read()

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._patterns[index]

    def __len__(self) -> int:
        return len(self._patterns)


@frozen
class _Place:
    """States of the main context, and of the directory that holds the Dockerfile `filename`; None stands for
    the client's directories."""

    context: Edge | None
    dockerfile: Edge | None
    filename: str


def read_inputs(attributes: Attributes, states: Mapping[str, Edge | None], bridge: Bridge) -> ClientInputs:
    """Find and read the inputs of a build; `states` are those that came with the request. Raises UserError."""
    place = _place(attributes, states, bridge)
    edge = place.dockerfile or _dockerfile_directory(attributes, place.filename)
    with _doing("failed to read dockerfile: "):
        data = _read_dockerfile(edge, place.filename, bridge)
    decoded = decode(place.filename, data)
    source = Source(decoded.name, decoded.text, definition=encode_definition(edge))
    excludes: Sequence[str] = ()
    if place.context is None:
        excludes = Patterns(partial(_excludes, attributes, edge, place.filename + _IGNORE, bridge))
    return ClientInputs(data, source, edge.vertex.digest, place.context, excludes)


@contextmanager
def _doing(what: str) -> Iterator[None]:
    """A context manager that adds to errors, for clients, what was being done."""
    try:
        yield
    except Cancelled:
        raise
    except UserError as error:
        from pybuild.runtime.bridge.statuses import SourceFailed

        raise SourceFailed(error, "", what) from None


def _place(attributes: Attributes, states: Mapping[str, Edge | None], bridge: Bridge) -> _Place:
    context: Edge | None = None
    dockerfile: Edge | None = None
    filename = attributes.filename
    repository = parse_git_ref(attributes.context)
    if repository is not None:
        name = f"[internal] load git source {attributes.context}"
        keep = truth(attributes.build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR", ""))
        mtime = "commit" if attributes.build_args.get("SOURCE_DATE_EPOCH") else ""
        context = dockerfile = git_state(repository, name, keep_git_dir=bool(keep), mtime=mtime).edge
    elif is_http(attributes.context):
        with _doing("failed to read downloaded context: "):
            state, archive = http_context(attributes.context, "[internal] load remote build context", bridge)
        context = dockerfile = state.edge
        filename = filename if archive else FILE
    else:
        if _DOCKERFILE in states:
            dockerfile = states[_DOCKERFILE]
            if dockerfile is None:
                raise UserError(
                    "invalid nil input definition to definition op: cannot marshal empty definition op"
                )
        if CONTEXT in states:
            context = states[CONTEXT] or nothing()
    if attributes.dockerfile_name is not None:
        dockerfile = None
    if context is not None and attributes.context_subdir is not None:
        part = copy(State(context), attributes.context_subdir, "/", contents_only=True)
        context = State.scratch().file(part).edge
    return _Place(context, dockerfile, filename)


def _dockerfile_directory(attributes: Attributes, filename: str) -> Edge:
    name = attributes.dockerfile_name or _DOCKERFILE
    edge = State.local(
        name,
        follow_paths=[filename, filename + _IGNORE, *_other_casing(filename)],
        shared_key=name,
        session=attributes.sessions.get(name, ""),
        differ="none",
        options=Options(name=f"[internal] load build definition from {filename}"),
    ).edge
    assert edge is not None
    return edge


def _other_casing(filename: str) -> list[str]:
    """Return the other spelling to look for: `dockerfile` is found too when `Dockerfile` is requested."""
    directory, name = posixpath.split(filename)
    return [posixpath.join(directory, name.lower())] if name == DOCKERFILES[0] else []


def _read_dockerfile(edge: Edge, filename: str, bridge: Bridge) -> bytes:
    for name in (filename, *_other_casing(filename)):
        data = _read(edge, name, bridge)
        if data is not None:
            return data
    raise UserError(
        f"open {filename}: no such file or directory",
        help="name the Dockerfile with -f; its path starts at the directory or the context that holds it",
    )


def _excludes(attributes: Attributes, dockerfile: Edge, beside: str, bridge: Bridge) -> tuple[str, ...]:
    """Return the patterns of the ignore file `beside` the Dockerfile, else of the one in the main context."""
    name, data = beside, _read(dockerfile, beside, bridge)
    if data is None:
        session = attributes.sessions.get(CONTEXT, "")
        name = _IGNORE
        try:
            data = read_context_file(_IGNORE, bridge, context=None, local_name=CONTEXT, session=session)
        except FileNotFoundError:
            return ()
    return tuple(read_patterns(data.decode("utf-8", "surrogateescape"), name))


def _read(edge: Edge, name: str, bridge: Bridge) -> bytes | None:
    """Return the file's bytes, None if it doesn't exist. Raises UsageError for a file that is not text."""
    try:
        data = bridge.read_file(edge, name, limit=LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{name} exceeds maximum allowed size of {LARGEST_FILE} bytes")
    return data


def named_states(attributes: Attributes, states: Mapping[str, Edge | None]) -> dict[str, StateContext]:
    """Return the named contexts that came with the request as states. Raises UserError."""
    contexts = {}
    for name, source in attributes.contexts.items():
        kind, _, key = source.partition(":")
        if kind == "input" and key in states:
            contexts[name] = _state(states[key], attributes.inputs_metadata.get(key), name)
    return contexts


def _state(edge: Edge | None, metadata: str | None, name: str) -> StateContext:
    """Return a state with the image config in its metadata, if any: a JSON object of bytes in base64."""
    if metadata is None:
        return StateContext(edge)
    from base64 import b64decode

    try:
        values = json.loads(metadata)
        encoded = values.get("containerimage.config")
        config = None if encoded is None else b64decode(encoded, validate=True)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"failed to parse input metadata {metadata}: {error}") from None
    if config is None:
        return StateContext(edge)
    try:
        parsed = image.parse(config)
    except image.ImageConfigError as error:
        raise UserError(f"failed to parse image config for {name}: {error}") from None
    return StateContext(edge, evolve(parsed, created=None), config)
