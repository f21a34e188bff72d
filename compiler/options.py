"""What a call that makes a vertex may say besides the op: platform, filters, and what is not identity."""

from __future__ import annotations

import os
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

    `platform` None takes the state's, else `default_platform()`. `name` is what progress shows
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

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}


def default_platform() -> Platform:
    """The platform of Linux images that this machine runs natively."""
    machine = os.uname().machine
    architecture, variant = _ARCHITECTURES.get(machine, (machine, ""))
    return Platform(architecture=architecture, os="linux", variant=variant)


_SPELLINGS = {
    ("aarch64", ""): ("arm64", ""),
    ("arm64", "8"): ("arm64", ""),
    ("arm64", "v8"): ("arm64", ""),
    ("aarch64", "v8"): ("arm64", ""),
    ("x86_64", ""): ("amd64", ""),
    ("x86-64", ""): ("amd64", ""),
    ("amd64", "v1"): ("amd64", ""),
    ("i386", ""): ("386", ""),
    ("armhf", ""): ("arm", "v7"),
    ("armel", ""): ("arm", "v6"),
    ("arm", ""): ("arm", "v7"),
    ("arm", "5"): ("arm", "v5"),
    ("arm", "6"): ("arm", "v6"),
    ("arm", "7"): ("arm", "v7"),
    ("arm", "8"): ("arm", "v8"),
}
"""Other spellings of an architecture and variant, as containerd's platform normalisation treats them."""


def normalize_platform(platform: Platform) -> Platform:
    """One spelling for each platform: lower case, `amd64`, `arm64` without variant, `arm/v7`."""
    os_name = {"macos": "darwin"}.get(platform.os.lower(), platform.os.lower())
    key = platform.architecture.lower(), platform.variant.lower()
    architecture, variant = _SPELLINGS.get(key, key)
    return Platform(
        architecture=architecture,
        os=os_name,
        variant=variant,
        os_version=platform.os_version,
        os_features=platform.os_features,
    )
