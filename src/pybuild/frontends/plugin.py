"""The frontend of an installed package, as a request of this process calls it."""

from __future__ import annotations

import os
import sys

from pybuild.compiler import platforms
from pybuild.compiler.frontend import Context, FrontendInputs, plain_args
from pybuild.frontends.build_context import CONTEXT, ContextFrontend
from pybuild.frontends.remote_context import fetched
from pybuild.frontends.results import targets_of_built
from pybuild.frontends.types import Goal, Solution
from pybuild.frontends.watching_bridge import WatchingBridge
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.frontends import detect_syntax, split
from pybuild.plugins import invocation, problems
from pybuild.plugins.installed import find, note_installed
from pybuild.request.values import epoch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pybuild.compiler.frontend import Built
    from pybuild.compiler.lower.step_defaults import StepDefaults
    from pybuild.frontends.build_context import BuildContext
    from pybuild.lang.source import Source, Span
    from pybuild.plugins.registered import Registered
    from pybuild.runtime.bridge.gateway import Gateway


class PluginFrontend(ContextFrontend):
    """Loads the frontend that an installed package registers and calls it. See `types.Frontend`.

    The file's needs are known before anything is opened; the package is loaded when it is called.
    """

    fetches = True  # the frontend may ask for anything

    def __init__(self, context: BuildContext) -> None:
        """Raises UsageError for a request that no frontend of a package takes."""
        super().__init__(context)
        self._reference = context.frontend.reference or ""
        note_installed(context.dependencies)
        registered = find(self._reference)
        assert registered is not None
        self._registered: Registered = registered
        request = context.request
        if len(request.targets) > 1:
            raise problems.one_target(registered, request.targets)
        for value, flag, whose in (
            (request.params or request.params_files, "-p", "files of the language"),
            (request.locked, "--locked", "files of the language"),
            (request.no_cache_filter, "--no-cache-filter", "Dockerfiles"),
        ):
            if value:
                raise problems.flag_of_others(registered, flag, whose)
        self._platforms = context.arguments.platforms

    def solve(self, gateway: Gateway) -> Solution:
        """Load and call the frontend. Raises UserError, Cancelled."""
        context = fetched(self._context, gateway)
        dependencies = context.dependencies
        steps = context.arguments.steps
        inputs = self._inputs(context)
        loaded = frozenset(sys.modules)
        frontend = invocation.load(self._registered, inputs.version, self._syntax_line(inputs.source))
        bridge = WatchingBridge(gateway.bridge, dependencies, steps)
        built = invocation.call(self._registered, frontend, bridge, inputs)
        self._check_platforms(built)
        self._note_package(loaded)
        dependencies.replayable &= built.repeatable
        return Solution([self._goal(built, steps, inputs.epoch)])

    def _inputs(self, context: BuildContext) -> FrontendInputs:
        inputs, request = context.inputs, context.request
        assert inputs.data is not None
        here = platforms.default()
        return FrontendInputs(
            source=decode(inputs.name, inputs.data),
            version=(split(self._reference) or ("", ""))[1],
            platforms=self._platforms or (here,),
            build_platform=here,
            target=request.target,
            build_args=plain_args(context.args),
            context=Context(CONTEXT, inputs.edge, inputs.excludes),
            contexts=context.named.sources,
            epoch=epoch_of(context.args.get("SOURCE_DATE_EPOCH", "")),
            resolve_mode="pull" if request.pull else "default",
        )

    def _syntax_line(self, source: Source) -> Span | None:
        """Return the place of the syntax line; None if BUILDKIT_SYNTAX replaces it."""
        syntax = detect_syntax(self._context.inputs.data or b"")
        return syntax.span(source) if syntax is not None and syntax.reference == self._reference else None

    def _goal(self, built: Built, steps: StepDefaults, epoch: int | None) -> Goal:
        request = self._context.request
        targets = targets_of_built(built, steps, dict(request.labels), epoch)
        index = self._context.arguments.index or len(targets) > 1
        return Goal(targets.values(), index=index, tags=request.tags)

    def _check_platforms(self, built: Built) -> None:
        """Raises FrontendFailed if the platforms differ from the requested ones."""
        if not self._platforms:
            return
        returned = [platforms.format(platforms.normalize(image.image.platform)) for image in built.images]
        wanted = [platforms.format(platform) for platform in self._platforms]
        if sorted(returned) != sorted(wanted):
            raise problems.other_platforms(self._registered, returned, wanted)

    def _note_package(self, loaded: Collection[str]) -> None:
        """Note the code that the build ran: the package's directory, and modules imported beyond `loaded`."""
        dependencies = self._context.dependencies
        own = sys.modules.get(self._registered.entry.module)
        package = sys.modules.get(getattr(own, "__package__", None) or "")
        for top in getattr(package, "__path__", ()):
            for directory, names, _ in os.walk(os.path.abspath(top)):
                names[:] = [name for name in names if name != "__pycache__"]
                dependencies.note_entries(directory)
        for name, module in list(sys.modules.items()):
            root = name.partition(".")[0]
            path = getattr(module, "__file__", None)
            if name not in loaded and root != "pybuild" and root not in sys.stdlib_module_names and path:
                dependencies.note(os.path.abspath(path))
