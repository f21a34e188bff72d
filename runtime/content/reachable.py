"""Which blobs an image is made of: what a manifest or an index leads to."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.runtime.content.blobs import Blobs

LARGEST = 8 << 20
"""Bytes. What is larger is no manifest."""


def reachable(blobs: Blobs, roots: Iterable[str], *, layers: bool = True) -> set[str]:
    """The digests that manifests and indexes lead to, the roots among them, whether or not the store has them.
    Without `layers` those are left out, except what an attestation says of an image."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        document = _document(blobs, digest)
        waiting += _digests(document.get("manifests"))
        config = list(_digests([document.get("config")]))
        found.update(config)
        if layers or is_attestation(document):
            found.update(_digests(document.get("layers")))
    return found


def is_attestation(manifest: dict[str, object]) -> bool:
    """Whether the layers of a manifest are in-toto statements."""
    listed = manifest.get("layers")
    kinds = (
        [one.get("mediaType") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    )
    return bool(kinds) and all(kind == "application/vnd.in-toto+json" for kind in kinds)


def _document(blobs: Blobs, digest: str) -> dict[str, object]:
    """The JSON object of a blob; {} for one that is not there or is something else."""
    try:
        if blobs.size(digest) > LARGEST:
            return {}
        found = json.loads(blobs.read(digest))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digests(descriptors: object) -> Iterator[str]:
    for one in descriptors if isinstance(descriptors, list) else ():
        digest = one.get("digest") if isinstance(one, dict) else None
        if isinstance(digest, str) and _is_digest(digest):
            yield digest


def _is_digest(text: str) -> bool:
    algorithm, _, value = text.partition(":")
    return algorithm == "sha256" and len(value) == 64 and set(value) <= set("0123456789abcdef")
