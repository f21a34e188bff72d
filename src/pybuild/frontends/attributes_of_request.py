"""Attributes of a frontend for a request, and their texts as buildx writes them (the inverse of
`parse_attributes`)."""

from __future__ import annotations

from pybuild.compiler import platforms
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.frontends.attributes import HOSTNAME, Attributes
from pybuild.frontends.found_inputs import DOCKERFILES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.frontends.build_context import BuildContext

_CONTEXTS = "moby.buildkit.frontend.contexts"


def attributes_of(context: BuildContext) -> Attributes:
    """Return the attributes for a request. Raises UsageError."""
    request, arguments, inputs = context.request, context.arguments, context.inputs
    return Attributes(
        filename=inputs.name or DOCKERFILES[0],
        target=next(iter(request.targets), ""),
        build_args=FrozenMap(arguments.args),
        labels=FrozenMap(dict(request.labels)),
        platforms=arguments.platforms,
        multi_platform=arguments.index,
        steps=arguments.steps,
        no_cache_filter=request.no_cache_filter,
        resolve_mode="pull" if request.pull else "default",
        hostname=arguments.args.get(HOSTNAME, ""),
        context=inputs.remote or "",
        contexts=FrozenMap(context.named.sources),
    )


def attribute_texts(attributes: Attributes) -> dict[str, str]:
    """Return the attributes as a client of BuildKit sends them."""
    steps, contexts = attributes.steps, attributes.contexts
    texts = {
        "filename": attributes.filename,
        "target": attributes.target,
        "platform": ",".join(map(platforms.format, attributes.platforms)),
        "image-resolve-mode": "pull" if attributes.resolve_mode == "pull" else "",
        "multi-platform": "true" if attributes.multi_platform else "",
        "force-network-mode": "" if steps.network == "default" else steps.network,
        "add-hosts": _row(f"{entry.host}={entry.ip}" for entry in steps.extra_hosts),
        "ulimit": _row(f"{limit.name}={limit.soft}:{limit.hard}" for limit in steps.ulimits),
        "shm-size": str(steps.shm_size or ""),
        "cgroup-parent": steps.cgroup_parent,
        "frontend.caps": _CONTEXTS if contexts else "",
        "context": attributes.context,
    }
    texts = {name: value for name, value in texts.items() if value}
    if steps.no_cache or attributes.no_cache_filter:
        texts["no-cache"] = "" if steps.no_cache else ",".join(attributes.no_cache_filter)
    for prefix, values in (
        ("build-arg:", attributes.build_args),
        ("label:", attributes.labels),
        ("context:", contexts),
    ):
        texts |= {prefix + name: value for name, value in values.items()}
    return texts


def _row(fields: Iterable[str]) -> str:
    """Return one line of CSV."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue()
