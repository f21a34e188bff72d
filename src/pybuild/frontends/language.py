"""The frontend of the language and of Python build modules: it compiles a file to a recipe and lowers
that."""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.compiler import platforms
from pybuild.frontends import remote_project
from pybuild.frontends.build_context import LANGUAGE_FILE, MODULE_FILE, STDIN
from pybuild.frontends.types import Files, Goal, GraphNames, Solution, Target
from pybuild.lang.diagnostics import SourceErrors, UsageError, UserError
from pybuild.lang.frontends import PYTHON
from pybuild.lang.textual.expand.options import DEFAULT
from pybuild.lang.textual.trivia import is_allowed
from pybuild.language.compiled import Compiled
from pybuild.language.params import given_params
from pybuild.language.remotemodules import NeedsEngine
from pybuild.language.sources import Names, Sources
from pybuild.request.values import epoch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pybuild.compiler.gateway import Request, Result
    from pybuild.compiler.lower.recipe.options import LoweredRecipe, LowerOptions, Pin
    from pybuild.frontends.build_context import BuildContext
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe import Goal as RecipeGoal
    from pybuild.lang.recipe import Recipe, State
    from pybuild.lang.textual.modules import Program
    from pybuild.language.lock import Lock
    from pybuild.runtime.bridge.gateway import Gateway

    Warn = Callable[[Diagnostic], None]

_FOR_DOCKERFILES = (
    ("build_args", "--build-arg", "values of params are given with -p NAME=VALUE"),
    ("build_contexts", "--build-context", "other contexts are sources in the file"),
    ("no_cache_filter", "--no-cache-filter", "use --no-cache, or uncached() in the file"),
)


def compile_file(context: BuildContext, *, shown: str = "") -> Compiled:
    """Compile the build file of a context: a file of the language, or a Python build module. Its name is `shown` in
    messages unless that is "". Raises UsageError if it lies elsewhere or may not run, UserError for bad params."""
    inputs, request = context.inputs, context.request
    python = context.frontend.kind == PYTHON
    what = "a Python build module" if python else "a build file of the language"
    if inputs.data is None or inputs.directory is None:
        raise UsageError(
            f"{what} must lie in a directory of this machine, not in {request.context}",
            help="fetch it first: git clone, or tar",
        )
    default = MODULE_FILE if python else LANGUAGE_FILE
    name = os.path.normpath(os.path.join(inputs.directory, default) if request.file == STDIN else inputs.name)
    kind = Compiled
    if python:
        from pybuild.language.pythonmodule import PythonCompiled
        from pybuild.request.trust import refuse_module

        refuse_module(inputs.name, request)

        kind = PythonCompiled
    return kind(
        name,
        inputs.data,
        shown=shown,
        allow=request.allow,
        params=given_params(request),
        dependencies=context.dependencies,
    )


