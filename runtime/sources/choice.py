"""Chooses the manifest in an index, which may hold further indexes, that serves a platform best."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.image.descriptor import COMPRESSIONS, CONFIGS, INDEXES, MANIFESTS
from pybuild.runtime.image.manifest import (
    LONGEST_CONFIG,
    LONGEST_MANIFEST,
    Index,
    Manifest,
    config_platform,
    diff_ids,
    image_content,
    parse,
)
from pybuild.runtime.registry import errors
from pybuild.runtime.sources.errors import SourceFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pybuild.compiler.ops import Platform
    from pybuild.runtime.image.descriptor import Descriptor, ImageContent

    Read = Callable[[Descriptor], bytes]

DEEPEST = 4
"""Levels of indexes within indexes that are followed."""
MOST_READ = 64
"""Most entries without a platform that are read to learn it."""
ATTESTATION = "vnd.docker.reference.type"
"""Annotation of BuildKit's index entries that describe an image and are none."""


class NoSuchPlatform(SourceFailed):
    """An index has no manifest for the platform. `offered` are the platforms it has."""

    def __init__(self, what: str, wanted: str, offered: list[str]) -> None:
        listed = ", ".join(offered) or "none"
        super().__init__(
            Diagnostic(f"{what} is not available for {wanted}", notes=[("offered", listed)]),
            help="choose one of the offered platforms with --platform, or another image"
            if offered
            else "choose another image",
        )
        self.offered = offered


class Chosen:
    """The manifest for a platform, and the bytes of its config."""

    __slots__ = ("config", "descriptor", "manifest")

    def __init__(self, descriptor: Descriptor, manifest: Manifest, config: bytes) -> None:
        self.descriptor = descriptor
        self.manifest = manifest
        self.config = config

    def content(self, what: str) -> ImageContent:
        """Return the image with its layers. Raises BadContent if manifest and config disagree, or for a layer of an
        unknown type."""
        try:
            content = image_content(self.descriptor.digest, self.manifest, self.config)
        except ValueError as error:
            raise errors.bad_manifest(what, str(error)) from None
        for layer in content.layers:
            if layer.media_type not in COMPRESSIONS:
                raise errors.unsupported_layer(what, layer.digest, layer.media_type)
        return content


class _Candidate:
    __slots__ = ("depth", "descriptor", "platform")

    def __init__(self, descriptor: Descriptor, platform: Platform, depth: int) -> None:
        self.descriptor = descriptor
        self.platform = platform
        self.depth = depth


def choose(root: Descriptor, read: Read, platform: Platform, what: str) -> Chosen:
    """Return the manifest for `platform` under `root`, a manifest or an index. A manifest is taken whatever its
    platform, as BuildKit does.

    `read` returns the bytes of manifests and configs; `what` names the image in errors. Raises NoSuchPlatform,
    BadContent, and whatever `read` raises.
    """
    return _choose(root, read, platform, what, 0)


def choose_entry(entries: Iterable[Descriptor], read: Read, platform: Platform, what: str) -> Chosen:
    """Return the manifest for `platform` among the entries of an index, like `choose`."""
    return _choose_entry(entries, read, platform, what, 0)


def _choose(root: Descriptor, read: Read, platform: Platform, what: str, depth: int) -> Chosen:
    parsed = read_manifest(root, read, what)
    if isinstance(parsed, Manifest):
        return Chosen(root, parsed, _read_config(parsed, read, what))
    _check_depth(depth, what)
    return _choose_entry(parsed.manifests, read, platform, what, depth)


def _choose_entry(
    entries: Iterable[Descriptor], read: Read, platform: Platform, what: str, depth: int
) -> Chosen:
    from pybuild.compiler.platforms import best, format

    stated, unstated = _sort(entries, depth)
    number = best(platform, [candidate.platform for candidate in stated], strict=bool(unstated))
    if number is None and unstated:
        left = iter(range(MOST_READ))
        for entry in unstated:
            stated.extend(_expand(entry, read, what, depth, left))
        number = best(platform, [candidate.platform for candidate in stated])
    if number is None:
        offered = sorted({format(candidate.platform) for candidate in stated})
        raise NoSuchPlatform(what, format(platform), offered)
    candidate = stated[number]
    return _choose(candidate.descriptor, read, platform, what, candidate.depth + 1)


def _sort(entries: Iterable[Descriptor], depth: int) -> tuple[list[_Candidate], list[Descriptor]]:
    """Split entries into those that state their platform and those that have to be read for it, without artifacts."""
    stated, unstated = [], []
    for entry in entries:
        if ATTESTATION in entry.annotations or entry.media_type not in MANIFESTS | INDEXES:
            continue
        if entry.platform is None:
            unstated.append(entry)
        elif entry.platform.get("os") != "unknown":
            stated.append(_Candidate(entry, platform_of(entry.platform), depth))
    return stated, unstated


def _check_depth(depth: int, what: str) -> None:
    if depth >= DEEPEST:
        raise errors.bad_manifest(what, f"it nests indexes more than {DEEPEST} deep")


def _expand(entry: Descriptor, read: Read, what: str, depth: int, left: Iterator[int]) -> list[_Candidate]:
    """Return the candidates behind an entry without a platform: itself with its config's platform, or the entries
    of a nested index. One of `left` is taken for each entry that is read."""
    if next(left, None) is None:
        raise errors.bad_manifest(
            what, f"more than {MOST_READ} entries don't say for which platform they are"
        )
    parsed = read_manifest(entry, read, what)
    if isinstance(parsed, Manifest):
        if parsed.config.media_type not in CONFIGS:
            return []
        config = _read_config(parsed, read, what)
        return [_Candidate(entry, platform_of(config_platform(config)), depth)]
    _check_depth(depth, what)
    stated, unstated = _sort(parsed.manifests, depth + 1)
    for nested in unstated:
        stated.extend(_expand(nested, read, what, depth + 1, left))
    return stated


def platform_of(value: object) -> Platform:
    """Return the platform in an index entry or a config; fields of other types than text count as absent."""
    from pybuild.compiler.ops import Platform

    def text(name: str) -> str:
        field = value.get(name) if isinstance(value, dict) else None
        return field if isinstance(field, str) else ""

    features = value.get("os.features") if isinstance(value, dict) else None
    return Platform(
        architecture=text("architecture"),
        os=text("os"),
        variant=text("variant"),
        os_version=text("os.version"),
        os_features=tuple(feature for feature in features if isinstance(feature, str))
        if isinstance(features, list)
        else (),
    )


def read_manifest(descriptor: Descriptor, read: Read, what: str) -> Manifest | Index:
    """Read and parse a manifest or index. Raises BadContent."""
    if descriptor.size > LONGEST_MANIFEST:
        raise errors.bad_manifest(what, f"it is longer than {LONGEST_MANIFEST} bytes")
    try:
        parsed = parse(read(descriptor), descriptor.media_type)
    except ValueError as error:
        raise errors.bad_manifest(what, str(error)) from None
    if isinstance(parsed, str):
        raise errors.unsupported_manifest(what, parsed)
    return parsed


def _read_config(manifest: Manifest, read: Read, what: str) -> bytes:
    known = manifest.config.media_type in CONFIGS
    if manifest.config.size > LONGEST_CONFIG:
        raise errors.bad_manifest(what, f"its config is longer than {LONGEST_CONFIG} bytes")
    config = read(manifest.config)
    try:
        diff_ids(config)
    except ValueError as error:
        if known:
            raise errors.bad_manifest(what, str(error)) from None
        raise errors.not_an_image(what, manifest.config.media_type) from None
    return config
