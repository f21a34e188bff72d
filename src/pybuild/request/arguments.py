"""Values that a request implies: its platforms, build arguments and the settings of its steps."""

from __future__ import annotations

import os

from pybuild.compiler import platforms
from pybuild.compiler.lower.commands import proxy_variables
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import HostIP, Platform, Ulimit
from pybuild.lang.diagnostics import UsageError
from pybuild.request.values import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.request.request import BuildRequest

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


class RequestArguments:
    """Values that the flags of a request come to, for every frontend. Immutable.

    `args` are the build arguments with those of the environment, `platforms` the requested ones, each once. `index`
    tells whether the result is an index. `steps` are the settings of all steps.
    """

    __slots__ = ("args", "index", "platforms", "steps")

    def __init__(self, request: BuildRequest) -> None:
        """Raises UsageError for values that contradict each other, BadPlatform."""
        self.args = build_args(request)
        self.platforms = tuple(target_platforms(request.platforms))
        self.index = _wants_index(self.platforms, self.args)
        self.steps = _step_defaults(request, self.args)


def _step_defaults(request: BuildRequest, args: Mapping[str, str]) -> StepDefaults:
    """Return the settings of all steps that a request gives, with the proxies of the environment."""
    return StepDefaults(
        no_cache=request.no_cache,
        network=request.network,
        extra_hosts=tuple(HostIP(host, ip) for host, ip in request.add_hosts),
        ulimits=tuple(Ulimit(name, soft, hard) for name, soft, hard in request.ulimits),
        shm_size=request.shm_size,
        cgroup_parent=request.cgroup_parent,
        proxies=proxy_variables(args),
    )


def build_args(request: BuildRequest) -> dict[str, str]:
    """Return the build arguments: those of the flags, SOURCE_DATE_EPOCH and the proxies of the environment.

    An argument without a value takes the variable of its name, and is left out where that is not set.
    """
    args: dict[str, str] = {}
    for name, value in request.build_args:
        if value is None:
            value = os.environ.get(name)
        if value is not None:
            args[name] = value
    epoch = {name: os.environ[name] for name in ("SOURCE_DATE_EPOCH",) if name in os.environ}
    for name, value in {**epoch, **proxies()}.items():
        args.setdefault(name, value)
    return args


def proxies() -> dict[str, str]:
    """Return the proxies of the environment, by the names in capitals or small letters that are set."""
    names = [*PROXIES, *(name.lower() for name in PROXIES)]
    return {name: os.environ[name] for name in names if name in os.environ}


def target_platforms(texts: Sequence[str]) -> list[Platform]:
    """Return the requested platforms, each once; a text may hold several, separated by commas. Raises BadPlatform."""
    unique: list[Platform] = []
    for text in texts:
        for part in text.split(","):
            platform = platforms.parse(part.strip())
            if platform not in unique:
                unique.append(platform)
    return unique


def _wants_index(platforms: Sequence[Platform], args: Mapping[str, str]) -> bool:
    """Report whether the result is an index: for several platforms, or where BUILDKIT_MULTI_PLATFORM asks for one.
    Raises UsageError for a value that is no boolean, or that forbids what several platforms need."""
    several = len(platforms) > 1
    text = args.get("BUILDKIT_MULTI_PLATFORM", "")
    if not text:
        return several
    index = boolean(text, "BUILDKIT_MULTI_PLATFORM")
    if several and not index:
        raise UsageError(
            "BUILDKIT_MULTI_PLATFORM is false, and there are several platforms", help="give one --platform"
        )
    return index
