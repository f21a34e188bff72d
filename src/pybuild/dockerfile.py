"""Dockerfile builds: from the files read to the lowered targets, one a platform."""

from __future__ import annotations

import os

from pybuild.compiler import platforms
from pybuild.compiler.lower.dockerfile import Lowered, LowerOptions, lower
from pybuild.compiler.ops import HostIP, Platform, Ulimit
from pybuild.lang import frontends
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.ignore import read_patterns
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.dockerfile.parse import decode, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.bridge import Bridge
    from pybuild.contexts import Inputs
    from pybuild.request import BuildRequest
    from pybuild.runtime.progress.observer import Observer

CONTEXT = "context"
"""Local source name of the main context."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


def parse_dockerfile(inputs: Inputs, observer: Observer) -> Dockerfile:
    """The parsed Dockerfile, if its syntax line asks for the built-in frontend. Raises SourceError, UsageError."""
    source = decode(inputs.name, inputs.dockerfile)
    syntax = frontends.detect_syntax(inputs.dockerfile)
    frontend = frontends.choose(syntax.reference if syntax is not None else None)
    if not frontend.builtin:
        raise frontends.refused(frontend, syntax, source)
    return parse(source, lambda warning: observer.warning("", warning))


def lower_all(
    dockerfile: Dockerfile,
    inputs: Inputs,
    request: BuildRequest,
    sources: Mapping[str, str],
    bridge: Bridge,
) -> list[Lowered]:
    """The target lowered for each requested platform, or for the machine's own."""
    excludes = read_patterns(inputs.ignore.decode("utf-8", "surrogateescape"), inputs.ignore_name)
    wanted = target_platforms(request.platforms)
    options = [
        LowerOptions(
            target=request.target,
            build_args=build_args(request),
            labels=dict(request.labels),
            target_platform=platform,
            build_platforms=(platforms.default(),),
            contexts=sources,
            context_local_name=CONTEXT,
            no_cache=request.no_cache,
            no_cache_filter=request.no_cache_filter,
            network_default=request.network,
            add_hosts=tuple(HostIP(host, ip) for host, ip in request.add_hosts),
            ulimits=tuple(Ulimit(name, soft, hard) for name, soft, hard in request.ulimits),
            shm_size=request.shm_size,
            cgroup_parent=request.cgroup_parent,
            image_resolve_mode="pull" if request.pull else "default",
            excludes=tuple(excludes),
            multi_platform=len(wanted) > 1,
        )
        for platform in wanted or (None,)
    ]
    return [lower(dockerfile, one, bridge) for one in options]


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
    ambient = ["SOURCE_DATE_EPOCH", *PROXIES, *(name.lower() for name in PROXIES)]
    for name in ambient:
        if name in os.environ and name not in found:
            found[name] = os.environ[name]
    epoch = found.get("SOURCE_DATE_EPOCH")
    if epoch and not (epoch.isascii() and epoch.removeprefix("-").isdecimal()):
        raise UsageError(f"SOURCE_DATE_EPOCH is not a number of seconds: {epoch!r}", help="use `date +%s`")
    return found
