"""Attestations of one image's manifests, written beside them."""

from __future__ import annotations

from pybuild.runtime.image import spdx
from pybuild.runtime.image.packageurl import package_url
from pybuild.runtime.image.statements import attest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.image.assemble import ImageOptions, Part, Result
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.image.statements import Attested, Predicate, Put


def makes_index(result: Result, options: ImageOptions) -> bool:
    """Return whether a result has attestations that need an index."""
    return any(options.inline or not one.inline_only for one in result.predicates)


def attached(
    put: Put, layers: Layers, results: Sequence[Result], parts: Sequence[Part], options: ImageOptions
) -> list[Attested]:
    """Write the attestation manifests of the results that have attestations."""
    attestations = []
    for result, (manifest, _, blobs, _) in zip(results, parts, strict=True):
        if result.predicates:
            names = [package_url("docker", name, result.platform) for name in options.names]
            predicates = [_supplemented(predicate, layers, result, blobs) for predicate in result.predicates]
            attestations.append(attest(put, manifest, predicates, names, artifact=options.artifact))
    return attestations


def _supplemented(
    predicate: Predicate, layers: Layers, result: Result, blobs: Sequence[Descriptor]
) -> Predicate:
    """Add to a bill of materials of the result the layer that each file lies in."""
    if not (predicate.core and predicate.type == spdx.DOCUMENT):
        return predicate
    layer_of_path: dict[bytes, str] = {}
    for snapshot, layer in zip(layers.chain(result.snapshot), blobs, strict=True):
        layer_of_path.update(dict.fromkeys(layers.files(snapshot), layer.digest))
    return predicate.with_data(spdx.with_layers(predicate.data, layer_of_path.get))
