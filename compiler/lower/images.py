"""Base images: their pinned references, and the platform of their configs."""

from __future__ import annotations

from pybuild.compiler import platforms
from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.image import Image
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


def pinned(resolved: ResolvedImage) -> str:
    """Return the reference of a resolved image with its digest, if that is known."""
    if not resolved.digest:
        return resolved.ref
    return f"{resolved.ref.partition('@')[0]}@{resolved.digest}"


def is_empty(config: Image) -> bool:
    """True if an image has no layers, so that its file system is empty."""
    return not config.diff_ids and all(entry.empty_layer for entry in config.history)


def for_platform(image: Image, wanted: Platform) -> Image:
    """Return the image with the platform `wanted`. If system and architecture are those of the image, fields that
    `wanted` leaves empty stay the image's."""
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


def host_of_other_platform(
    own: Platform, platform: Platform, instead: str, span: Span | None = None, code: str | None = None
) -> SourceError:
    """Return the error for this machine's commands, whose platform is `own`, where another platform's are wanted;
    `instead` is how to name the own platform."""
    wanted = platforms.format(platform)
    return SourceError(
        Diagnostic(
            f"`host` is of this machine ({platforms.format(own)}), not for {wanted}",
            labels=[Label(span, f"would run as {wanted}")] if span is not None else [],
            notes=[("help", f"start from an image, or {instead}")],
            code=code,
        )
    )
