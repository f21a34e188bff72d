"""A Dockerfile build as it is asked for: what it reads, the engine it needs, its plan."""

from __future__ import annotations

from pybuild.build.context import ContextBuild, check_single
from pybuild.build.dockerfiles import (
    CONTEXT,
    lower_options,
    parse_dockerfile,
    read_dockerfile,
    wants_index,
)
from pybuild.build.inputs import frontend_of
from pybuild.build.plan import Goal, Plan, Target
from pybuild.compiler.lower.dockerfile import lower
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.frontends import PLUGIN
from pybuild.runtime.bridge.bridge import local_bridge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.build.dockerfiles import Text
    from pybuild.build.inputs import Inputs
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile import LowerOptions
    from pybuild.lang.dockerfile.extensions import ReadFile
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.lang.source import Source
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer

_AT_HAND = ("docker-image:", "local:", "oci-layout:", "target:")
"""Sources of named contexts that are not fetched to know the graph."""


class DockerfileBuild(ContextBuild):
    """A request with what it reads: the build files and the named contexts. The Dockerfile is parsed when it is
    read, unless `parse` leaves that to who asks."""

    def __init__(
        self, request: BuildRequest, inputs: Inputs, observer: Observer, *, parse: bool = True
    ) -> None:
        check_single(request, "a Dockerfile", instead=", not for a Dockerfile")
        super().__init__(request, inputs)
        self._parsed: tuple[Dockerfile, Linter] | None = None
        text = self.text if parse else None
        if text is not None and not text.extended:
            self._parsed = parse_dockerfile(text, self.args, None, _warn(observer))

    @property
    def fetches(self) -> bool:
        """Whether something may be fetched before there is a graph: the context, the Dockerfile, a named context,
        what tells the time."""
        if self.elsewhere:
            return True
        if any(not source.startswith(_AT_HAND) for source in self.named.sources.values()):
            return True
        epoch = self.args.get("SOURCE_DATE_EPOCH", "")
        return b"SOURCE_DATE_EPOCH" in self.written or not (epoch.lstrip("+-") or "0").isdecimal()

    @property
    def text(self) -> Text | None:
        """The Dockerfile's text, None before it is fetched. Raises SourceError, UsageError."""
        syntax = self.args.get("BUILDKIT_SYNTAX", "").strip().partition(" ")[0]
        return None if self.inputs.dockerfile is None else read_dockerfile(self.inputs, syntax)

    @property
    def written(self) -> bytes:
        """The Dockerfile's bytes as they were read."""
        return self.inputs.dockerfile or b""

    def linter(self, source: Source) -> Linter:
        """A linter as the file and the build arguments want it, which warns nobody. Raises as `Linter.of`."""
        return Linter.of(source, self.args)

    def plan(self, engine: Engine, observer: Observer) -> Plan:
        """Lower the target for every platform."""
        request, inputs = self.request, self.inputs
        bridge = local_bridge(engine, observer)
        context = self.fetch(bridge)
        if self._parsed is None:
            frontend = frontend_of(inputs, request)
            if frontend.kind == PLUGIN:  # which what was fetched asks for
                from pybuild.frontends.plugin import PluginBuild

                return PluginBuild(request, inputs, frontend).planned(context, bridge, engine)
            if frontend.is_image:
                from pybuild.frontends.image_file import ImageFrontendBuild

                return ImageFrontendBuild(request, inputs).plan(engine, observer)
            text = self.text
            assert text is not None
            self._parsed = parse_dockerfile(text, self.args, reader(bridge, context), bridge.warn)
        parsed, linter = self._parsed
        asked = lower_options(inputs, request, self.named.sources, context, linter)
        lowered = [lower(parsed, one, bridge) for one in asked]
        targets = [Target(one.edge, one.image.to_json(), one.base_config, one.epoch) for one in lowered]
        return Plan(
            [Goal(targets, index=wants_index(request, self.args), tags=request.tags)],
            engine.client.directories,
            engine.client.named,
            consulted={**inputs.consulted, **self.named.consulted},
            names=[name for name, value in request.build_args if value is None],
            trees=list(engine.local_trees.values()),
            told_by=[one.epoch_source for one in lowered if one.epoch_source is not None],
        )

    def question(
        self, engine: Engine, observer: Observer, bridge: Callable[[Bridge], Bridge] | None = None
    ) -> Question:
        """The Dockerfile, fetched where it lies elsewhere, and what its lowering needs. `bridge` may take the
        place of the one given to it."""
        own = local_bridge(engine, observer)
        context = self.fetch(own)
        text = self.text
        assert text is not None
        options = lower_options(self.inputs, self.request, self.named.sources, context, Linter.off())
        asked = bridge(own) if bridge is not None else own
        return Question(text, options[0], asked, reader(own, context))


class Question:
    """What a frontend is given to say something of a build: the Dockerfile's text, the options of its first
    platform, whose linter is off, a bridge, and what reads a file of the main context."""

    __slots__ = ("bridge", "options", "read", "text")

    def __init__(self, text: Text, options: LowerOptions, bridge: Bridge, read: ReadFile) -> None:
        self.text = text
        self.options = options
        self.bridge = bridge
        self.read = read

    def parse(self, linter: Linter) -> Dockerfile:
        """Raises SourceError."""
        return self.text.parse(None, linter, self.read)


def _warn(observer: Observer) -> Warn:
    return lambda warning: observer.warning("", warning)


def reader(bridge: Bridge, context: Edge | None, session: str = "") -> ReadFile:
    """What reads a file of the main context, of a directory of `session` where that isn't a state."""
    from pybuild.compiler.contextfile import read_context_file

    return lambda path: read_context_file(path, bridge, context=context, local_name=CONTEXT, session=session)
