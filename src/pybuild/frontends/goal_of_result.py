"""Turn a frontend's result into a goal: its states, configs and platforms become targets to solve and
export."""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import evolve, frozen

from pybuild.compiler import image, platforms
from pybuild.compiler.gateway import BASE_CONFIG, CONFIG, PLATFORMS
from pybuild.compiler.ops import Platform
from pybuild.frontends.goal import Goal, Target
from pybuild.frontends.results import EPOCH
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.gateway import Result
    from pybuild.compiler.graph import Edge
    from pybuild.frontends.types import FrontendResult

_ANNOTATION = re.compile(r"annotation(?:-([a-z-]+))?(?:\[([A-Za-z0-9_/-]+)\])?\.(\S+)")
_PLACES = ("manifest", "manifest-descriptor", "index", "index-descriptor")


@frozen
class Listed:
    """A platform of a result, and the key of its state, config and attestations."""

    key: str
    platform: Platform


def goal_of(made: FrontendResult) -> Goal:
    """Return the goal of one image that a frontend made. Raises UserError if its states and platforms don't
    match, BadPlatform."""
    result = made.result
    return Goal(
        targets_of(result),
        index=made.index or result.edges is not None,
        tags=made.tags,
        name=made.name,
        files=made.files,
        annotations={**annotations_of(result.metadata), **made.annotations},
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
    found = {}
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
        found[place, where, key] = value.decode(errors="replace")
    return found


def with_metadata(result: Result, metadata: Mapping[str, bytes]) -> Result:
    """Return the result with more metadata, which replaces its own."""
    return evolve(result, metadata={**result.metadata, **metadata})


def _listed(text: bytes) -> list[Listed]:
    try:
        found = json.loads(text or b"{}")
        return [
            Listed(str(one.get("ID", "")), _platform(one.get("Platform") or {}))
            for one in found.get("Platforms") or []
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
