"""The command `pybuild lock`: resolve the references of a build file's targets and write the lock file. No
step is built."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

from attrs import evolve

from pybuild.cli.run_build import print_warnings, run_observed
from pybuild.cli.terminal import tell
from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceErrors, UsageError
from pybuild.lang.reachable import states
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.expand.options import EVERYTHING
from pybuild.runtime.progress.display import make_display, warnings_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.frontends.language import LanguageFrontend
    from pybuild.language.lock import Lock
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

    Entries = Mapping[tuple[str, str], str]

ALL = "*"
"""The pattern that every key matches."""


class LockChanges:
    """The result of a lock: the entries before and after, and the targets that were left out, with the params
    that they need."""

    __slots__ = ("after", "before", "skipped")

    def __init__(
        self, before: Entries, after: Entries, skipped: tuple[tuple[str, tuple[str, ...]], ...]
    ) -> None:
        self.before = before
        self.after = after
        self.skipped = skipped

    def text(self) -> str:
        """A line for each entry that changed and for each target that was left out."""
        lines = []
        for kind, key in sorted({*self.before, *self.after}):
            old, new = self.before.get((kind, key)), self.after.get((kind, key))
            if old is None:
                lines.append(f"added {kind} {key} = {new}")
            elif new is None:
                lines.append(f"removed {kind} {key}")
            elif old != new:
                lines.append(f"moved {kind} {key} = {old} -> {new}")
        count = len(self.after)
        entries = f"{count} entr{'y' if count == 1 else 'ies'}"
        lines = lines or [f"pybuild.lock is up to date: {entries}"]
        for title, params in self.skipped:
            lines.append(f"skipped {title}: not set: {', '.join(params)}")
        return "\n".join(lines) + "\n"


def run_lock(request: BuildRequest, update: str | None) -> int:
    """Lock the targets that the request names, or all, and return the exit code; entries that match the
    pattern `update` are resolved again. Raises UserError."""
    if update is not None and request.locked:
        raise UsageError("--update changes entries and --locked refuses that", help="leave one out")
    display = make_display(request.progress, sys.stderr, quiet=request.quiet)

    def work(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> LockChanges:
        return lock(request, update, observer, cancellation)

    locked = run_observed(request, display, work)
    if display.warnings:
        print_warnings(warnings_text(display.warnings))
    tell(locked.text())
    return 0


def lock(
    request: BuildRequest, update: str | None, observer: Observer, cancellation: Cancellation
) -> LockChanges:
    """Write the lock file. After a UserError, which it raises, the file is as it was."""
    from pybuild.build.engine import open_gateway
    from pybuild.build.pipeline import warner
    from pybuild.frontends.build_context import find_context
    from pybuild.frontends.language import LanguageFrontend

    if update is not None:
        request = evolve(request, pull=True)  # a tag is where its registry has it
    context = find_context(request, observer)
    if not context.frontend.records:
        raise UsageError(
            f"{context.inputs.name} has no references to lock",
            help="pybuild.lock is of .pybuild files; pin by digest",
        )
    forgotten: dict[tuple[str, str], str] = {}

    def forget(lock: Lock) -> None:
        for kind, key in list(lock.entries):
            if update is not None and fnmatchcase(key, update):
                forgotten[kind, key] = lock.entries[kind, key]
                lock.drop(kind, key)

    frontend = LanguageFrontend(
        context,
        warner(observer),
        wanted=request.targets or EVERYTHING,
        edit_lock=forget,
    )
    before = {**frontend.lock.entries, **forgotten}
    with open_gateway(frontend, request, observer, cancellation) as gateway:
        observer.start()
        frontend.ready(gateway)
        _resolve(frontend, gateway)
        if request.targets or frontend.recipe.skipped:
            _keep_unused(frontend.lock, forgotten)
        frontend.lock.save()
        return LockChanges(before, frontend.lock.entries, frontend.recipe.skipped)


def _resolve(frontend: LanguageFrontend, gateway: Gateway) -> None:
    """Resolve every reference and enter it in the lock. Raises UserError."""
    from pybuild.language.pinnedimages import PinningBridge, lower_locked
    from pybuild.language.pins import pin, pin_images, unlocked

    engine, lock = gateway.engine, frontend.lock
    of, locked = frontend.recipe, frontend.request.locked
    bridge = PinningBridge(gateway.bridge, lock, engine, locked=locked, reads=False)
    missing = unlocked(of, lock, engine) if locked else {}
    pins = {}
    if not missing:
        pinned, failed = pin(of, lock, engine)
        failed = [*failed, *pin_images(of, bridge)]
        if failed:
            raise SourceErrors(arranged(failed))
        pins = dict(pinned.pins)
        frontend.warn_of_branches(pinned.moving, gateway.warn)
    if any(isinstance(state, recipe.Dockerfile) for state in states(of)):
        lower_locked(of, frontend.options(pins), bridge, missing)
    elif missing:
        raise SourceErrors(list(missing.values()))


def _keep_unused(lock: Lock, forgotten: Entries) -> None:
    """Put back entries that were not looked up: targets that were left out may use them."""
    for (kind, key), value in forgotten.items():
        if (kind, key) not in lock.used:
            lock.restore(kind, key, value)
