"""Requests and results of frontends: the messages of `moby.buildkit.v1.frontend.LLBBridge` as values.

A frontend is an image, a client of the daemon, or a built-in one; the build treats all alike. A *state* is an edge
that is solved when something needs it; None is the empty file system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.graph import Edge
from pybuild.lang.diagnostics import Diagnostic, UserError

PLATFORMS = "refs.platforms"
"""The metadata key of the platforms of states: JSON `{"Platforms": [{"ID": key, "Platform": {…}}]}`."""
CONFIG = "containerimage.config"
"""The metadata key of the image config; followed by `/KEY`, the key of that of one platform."""
BASE_CONFIG = "containerimage.base.config"
"""The metadata key of the config of the base image; followed by `/KEY`, the key of that of one platform."""


def _bytes(items: Mapping[str, bytes]) -> FrozenMap[bytes]:
    return frozen_map(items)


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


def _edges(items: Mapping[str, Edge | None]) -> FrozenMap[Edge | None]:
    return frozen_map(items)


def _lists(items: Mapping[str, tuple[Attestation, ...]]) -> FrozenMap[tuple[Attestation, ...]]:
    return frozen_map(items)


@frozen
class Subject:
    """The subject of an attestation: the image itself (`kind` 0), or an artifact by its digests (1)."""

    kind: int = 0
    digests: tuple[str, ...] = ()
    name: str = ""


@frozen
class Attestation:
    """An attestation at `path` of a state: the predicate of an in-toto statement (`kind` 0), or a bundle (1)."""

    kind: int = 0
    metadata: Mapping[str, bytes] = field(factory=FrozenMap, converter=_bytes)
    edge: Edge | None = None
    path: str = ""
    predicate_type: str = ""
    subjects: tuple[Subject, ...] = ()


@frozen
class Result:
    """The result of a frontend: one state, or `edges`, states by platform key. `attestations` have the same keys."""

    edge: Edge | None = None
    edges: Mapping[str, Edge | None] | None = None
    metadata: Mapping[str, bytes] = field(factory=FrozenMap, converter=_bytes)
    attestations: Mapping[str, tuple[Attestation, ...]] = field(factory=FrozenMap, converter=_lists)


@frozen
class Request:
    """A request to solve a state, or the result of `frontend`.

    `options` are the attributes of the frontend, as BuildKit's clients write them; `inputs` are states by name.
    `evaluate` solves the resulting states at once. `policies` are encoded `moby.buildkit.v1.sourcepolicy.Policy`
    messages that apply to this request, besides those of the build.
    """

    edge: Edge | None = None
    frontend: str = ""
    options: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    inputs: Mapping[str, Edge | None] = field(factory=FrozenMap, converter=_edges)
    evaluate: bool = False
    policies: tuple[bytes, ...] = ()


class FrontendWarning(Diagnostic):
    """A warning of a frontend with its level there: `rank`, 1 for the most severe."""

    __slots__ = ("rank",)

    def __init__(self, title: str, rank: int, **options: Any) -> None:
        """Make a warning; `options` are those of a Diagnostic."""
        super().__init__(title, level="warning", **options)
        self.rank = rank


class UnsupportedCapability(UserError):
    """A request needs the capability `name`, which the frontend lacks."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unsupported frontend capability {name}")
        self.name = name


class UnsupportedSubrequest(UserError):
    """A request names a subrequest (`requestid`) that the frontend doesn't know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unsupported request {name}")
        self.name = name


class Frontends(Protocol):
    """The frontends of a gateway, found and called by name. The front door implements it."""

    def solve(self, request: Request) -> Result:
        """Call the frontend of the request and return its result. Raises UserError, Cancelled."""
