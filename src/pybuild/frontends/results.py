"""Results of a gateway, with the metadata that BuildKit's exporters read: made from targets by platform, and read
back as a goal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from pybuild.compiler import image, platforms
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, PLATFORMS, Result
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform
from pybuild.frontends.types import Goal, Target
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.frontend import Built
    from pybuild.compiler.lower.step_defaults import StepDefaults

EPOCH = "source.date.epoch"
"""Metadata: SOURCE_DATE_EPOCH as the frontend knows it, in seconds; with a suffix `/KEY` that of one
platform."""
_ANNOTATION = re.compile(r"annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)")
_PLACES = ("manifest", "manifest-descriptor", "index", "index-descriptor")


@frozen
class Listed:
    """A platform of a result, and the key of its state, config and attestations."""

    key: str
    platform: Platform


# From targets to a result


def targets_of_built(
    built: Built, steps: StepDefaults, labels: Mapping[str, str], epoch: int | None = None
) -> dict[Platform, Target]:
    """Return the targets that a package's or an SDK's frontend made, with the labels and the defaults of steps that
    the build gives them."""
    edges = steps.applied([entry.state.edge for entry in built.images])
    targets = {}
    for entry, edge in zip(built.images, edges, strict=True):
        labelled = entry.image.with_config(labels={**entry.image.config.labels, **labels})
        targets[labelled.platform] = Target(edge, labelled.to_json(), entry.base_config, epoch)
    return targets


def result_of(targets: Mapping[Platform, Target], *, index: bool) -> Result:
    """Return the result that holds the targets: one state, or with `index` a state for each platform by its key."""
    edges: dict[str, Edge | None] = {}
    metadata: dict[str, bytes] = {}
    listed = []
    for requested, target in targets.items():
        platform = platforms.normalize(requested)
        key = platforms.format_all(platform)
        edges[key] = target.edge
        listed.append({"ID": key, "Platform": platform_object(platform)})
        metadata |= _metadata(target, f"/{key}" if index else "")
    metadata[PLATFORMS] = json.dumps({"Platforms": listed}, separators=(",", ":")).encode()
    if index:
        return Result(edges=edges, metadata=metadata)
    (edge,) = edges.values()
    return Result(edge, metadata=metadata)


def _metadata(target: Target, suffix: str) -> dict[str, bytes]:
    metadata = {CONFIG + suffix: target.config}
    if target.base is not None:
        metadata[BASE_CONFIG + suffix] = target.base
    if target.epoch is not None:
        metadata[EPOCH + suffix] = str(target.epoch).encode()
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


# From a result to a goal


def goal_of(result: Result, *, tags: Sequence[str] = (), index: bool = False) -> Goal:
    """Return the goal for a frontend's result. Raises UserError if its states and platforms don't match,
    BadPlatform."""
    return Goal(
        targets_of(result),
        index=index or result.edges is not None,
        tags=tags,
        annotations=annotations_of(result.metadata),
    )


def targets_of(result: Result) -> list[Target]:
    """Return the target of each platform of a result, in its order. Raises as `goal_of`."""
    return [
        Target(
            state_of(result, listed.key),
            value_of(result.metadata, CONFIG, listed.key) or image.empty(listed.platform).to_json(),
            value_of(result.metadata, BASE_CONFIG, listed.key),
            epoch_of(result.metadata, listed.key),
        )
        for listed in platforms_of(result)
    ]


def platforms_of(result: Result) -> list[Listed]:
    """Return the platforms of a result: those it lists, else that of its config, else this machine's. Raises
    UserError."""
    text = result.metadata.get(PLATFORMS)
    if text is not None:
        listed = _listed(text)
        if result.edges is None and len(listed) > 1:
            raise UserError("cannot export multiple platforms without multi-platform enabled")
        return listed
    if result.edges:
        raise UserError("unable to export multiple refs, missing platforms mapping")
    platform = platforms.default()
    config = result.metadata.get(CONFIG)
    if config:
        stated = image.parse(config).platform
        if stated.os and stated.architecture:
            platform = stated
    platform = platforms.normalize(platform)
    return [Listed(platforms.format(platform), platform)]


def state_of(result: Result, key: str) -> Edge | None:
    """Return the state of a platform. Raises UserError."""
    if result.edges is None:
        return result.edge
    if key not in result.edges:
        raise UserError(f"failed to find ref for ID {key}")
    return result.edges[key]


def value_of(metadata: Mapping[str, bytes], name: str, key: str) -> bytes | None:
    """Return the metadata `name` of one platform, else of all."""
    return metadata.get(f"{name}/{key}", metadata.get(name))


def epoch_of(metadata: Mapping[str, bytes], key: str) -> int | None:
    """Return a platform's SOURCE_DATE_EPOCH in seconds, None without one. Raises UserError for a value that
    is no number."""
    text = (value_of(metadata, EPOCH, key) or b"").decode(errors="replace")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f'invalid SOURCE_DATE_EPOCH from frontend: "{text}": it is no number of seconds'
        ) from None


def annotations_of(values: Mapping[str, bytes]) -> dict[tuple[str, str, str], str]:
    """Return the annotations among metadata or attributes: (place, platform or "", key) to value. Raises
    UserError, BadPlatform."""
    annotations = {}
    for name, value in values.items():
        if not name.startswith(("annotation-", "annotation.", "annotation[")):
            continue
        parts = _ANNOTATION.fullmatch(name)
        if parts is None:
            raise UserError(f"could not fully parse annotation {name}")
        place, platform, key = parts[1] or "manifest", parts[2], parts[3]
        if place not in _PLACES:
            raise UserError(f"unrecognized annotation type {place}")
        where = platforms.format(platforms.parse_specifier(platform)) if platform else ""
        annotations[place, where, key] = value.decode(errors="replace")
    return annotations


def _listed(text: bytes) -> list[Listed]:
    try:
        value = json.loads(text or b"{}")
        return [
            Listed(str(entry.get("ID", "")), _platform(entry.get("Platform") or {}))
            for entry in value.get("Platforms") or []
        ]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"failed to parse platforms passed to exporter: {error}") from None


def _platform(value: dict[str, Any]) -> Platform:
    return Platform(
        architecture=str(value.get("architecture") or ""),
        os=str(value.get("os") or ""),
        variant=str(value.get("variant") or ""),
        os_version=str(value.get("os.version") or ""),
        os_features=tuple(map(str, value.get("os.features") or ())),
    )
