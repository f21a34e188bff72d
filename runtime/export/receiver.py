"""Receivers of outputs: they take an archive, the blobs of a layout, or files. A path on this machine is one
(`place.Place`); a build over the wire sends to its client."""

from __future__ import annotations

from time import time as clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.layout import Sink
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.snapshots.types import Tree
else:
    Protocol = object


class Part:
    """The files of one platform: those of `tree`, and the small `files` beside them, below the directory
    `prefix` (b"" is the output itself). `time` is SOURCE_DATE_EPOCH, the time of every file if it is set;
    `now` is the time of the files that are in no tree. `key` names the platform."""

    __slots__ = ("files", "key", "now", "prefix", "time", "tree")

    def __init__(
        self,
        tree: Tree,
        *,
        prefix: bytes = b"",
        files: Mapping[bytes, bytes] | None = None,
        time: int | None = None,
        key: str = "",
    ) -> None:
        self.tree = tree
        self.prefix = prefix
        self.files = dict(files or {})
        self.time = time
        self.now = int(clock()) if time is None else time
        self.key = key


class Receiver(Protocol):
    """A receiver of outputs. Every method may raise ExportError or another UserError, Cancelled."""

    def archive(self, write: Callable[[Sink], None], facts: Mapping[str, str]) -> None:
        """Take the archive that `write` produces. `facts` are the exporter's metadata about it."""

    def layout(
        self,
        build: Build,
        image: Image,
        entries: Sequence[dict[str, object]],
        files: Mapping[str, bytes],
    ) -> None:
        """Take the blobs of an image; `entries` are its entries of an index, `files` the other files of the
        layout."""

    def files(self, parts: Sequence[Part], build: Build, tracked: Tracked) -> None:
        """Take files."""
