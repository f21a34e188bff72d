"""The frontends that a gateway can call: the Dockerfile's, and those that images hold."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from pybuild.compiler.gateway import Request, Result
from pybuild.lang.diagnostics import UserError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from pybuild.runtime.bridge.caller import Caller
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer


DOCKERFILE, IMAGE = "dockerfile.v0", "gateway.v0"
FRONTENDS = (DOCKERFILE, IMAGE)
MOST_AT_ONCE = 64
"""Maximum number of frontend images that a build runs at once; most of them wait for those that they have
called."""


class BuiltinFrontends:
    """The frontends of a gateway (`compiler.gateway.Frontends`). `enabled` are those that may be called;
    `caller` and `repositories` are for frontends that images hold (`external.ExternalFrontends`). `gateway`
    is the calling gateway, set once it is open."""

    gateway: Gateway

    def __init__(
        self,
        enabled: Collection[str] = FRONTENDS,
        caller: Caller | None = None,
        repositories: Sequence[str] = (),
    ) -> None:
        self._enabled = enabled
        self._caller = caller
        self._repositories = tuple(repositories)
        self._guard = threading.Lock()
        self._running = 0

    def solve(self, request: Request) -> Result:
        name = request.frontend
        if name not in self._enabled:
            near = suggest(name, self._enabled)
            raise UserError(
                f"invalid frontend: {name}",
                help=f"did you mean {near}?" if near else "choose one of " + ", ".join(self._enabled),
            )
        if name == DOCKERFILE:
            from pybuild.frontends import dockerfile_v0

            return dockerfile_v0.solve(request, self.gateway)
        from pybuild.frontends.gateway_v0 import ExternalFrontends
        from pybuild.runtime.bridge.caller import Caller

        images = ExternalFrontends(self._caller or Caller(), self._repositories)
        with self._counted():
            return images.solve(request, self.gateway)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a running frontend. Raises UserError if too many run already."""
        with self._guard:
            if self._running >= MOST_AT_ONCE:
                raise UserError(
                    f"more than {MOST_AT_ONCE} frontends at once, each for another one",
                    help="does one call itself, or do two call each other?",
                )
            self._running += 1
        try:
            yield
        finally:
            with self._guard:
                self._running -= 1


def make_gateway(
    engine: Engine,
    observer: Observer,
    *,
    enabled: Collection[str] = FRONTENDS,
    caller: Caller | None = None,
    repositories: Sequence[str] = (),
    **options: Any,
) -> Gateway:
    """Return a gateway that can call the enabled built-in frontends; `options` are its own."""
    from pybuild.runtime.bridge.gateway import Gateway

    frontends = BuiltinFrontends(enabled, caller, repositories)
    frontends.gateway = Gateway(engine, observer, frontends, **options)
    return frontends.gateway
