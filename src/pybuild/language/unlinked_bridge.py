"""The bridge for unlinked graphs: it resolves no image and has no files."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybuild.compiler.bridge import FileStat, ResolvedImage
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.progress.observer import Observer


class UnlinkedBridge:
    """A bridge (`compiler.bridge.Bridge`) without files. Resolving an image raises UserError."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self._refuse(ref)

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self._refuse(ref)

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        raise FileNotFoundError(path)

    def stat(self, edge: Edge, path: str) -> FileStat:
        raise FileNotFoundError(path)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        raise FileNotFoundError(path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        return None

    def warn(self, warning: Diagnostic) -> None:
        self._observer.warning("", warning)

    def _refuse(self, ref: str) -> NoReturn:
        raise UserError(f"the graph depends on the image {ref}", help="print it with --linked")
