"""Goals: an image to be solved and exported, its targets by platform, and the files taken out of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.lang.source import Span


class Target:
    """The target of one platform: its edge (None is the empty file system), its image config, the config of
    its base image, and SOURCE_DATE_EPOCH in seconds."""

    __slots__ = ("base", "config", "edge", "epoch")

    def __init__(self, edge: Edge | None, config: bytes, base: bytes | None, epoch: int | None) -> None:
        self.edge = edge
        self.config = config
        self.base = base
        self.epoch = epoch


class Files:
    """Files to be taken out of target number `target` of a goal: `sources` are paths and patterns, `dest` is
    an absolute path, whose trailing `/` has the meaning that `output` gives it. `always` takes them out after
    a failed step too. `span` is the place of the statement."""

    __slots__ = ("always", "clean", "dest", "sources", "span", "target")

    def __init__(
        self,
        target: int,
        sources: Sequence[str],
        dest: str,
        clean: bool,
        always: bool,
        span: Span | None = None,
    ) -> None:
        self.target = target
        self.sources = tuple(sources)
        self.dest = dest
        self.clean = clean
        self.always = always
        self.span = span


class Goal:
    """An image to be made: a target for each platform. `index` asks for an index even of one platform,
    `tags` are its names, `name` is its name in the build file ("" for the only one), `files` are taken out of
    it. `annotations` are those of the build file: (place, platform or "", key) to value."""

    __slots__ = ("annotations", "files", "index", "name", "tags", "targets")

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        index: bool = False,
        tags: Sequence[str] = (),
        name: str = "",
        files: Sequence[Files] = (),
        annotations: Mapping[tuple[str, str, str], str] | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.index = index
        self.tags = tuple(tags)
        self.name = name
        self.files = tuple(files)
        self.annotations = dict(annotations or {})

    @property
    def edges(self) -> list[Edge]:
        return [target.edge for target in self.targets if target.edge is not None]
