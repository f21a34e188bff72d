"""What a gateway gets of a lowered Dockerfile: states, and the metadata that BuildKit's exporters read."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pybuild.compiler import platforms
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, PLATFORMS, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile import LoweredTarget, LowerOptions
from pybuild.compiler.ops import Platform

EPOCH = "source.date.epoch"
"""Metadata: SOURCE_DATE_EPOCH in seconds, likewise by platform."""


def made(each: Iterable[tuple[LowerOptions, LoweredTarget]]) -> Result:
    """The result for all platforms: one state, or one for each where that is asked for."""
    edges: dict[str, Edge | None] = {}
    metadata: dict[str, bytes] = {}
    listed = []
    several = False
    for options, lowered in each:
        several = options.multi_platform
        platform = platforms.normalize(options.target_platform or platforms.default())
        key = platforms.format_all(platform)
        edges[key] = lowered.edge
        listed.append({"ID": key, "Platform": platform_object(platform)})
        metadata |= _metadata(lowered, f"/{key}" if several else "")
    metadata[PLATFORMS] = _encoded({"Platforms": listed})
    if several:
        return Result(edges=edges, metadata=metadata)
    (edge,) = edges.values()
    return Result(edge, metadata=metadata)


def _metadata(lowered: LoweredTarget, suffix: str) -> dict[str, bytes]:
    found = {CONFIG + suffix: lowered.image.to_json()}
    if lowered.base_config is not None:
        found[BASE_CONFIG + suffix] = lowered.base_config
    if lowered.epoch is not None:
        found[EPOCH + suffix] = str(lowered.epoch).encode()
    return found


def platform_object(platform: Platform) -> dict[str, object]:
    """A platform as OCI's JSON has it."""
    more = {
        "os.version": platform.os_version,
        "os.features": list(platform.os_features),
        "variant": platform.variant,
    }
    return {
        "architecture": platform.architecture,
        "os": platform.os,
        **{name: value for name, value in more.items() if value},
    }


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
