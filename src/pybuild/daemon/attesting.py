"""Attestations of a result: those of its frontend, a bill of materials, and its provenance.

Clients ask by `attest:KIND` among the frontend's attributes (or build arguments BUILDKIT_ATTEST_KIND), as a record of
comma-separated fields. Provenance is the builder's alone: a frontend that brings some is refused.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping

from attrs import evolve, frozen

from pybuild.compiler.gateway import Attestation, Result, Subject
from pybuild.daemon import provenance, sbom
from pybuild.daemon.capture import capture
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.fields import BadFields, split_fields
from pybuild.runtime.bridge.gateway import Gateway
from pybuild.runtime.image.statements import About, Predicate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Edge
    from pybuild.daemon.provenance import Run
    from pybuild.frontends.results import Listed

PREFIXES = ("attest:", "build-arg:BUILDKIT_ATTEST_")
LARGEST = 80 << 20
"""The most bytes of one attestation."""
PROVENANCE = "https://slsa.dev/provenance/"
STATEMENT, BUNDLE = 0, 1
ITSELF, RAW = 0, 1
_HISTORY = provenance.ProvenanceOptions()


@frozen
class AttestationOptions:
    sbom: sbom.SbomOptions | None = None
    provenance: provenance.ProvenanceOptions | None = None


def options_of(options: Mapping[str, str]) -> AttestationOptions:
    """Return the attestations that a frontend's attributes request. Raises UserError for values that make no
    sense."""
    fields: dict[str, dict[str, str]] = {}
    for name, value in options.items():
        for prefix in PREFIXES:
            if name.startswith(prefix):
                kind = name.removeprefix(prefix).lower()
                fields[kind] = _fields(kind, value)
    return AttestationOptions(
        sbom.options_of(fields["sbom"], options) if "sbom" in fields else None,
        provenance.options_of(fields["provenance"]) if "provenance" in fields else None,
    )


def _fields(kind: str, text: str) -> dict[str, str]:
    if not text:
        return {}
    try:
        return {name: value for name, _, value in (one.partition("=") for one in split_fields(text))}
    except BadFields as error:
        raise UserError(f"failed to parse {kind}: {error}") from None


def with_sbom(
    wanted: AttestationOptions, result: Result, listed: Sequence[Listed], gateway: Gateway
) -> Result:
    """Return the result with the requested bills of materials that its frontend has not made itself. Raises
    UserError, Cancelled."""
    if wanted.sbom is None or sbom.has_sbom(result.attestations):
        return result
    attestations = dict(result.attestations)
    for one in listed:
        edge = result.edge if result.edges is None else result.edges.get(one.key)
        if edge is not None:
            scanned = sbom.scan(wanted.sbom, one.key, edge, gateway)
            attestations[one.key] = (*attestations.get(one.key, ()), scanned)
    return evolve(result, attestations=attestations)


def attest(
    wanted: AttestationOptions, result: Result, listed: Sequence[Listed], gateway: Gateway, run: Run
) -> dict[str, list[Predicate]]:
    """Return the attestations of a solved result, by the key of the platform. Raises UserError, Cancelled."""
    by_platform: dict[str, list[Predicate]] = {}
    for one in listed:
        predicates = _unbundled(result.attestations.get(one.key, ()), gateway)
        if wanted.provenance is not None:
            predicates.append(_provenance(wanted.provenance, result, one.key, gateway, run))
        if predicates:
            by_platform[one.key] = predicates
    return by_platform


def recorded(
    result: Result, listed: Sequence[Listed], gateway: Gateway, run: Run
) -> list[tuple[str, str, bytes]]:
    """Return the provenance for the history, requested or not: platform ("" for a result of one state), predicate
    type, JSON. Raises UserError, Cancelled."""
    predicates = []
    for one in listed:
        predicate = _provenance(_HISTORY, result, one.key, gateway, run)
        predicates.append(("" if result.edges is None else one.key, predicate.type, predicate.data))
    return predicates


def _provenance(
    options: provenance.ProvenanceOptions, result: Result, key: str, gateway: Gateway, run: Run
) -> Predicate:
    edge = result.edge if result.edges is None else result.edges.get(key)
    captured = capture(edge, gateway, _looked_at(result, gateway))
    data = provenance.predicate(options, captured, edge, run)
    return Predicate(options.predicate_type, data, options.filename, inline_only=options.inline_only)


def _looked_at(result: Result, gateway: Gateway) -> list[Edge]:
    """Return the states that were solved besides the result: build files, and others that a frontend read."""
    returned = {result.edge} if result.edges is None else set(result.edges.values())
    returned |= {one.edge for several in result.attestations.values() for one in several}
    return [edge for edge in list(gateway.engine.solved) if edge not in returned]


def _unbundled(attestations: Sequence[Attestation], gateway: Gateway) -> list[Predicate]:
    """Read the attestations of a frontend. A bill of materials of the result itself goes first."""
    predicates: list[Predicate] = []
    for one in attestations:
        if one.kind != BUNDLE and not one.path:
            raise UserError("attestation does not have set path")
        if one.edge is None:
            raise UserError("attestation does not have available content")
        predicates += _bundle(one, gateway) if one.kind == BUNDLE else [_single(one, gateway)]
    return sorted(predicates, key=lambda one: not one.core)


def _is_core(one: Attestation, path: str) -> bool:
    name = one.metadata.get("sbom-core", b"").decode(errors="replace")
    return bool(name) and path.partition(".")[0] == name


def _single(one: Attestation, gateway: Gateway) -> Predicate:
    if one.predicate_type.startswith(PROVENANCE):
        raise UserError("frontend may not set provenance attestations")
    subjects = [_about(subject) for subject in one.subjects]
    data = _read(one, one.path, gateway)
    try:
        json.loads(data or b"null")
    except (ValueError, RecursionError) as error:
        raise UserError(f"failed to marshal attestation: {one.path}: {error}") from None
    return Predicate(
        one.predicate_type,
        data,
        one.path,
        subjects,
        inline_only=_inline_only(one),
        core=_is_core(one, one.path),
    )


def _bundle(one: Attestation, gateway: Gateway) -> list[Predicate]:
    """Read a bundle: each file of its directory is a statement."""
    predicates = []
    for node in gateway.read_dir(one.edge, one.path or "/"):
        path = posixpath.join(one.path, node.path.rpartition(b"/")[2].decode(errors="surrogateescape"))
        try:
            statement = json.loads(_read(one, path, gateway))
            type, subjects = str(statement["predicateType"]), statement.get("subject") or []
            about = [
                About(
                    str(subject.get("name", "")),
                    [f"{algorithm}:{value}" for algorithm, value in (subject.get("digest") or {}).items()],
                )
                for subject in subjects
            ]
            data = json.dumps(statement.get("predicate"), separators=(",", ":"), ensure_ascii=False).encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"cannot decode in-toto statement: {path}: {error}") from None
        if type.startswith(PROVENANCE):
            raise UserError("frontend may not bundle provenance attestations")
        if one.predicate_type not in ("", type):
            raise UserError(
                f"bundle entry {type} does not match required predicate type {one.predicate_type}"
            )
        core = _is_core(one, path)
        predicates.append(Predicate(type, data, path, about, inline_only=_inline_only(one), core=core))
    return predicates


def _read(one: Attestation, path: str, gateway: Gateway) -> bytes:
    data = gateway.read_file(one.edge, path, length=LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"cannot read in-toto attestation: {path} exceeds {LARGEST} bytes")
    return data


def _inline_only(one: Attestation) -> bool:
    return one.metadata.get("inline-only", b"") == b"true"


def _about(subject: Subject) -> About:
    if subject.kind == RAW:
        return About(subject.name, subject.digests)
    if subject.kind == ITSELF:
        return About(subject.name)
    raise UserError(f"unknown attestation subject type {subject.kind}")
