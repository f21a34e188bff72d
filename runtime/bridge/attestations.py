"""Attestations of an image in a registry: the chain from index to manifest to statements.

BuildKit stores them beside an image's manifest: entries of its index that no platform takes, whose layers are
in-toto statements.
"""

from __future__ import annotations

from attrs import field, frozen

from pybuild.compiler.reference import parse
from pybuild.runtime.image.manifest import Index
from pybuild.runtime.registry.pull import RegistryProvider
from pybuild.runtime.registry.transfer import Transfer, read_blob
from pybuild.runtime.sources.choice import ATTESTATION, read_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pybuild.runtime.engine import Engine
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.resolve import Resolved

    Read = Callable[[Descriptor], bytes]

REFERENCE = "vnd.docker.reference.digest"
"""Annotation of an index entry: the manifest that it is about."""
PREDICATE = "in-toto.io/predicate-type"
"""Annotation of a layer: its statement's predicate type."""


@frozen
class AttestationChain:
    """The digests of an image's index, manifest and attestation manifest ("" for a missing one), and their
    blobs with descriptors. Statements of the requested predicate types are among the blobs."""

    root: str
    image_manifest: str
    attestation_manifest: str = ""
    blobs: Mapping[str, tuple[Descriptor, bytes]] = field(factory=dict, repr=False)


def attestation_chain(
    engine: Engine, image: Resolved, predicates: tuple[str, ...], cancellation: Cancellation
) -> AttestationChain:
    """Read the attestation chain of an image for one platform. Raises UserError, Cancelled."""
    ref = parse(image.ref)
    transfer = Transfer(None, cancellation)
    provider = RegistryProvider(
        engine.images.client().repositories(ref.domain, ref.path, cancelled=cancellation)
    )
    blobs: dict[str, tuple[Descriptor, bytes]] = {}

    def read(descriptor: Descriptor) -> bytes:
        engine.store.lease("blob", descriptor.digest)
        data = read_blob(engine.store, provider, descriptor, transfer)
        blobs[descriptor.digest] = descriptor, data
        return data

    attestation = _attestation(engine, image, read)
    read(image.manifest)
    if attestation is not None:
        manifest = read_manifest(attestation, read, ref.familiar)
        for layer in () if isinstance(manifest, Index) else manifest.layers:
            if layer.annotations.get(PREDICATE) in predicates:
                read(layer)
    return AttestationChain(
        image.digest, image.manifest.digest, "" if attestation is None else attestation.digest, blobs
    )


def _attestation(engine: Engine, found: Resolved, read: Read) -> Descriptor | None:
    """Return the index entry of the image's attestation manifest; None if there is none."""
    from pybuild.runtime.image.descriptor import Descriptor

    if found.digest == found.manifest.digest:
        return None
    root = Descriptor("", found.digest, engine.store.blobs.size(found.digest))
    index = read_manifest(root, read, found.ref)
    if not isinstance(index, Index):
        return None
    root = Descriptor(index.media_type, root.digest, root.size)
    read(root)
    about = found.manifest.digest
    return next(
        (
            one
            for one in index.manifests
            if one.annotations.get(ATTESTATION) == "attestation-manifest"
            and one.annotations.get(REFERENCE) == about
        ),
        None,
    )
