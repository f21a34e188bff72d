"""A build of a `.pybuild` file as it is asked for: compile, lower, plan."""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.compiler import platforms
from pybuild.dockerfiles import step_defaults, target_platforms
from pybuild.execute import open_engine
from pybuild.lang.diagnostics import SourceErrors, UsageError, UserError
from pybuild.lang.textual.expand.options import DEFAULT
from pybuild.lang.textual.trivia import is_allowed
from pybuild.language.compiled import compiled_of
from pybuild.language.fetched import check_allowed, check_outputs, fetched, lies_elsewhere
from pybuild.language.remotemodules import NeedsEngine
from pybuild.language.sources import Names, Sources
from pybuild.options import epoch_of
from pybuild.plan import Files, Goal, Plan, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pybuild.compiler.gateway import Request, Result
    from pybuild.compiler.lower.recipe.options import LoweredRecipe, LowerOptions, Pin
    from pybuild.contexts import Inputs
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe import Goal as RecipeGoal
    from pybuild.lang.recipe import Recipe, State
    from pybuild.lang.textual.modules import Program
    from pybuild.language.compiled import Compiled
    from pybuild.language.lock import Lock
    from pybuild.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

_OF_DOCKERFILES = (
    ("build_args", "--build-arg", "values of params are given with -p NAME=VALUE"),
    ("build_contexts", "--build-context", "other contexts are sources in the file"),
    ("no_cache_filter", "--no-cache-filter", "use --no-cache, or uncached() in the file"),
)


