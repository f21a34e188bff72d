"""Attestations in an image: in-toto statements about a manifest, listed beside it in the index.

    index ── manifest                                        an image for a platform
          └─ attestation manifest (platform unknown/unknown)  what is said of that manifest
               ├─ config                                     an artifact's empty one, or an image's that says nothing
               └─ statements                                 one layer each, its predicate type in an annotation

This is BuildKit's storage: `vnd.docker.reference.digest` of the index entry names the manifest it is about.
"""

from __future__ import annotations

from pybuild.runtime.image.descriptor import OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST, Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Put = Callable[[str, bytes], Descriptor]
    """Stores bytes under a media type."""

STATEMENT = "application/vnd.in-toto+json"
"""Media type of a statement."""
PREDICATE_TYPE = "in-toto.io/predicate-type"
REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ARTIFACT = "application/vnd.docker.attestation.manifest.v1+json"
UNKNOWN = {"architecture": "unknown", "os": "unknown"}

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_NOTHING = b"{}"


class About:
    """A subject of a statement: the manifest that the statement is attached to (no `digests`), or something
    by its digests."""

    __slots__ = ("digests", "name")

    def __init__(self, name: str = "", digests: Sequence[str] = ()) -> None:
        self.name = name
        self.digests = tuple(digests)

    @property
    def identity(self) -> tuple[object, ...]:
        return self.name, self.digests


class Predicate:
    """A predicate: JSON of a type, about `subjects` (none: what it is attached to). `path` is its file name
    in exports of files; with `inline_only` it goes into images only. `core` marks the bill of materials of
    what it is attached to."""

    __slots__ = ("core", "data", "inline_only", "path", "subjects", "type")

    def __init__(
        self,
        type: str,
        data: bytes,
        path: str,
        subjects: Sequence[About] = (),
        *,
        inline_only: bool = False,
        core: bool = False,
    ) -> None:
        self.type = type
        self.data = data
        self.path = path
        self.subjects = tuple(subjects)
        self.inline_only = inline_only
        self.core = core

    def with_data(self, data: bytes) -> Predicate:
        return Predicate(
            self.type, data, self.path, self.subjects, inline_only=self.inline_only, core=self.core
        )

    def statement(self, itself: Sequence[About]) -> dict[str, object]:
        """Return the in-toto statement; `itself` is what the predicate is attached to, by each of its names.
        Raises ValueError for a predicate that is not JSON."""
        import json

        subjects = []
        for about in self.subjects or (About(),):
            if about.digests:
                subjects.append(_subject(about.name or "_", about.digests))
                continue
            for one in itself:
                names = [one.name, about.name] if about.name not in ("", "_") else [one.name]
                subjects += [_subject(name, one.digests) for name in names]
        return {
            "_type": _STATEMENT_TYPE,
            "predicateType": self.type,
            "subject": subjects,
            "predicate": json.loads(self.data) if self.data else None,
        }

    @property
    def identity(self) -> tuple[object, ...]:
        return self.type, self.data, self.path, tuple(one.identity for one in self.subjects)


class Attested:
    """An attestation manifest as an index lists it, with its own blobs."""

    __slots__ = ("blobs", "manifest")

    def __init__(self, manifest: Descriptor, blobs: Sequence[Descriptor]) -> None:
        self.manifest = manifest
        self.blobs = tuple(blobs)


def attest(
    put: Put,
    about: Descriptor,
    predicates: Sequence[Predicate],
    names: Sequence[str],
    *,
    artifact: bool,
) -> Attested:
    """Write the attestation manifest of the manifest `about`, whose names are package URLs: with `artifact`
    as an OCI artifact with that subject, else as an image of no platform, which older registries accept.
    Raises ValueError."""
    from pybuild.runtime.image.gojson import compact, indented

    itself = [About(name, [about.digest]) for name in names]
    layers = []
    for predicate in predicates:
        stored = put(STATEMENT, compact(predicate.statement(itself)))
        layers.append(Descriptor(STATEMENT, stored.digest, stored.size, {PREDICATE_TYPE: predicate.type}))
    config = put(OCI_EMPTY, _NOTHING) if artifact else put(OCI_CONFIG, compact(_config(layers)))
    value: dict[str, object] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    if artifact:
        value["artifactType"] = ARTIFACT
    value["config"] = {**config.to_json(), "data": "e30="} if artifact else config.to_json()
    value["layers"] = [layer.to_json() for layer in layers]
    if artifact:
        value["subject"] = Descriptor(about.media_type, about.digest, about.size).to_json()
    manifest = put(OCI_MANIFEST, indented(value))
    annotations = {REFERENCE_TYPE: "attestation-manifest", REFERENCE_DIGEST: about.digest}
    return Attested(
        Descriptor(OCI_MANIFEST, manifest.digest, manifest.size, annotations, UNKNOWN), [*layers, config]
    )


def _subject(name: str, digests: Sequence[str]) -> dict[str, object]:
    return {"name": name, "digest": dict(sorted(digest.split(":", 1) for digest in digests))}


def _config(layers: Sequence[Descriptor]) -> dict[str, object]:
    rootfs = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
    return {**UNKNOWN, "config": {}, "rootfs": rootfs}
