"""Results of a gateway made from images: a state for each platform, and the metadata that BuildKit's
exporters read."""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import evolve, frozen

from pybuild.compiler import platforms
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, PLATFORMS, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.frontend import Built
    from pybuild.compiler.lower.step_defaults import StepDefaults

EPOCH = "source.date.epoch"
"""Metadata: SOURCE_DATE_EPOCH as the frontend knows it, in seconds; with a suffix `/KEY` that of one
platform."""


@frozen
class PlatformImage:
    """The image of one platform: its state (None is the empty file system), its config as JSON, the config of
    its base image, and SOURCE_DATE_EPOCH in seconds."""

    platform: Platform
    edge: Edge | None
    config: bytes
    base_config: bytes | None = None
    epoch: int | None = None


def images_of(
    built: Built, steps: StepDefaults, labels: Mapping[str, str], epoch: int | None = None
) -> list[PlatformImage]:
    """Return the images that a package's or an SDK's frontend made, with the labels and the defaults of steps that
    the build gives them."""
    edges = steps.applied([one.state.edge for one in built.images])
    images = []
    for one, edge in zip(built.images, edges, strict=True):
        image = one.image.with_config(labels={**one.image.config.labels, **labels})
        images.append(PlatformImage(image.platform, edge, image.to_json(), one.base_config, epoch))
    return images


def result_of(images: Sequence[PlatformImage], *, index: bool) -> Result:
    """Return the result that holds the images, which are for different platforms: one state, or with `index` a state
    for each platform by its key."""
    edges: dict[str, Edge | None] = {}
    metadata: dict[str, bytes] = {}
    listed = []
    for image in images:
        platform = platforms.normalize(image.platform)
        key = platforms.format_all(platform)
        edges[key] = image.edge
        listed.append({"ID": key, "Platform": platform_object(platform)})
        metadata |= _metadata(image, f"/{key}" if index else "")
    metadata[PLATFORMS] = json.dumps({"Platforms": listed}, separators=(",", ":")).encode()
    if index:
        return Result(edges=edges, metadata=metadata)
    (edge,) = edges.values()
    return Result(edge, metadata=metadata)


def _metadata(image: PlatformImage, suffix: str) -> dict[str, bytes]:
    metadata = {CONFIG + suffix: image.config}
    if image.base_config is not None:
        metadata[BASE_CONFIG + suffix] = image.base_config
    if image.epoch is not None:
        metadata[EPOCH + suffix] = str(image.epoch).encode()
    return metadata


def with_epoch(result: Result, epoch: int) -> Result:
    """Return the result with this SOURCE_DATE_EPOCH, in seconds, for all platforms."""
    metadata = {name: value for name, value in result.metadata.items() if name.partition("/")[0] != EPOCH}
    return evolve(result, metadata={**metadata, EPOCH: str(epoch).encode()})


def platform_object(platform: Platform) -> dict[str, object]:
    """Return a platform as an object of OCI's JSON, without its empty members."""
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
