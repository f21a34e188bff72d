"""Attributes of a frontend for what a command line asks, as buildx writes them: the way back is `attributes`."""

from __future__ import annotations

import csv
import io

from pybuild.build.dockerfiles import target_platforms, wants_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.request.request import BuildRequest

_CONTEXTS = "moby.buildkit.frontend.contexts"


def attributes_of(
    request: BuildRequest, args: Mapping[str, str], contexts: Mapping[str, str], filename: str
) -> dict[str, str]:
    """What a request comes to with the build arguments `args`, its named `contexts` and the build file's name. Raises
    UsageError."""
    from pybuild.compiler import platforms

    found = {
        "filename": filename,
        "target": request.target or "",
        "platform": ",".join(map(platforms.format, target_platforms(request.platforms))),
        "image-resolve-mode": "pull" if request.pull else "",
        "multi-platform": "true" if wants_index(request, args) else "",
        "force-network-mode": "" if request.network == "default" else request.network,
        "add-hosts": _row(f"{name}={address}" for name, address in request.add_hosts),
        "ulimit": _row(f"{name}={soft}:{hard}" for name, soft, hard in request.ulimits),
        "shm-size": str(request.shm_size or ""),
        "cgroup-parent": request.cgroup_parent,
        "frontend.caps": _CONTEXTS if contexts else "",
    }
    found = {name: value for name, value in found.items() if value}
    if request.no_cache or request.no_cache_filter:
        found["no-cache"] = "" if request.no_cache else ",".join(request.no_cache_filter)
    for prefix, values in (("build-arg:", args), ("label:", dict(request.labels)), ("context:", contexts)):
        found |= {prefix + name: value for name, value in values.items()}
    return found


def _row(fields: Iterable[str]) -> str:
    """One line of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue()
