"""Dockerfile builds: from the files read to the lowered targets, one a platform."""

from __future__ import annotations

import os

from attrs import evolve

from pybuild.compiler import platforms
from pybuild.compiler.lower.commands import proxy_variables
from pybuild.compiler.lower.dockerfile import LowerOptions
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import HostIP, Platform, Ulimit
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.request.values import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.build.inputs import Inputs
    from pybuild.compiler.graph import Edge
    from pybuild.lang.dockerfile.extensions import ReadFile
    from pybuild.lang.dockerfile.reader import Warn
    from pybuild.lang.source import Source
    from pybuild.request.request import BuildRequest

CONTEXT = "context"
"""Local source name of the main context."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


def parse_dockerfile(
    text: Text, args: Mapping[str, str], read: ReadFile | None, warn: Warn
) -> tuple[Dockerfile, Linter]:
    """The parsed Dockerfile, and what its checks found so far. `read` reads a file of the main context; it
    is needed for an extended one. Raises SourceError, UsageError."""
    linter = Linter.of(text.source, args, warn)
    return text.parse(warn, linter, read), linter


class Text:
    """A Dockerfile's text; `extended` says that it opted into the extensions of the language."""

    __slots__ = ("extended", "source")

    def __init__(self, source: Source, extended: bool) -> None:
        self.source = source
        self.extended = extended

    def parse(self, warn: Warn | None, linter: Linter, read: ReadFile | None) -> Dockerfile:
        """Raises SourceError."""
        assert read is not None or not self.extended
        return parse(self.source, warn, linter, read=read if self.extended else None)


def read_dockerfile(inputs: Inputs, asked: str) -> Text:
    """The Dockerfile's text, if its syntax line asks for a built-in frontend; `asked`, where it isn't empty, is
    a frontend that takes the line's place. Raises SourceError, UsageError."""
    assert inputs.dockerfile is not None
    source = decode(inputs.name, inputs.dockerfile)
    syntax = None if asked else frontends.detect_syntax(inputs.dockerfile)
    frontend = frontends.choose(asked or (syntax.reference if syntax is not None else None))
    if not frontend.builtin:
        from pybuild.plugins.installed import refused

        raise refused(frontend, syntax, source)
    return Text(source, frontend.extended)


def lower_options(
    inputs: Inputs,
    request: BuildRequest,
    sources: Mapping[str, str],
    context: Edge | None,
    linter: Linter,
) -> list[LowerOptions]:
    """What is asked of the lowering for each requested platform, or for the machine's own. `context` is the main
    context where that isn't a local directory. Checks run for the first platform."""
    excludes = read_patterns(inputs.ignore.decode("utf-8", "surrogateescape"), inputs.ignore_name)
    args = build_args(request)
    options = LowerOptions(
        target=request.target,
        build_args=args,
        labels=dict(request.labels),
        build_platforms=(platforms.default(),),
        contexts=sources,
        context_local_name=CONTEXT,
        context=context,
        steps=step_defaults(request),
        no_cache_filter=request.no_cache_filter,
        image_resolve_mode="pull" if request.pull else "default",
        excludes=tuple(excludes),
        hostname=args.get("BUILDKIT_SANDBOX_HOSTNAME", ""),
        multi_platform=wants_index(request, args),
    )
    return for_platforms(options, target_platforms(request.platforms), linter)


def step_defaults(request: BuildRequest) -> StepDefaults:
    """Return the settings of all steps that a request gives, with the proxies of the environment."""
    return StepDefaults(
        no_cache=request.no_cache,
        network=request.network,
        extra_hosts=tuple(HostIP(host, ip) for host, ip in request.add_hosts),
        ulimits=tuple(Ulimit(name, soft, hard) for name, soft, hard in request.ulimits),
        shm_size=request.shm_size,
        cgroup_parent=request.cgroup_parent,
        proxies=proxy_variables(build_args(request)),
    )


def for_platforms(options: LowerOptions, wanted: Sequence[Platform], linter: Linter) -> list[LowerOptions]:
    """The options for each platform, or for the machine's own if none is wanted. `linter` is the first one's."""
    return [
        evolve(options, target_platform=platform, linter=Linter.off() if number else linter)
        for number, platform in enumerate(wanted or (None,))
    ]


def wants_index(request: BuildRequest, args: Mapping[str, str]) -> bool:
    """Whether the result is an index: for several platforms, or where BUILDKIT_MULTI_PLATFORM asks for it. Raises
    UsageError for a value that is no boolean, or forbids what several platforms need."""
    several = len(target_platforms(request.platforms)) > 1
    text = args.get("BUILDKIT_MULTI_PLATFORM", "")
    if not text:
        return several
    asked = boolean(text, "BUILDKIT_MULTI_PLATFORM")
    if several and not asked:
        raise UsageError(
            "BUILDKIT_MULTI_PLATFORM is false, and there are several platforms", help="give one --platform"
        )
    return asked


def target_platforms(texts: Sequence[str]) -> list[Platform]:
    """The requested platforms, each once. Raises BadPlatform."""
    found: list[Platform] = []
    for text in texts:
        for part in text.split(","):
            platform = platforms.parse(part.strip())
            if platform not in found:
                found.append(platform)
    return found


def build_args(request: BuildRequest) -> dict[str, str]:
    """Build arguments: those given, SOURCE_DATE_EPOCH and the proxies of the environment."""
    found: dict[str, str] = {}
    for name, value in request.build_args:
        if value is None:
            value = os.environ.get(name)
        if value is not None:
            found[name] = value
    epoch = {name: os.environ[name] for name in ("SOURCE_DATE_EPOCH",) if name in os.environ}
    for name, value in {**epoch, **proxies()}.items():
        found.setdefault(name, value)
    return found


def proxies() -> dict[str, str]:
    """The proxies of the environment, by their names in capitals or small letters as they are set."""
    names = [*PROXIES, *(name.lower() for name in PROXIES)]
    return {name: os.environ[name] for name in names if name in os.environ}
