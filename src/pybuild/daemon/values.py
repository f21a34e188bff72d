"""Values that the daemon's flags and its configuration file share. Every function raises UsageError for a bad one."""

from __future__ import annotations

import grp
import os

from pybuild.lang.diagnostics import UsageError
from pybuild.request.values import known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ENTITLEMENTS = ("network.host", "security.insecure", "device")
_SNAPSHOTTERS = {
    "auto": "",
    "overlayfs": "overlay",
    "overlay": "overlay",
    "fuse-overlayfs": "fuse-overlayfs",
    "native": "copy",
    "copy": "copy",
}
"""buildkitd's names of snapshotters, and pybuild's."""


def network(text: str) -> str:
    return known(text or "auto", ("auto", "bridge", "host", "cni"), "network")


def snapshotter(text: str) -> str:
    """Return pybuild's name of a snapshotter; empty for its own choice."""
    return _SNAPSHOTTERS[known(text or "auto", tuple(_SNAPSHOTTERS), "snapshotter")]


def log_format(text: str) -> str:
    return known(text or "text", ("text", "json"), "log format")


def group(text: str) -> int:
    """Return the ID of a group that is given by name or number."""
    if text.isdecimal():
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise UsageError(
            f"there is no group {text!r}", help="give --group the name or the number of one"
        ) from None


def entitlements(texts: Sequence[str]) -> tuple[str, ...]:
    for text in texts:
        if text not in ENTITLEMENTS:
            raise UsageError(f"invalid entitlement : {text}", help="known are " + ", ".join(ENTITLEMENTS))
    return tuple(dict.fromkeys(texts))


def labels(texts: Sequence[str]) -> dict[str, str]:
    out = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--oci-worker-labels: invalid value {text}", help="write KEY=VALUE")
        out[key] = value
    return out


def platforms(texts: Sequence[str]) -> tuple[str, ...]:
    from pybuild.compiler.platforms import BadPlatform, parse

    for text in texts:
        try:
            parse(text)
        except BadPlatform as error:
            raise UsageError(error.diagnostic) from None
    return tuple(texts)


def parallelism(value: object) -> int:
    """Return a number of steps; `num-cpu` is the number of processors."""
    text = str(value)
    if text == "num-cpu":
        return len(os.sched_getaffinity(0))
    if not text.isdecimal():
        raise UsageError(f"invalid max-parallelism {text!r}", help="give a number of steps, or num-cpu")
    return int(text)
