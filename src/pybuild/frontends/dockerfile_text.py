"""A Dockerfile on its way to a graph: its text, its options, its parse, its lowering for each platform.

Both ways into the Dockerfile frontend end here: a request of this process (`dockerfile.py`) and one of BuildKit's
clients (`dockerfile_v0.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve, frozen

from pybuild.compiler import platforms
from pybuild.compiler.contextfile import read_context_file
from pybuild.compiler.gateway import Result
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.frontends.build_context import CONTEXT
from pybuild.frontends.results import PlatformImage, result_of
from pybuild.lang import frontends
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.lower.dockerfile.options import DirectoryContext, StateContext
    from pybuild.frontends.attributes import Attributes
    from pybuild.lang.dockerfile.extensions import ReadFile
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.lang.source import Source

    Parsed = tuple[Dockerfile, Linter]
    """A parsed Dockerfile, and the linter with what its checks found so far."""

    Judge = Callable[[Edge | None], Edge | None]
    """Returns a state with the sources that the build's policies put in the place of its own."""


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


def read_text(name: str, data: bytes, frontend: frontends.Frontend, syntax: str) -> Text:
    """Return the text of a Dockerfile that `frontend` reads, which must be built in; `syntax` is
    BUILDKIT_SYNTAX. Raises SourceError for a file that is not text, UsageError for another frontend."""
    source = decode(name, data)
    if not frontend.builtin:
        from pybuild.plugins.installed import refusal

        raise refusal(frontend, None if syntax else frontends.detect_syntax(data), source)
    return Text(source, frontend.extended)


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
) -> Result:
    """Lower the target for every platform. Raises UserError, Cancelled."""
    dockerfile, linter = parsed
    images = []
    for platform_options in for_platforms(options, attributes, linter):
        lowered = lower(dockerfile, platform_options, bridge)
        images.append(
            PlatformImage(
                platform_options.target_platform or platforms.default(),
                judge(lowered.edge),
                lowered.image.to_json(),
                lowered.base_config,
                lowered.epoch,
            )
        )
    return result_of(images, index=options.multi_platform)


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

    def with_source(self, source: Source) -> Question:
        """Return the same question about another text of the file."""
        return evolve(self, text=evolve(self.text, source=source))


def context_reader(bridge: Bridge, context: Edge | None, session: str = "") -> ReadFile:
    """Return a function that reads a file of the main context, or of a directory of `session` if that is no
    state."""
    return lambda path: read_context_file(path, bridge, context=context, local_name=CONTEXT, session=session)
