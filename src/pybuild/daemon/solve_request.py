"""Reads the request of a Solve: checks it, and moves fields of earlier protocols."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.compiler.protos.control_pb2 import CacheOptionsEntry, SolveRequest
from pybuild.daemon.caches import TYPES
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

COMPATIBILITY = (10, 20, 30, 40)
"""The compatibility versions that a client may request."""
CACHES = frozenset(("registry", "inline", "local", "gha", "s3", "azblob"))
"""BuildKit's types of external caches."""
EPOCH = "source-date-epoch"


@frozen
class SolveTask:
    """A checked request. `unexported` are the names of requested caches that aren't written, which the client
    tolerates."""

    request: SolveRequest
    unexported: tuple[str, ...] = field(default=())


def solve_task_of(data: bytes) -> SolveTask:
    """Parse a request; fields of earlier protocols are moved to where later ones have them. Raises UserError."""
    request = SolveRequest.FromString(data)
    _check_compatibility(request.CompatibilityVersion)
    if request.ProxyNetwork:
        raise UserError(
            "the proxy network of a build is not supported by this daemon", help="build without it"
        )
    if request.HasField("Definition") and request.Frontend and getattr(request.Definition, "def"):
        raise UserError("cannot solve with both Definition and Frontend specified")
    _move_deprecated(request)
    _pass_epoch(request)
    return SolveTask(request, tuple(_tolerated_exports(request)))


def _check_compatibility(version: int) -> None:
    if version == 0 or version in COMPATIBILITY:
        return
    if version > COMPATIBILITY[-1]:
        raise UserError(
            f"unsupported compatibility-version {version}: upgrade buildkit (max supported: {COMPATIBILITY[-1]})"
        )
    supported = " ".join(map(str, COMPATIBILITY))
    raise UserError(f"unsupported compatibility-version {version} (supported: [{supported}])")


def _move_deprecated(request: SolveRequest) -> None:
    cache = request.Cache
    if cache.ExportRefDeprecated:
        attributes = {**cache.ExportAttrsDeprecated, "ref": cache.ExportRefDeprecated}
        cache.Exports.add(Type="registry", Attrs=attributes)
    for ref in cache.ImportRefsDeprecated:
        cache.Imports.add(Type="registry", Attrs={"ref": ref})
    if request.ExporterDeprecated and not request.Exporters:
        request.Exporters.add(Type=request.ExporterDeprecated, Attrs=request.ExporterAttrsDeprecated)
    for name in ("ExportRefDeprecated", "ExportAttrsDeprecated", "ImportRefsDeprecated"):
        cache.ClearField(name)
    for name in ("ExporterDeprecated", "ExporterAttrsDeprecated"):
        request.ClearField(name)


def _pass_epoch(request: SolveRequest) -> None:
    """Give exporters the frontend's SOURCE_DATE_EPOCH, unless they have an epoch of their own."""
    name = "build-arg:SOURCE_DATE_EPOCH"
    if name in request.FrontendAttrs:
        for exporter in request.Exporters:
            if EPOCH not in exporter.Attrs:
                exporter.Attrs[EPOCH] = request.FrontendAttrs[name]


def _tolerated_exports(request: SolveRequest) -> Iterable[str]:
    """Yield the names of unsupported caches that the client can do without. Raises UserError for one that it can't,
    and for unknown and duplicate ones."""
    _refuse_duplicates(request.Cache.Exports)
    for entry in request.Cache.Exports:
        if entry.Type not in CACHES:
            raise UserError(f'unknown cache exporter: "{entry.Type}"')
        if entry.Type in TYPES:
            continue
        if not truth(entry.Attrs.get("ignore-error", "")):
            raise UserError(
                f"exporting a cache of type {entry.Type} is not supported by this daemon",
                help="use one of " + ", ".join(TYPES),
            )
        yield _cache_name(entry)


def _refuse_duplicates(exports: Iterable[CacheOptionsEntry]) -> None:
    keys = set()
    for entry in exports:
        ref = entry.Attrs.get("ref", "") if entry.Type == "registry" else ""
        key = ref or (entry.Type, *sorted(entry.Attrs.items()))
        if key in keys and entry.Type != "inline":
            raise UserError(f"duplicate cache exports [{entry.Type}]")
        keys.add(key)


def _cache_name(entry: CacheOptionsEntry) -> str:
    return entry.Attrs.get("ref", "") or entry.Type
