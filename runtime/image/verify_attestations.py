"""What the verifier asks of attestation manifests: in-toto statements about another manifest of their index."""

from __future__ import annotations

from pybuild.runtime.image.descriptor import OCI_EMPTY
from pybuild.runtime.image.manifest import decode, diff_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.image.manifest import Manifest

    Small = Callable[[str, str, int | None], bytes | None]
    """Reads a blob by what it is called, its digest and its size; None when there is something wrong with it."""


def is_attestation(found: Manifest) -> bool:
    """Whether a manifest's layers are statements."""
    kinds = {layer.media_type for layer in found.layers}
    return kinds == {"application/vnd.in-toto+json"}


def attestation_problems(descriptor: Descriptor, found: Manifest, small: Small) -> Iterator[str]:
    """What is wrong with the manifest, which `descriptor` lists."""
    if dict(descriptor.platform or {}) != {"architecture": "unknown", "os": "unknown"}:
        yield f"is listed for {descriptor.platform}, but is for no platform"
    if descriptor.annotations.get("vnd.docker.reference.type") != "attestation-manifest":
        yield "is not listed as an attestation manifest"
    config = small(f"config {found.config.digest}", found.config.digest, found.config.size)
    if config is not None and found.config.media_type != OCI_EMPTY:
        try:
            ids = diff_ids(config)
        except ValueError as error:
            yield f"has a config that is none: {error}"
        else:
            if ids != [layer.digest for layer in found.layers]:
                yield "has other diff IDs than the digests of its statements"
    for layer in found.layers:
        data = small(f"statement {layer.digest}", layer.digest, layer.size)
        if data is None:
            continue
        try:
            kind = decode(data).get("predicateType")
        except ValueError as error:
            yield f"has a statement that is none: {layer.digest}: {error}"
            continue
        if kind != layer.annotations.get("in-toto.io/predicate-type"):
            yield f"lists the statement {layer.digest} under another type than its {kind!r}"
