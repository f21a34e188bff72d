"""The Dockerfile frontend: a Dockerfile's text, its options, its parse, its lowering for each platform.

`DockerfileFrontend` is for a request of this process. `dockerfile_v0.py` is for BuildKit's clients, with the same
text, options and lowering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from pybuild.compiler import platforms
from pybuild.compiler.contextfile import read_context_file
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.frontends.attributes import attributes_of
from pybuild.frontends.build_context import CONTEXT, ContextFrontend, check_single
from pybuild.frontends.remote_context import fetched
from pybuild.frontends.types import Goal, Solution, Target
from pybuild.frontends.watching_bridge import WatchingBridge
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile.options import DirectoryContext, StateContext
    from pybuild.compiler.ops import Platform
    from pybuild.frontends.attributes import Attributes
    from pybuild.frontends.build_context import BuildContext
    from pybuild.lang.dockerfile.extensions import ReadFile
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.dockerfile.lint.linter import Finding
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.lang.source import Source
    from pybuild.runtime.bridge.gateway import Gateway

    Parsed = tuple[Dockerfile, Linter]
    """A parsed Dockerfile, and the linter with what its checks found so far."""

    Judge = Callable[[Edge | None], Edge | None]
    """Returns a state with the sources that the build's policies put in the place of its own."""

_AT_HAND = ("docker-image:", "local:", "oci-layout:", "target:")
"""Sources of named contexts that need not be fetched for a graph to be made."""


class DockerfileFrontend(ContextFrontend):
    """Lowers the Dockerfile of a request. See `types.Frontend`."""

    def __init__(self, context: BuildContext, warn: Warn | None) -> None:
        """Read the text, and parse it if `warn` is given, unless parsing needs files of the context. Raises
        UserError."""
        check_single(context.request, "a Dockerfile", instead=", not for a Dockerfile")
        super().__init__(context)
        self._attributes = attributes_of(context)
        self.text = _read_text(context)
        self._parsed: Parsed | None = None
        if warn is not None and not self.text.extended:
            self._parsed = self.text.parse_linted(context.args, None, warn)

    @property
    def fetches(self) -> bool:
        """True if something may be fetched before there is a graph: a context, or a source whose time is
        needed."""
        context = self._context
        if context.inputs.fetches or any(
            not source.startswith(_AT_HAND) for source in context.named.sources.values()
        ):
            return True
        epoch = context.args.get("SOURCE_DATE_EPOCH", "")
        return b"SOURCE_DATE_EPOCH" in self.written or not (epoch.lstrip("+-") or "0").isdecimal()

    @property
    def written(self) -> bytes:
        """The Dockerfile's bytes as they were read."""
        return self._context.inputs.data or b""

    def linter(self, source: Source) -> Linter:
        """Return a silent linter that the file and the build arguments configure."""
        return Linter.of(source, self._context.args)

    def solve(self, gateway: Gateway) -> Solution:
        """Lower the target for every platform. Raises UserError, Cancelled."""
        context = fetched(self._context, gateway)
        bridge = WatchingBridge(gateway.bridge, context.dependencies)
        parsed = self._parsed
        if parsed is None:
            read = context_reader(gateway.bridge, context.inputs.edge)
            parsed = self.text.parse_linted(context.args, read, gateway.bridge.warn)
        targets = lower_all(parsed, self._options(context), self._attributes, bridge, gateway.judged)
        index = self._attributes.multi_platform
        return Solution([Goal(targets.values(), index=index, tags=context.request.tags)])

    def question(self, gateway: Gateway, lenient: Bridge | None = None) -> Question:
        """Return a question about the Dockerfile. `lenient` may take the bridge's place in the lowering."""
        bridge = gateway.bridge
        context = fetched(self._context, gateway)
        (options, *_) = for_platforms(self._options(context), self._attributes, Linter.off())
        read = context_reader(bridge, context.inputs.edge)
        return Question(self.text, options, lenient or bridge, read)

    def _options(self, context: BuildContext) -> LowerOptions:
        return lower_options(
            self._attributes,
            contexts={**self._attributes.contexts, **{name: f"host:{name}" for name in context.named.hosts}},
            states={},
            context=context.inputs.edge,
            excludes=context.inputs.excludes,
        )


