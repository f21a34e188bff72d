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
        return {
            name: value for name, _, value in (field_text.partition("=") for field_text in split_fields(text))
        }
    except BadFields as error:
        raise UserError(f"failed to parse {kind}: {error}") from None


def with_sbom(
    options: AttestationOptions, result: Result, listed: Sequence[Listed], gateway: Gateway
) -> Result:
    """Return the result with the requested bills of materials that its frontend has not made itself. Raises
    UserError, Cancelled."""
    if options.sbom is None or sbom.has_sbom(result.attestations):
        return result
    attestations = dict(result.attestations)
    for entry in listed:
        edge = result.edge if result.edges is None else result.edges.get(entry.key)
        if edge is not None:
            scanned = sbom.scan(options.sbom, entry.key, edge, gateway)
            attestations[entry.key] = (*attestations.get(entry.key, ()), scanned)
    return evolve(result, attestations=attestations)


def attest(
    options: AttestationOptions, result: Result, listed: Sequence[Listed], gateway: Gateway, run: Run
) -> dict[str, list[Predicate]]:
    """Return the attestations of a solved result, by the key of the platform. Raises UserError, Cancelled."""
    by_platform: dict[str, list[Predicate]] = {}
    for entry in listed:
        predicates = _read_predicates(result.attestations.get(entry.key, ()), gateway)
        if options.provenance is not None:
            predicates.append(_provenance(options.provenance, result, entry.key, gateway, run))
        if predicates:
            by_platform[entry.key] = predicates
    return by_platform


def history_provenance(
    result: Result, listed: Sequence[Listed], gateway: Gateway, run: Run
) -> list[tuple[str, str, bytes]]:
    """Return the provenance for the history, requested or not: platform ("" for a result of one state), predicate
    type, JSON. Raises UserError, Cancelled."""
    predicates = []
    for entry in listed:
        predicate = _provenance(_HISTORY, result, entry.key, gateway, run)
        predicates.append(("" if result.edges is None else entry.key, predicate.type, predicate.data))
    return predicates


def _provenance(
    options: provenance.ProvenanceOptions, result: Result, key: str, gateway: Gateway, run: Run
) -> Predicate:
    edge = result.edge if result.edges is None else result.edges.get(key)
    captured = capture(edge, gateway, _read_edges(result, gateway))
    data = provenance.predicate(options, captured, edge, run)
    return Predicate(options.predicate_type, data, options.filename, inline_only=options.inline_only)


def _read_edges(result: Result, gateway: Gateway) -> list[Edge]:
    """Return the states that were solved besides the result: build files, and others that a frontend read."""
    returned = {result.edge} if result.edges is None else set(result.edges.values())
    returned |= {attestation.edge for several in result.attestations.values() for attestation in several}
    return [edge for edge in list(gateway.engine.solved) if edge not in returned]


def _read_predicates(attestations: Sequence[Attestation], gateway: Gateway) -> list[Predicate]:
    """Read the attestations of a frontend. A bill of materials of the result itself goes first."""
    predicates: list[Predicate] = []
    for attestation in attestations:
        if attestation.kind != BUNDLE and not attestation.path:
            raise UserError("attestation does not have set path")
        if attestation.edge is None:
            raise UserError("attestation does not have available content")
        predicates += (
            _bundle(attestation, gateway) if attestation.kind == BUNDLE else [_single(attestation, gateway)]
        )
    return sorted(predicates, key=lambda attestation: not attestation.core)


def _is_core(attestation: Attestation, path: str) -> bool:
    name = attestation.metadata.get("sbom-core", b"").decode(errors="replace")
    return bool(name) and path.partition(".")[0] == name


def _single(attestation: Attestation, gateway: Gateway) -> Predicate:
    if attestation.predicate_type.startswith(PROVENANCE):
        raise UserError("frontend may not set provenance attestations")
    subjects = [_about(subject) for subject in attestation.subjects]
    data = _read(attestation, attestation.path, gateway)
    try:
        json.loads(data or b"null")
    except (ValueError, RecursionError) as error:
        raise UserError(f"failed to marshal attestation: {attestation.path}: {error}") from None
    return Predicate(
        attestation.predicate_type,
        data,
        attestation.path,
        subjects,
        inline_only=_inline_only(attestation),
        core=_is_core(attestation, attestation.path),
    )


def _bundle(attestation: Attestation, gateway: Gateway) -> list[Predicate]:
    """Read a bundle: each file of its directory is a statement."""
    predicates = []
    for node in gateway.read_dir(attestation.edge, attestation.path or "/"):
        path = posixpath.join(
            attestation.path, node.path.rpartition(b"/")[2].decode(errors="surrogateescape")
        )
        try:
            statement = json.loads(_read(attestation, path, gateway))
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
        if attestation.predicate_type not in ("", type):
            raise UserError(
                f"bundle entry {type} does not match required predicate type {attestation.predicate_type}"
            )
        core = _is_core(attestation, path)
        predicates.append(
            Predicate(type, data, path, about, inline_only=_inline_only(attestation), core=core)
        )
    return predicates


def _read(attestation: Attestation, path: str, gateway: Gateway) -> bytes:
    # One byte more than the limit, so that a longer file shows.
    data = gateway.read_file(attestation.edge, path, length=LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"cannot read in-toto attestation: {path} exceeds {LARGEST} bytes")
    return data


def _inline_only(attestation: Attestation) -> bool:
    return attestation.metadata.get("inline-only", b"") == b"true"


def _about(subject: Subject) -> About:
    if subject.kind == RAW:
        return About(subject.name, subject.digests)
    if subject.kind == ITSELF:
        return About(subject.name)
    raise UserError(f"unknown attestation subject type {subject.kind}")
