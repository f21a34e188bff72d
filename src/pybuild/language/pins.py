"""Resolution of a recipe's references through the lock file: each is resolved once, and the result is
recorded."""

from __future__ import annotations

import re

from attrs import field, frozen

from pybuild.compiler import reference
from pybuild.compiler.lower.recipe.options import Pin
from pybuild.lang import recipe
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.reachable import states
from pybuild.lang.textual.problems import lock as problems
from pybuild.lang.textual.problems.modules import moving
from pybuild.lang.textual.problems.solve import source_failed
from pybuild.language.lock import GIT, HTTP, IMAGE
from pybuild.runtime.codes import SOURCE_FAILED, solve_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span
    from pybuild.language.lock import Lock
    from pybuild.language.pinnedimages import PinningBridge
    from pybuild.runtime.engine import Engine

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Reference:
    """A reference that does not pin itself: its kind and key in the lock file, and a state that uses it."""

    __slots__ = ("key", "kind", "state")

    def __init__(self, kind: str, key: str, state: recipe.State) -> None:
        self.kind = kind
        self.key = key
        self.state = state

    @property
    def span(self) -> Span | None:
        return self.state.span


@frozen
class Pinned:
    """Resolved values of the git and HTTP states of a recipe. `moving` holds warnings about references to
    branches."""

    pins: Mapping[recipe.State, Pin] = field(factory=dict)
    moving: tuple[Diagnostic, ...] = ()


def references(of: recipe.Recipe) -> Iterator[Reference]:
    """Return the outside references of a recipe, each once, without those in its Dockerfiles."""
    seen: set[tuple[str, str]] = set()
    for state in states(of):
        outside = _reference(state)
        if outside is not None and (outside.kind, outside.key) not in seen:
            seen.add((outside.kind, outside.key))
            yield outside


def _reference(state: recipe.State) -> Reference | None:
    if isinstance(state, recipe.Image | recipe.Frontend):
        try:
            name = reference.parse(state.ref)
        except UserError:
            return None  # the lowering says it
        return None if name.digest is not None else Reference(IMAGE, name.canonical, state)
    if isinstance(state, recipe.Git) and not _COMMIT.fullmatch(state.ref):
        return Reference(GIT, git_key(state), state)
    if isinstance(state, recipe.Http) and not state.sha256:
        return Reference(HTTP, state.url, state)
    return None


def git_key(state: recipe.Git) -> str:
    return f"{state.url}#{state.ref}"


def unlocked(of: recipe.Recipe, lock: Lock, engine: Engine) -> Mapping[str, Diagnostic]:
    """Return E0802 by key for references that the lock file does not pin. Nothing is fetched or resolved."""
    diagnostics: dict[str, Diagnostic] = {}
    for outside in references(of):
        if outside.kind == IMAGE and engine.images.built_here(outside.key):
            continue
        if lock.get(outside.kind, outside.key) is None:
            diagnostics[outside.key] = problems.not_locked(outside.key, outside.span)
    return diagnostics


def pin(of: recipe.Recipe, lock: Lock, engine: Engine) -> tuple[Pinned, list[Diagnostic]]:
    """Return the pins of a recipe's git and HTTP states from the lock file, and the errors of what can't be
    resolved. A missing entry is resolved and added. Raises Cancelled."""
    pins: dict[recipe.State, Pin] = {}
    branches: list[Diagnostic] = []
    failed: dict[str, Diagnostic] = {}
    for state in states(of):
        outside = _reference(state)
        if outside is None or outside.kind == IMAGE or outside.key in failed:
            continue
        known = lock.get(outside.kind, outside.key)
        if known is None:
            try:
                known, branch = _resolved(state, engine)
            except UserError as error:
                failed[outside.key] = failure(error, state.span)
                continue
            lock.put(outside.kind, outside.key, known)
            if branch and state.span is not None:
                branches.append(moving(state.span))
        pins[state] = Pin(known, outside.key)
    return Pinned(pins, tuple(branches)), list(failed.values())


def pin_images(of: recipe.Recipe, bridge: PinningBridge) -> list[Diagnostic]:
    """Resolve the images of a recipe that have no entry, and return the errors of those that can't be
    resolved. Raises Cancelled."""
    from pybuild.compiler import platforms

    failed = []
    for outside in references(of):
        if not isinstance(outside.state, recipe.Image | recipe.Frontend) or not bridge.pins(outside.key):
            continue
        try:
            own = isinstance(outside.state, recipe.Frontend)
            platform = platforms.default() if own else platforms.parse(outside.state.platform)
            bridge.resolve_image(outside.key, platform, log_name=f"[internal] resolve {outside.key}")
        except UserError as error:
            failed.append(failure(error, outside.span))
    return failed


def _resolved(state: recipe.State, engine: Engine) -> tuple[str, bool]:
    """Ask the repository or server of a git or HTTP state, and return the commit or digest, and whether the
    reference is a branch. Raises UserError, Cancelled."""
    from pybuild.compiler.lower.recipe.sources import source_op
    from pybuild.runtime.progress.observer import Tracked

    assert isinstance(state, recipe.Git | recipe.Http)
    op = source_op(state)
    with Tracked(engine.observer, f"[internal] resolve {op.identifier}"):
        if isinstance(state, recipe.Git):
            commit = engine.fetchers.git().resolve(op, engine.cancellation)
            return commit.commit, commit.ref.startswith("refs/heads/")
        return engine.fetchers.http().resolve(op, engine.cancellation).digest, False


def failure(error: UserError, span: Span | None) -> Diagnostic:
    """Return the diagnostic of a reference that can't be resolved. Raises Cancelled."""
    if isinstance(error, Cancelled):
        raise error
    code = error.diagnostic.code or solve_code(error) or SOURCE_FAILED
    return source_failed(error, span, code)