class LanguageFrontend:
    """Compiles and lowers a build file of the language. See `types.Frontend`.

    The constructor compiles the file, unless the file or a module of it has to be fetched: then `ready` does,
    once there is an engine.
    """

    def __init__(
        self,
        context: BuildContext,
        warn: Warn,
        *,
        wanted: tuple[str, ...] | str | None = None,
        edit_lock: Callable[[Lock], None] | None = None,
        compiled: Compiled | None = None,
    ) -> None:
        """`wanted` None builds the request's targets, else the default. `edit_lock` may change the lock
        before its use. `compiled` replaces the compilation of the inputs' file. Raises UserError."""
        request = self.request = context.request
        for name, flag, help in _FOR_DOCKERFILES:
            if getattr(request, name):
                raise UsageError(f"{flag} is for Dockerfiles", help=help)
        self._context = context
        self._dependencies = context.dependencies
        self._edit_lock = edit_lock
        self._wanted = wanted if wanted is not None else request.targets or DEFAULT
        self.program: Program | None = None
        self._recipe: Recipe | None = None
        self._remote = compiled is None and context.inputs.fetches
        if self._remote:
            remote_project.check_allowed(context)
            return
        self._take(compiled or compile_file(context))
        try:
            self._expand(warn)
        except NeedsEngine:
            pass  # `ready` fetches the module

    def _take(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.lock = compiled.lock
        if self._edit_lock is not None:
            self._edit_lock(self.lock)
        for path in self.request.params_files:
            self._dependencies.note(os.path.abspath(path))

    def _expand(self, warn: Warn) -> None:
        program = self.program = self.compiled.program()
        self._recipe = self.compiled.recipe(
            program,
            wanted=self._wanted,
            target_platforms=list(map(platforms.format, self._context.arguments.platforms)),
        )
        for warning in (*self.compiled.warnings, *self.recipe.warnings):
            warn(warning)

    @property
    def recipe(self) -> Recipe:
        assert self._recipe is not None
        return self._recipe

    @property
    def fetches(self) -> bool:
        """True while the file or a module of it has to be fetched."""
        return self._recipe is None

    def begin(self, *, enter: bool) -> GraphNames:
        """Return the owner of the project's caches (language spec, section 10) alone: the names of the recipe are
        known in `ready`."""
        if self._remote:
            return GraphNames(owner=self.request.project or self.request.context)
        compiled = self.compiled
        if enter and compiled.runs_code:
            # Only a process with one thread can enter namespaces.
            from pybuild.language.single_thread import ensure_single_thread

            ensure_single_thread()
        return GraphNames(owner=self.request.project or compiled.repository.origin or compiled.directory)

    def ready(self, gateway: Gateway) -> None:
        """Compile a file that had to be fetched, and tell the engine's client what the recipe's names stand
        for. Raises UserError."""
        engine = gateway.engine
        if self._remote:
            context, shown = remote_project.fetch_project(self._context, gateway)
            self._take(compile_file(context, shown=shown))
        if self._recipe is None:
            self.compiled.fetch_with(engine, locked=self.request.locked)
            self._expand(gateway.warn)
        if self._remote:
            remote_project.check_outputs(self.recipe, self.request)
        sources = Sources(self.recipe, self._dependencies)
        engine.client.provide(directories=sources.directories, images=sources.images)

    def solve(self, gateway: Gateway) -> Solution:
        """Lower every wanted instance. Raises UserError, Cancelled."""
        self.ready(gateway)
        lowered = self.lower(gateway)
        needed = [
            lowered.instances[instance].edge for goal in self.recipe.needed for instance in goal.instances
        ]
        return Solution(
            [self._goal(goal, lowered) for goal in self.recipe.requested],
            gates=[edge for edge in needed if edge is not None],
            project=self.compiled.project,
        )

    def lower(self, gateway: Gateway, *, keep_lock: bool = True) -> LoweredRecipe:
        """Return the graph of every instance; resolved references are added to the lock file. Raises
        UserError."""
        from pybuild.language.pinnedimages import PinningBridge, lower_locked
        from pybuild.language.pins import Pinned, pin, unlocked

        engine, locked = gateway.engine, self.request.locked
        missing = unlocked(self.recipe, self.lock, engine) if locked else {}
        pinned, failed = (Pinned(), []) if missing else pin(self.recipe, self.lock, engine)
        if failed:
            raise SourceErrors(failed)
        self.warn_of_branches(pinned.moving, gateway.warn)
        bridge = PinningBridge(gateway.bridge, self.lock, engine, locked=locked)
        options = evolve(self.options(pinned.pins), frontends=self._call_frontend(gateway))
        lowered = lower_locked(self.recipe, options, bridge, missing)
        if keep_lock:
            self._keep_lock(gateway)
        return lowered

    def _call_frontend(self, gateway: Gateway) -> Callable[[Request], Result]:
        """Return a function that calls frontends of images. Their results may depend on anything, so a build that
        calls one is not replayed."""

        def call(request: Request) -> Result:
            self._dependencies.replayable = False
            return gateway.solve(request)

        return call

    def warn_of_branches(self, warnings: Iterable[Diagnostic], warn: Warn) -> None:
        """Give the warnings that no comment in the files silences."""
        for warning in warnings:
            if self.program is None or not is_allowed(warning, self.program):
                warn(warning)

    def _keep_lock(self, gateway: Gateway) -> None:
        try:
            saved = self.lock.save()
        except UserError as error:
            gateway.notice(f"references are not pinned: {error}")
            self._dependencies.replayable = False  # another build may resolve them otherwise
            return
        if saved:
            self._dependencies.renew(self.lock.path)

    def _goal(self, goal: RecipeGoal, lowered: LoweredRecipe) -> Goal:
        results = [lowered.instances[instance] for instance in goal.instances]
        several = len(results) > 1
        tags = dict.fromkeys(tag.name for instance in goal.instances for tag in instance.tags)
        return Goal(
            [
                Target(result.edge, result.image.to_json(), result.base_config, self._epoch)
                for result in results
            ],
            index=several,
            name=goal.title,
            tags=(*tags, *self.request.tags) if goal.kind == "target" else (),
            files=tuple(
                Files(
                    number,
                    [source.path for source in output.sources],
                    output.dest,
                    output.clean,
                    output.always,
                    output.span,
                )
                for number, instance in enumerate(goal.instances)
                for output in instance.outputs
            ),
            annotations={
                ("manifest", result.instance.platform if several else "", key): value
                for result in results
                for key, value in result.annotations.items()
            },
        )

    @property
    def _epoch(self) -> int | None:
        return epoch_of(os.environ.get("SOURCE_DATE_EPOCH", ""))

    def options(self, pins: Mapping[State, Pin], *, linked: bool = True) -> LowerOptions:
        """Return the options of the recipe's lowering."""
        from pybuild.compiler.lower.recipe.options import LowerOptions

        request, names = self.request, Names(self.recipe)
        return LowerOptions(
            build_platform=platforms.default(),
            linked=linked,
            pull=request.pull,
            rerun=request.rerun,
            steps=self._context.arguments.steps,
            labels=dict(request.labels),
            epoch=self._epoch,
            pins=pins,
            hosts=names.hosts,
            layouts=names.layouts,
        )
