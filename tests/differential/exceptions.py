"""The differences of versions in `exceptions.md`, as functions from Docker's config to the one expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

Config = dict[str, Any]


@frozen
class VersionDifference:
    """`apply` gets Docker's config and pybuild's and returns Docker's with what differs, and only that,
    replaced. `docker_accepts`: Docker builds what pybuild refuses."""

    apply: Callable[[Config, Config], Config]
    docker_accepts: bool = False


EXCEPTIONS: dict[str, VersionDifference] = {}
