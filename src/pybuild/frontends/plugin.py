"""A build of a file that a frontend of an installed package reads, as it is asked for."""

from __future__ import annotations

import os
import sys

from pybuild.build.context import ContextBuild
from pybuild.build.dockerfiles import CONTEXT, step_defaults, target_platforms, wants_index
from pybuild.build.plan import Goal, Plan, Target
from pybuild.compiler import platforms
from pybuild.frontends.watching_bridge import WatchingBridge
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.parse import decode
from pybuild.lang.frontends import detect_syntax, split
from pybuild.language.place import Seen
from pybuild.plugins import calling, problems
from pybuild.plugins.installed import find, note_installed
from pybuild.request.values import epoch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pybuild.build.inputs import Inputs
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.frontend import Built, FrontendInputs
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.step_defaults import StepDefaults
    from pybuild.lang.frontends import Frontend
    from pybuild.lang.source import Source, Span
    from pybuild.plugins.installed import Registered
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer


class PluginBuild(ContextBuild):
    """See `build.Asked`. What the file asks for is known before anything is opened, but the package is loaded when it
    is called."""

    fetches = True  # the frontend may ask for anything

    def __init__(self, request: BuildRequest, inputs: Inputs, frontend: Frontend) -> None:
        super().__init__(request, inputs)
        self._reference = frontend.reference or ""
        self._seen = Seen()
        note_installed(self._seen)
        found = find(self._reference)
        assert found is not None
        self._registered: Registered = found
        if len(request.targets) > 1:
            raise problems.one_target(found, request.targets)
        for given, flag, whose in (
            (request.params or request.params_files, "-p", "files of the language"),
            (request.locked, "--locked", "files of the language"),
            (request.no_cache_filter, "--no-cache-filter", "Dockerfiles"),
        ):
            if given:
                raise problems.flag_of_others(found, flag, whose)
        self._platforms = tuple(target_platforms(request.platforms))

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        from pybuild.runtime.bridge.bridge import local_bridge

        bridge = local_bridge(engine, observer)
        return self.planned(self.fetch(bridge), bridge, engine)

    def planned(self, context: Edge | None, bridge: Bridge, engine: Engine) -> Plan:
        """Have the frontend make the graph; `context` is the main one where it lies elsewhere."""
        steps = step_defaults(self.request)
        watching = WatchingBridge(bridge, steps)
        inputs = self._frontend_inputs(context)
        known = frozenset(sys.modules)
        frontend = calling.load(self._registered, inputs.version, self._line(inputs.source))
        built = calling.call(self._registered, frontend, watching, inputs)
        self._check_platforms(built)
        self._note_package(known)
        return Plan(
            [self._goal(built, steps, inputs.epoch)],
            engine.client.directories,
            engine.client.named,
            consulted={**self.inputs.consulted, **self.named.consulted, **self._seen.consulted},
            names=[name for name, value in self.request.build_args if value is None],
            parts=list(self._seen.parts.values()),
            trees=list(engine.local_trees.values()),
            told_by=watching.sources,
            still=built.repeatable and watching.still and self._seen.still,
        )

    def _frontend_inputs(self, context: Edge | None) -> FrontendInputs:
        from pybuild.compiler.frontend import Context, FrontendInputs, plain_args

        inputs, request = self.inputs, self.request
        assert inputs.dockerfile is not None
        excludes = read_patterns(inputs.ignore.decode("utf-8", "surrogateescape"), inputs.ignore_name)
        here = platforms.default()
        return FrontendInputs(
            source=decode(inputs.name, inputs.dockerfile),
            version=(split(self._reference) or ("", ""))[1],
            platforms=self._platforms or (here,),
            build_platform=here,
            target=request.target,
            build_args=plain_args(self.args),
            context=Context(CONTEXT, context, tuple(excludes)),
            contexts=self.named.sources,
            epoch=self._epoch,
            resolve_mode="pull" if request.pull else "default",
        )

    def _line(self, source: Source) -> Span | None:
        """The syntax line; None where another one takes its place."""
        syntax = detect_syntax(self.inputs.dockerfile or b"")
        return syntax.span(source) if syntax is not None and syntax.reference == self._reference else None

    @property
    def _epoch(self) -> int | None:
        return epoch_of(self.args.get("SOURCE_DATE_EPOCH", ""))

    def _goal(self, built: Built, steps: StepDefaults, epoch: int | None) -> Goal:
        edges = steps.applied([one.state.edge for one in built.images])
        labels = dict(self.request.labels)
        targets = []
        for one, edge in zip(built.images, edges, strict=True):
            image = one.image.with_config(labels={**one.image.config.labels, **labels})
            targets.append(Target(edge, image.to_json(), one.base_config, epoch))
        index = wants_index(self.request, self.args) or len(targets) > 1
        return Goal(targets, index=index, tags=self.request.tags)

    def _check_platforms(self, built: Built) -> None:
        """Where platforms are asked for, those are to be made."""
        if not self._platforms:
            return
        made = [platforms.format(platforms.normalize(one.image.platform)) for one in built.images]
        wanted = [platforms.format(one) for one in self._platforms]
        if sorted(made) != sorted(wanted):
            raise problems.other_platforms(self._registered, made, wanted)

    def _note_package(self, known: Collection[str]) -> None:
        """Note the code that the build ran: the package's directory, and what was imported since `known`."""
        own = sys.modules.get(self._registered.entry.module)
        package = sys.modules.get(getattr(own, "__package__", None) or "")
        for top in getattr(package, "__path__", ()):
            for directory, names, _ in os.walk(os.path.abspath(top)):
                names[:] = [name for name in names if name != "__pycache__"]
                self._seen.entries(directory)
        for name, module in list(sys.modules.items()):
            root = name.partition(".")[0]
            path = getattr(module, "__file__", None)
            if name not in known and root != "pybuild" and root not in sys.stdlib_module_names and path:
                self._seen.note(os.path.abspath(path))
