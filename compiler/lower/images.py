"""Images that a graph starts from, and what becomes of their configs."""

from __future__ import annotations

from pybuild.compiler import platforms
from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.image import Image
from pybuild.compiler.ops import Platform


def pinned(found: ResolvedImage) -> str:
    """The reference of a resolved image with its digest."""
    if not found.digest:
        return found.ref
    return f"{found.ref.partition('@')[0]}@{found.digest}"


def is_empty(config: Image) -> bool:
    """Whether an image has no layers: its file system is the empty one."""
    return not config.diff_ids and all(entry.empty_layer for entry in config.history)


def for_platform(image: Image, wanted: Platform) -> Image:
    """The image as one of the platform asked for; what that leaves open is the base's if it is of the same
    kind."""
    same = (wanted.os, wanted.architecture) == (image.os, image.architecture)
    return image.with_platform(
        Platform(
            architecture=wanted.architecture,
            os=wanted.os,
            variant=wanted.variant if wanted.variant or not same else image.variant,
            os_version=wanted.os_version if wanted.os_version or not same else image.os_version,
            os_features=wanted.os_features or image.os_features,
        )
    )


def normalized(image: Image) -> Image:
    return image.with_platform(platforms.normalize(image.platform))
