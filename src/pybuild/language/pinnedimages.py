"""Image resolution through the lock file, for the images of a recipe and of the Dockerfiles in it."""

from __future__ import annotations

from pybuild.compiler import reference
from pybuild.compiler.bridge import Forwarding, ResolvedImage
from pybuild.compiler.lower.recipe.embedded import unknown_config
from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError, SourceErrors, UserError
from pybuild.lang.reachable import states
from pybuild.lang.textual.problems.lock import not_locked
from pybuild.language.lock import IMAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.recipe.options import LoweredRecipe, LowerOptions
    from pybuild.compiler.ops import Platform
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.language.lock import Lock
    from pybuild.runtime.engine import Engine


class NotLocked(SourceError):
    """E0802: a Dockerfile names the image `key`, which has no entry."""

    def __init__(self, key: str) -> None:
        super().__init__(not_locked(key, None))
        self.key = key


class PinningBridge(Forwarding):
    """A bridge that resolves images through the lock file, and adds an entry for one that has none; with
    `locked` it raises NotLocked instead. Images that builds on this machine have named are taken as they are.
    Files are only read with `reads`, since that may need a build."""

    def __init__(
        self, bridge: Bridge, lock: Lock, engine: Engine, *, locked: bool, reads: bool = True
    ) -> None:
        super().__init__(bridge)
        self._lock = lock
        self._engine = engine
        self._locked = locked
        self._reads = reads
        self._assumed: set[str] = set()

    def assume(self, key: str) -> None:
        """Treat an image without an entry as one with an empty config, so that the lowering goes on to find
        what else lacks one."""
        self._assumed.add(key)

    def pins(self, key: str) -> bool:
        """Report whether an image has to be resolved to get an entry."""
        return not self._engine.images.built_here(key) and self._lock.get(IMAGE, key) is None

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        name = reference.parse(ref)
        if name.digest is not None or self._engine.images.built_here(name.canonical):
            return self._bridge.resolve_image(ref, platform, log_name=log_name)
        known = self._lock.get(IMAGE, name.canonical)
        if known is not None:
            pinned = f"{name.canonical}@{known}"
            return self._bridge.resolve_image(pinned, platform, log_name=log_name)
        if name.canonical in self._assumed:
            return ResolvedImage(name.canonical, "", unknown_config(platform))
        if self._locked:
            raise NotLocked(name.canonical)
        resolved = self._bridge.resolve_image(ref, platform, log_name=log_name)
        self._lock.put(IMAGE, name.canonical, resolved.digest)
        return resolved

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        if not self._reads:
            raise FileNotFoundError(path)
        return self._bridge.read_file(edge, path, limit=limit)


def lower_locked(
    of: recipe.Recipe,
    options: LowerOptions,
    bridge: PinningBridge,
    missing: Mapping[str, Diagnostic],
) -> LoweredRecipe:
    """Lower a recipe to a graph. Raises SourceErrors for all references that the lock file does not pin:
    those in `missing`, and those that Dockerfiles name besides, each at its place."""
    from pybuild.compiler.lower.recipe.lower import lower

    unpinned = dict(missing)
    if unpinned and not any(isinstance(state, recipe.Dockerfile) for state in states(of)):
        raise SourceErrors(list(unpinned.values()))
    for key in missing:
        bridge.assume(key)
    while True:
        try:
            lowered = lower(of, options, bridge)
            break
        except NotLocked as error:
            unpinned[error.key] = error.diagnostic
            bridge.assume(error.key)
        except UserError:
            if not unpinned:
                raise
            break  # perhaps for want of what is assumed
    if unpinned:
        raise SourceErrors(list(unpinned.values()))
    return lowered
