"""The blobs that an image consists of: everything that its manifest or index leads to."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.runtime.content.blobs import Blobs

LARGEST = 8 << 20
"""Size limit of a manifest or an index, in bytes; a larger blob is taken for something else."""


def reachable(blobs: Blobs, roots: Iterable[str], *, layers: bool = True) -> set[str]:
    """Digests that the manifests and indexes in `roots` lead to, the roots included, whether or not the store has
    them. With `layers` false, layers are left out, except an attestation's: those are its statements."""
    digests: set[str] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in digests:
            continue
        digests.add(digest)
        document = _document(blobs, digest)
        waiting += _digests(document.get("manifests"))
        config = list(_digests([document.get("config")]))
        digests.update(config)
        if layers or is_attestation(document):
            digests.update(_digests(document.get("layers")))
    return digests


def is_attestation(manifest: dict[str, object]) -> bool:
    """Report whether the layers of a manifest are in-toto statements, as in BuildKit's attestation manifests."""
    listed = manifest.get("layers")
    kinds = (
        [one.get("mediaType") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    )
    return bool(kinds) and all(kind == "application/vnd.in-toto+json" for kind in kinds)


def _document(blobs: Blobs, digest: str) -> dict[str, object]:
    """The JSON object in a blob; {} if the blob is absent or holds something else."""
    try:
        if blobs.size(digest) > LARGEST:
            return {}
        document = json.loads(blobs.read(digest))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _digests(descriptors: object) -> Iterator[str]:
    for descriptor in descriptors if isinstance(descriptors, list) else ():
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if isinstance(digest, str) and _is_digest(digest):
            yield digest


def _is_digest(text: str) -> bool:
    algorithm, _, value = text.partition(":")
    return algorithm == "sha256" and len(value) == 64 and set(value) <= set("0123456789abcdef")