class LanguageBuild:
    """See `build.Asked`. Making it compiles the file: what is wrong with it is said before anything is opened, but
    where a module has to be fetched."""

    def __init__(
        self,
        request: BuildRequest,
        inputs: Inputs,
        observer: Observer,
        *,
        wanted: tuple[str, ...] | str | None = None,
        begin: Callable[[Lock], None] | None = None,
        compiled: Compiled | None = None,
    ) -> None:
        """`wanted` None is what the request names, else the default. `begin` may change the lock before its use.
        `compiled` takes the place of the file that the inputs have."""
        for name, flag, help in _OF_DOCKERFILES:
            if getattr(request, name):
                raise UsageError(f"{flag} is for Dockerfiles", help=help)
        self.request = request
        self._inputs = inputs
        self._begin = begin
        self._wanted = wanted if wanted is not None else request.targets or DEFAULT
        self.program: Program | None = None
        self._compiled: Recipe | None = None
        self._elsewhere = compiled is None and lies_elsewhere(inputs)
        if self._elsewhere:
            check_allowed(inputs, request)
            return
        self._take(compiled or compiled_of(inputs, request))
        try:
            self._compile(observer)
        except NeedsEngine:
            pass  # once there is one

    def _take(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.lock = compiled.lock
        if self._begin is not None:
            self._begin(self.lock)
        for path in self.request.params_files:
            compiled.seen.note(os.path.abspath(path))

    @property
    def fetches(self) -> bool:
        return self._compiled is None

    @property
    def recipe(self) -> Recipe:
        assert self._compiled is not None
        return self._compiled

    def _compile(self, observer: Observer) -> None:
        program = self.program = self.compiled.program()
        self._compiled = self.compiled.recipe(
            program,
            wanted=self._wanted,
            target_platforms=[platforms.format(one) for one in target_platforms(self.request.platforms)],
        )
        for warning in (*self.compiled.warnings, *self.recipe.warnings):
            observer.warning("", warning)

    def open(self, observer: Observer, cancellation: Cancellation, *, enter: bool = True) -> Engine:
        if enter and not self._elsewhere:
            self.compiled.ended()
        engine = open_engine(self.request, {}, {}, observer, cancellation, enter=enter, project=self._project)
        try:
            if self._elsewhere:
                self._take(fetched(self._inputs, self.request, engine, observer))
            if self._compiled is None:
                self.compiled.fetch_with(engine, locked=self.request.locked)
                self._compile(observer)
            if self._elsewhere:
                check_outputs(self.recipe, self.request)
            sources = Sources(self.recipe, self.compiled.seen)
        except BaseException:
            engine.close()
            raise
        engine.client.directories.update(sources.directories)
        engine.client.named.update(sources.images)
        return engine

    @property
    def _project(self) -> str:
        """What the caches of the project are known by (spec section 10)."""
        if self.request.project or self._elsewhere:
            return self.request.project or self.request.context
        return self.compiled.repository.origin or self.compiled.directory

    def lower(self, engine: Engine, observer: Observer, *, keep_lock: bool = True) -> LoweredRecipe:
        """The graph of every instance; what references resolved to is kept in the lock file. Raises UserError."""
        from pybuild.language.pinnedimages import PinningBridge, lower_locked
        from pybuild.language.pins import Pinned, pin, unlocked
        from pybuild.runtime.bridge.bridge import local_bridge

        locked = self.request.locked
        missing = unlocked(self.recipe, self.lock, engine) if locked else {}
        pinned, failed = (Pinned(), []) if missing else pin(self.recipe, self.lock, engine)
        if failed:
            raise SourceErrors(failed)
        self.warn_of_branches(pinned.moving, observer)
        bridge = PinningBridge(local_bridge(engine, observer), self.lock, engine, locked=locked)
        options = evolve(self.options(pinned.pins), frontends=self._frontends(engine, observer))
        lowered = lower_locked(self.recipe, options, bridge, missing)
        if keep_lock:
            self._keep_lock(observer)
        return lowered

    def _frontends(self, engine: Engine, observer: Observer) -> Callable[[Request], Result]:
        """What calls the frontends of images. What they make may depend on anything, so the build is not replayed."""

        def call(request: Request) -> Result:
            from pybuild.gateway.frontends import open_gateway

            self.compiled.seen.still = False
            return open_gateway(engine, observer).solve(request)

        return call

    def warn_of_branches(self, found: Iterable[Diagnostic], observer: Observer) -> None:
        """Give the warnings that no comment in the files silences."""
        for warning in found:
            if self.program is None or not is_allowed(warning, self.program):
                observer.warning("", warning)

    def _keep_lock(self, observer: Observer) -> None:
        try:
            saved = self.lock.save()
        except UserError as error:
            observer.notice(f"references are not pinned: {error}")
            self.compiled.seen.still = False  # another build may find them elsewhere
            return
        if saved:
            self.compiled.seen.renew(self.lock.path)

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        return self.planned(self.lower(engine, observer), engine)

    def planned(self, lowered: LoweredRecipe, engine: Engine) -> Plan:
        """What is to be made of a lowered recipe."""
        seen = self.compiled.seen
        needed = [lowered.instances[one] for goal in self.recipe.needed for one in goal.instances]
        return Plan(
            [self._goal(goal, lowered) for goal in self.recipe.requested],
            engine.client.directories,
            engine.client.named,
            gates=[one.edge for one in needed if one.edge is not None],
            project=self.compiled.project,
            owner=self._project,
            consulted={**self._inputs.consulted, **seen.consulted},
            parts=list(seen.parts.values()),
            trees=list(engine.local_trees.values()),
            still=seen.still,
        )

    def _goal(self, goal: RecipeGoal, lowered: LoweredRecipe) -> Goal:
        found = [lowered.instances[one] for one in goal.instances]
        several = len(found) > 1
        epoch = self._epoch
        tags = list(dict.fromkeys(tag.name for one in goal.instances for tag in one.tags))
        return Goal(
            [Target(one.edge, one.image.to_json(), one.base_config, epoch) for one in found],
            index=several,
            tags=[*tags, *self.request.tags] if goal.kind == "target" else [],
            name=goal.title,
            files=[
                Files(
                    number,
                    [one.path for one in output.sources],
                    output.dest,
                    output.clean,
                    output.always,
                    output.span,
                )
                for number, instance in enumerate(goal.instances)
                for output in instance.outputs
            ],
            annotations={
                ("manifest", instance.instance.platform if several else "", key): value
                for instance in found
                for key, value in instance.annotations.items()
            },
        )

    @property
    def _epoch(self) -> int | None:
        return epoch_of(os.environ.get("SOURCE_DATE_EPOCH", ""))

    def options(self, pins: Mapping[State, Pin], *, linked: bool = True) -> LowerOptions:
        """What the recipe is lowered with."""
        from pybuild.compiler.lower.recipe.options import LowerOptions

        request, names = self.request, Names(self.recipe)
        return LowerOptions(
            build_platform=platforms.default(),
            linked=linked,
            pull=request.pull,
            rerun=request.rerun,
            steps=step_defaults(request),
            labels=dict(request.labels),
            epoch=self._epoch,
            pins=pins,
            hosts=names.hosts,
            layouts=names.layouts,
        )
