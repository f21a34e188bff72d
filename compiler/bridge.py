"""The bridge: the interface by which a frontend asks for image configs, files and times.

Lowering is pure except for these questions. `runtime.bridge` answers them.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, UserError


@frozen
class ResolvedImage:
    """A resolved image.

    `ref` is the reference for the graph: the canonical name and tag, with `@digest` if it is known. `digest` is that
    of the manifest or index that the name refers to. `config` is the raw JSON of the config. `store` is the client's
    content store that holds the image of a layout; it is empty if the name is enough.
    """

    ref: str
    digest: str
    config: bytes
    store: str = ""


class NotAnImage(UserError):
    """A policy of the build turned the image `ref` into a source that isn't an image: `identifier`."""

    def __init__(self, ref: str, identifier: str) -> None:
        super().__init__(f"ref mutated by policy to non-image: docker-image://{ref} -> {identifier}")
        self.identifier = identifier


@frozen
class FileStat:
    path: str
    mode: int
    size: int
    linkname: str = ""

    @property
    def is_dir(self) -> bool:
        return self.mode & 0o170000 == 0o040000


class Bridge(Protocol):
    """The questions of a frontend. Every method may raise `UserError`."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        """Resolve the image `ref` (the text after `docker-image://`) for a platform. Raises NotAnImage."""

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        """Resolve an image of a named OCI layout; `ref` is the text after `oci-layout://`."""

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        """Solve a state and read a file of it, at most `limit` bytes. Raises `FileNotFoundError`."""

    def stat(self, edge: Edge, path: str) -> FileStat:
        """Solve a state and return the attributes of a file. Raises `FileNotFoundError`."""

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        """Solve a state and list a directory of it, ordered by name. Raises `FileNotFoundError`."""

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        """Return the time of a git or HTTP source in seconds since 1970; None if nothing gives one.

        For git it is the committer's. For HTTP it is Last-Modified, unless a checksum pins the file; else that of the
        newest file in a tar archive.
        """

    def warn(self, warning: Diagnostic) -> None:
        """Show a warning among the messages of the build."""


class Forwarding:
    """A bridge that forwards every question to another one. Subclasses override some of the methods."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self._bridge.resolve_image(ref, platform, log_name=log_name)

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self._bridge.resolve_layout(ref, platform, log_name=log_name)

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        return self._bridge.read_file(edge, path, limit=limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return self._bridge.stat(edge, path)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        return self._bridge.read_dir(edge, path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        return self._bridge.source_time(edge, log_name=log_name)

    def warn(self, warning: Diagnostic) -> None:
        self._bridge.warn(warning)
