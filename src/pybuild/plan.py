"""What is to be solved and exported for a request: the outcome of the frontend, and all that comes after it needs.

A plan has a plain form (`to_plain`) that an invocation record keeps: while the build files, flags and names mean
the same, a later build starts from it and needs no frontend.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.cached import Part, Signature
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.sources.local import LocalTree


class Target:
    """One platform's target: its edge (None is the empty file system), image config, the config of the image it
    is built on, and SOURCE_DATE_EPOCH, in seconds."""

    __slots__ = ("base", "config", "edge", "epoch")

    def __init__(self, edge: Edge | None, config: bytes, base: bytes | None, epoch: int | None) -> None:
        self.edge = edge
        self.config = config
        self.base = base
        self.epoch = epoch


class Plan:
    """`index` asks for an index even of one platform. `directories` and `images` are what the graph's local names
    and OCI layout names stand for. The plan depends on the files `consulted`, each with its state before it was
    read or looked for, on the variables `names`, and on what the frontend read of local directories: those of
    `trees`, and what lies in the states `parts`, which an earlier build left. `dated_by` are the sources that told
    the time, which the graph need not hold."""

    __slots__ = (
        "consulted",
        "dated_by",
        "directories",
        "images",
        "index",
        "names",
        "parts",
        "targets",
        "trees",
    )

    def __init__(
        self,
        targets: Sequence[Target],
        directories: Mapping[str, bytes],
        images: Mapping[str, str],
        *,
        index: bool = False,
        consulted: Mapping[str, Signature | None] | None = None,
        names: Sequence[str] = (),
        trees: Sequence[LocalTree] = (),
        parts: Sequence[Part] = (),
        dated_by: Sequence[SourceOp] = (),
    ) -> None:
        self.targets = tuple(targets)
        self.directories = dict(directories)
        self.images = dict(images)
        self.index = index
        self.consulted = dict(consulted or {})
        self.names = tuple(names)
        self.trees = tuple(trees)
        self.parts = tuple(parts)
        self.dated_by = tuple(dated_by)

    @property
    def edges(self) -> list[Edge]:
        return [target.edge for target in self.targets if target.edge is not None]

    def to_plain(self) -> dict[str, Any]:
        """The plan as values of built-in types, but for `trees`."""
        from pybuild.compiler.llb.encode import encode_definition

        return {
            "targets": [
                (
                    encode_definition(one.edge) if one.edge is not None else None,
                    one.config,
                    one.base,
                    one.epoch,
                )
                for one in self.targets
            ],
            "directories": self.directories,
            "images": self.images,
            "index": self.index,
            "consulted": self.consulted,
            "names": self.names,
            "parts": self.parts,
        }

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Plan:
        """Raises KeyError, TypeError, ValueError and DefinitionError for what `to_plain` did not make."""
        from pybuild.compiler.llb.decode import decode_definition

        targets = [
            Target(decode_definition(definition) if definition is not None else None, config, base, epoch)
            for definition, config, base, epoch in value["targets"]
        ]
        return cls(
            targets,
            value["directories"],
            value["images"],
            index=value["index"],
            consulted=value["consulted"],
            names=value["names"],
            parts=value["parts"],
        )
