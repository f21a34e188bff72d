"""Attributes of the Dockerfile frontend: parsed as buildx, buildctl and other clients of BuildKit write them, made of
a request of this process, and written as such a client would.

An attribute that no frontend knows is ignored: clients pass attributes of one frontend to another. An invalid
value of a known one is refused in BuildKit's words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from attrs import field, frozen

from pybuild.compiler import platforms
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.lower.commands import proxy_variables
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import HostIP, Platform, Ulimit
from pybuild.frontends.build_context import DOCKERFILES
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.lang.dockerfile.fields import BadFields, split_fields
from pybuild.request.values import LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.frontends.build_context import BuildContext

ARG = "build-arg:"
SYNTAX = "BUILDKIT_SYNTAX"
_MULTI_PLATFORM = "BUILDKIT_MULTI_PLATFORM"
HOSTNAME = "BUILDKIT_SANDBOX_HOSTNAME"
_NETWORKS = {"": "default", "sandbox": "default", "none": "none", "host": "host"}
PULLS = {"default": None, "pull": True, "local": False}
"""True if a known tag is resolved again, by resolve mode; None leaves it to the builder."""
_IMPORTERS = ("azblob", "gha", "inline", "local", "registry", "s3")
_LARGEST = 2**63 - 1
_CONTEXTS = "moby.buildkit.frontend.contexts"

V = TypeVar("V")


@frozen
class Capability:
    """A capability that a client requires. With `forward` it may be one of the frontend that the file
    names."""

    name: str
    forward: bool


@frozen
class Attributes:
    """The parsed attributes of a request. `context` is the address of the main context, "" if the client
    sends it; `dockerfile_name` names the local directory that holds the Dockerfile, None to prefer one that
    comes with the context. `multi_platform` requests results by platform. At most one of `steps.no_cache`
    (all stages) and `no_cache_filter` is set. `contexts`, `inputs_metadata` (of inputs) and `shared_keys` are
    by name, `sessions` by local directory. `forwarded` says that the file's own choice of a frontend has been
    followed already; `request` is a question in place of a build."""

    filename: str = "Dockerfile"
    target: str = ""
    build_args: Mapping[str, str] = field(factory=FrozenMap)
    labels: Mapping[str, str] = field(factory=FrozenMap)
    platforms: tuple[Platform, ...] = ()
    multi_platform: bool = False
    steps: StepDefaults = field(factory=StepDefaults)
    no_cache_filter: tuple[str, ...] = ()
    resolve_mode: str = "default"
    hostname: str = ""
    context: str = ""
    context_subdir: str | None = None
    dockerfile_name: str | None = None
    contexts: Mapping[str, str] = field(factory=FrozenMap)
    inputs_metadata: Mapping[str, str] = field(factory=FrozenMap)
    shared_keys: Mapping[str, str] = field(factory=FrozenMap)
    sessions: Mapping[str, str] = field(factory=FrozenMap)
    capabilities: tuple[Capability, ...] = ()
    forwarded: bool = False
    request: str | None = None


def parse_attributes(options: Mapping[str, str]) -> Attributes:
    """Parse the attributes of a request. Raises UsageError for an invalid value of a known attribute."""
    _refuse_removed(options)
    _check_cache_imports(options)
    _check_attestations(options)
    args = _below(options, ARG)
    return Attributes(
        filename=options.get("filename") or "Dockerfile",
        target=options.get("target", ""),
        build_args=args,
        labels=_below(options, "label:"),
        platforms=tuple(_platforms(options.get("platform", ""))),
        multi_platform=_multi_platform(options, args),
        no_cache_filter=_no_cache_filter(options),
        resolve_mode=_resolve_mode(options.get("image-resolve-mode", "")),
        steps=_step_defaults(options, args),
        hostname=args.get(HOSTNAME) or options.get("hostname", ""),
        context=options.get(options.get("contextkey", "context"), ""),
        context_subdir=options.get("contextsubdir"),
        dockerfile_name=options.get("dockerfilekey"),
        contexts=_below(options, "context:"),
        inputs_metadata=_below(options, "input-metadata:"),
        shared_keys=_below(options, "sharedkey:localdir:"),
        sessions=_below(options, "local-sessionid:"),
        capabilities=tuple(_capabilities(options.get("frontend.caps", ""))),
        forwarded="cmdline" in options,
        request=options.get("requestid"),
    )


def _below(options: Mapping[str, str], prefix: str) -> FrozenMap[str]:
    return FrozenMap(
        {name[len(prefix) :]: value for name, value in options.items() if name.startswith(prefix)}
    )


def _refuse_removed(options: Mapping[str, str]) -> None:
    if options.get("override-copy-image"):
        raise UsageError('support for "override-copy-image" was removed in BuildKit 0.11')
    if truth(options.get(ARG + "BUILDKIT_DISABLE_FILEOP", "")):
        raise UsageError('support for "BUILDKIT_DISABLE_FILEOP" build-arg was removed in BuildKit 0.11')
    automount = next((name for name in options if name.startswith("automount:")), None)
    if automount is not None:
        raise UsageError(
            f"mounts for all steps ({automount}) are not supported by this version of pybuild",
            help="write RUN --mount in the Dockerfile",
        )


def _platforms(text: str) -> Iterator[Platform]:
    """Parse platforms: each once, in the order of the text."""
    seen = set()
    for word in text.split(",") if text else ():
        try:
            platform = platforms.parse(word)
        except platforms.BadPlatform as error:
            raise _failed(f"parse target platform {word}", error.diagnostic.buildkit) from None
        if platform not in seen:
            seen.add(platform)
            yield platform


def _multi_platform(options: Mapping[str, str], args: Mapping[str, str]) -> bool:
    several = "," in options.get("platform", "")
    text = args.get(_MULTI_PLATFORM) or options.get("multi-platform", "")
    if not text:
        return several
    index = truth(text)
    if index is None:
        raise UsageError(f"invalid boolean value for multi-platform: {text}", help="give true or false")
    if several and not index:
        raise UsageError(
            "conflicting config: returning multiple target platforms is not allowed", help="give one platform"
        )
    return index


def _step_defaults(options: Mapping[str, str], args: Mapping[str, str]) -> StepDefaults:
    """Return the settings of all steps. Raises UsageError for an invalid value."""
    return StepDefaults(
        no_cache=options.get("no-cache") == "",
        network=_network(options.get("force-network-mode", "")),
        extra_hosts=_listed(options, "add-hosts", "additional hosts", _host),
        ulimits=_listed(options, "ulimit", "ulimit", _ulimit),
        shm_size=_shm_size(options.get("shm-size", "")),
        cgroup_parent=options.get("cgroup-parent", ""),
        proxies=proxy_variables(args),
    )


def _no_cache_filter(options: Mapping[str, str]) -> tuple[str, ...]:
    """Return the stages that don't use the cache. An empty attribute means all of them:
    `StepDefaults.no_cache`."""
    text = options.get("no-cache")
    return tuple(text.split(",")) if text else ()


def _resolve_mode(text: str) -> str:
    if (text or "default") not in PULLS:
        raise UsageError(f"invalid image-resolve-mode: {text}", help="give one of " + ", ".join(PULLS))
    return text or "default"


def _network(text: str) -> str:
    if text not in _NETWORKS:
        raise UsageError(f"invalid netmode {text}", help="give one of sandbox, none, host")
    return _NETWORKS[text]


def _listed(options: Mapping[str, str], name: str, what: str, read: Callable[[str], V]) -> tuple[V, ...]:
    """Parse the fields of a CSV value."""
    text = options.get(name, "")
    if not text:
        return ()
    try:
        return tuple(map(read, split_fields(text)))
    except (BadFields, ValueError) as error:
        raise _failed(f"parse {what}", str(error)) from None


def _host(text: str) -> HostIP:
    from ipaddress import ip_address

    name, equals, address = text.lower().partition("=")
    if not equals:
        raise ValueError(f"invalid key-value pair {text}")
    try:
        return HostIP(name, str(ip_address(address)))
    except ValueError:
        raise ValueError(f"failed to parse IP {address}") from None


def _ulimit(text: str) -> Ulimit:
    name, equals, values = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in LIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    soft, colon, hard = values.partition(":")
    limit = Ulimit(name, _int64(soft), _int64(hard if colon else soft))
    if limit.hard != -1 and (limit.soft > limit.hard or limit.soft == -1):
        raise ValueError(
            f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}"
        )
    return limit


def _shm_size(text: str) -> int:
    try:
        return _int64(text) if text else 0
    except ValueError as error:
        raise _failed("parse shm size", str(error)) from None


def _int64(text: str) -> int:
    """Parse a decimal number as Go's `strconv.ParseInt` does."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(digits.lstrip("0")) > 19 or not -_LARGEST - 1 <= int(text) <= _LARGEST:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def _capabilities(text: str) -> Iterator[Capability]:
    for word in text.split(",") if text else ():
        yield Capability(word.partition("+")[0], "+forward" in word)


def _check_cache_imports(options: Mapping[str, str]) -> None:
    """Check cache imports. They only make a build faster: kinds that this builder can't read are ignored,
    those that no builder can read are errors."""
    text = options.get("cache-imports", "")
    if not text:
        return
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _failed(f"unmarshal cache-imports ({json.dumps(text)})", str(error)) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _failed(f"unmarshal cache-imports ({json.dumps(text)})", "it is no list of objects")
    for entry in entries:
        kind = entry.get("Type", entry.get("type", ""))
        if kind not in _IMPORTERS:
            raise UsageError(f"unknown cache importer: {kind}", help="give one of " + ", ".join(_IMPORTERS))


def _check_attestations(options: Mapping[str, str]) -> None:
    """Check that attestation attributes are well formed; the exporter reads them."""
    for name, value in options.items():
        kind = name.removeprefix("attest:").removeprefix(ARG + "BUILDKIT_ATTEST_").lower()
        if kind != name.lower() and value:
            try:
                split_fields(value)
            except BadFields as error:
                raise _failed(f"parse {kind}", str(error)) from None


def _failed(what: str, why: str) -> UserError:
    return UsageError(f"failed to {what}: {why}")


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
