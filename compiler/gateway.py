"""What a frontend asks of a build and gives back, as values: `moby.buildkit.v1.frontend.LLBBridge` without its
encoding.

A frontend is an image, a client of the daemon, or built in; to the build they are one. A *state* is an edge that is
solved when something of it is needed; None is the empty file system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.graph import Edge
from pybuild.lang.diagnostics import Diagnostic, UserError

PLATFORMS = "refs.platforms"
"""Metadata: JSON `{"Platforms": [{"ID": key, "Platform": {…}}]}`, which state is of which platform."""
CONFIG = "containerimage.config"
"""Metadata: the image config; with `/KEY` behind it that of one platform."""
BASE_CONFIG = "containerimage.base.config"
"""Metadata: the config of the image that the image is built on, likewise."""


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
    """What an attestation is about: the image itself (`kind` 0), or something by its digests (1)."""

    kind: int = 0
    digests: tuple[str, ...] = ()
    name: str = ""


@frozen
class Attestation:
    """An in-toto statement's predicate at `path` of a state (`kind` 0), or a bundle of statements there (1)."""

    kind: int = 0
    metadata: Mapping[str, bytes] = field(factory=FrozenMap, converter=_bytes)
    edge: Edge | None = None
    path: str = ""
    predicate_type: str = ""
    subjects: tuple[Subject, ...] = ()


@frozen
class Result:
    """What came of a frontend: one state, or `edges`, one a platform by its key. `attestations` are by that key."""

    edge: Edge | None = None
    edges: Mapping[str, Edge | None] | None = None
    metadata: Mapping[str, bytes] = field(factory=FrozenMap, converter=_bytes)
    attestations: Mapping[str, tuple[Attestation, ...]] = field(factory=FrozenMap, converter=_lists)


@frozen
class Request:
    """What is to be solved: a state, or what `frontend` makes with `options` (its attributes, as BuildKit's clients
    write them) and `inputs` (states by name). `evaluate` has the states solved at once. `policies` are
    `moby.buildkit.v1.sourcepolicy.Policy` messages, encoded, that count for this request besides the build's own."""

    edge: Edge | None = None
    frontend: str = ""
    options: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    inputs: Mapping[str, Edge | None] = field(factory=FrozenMap, converter=_edges)
    evaluate: bool = False
    policies: tuple[bytes, ...] = ()


class FrontendWarning(Diagnostic):
    """A warning of a frontend, which says itself how grave it is: `rank`, 1 for the gravest."""

    __slots__ = ("rank",)

    def __init__(self, title: str, rank: int, **options: Any) -> None:
        """`options` are those of a Diagnostic."""
        super().__init__(title, level="warning", **options)
        self.rank = rank


class UnsupportedCapability(UserError):
    """What asks a frontend for a build needs a capability `name` of it that it lacks."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unsupported frontend capability {name}")
        self.name = name


class UnsupportedSubrequest(UserError):
    """A frontend was asked a question (`requestid`) by the `name` of which it knows none."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unsupported request {name}")
        self.name = name


class Frontends(Protocol):
    """Finds and calls frontends by name: the front door's part of a gateway."""

    def solve(self, request: Request) -> Result:
        """What the frontend of the request makes. Raises UserError, Cancelled."""