@frozen
class Text:
    """A Dockerfile's text; `extended` says that it opted into pybuild's extensions of the language."""

    source: Source
    extended: bool

    def parse(self, warn: Warn | None, linter: Linter, read: ReadFile | None) -> Dockerfile:
        """Parse the text. `read` reads a file of the main context; only an extended Dockerfile needs it.
        Raises SourceError."""
        assert read is not None or not self.extended
        return parse(self.source, warn, linter, read=read if self.extended else None)

    def parse_linted(self, args: Mapping[str, str], read: ReadFile | None, warn: Warn) -> Parsed:
        """Parse with a linter that the file and the build arguments configure. Raises SourceError, UsageError."""
        linter = Linter.of(self.source, args, warn)
        return self.parse(warn, linter, read), linter


def _read_text(context: BuildContext) -> Text:
    """Return the text of a context's Dockerfile. Raises SourceError for a file that is not text, UsageError for one
    of a frontend that is not built in."""
    data = context.inputs.data
    assert data is not None
    source = decode(context.inputs.name, data)
    if not context.frontend.builtin:
        from pybuild.lang.frontends import detect_syntax
        from pybuild.plugins.installed import refusal

        raise refusal(context.frontend, None if context.syntax else detect_syntax(data), source)
    return Text(source, context.frontend.extended)


def lower_options(
    attributes: Attributes,
    *,
    contexts: Mapping[str, str],
    states: Mapping[str, StateContext | DirectoryContext],
    context: Edge | None,
    excludes: Sequence[str],
) -> LowerOptions:
    """Return the options of the lowering that all platforms share. `contexts` and `states` are the named
    contexts; `context` is the main one unless that is a local directory, whose ignored patterns are
    `excludes`."""
    return LowerOptions(
        target=attributes.target or None,
        build_args=attributes.build_args,
        labels=attributes.labels,
        build_platforms=(platforms.default(),),
        contexts=contexts,
        states=states,
        sessions=attributes.sessions,
        shared_keys=attributes.shared_keys,
        context_local_name=CONTEXT,
        context=context,
        steps=attributes.steps,
        no_cache_filter=attributes.no_cache_filter,
        image_resolve_mode=attributes.resolve_mode,
        excludes=excludes,
        hostname=attributes.hostname,
        multi_platform=attributes.multi_platform,
    )


def for_platforms(options: LowerOptions, attributes: Attributes, linter: Linter) -> list[LowerOptions]:
    """Return the options of each platform, or of the machine's own if none is named. Only the first one is linted."""
    return [
        evolve(options, target_platform=platform, linter=Linter.off() if number else linter)
        for number, platform in enumerate(attributes.platforms or (None,))
    ]


def lower_all(
    parsed: Parsed, options: LowerOptions, attributes: Attributes, bridge: Bridge, judge: Judge
) -> dict[Platform, Target]:
    """Lower the target for every platform. Raises UserError, Cancelled."""
    dockerfile, linter = parsed
    targets = {}
    for platform_options in for_platforms(options, attributes, linter):
        lowered = lower(dockerfile, platform_options, bridge)
        targets[platform_options.target_platform or platforms.default()] = Target(
            judge(lowered.edge), lowered.image.to_json(), lowered.base_config, lowered.epoch
        )
    return targets


@frozen
class Question:
    """A question about a Dockerfile: its text, the options of the first platform, whose linter is off, a
    bridge, and a function that reads a file of the main context."""

    text: Text
    options: LowerOptions
    bridge: Bridge
    read: ReadFile

    def parse(self, linter: Linter) -> Dockerfile:
        """Parse the text with `linter`. Raises SourceError."""
        return self.text.parse(None, linter, self.read)

    def check(self, linter: Linter) -> tuple[list[Finding], UserError | None]:
        """Run the build checks without a build: return the findings of the parser and of the lowering, in the order
        in which they are found, and the error of a build. Without a target all stages are checked. Raises
        Cancelled."""
        try:
            options = evolve(self.options, linter=linter, lint_all=self.options.target is None)
            lower(self.parse(linter), options, self.bridge)
        except Cancelled:
            raise
        except UserError as error:
            return linter.findings, error
        return linter.findings, None

    def with_source(self, source: Source) -> Question:
        """Return the same question about another text of the file."""
        return evolve(self, text=evolve(self.text, source=source))


def context_reader(bridge: Bridge, context: Edge | None, session: str = "") -> ReadFile:
    """Return a function that reads a file of the main context, or of a directory of `session` if that is no
    state."""
    return lambda path: read_context_file(path, bridge, context=context, local_name=CONTEXT, session=session)
