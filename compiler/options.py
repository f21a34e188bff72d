"""What a call that makes a vertex may say besides the op: platform, filters, and what is not identity."""

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
    """`platform` and `require` (worker filters) are part of the vertex's identity, the rest is its metadata.

    `platform` None takes the state's, else this machine's. `name` is what progress shows
    (`llb.customname`). `export_cache` None leaves it to the build.
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
        """The metadata record; `caps` are the capabilities of a solver that the op needs."""
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
        """A vertex made under these options; `platform` is written as given (None: not at all)."""
        return Vertex(op, tuple(inputs), platform, self.require, self.metadata(caps))


DEFAULT = Options()
