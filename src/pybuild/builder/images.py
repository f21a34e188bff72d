"""The images that a build has made, and what it built for each platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen
class Platform:
    """The result for one platform: its name (`linux/amd64`) and the image's `config`."""

    name: str
    config: Mapping[str, Any] = field(repr=False)
    state: tuple[object, ...] | None = field(repr=False)
    """The identity of the state in the store (`builder/states.py`); for pybuild's own use."""


@frozen
class Image:
    """The result of one target. `name` is the build file's ("" if it has only one), `digest` the image's (None if no
    image was made), `metadata` the content of `--metadata-file`, `files` the paths that were exported."""

    name: str
    digest: str | None
    tags: tuple[str, ...]
    files: tuple[str, ...]
    platforms: tuple[Platform, ...]
    metadata: Mapping[str, Any] = field(repr=False)


def image_of(plain: Mapping[str, Any]) -> Image:
    """Return the image that a worker's answer describes."""
    return Image(
        plain["name"],
        plain["digest"] or None,
        tuple(plain["tags"]),
        tuple(dict.fromkeys(plain["files"])),
        tuple(_platform(state, json.loads(config)) for state, config in plain["states"]),
        json.loads(plain["metadata"]),
    )


def _platform(state: tuple[object, ...] | None, config: Mapping[str, Any]) -> Platform:
    names = [config.get(name, "") for name in ("os", "architecture", "variant")]
    return Platform("/".join(filter(None, names)), config, state)
