"""The bridge: the one interface through which a frontend asks what must be known from outside.

Lowering is pure but for these questions; the runtime's `bridge` room answers them.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, UserError


@frozen
class ResolvedImage:
    """An image's config as found. `ref` is the reference to put into the graph: canonical name, tag and,
    where known, `@digest` of the manifest or index the name leads to. `config` is the raw config JSON, `store` the
    content store of the client's that holds an image of a layout, empty where the name alone tells."""

    ref: str
    digest: str
    config: bytes
    store: str = ""


class NotAnImage(UserError):
    """What was asked for as the image `ref` is another source by the build's policies: `identifier`."""

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
    """Answers a frontend's questions. Every method may raise `UserError`."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        """The config of image `ref` (`docker-image://` without the scheme) for a platform. Raises NotAnImage."""

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        """The same for an image of a named OCI layout: the text after `oci-layout://`."""

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        """The bytes of a file in a solved state, the first `limit` of them. Raises `FileNotFoundError`."""

    def stat(self, edge: Edge, path: str) -> FileStat:
        """Raises `FileNotFoundError`."""

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        """Entries of a directory in a solved state, ordered by name. Raises `FileNotFoundError`."""

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        """The time of what a git or HTTP source brings, in seconds since 1970: the committer's; Last-Modified,
        unless a checksum pins the file, else that of the newest file in a tar archive. None where nothing tells."""

    def warn(self, warning: Diagnostic) -> None:
        """Show a warning with the build's messages."""


class Forwarding:
    """A bridge that leaves every question to another; derived ones answer some themselves."""

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
