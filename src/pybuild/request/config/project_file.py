"""The schema of `pybuild.toml`, `PROJECT_FILE`: the flags of `pybuild build` that a project may set, under their long
names (in the plural where a flag may be repeated), and `project`, the name that the project's caches are known by."""

from __future__ import annotations

from pybuild.request import values
from pybuild.request.config.schema import (
    Kind,
    filled,
    flag,
    integer,
    list_of,
    number_or_text,
    one_of,
    path,
    read,
    table_of,
    text,
)
from pybuild.request.flags import PROGRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.lang.source import Source
    from pybuild.request.config.schema import Place, Schema

_SCHEMES = ("oci-layout://", "docker-archive://", "docker-archive:")


def project_settings(source: Source) -> dict[str, Any]:
    """Return the fields of BuildRequest that a `pybuild.toml` sets. Raises UsageError."""
    section = read(source, PROJECT_FILE)
    return {
        _FIELDS.get(key, key.replace("-", "_")): value
        for key, value in section.items()
        if key not in _ATTESTATIONS
    }


def _context(value: Any, place: Place) -> str:
    """Read the value of a build context; a path in it becomes absolute."""
    context = str(filled.read(value, place))
    for scheme in _SCHEMES:
        if context.startswith(scheme):
            return scheme + place.beside(context.removeprefix(scheme))
    scheme, colon, _ = context.partition(":")
    # A colon after a slash, or after a single letter, is part of a path.
    if colon and "/" not in scheme and len(scheme) > 1:
        return context
    return place.beside(context)


def _output(value: Any, place: Place) -> str:
    """Read an output; its `dest` becomes absolute. A text without fields is the destination."""
    import csv
    import io

    output = str(filled.read(value, place))
    parts = next(csv.reader([output]))
    if parts == [output] and not output.startswith("type="):
        return output if output == "-" else place.beside(output)
    fields = []
    for part in parts:
        key, _, dest = part.partition("=")
        has_path = key.strip().lower() == "dest" and dest != "-"
        fields.append(f"{key}={place.beside(dest)}" if has_path else part)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _size(value: int | str) -> int:
    return value if isinstance(value, int) and value >= 0 else values.size(str(value))


def _no_attestation(value: Any, place: Place) -> bool:
    if value is not False:
        raise place.wrong("false", "attestations are not supported by this version of pybuild")
    return False


_pairs = table_of(text).then(lambda table: tuple(table.items()))
_texts = list_of(filled)
_listed = _texts.then(values.listed)

PROJECT_FILE: Schema = {
    "file": path,
    "target": filled.then(lambda target: (target,)),
    "project": filled,
    "params": _pairs,
    "params-files": list_of(path),
    "locked": flag,
    "tags": _texts,
    "build-args": _pairs,
    "build-contexts": table_of(Kind(_context, "")).then(
        lambda table: values.build_contexts(f"{name}={value}" for name, value in table.items())
    ),
    "labels": _pairs,
    "annotations": table_of(text).then(lambda table: tuple(f"{k}={v}" for k, v in table.items())),
    "platforms": _listed,
    "outputs": list_of(Kind(_output, "")),
    "push": flag,
    "load": flag,
    "no-cache": flag,
    "no-cache-filter": _listed,
    "pull": flag,
    "network": filled.then(values.network),
    "allow": _texts.then(values.entitlements),
    "add-hosts": _texts.then(values.add_hosts),
    "ulimits": _texts.then(values.ulimits),
    "shm-size": number_or_text("a size").then(_size),
    "cgroup-parent": filled,
    "max-parallelism": integer(1),
    "progress": one_of(*PROGRESS),
    "quiet": flag,
    "iidfile": path,
    "metadata-file": path,
    "provenance": Kind(_no_attestation, False),
    "sbom": Kind(_no_attestation, False),
}
_FIELDS = {"target": "targets", "max-parallelism": "parallelism"}
"""The fields of BuildRequest that are not called like their keys."""
_ATTESTATIONS = ("provenance", "sbom")
