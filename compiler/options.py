"""Options of calls that make a vertex: its platform, worker filters, and its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.ops import Op, Platform
from pybuild.lang.source import Span


def _texts(items: Mapping[str, str]) -> FrozenMap[str]:
    return FrozenMap(items)


@frozen
class Options:
    """Options of a vertex. `platform` and `require` (worker filters) are part of its identity, the rest is metadata.

    `platform` None takes that of the state, else this machine's. `name` is shown by progress (`llb.customname`).
    `export_cache` None leaves the choice to the build.
    """

    platform: Platform | None = None
    require: tuple[str, ...] = ()
    name: str = ""
    description: Mapping[str, str] = field(factory=FrozenMap, converter=_texts)
    ignore_cache: bool = False
    export_cache: bool | None = None
    progress_group: ProgressGroup | None = None
    linux_resources: LinuxResources | None = None
    spans: tuple[Span, ...] = ()

    def metadata(self, caps: Iterable[str] = ()) -> Metadata:
        """Return the metadata of a vertex; `caps` are the capabilities of a solver that its op needs."""
        description: Any = dict(self.description)
        needed: Any = dict.fromkeys(caps, True)
        if self.name:
            description["llb.customname"] = self.name
        return Metadata(
            ignore_cache=self.ignore_cache,
            description=description,
            export_cache=self.export_cache,
            caps=needed,
            progress_group=self.progress_group,
            linux_resources=self.linux_resources,
            spans=self.spans,
        )

    def vertex(
        self,
        op: Op,
        inputs: Iterable[Edge] = (),
        *,
        platform: Platform | None = None,
        caps: Iterable[str] = (),
    ) -> Vertex:
        """Make a vertex with these options. `platform` is written as given; None writes none."""
        return Vertex(op, tuple(inputs), platform, self.require, self.metadata(caps))


DEFAULT = Options()
