"""Reads the records of a cache, from a cache image or from images with an inline cache."""

from __future__ import annotations

from base64 import b64decode

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.cache import cacheconfig
from pybuild.runtime.image.manifest import Index, Manifest, decode, image_content, parse
from pybuild.runtime.registry.transfer import read_blob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.cache.cacheconfig import Entry
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.registry.transfer import Provider, Transfer

LARGEST_INDEX = 256
"""The most manifests of an index that are read."""


class BadCache(UserError):
    """The blob at a cache's place is not a cache."""


def read_cache(store: Store, provider: Provider, root: Descriptor, transfer: Transfer) -> list[Entry]:
    """Return the records of the cache `root`; an image without an inline cache has none. Raises BadCache, and what
    fetching raises."""

    def read(blob: Descriptor) -> bytes:
        store.lease("blob", blob.digest)
        return read_blob(store, provider, blob, transfer)

    try:
        content = parse(read(root), root.media_type)
        if isinstance(content, Manifest):
            return _of_manifest(root.digest, content, read(content.config))
        if not isinstance(content, Index):
            raise ValueError(f"its media type is {content}")
        entries: list[Entry] = []
        for descriptor in content.manifests[:LARGEST_INDEX]:
            if descriptor.media_type == cacheconfig.CONFIG:
                entries += cacheconfig.decode(read(descriptor))
            # The annotation marks an attestation manifest, which describes another manifest and holds no cache.
            elif descriptor.is_manifest and not descriptor.annotations.get("vnd.docker.reference.digest"):
                manifest = parse(read(descriptor), descriptor.media_type)
                assert isinstance(manifest, Manifest)
                entries += _of_manifest(descriptor.digest, manifest, read(manifest.config))
    except ValueError as error:
        raise BadCache(f"{root.digest} is no cache: {error}") from None
    return entries


def _of_manifest(digest: str, manifest: Manifest, config: bytes) -> list[Entry]:
    """Return the records of one manifest. Raises ValueError."""
    if manifest.config.media_type == cacheconfig.CONFIG:
        return cacheconfig.decode(config)
    encoded = decode(config).get(cacheconfig.INLINE)
    if not isinstance(encoded, str):
        return []
    return cacheconfig.decode_inline(b64decode(encoded), image_content(digest, manifest, config).layers)
