"""The Dockerfile frontend, as a request of this process calls it."""

from __future__ import annotations

from pybuild.frontends.attributes_of_request import attributes_of
from pybuild.frontends.build_context import ContextFrontend, check_single
from pybuild.frontends.dockerfile_text import (
    Question,
    context_reader,
    for_platforms,
    lower_all,
    lower_options,
    read_text,
)
from pybuild.frontends.types import FrontendResult, Solution
from pybuild.frontends.watching_bridge import WatchingBridge
from pybuild.lang.dockerfile.lint.linter import Linter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.lower.dockerfile import LowerOptions
    from pybuild.frontends.build_context import BuildContext
    from pybuild.frontends.dockerfile_text import Parsed
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.lang.frontends import Frontend
    from pybuild.lang.source import Source
    from pybuild.runtime.bridge.gateway import Gateway

_AT_HAND = ("docker-image:", "local:", "oci-layout:", "target:")
"""Sources of named contexts that need not be fetched for a graph to be made."""


class DockerfileFrontend(ContextFrontend):
    """Lowers the Dockerfile of a request. See `types.Frontend`."""

    def __init__(self, context: BuildContext, frontend: Frontend, warn: Warn | None) -> None:
        """Read the text, and parse it if `warn` is given, unless parsing needs files of the context. Raises
        UserError."""
        check_single(context.request, "a Dockerfile", instead=", not for a Dockerfile")
        assert context.inputs.data is not None
        super().__init__(context)
        self._attributes = attributes_of(context)
        self.text = read_text(context.inputs.name, context.inputs.data, frontend, context.syntax)
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
        context = self._fetched(gateway)
        bridge = WatchingBridge(gateway.bridge, context.dependencies)
        parsed = self._parsed
        if parsed is None:
            read = context_reader(gateway.bridge, context.inputs.edge)
            parsed = self.text.parse_linted(context.args, read, gateway.bridge.warn)
        result = lower_all(parsed, self._options(context), self._attributes, bridge, gateway.judged)
        return Solution([FrontendResult(result, tags=context.request.tags)])

    def question(self, gateway: Gateway, lenient: Bridge | None = None) -> Question:
        """Return a question about the Dockerfile. `lenient` may take the bridge's place in the lowering."""
        bridge = gateway.bridge
        context = self._fetched(gateway)
        (options, *_) = for_platforms(self._options(context), self._attributes, Linter.off())
        read = context_reader(bridge, context.inputs.edge)
        return Question(self.text, options, lenient or bridge, read)

    def _fetched(self, gateway: Gateway) -> BuildContext:
        """Return the context with what lies elsewhere fetched."""
        if not self._context.inputs.fetches:
            return self._context
        from pybuild.frontends.remote_context import fetched

        return fetched(self._context, gateway.bridge)

    def _options(self, context: BuildContext) -> LowerOptions:
        return lower_options(
            self._attributes,
            contexts={**self._attributes.contexts, **{name: f"host:{name}" for name in context.named.hosts}},
            states={},
            context=context.inputs.edge,
            excludes=context.inputs.excludes,
        )
