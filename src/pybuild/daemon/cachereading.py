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
        found = parse(read(root), root.media_type)
        if isinstance(found, Manifest):
            return _of_manifest(root.digest, found, read(found.config))
        if not isinstance(found, Index):
            raise ValueError(f"its media type is {found}")
        entries: list[Entry] = []
        for one in found.manifests[:LARGEST_INDEX]:
            if one.media_type == cacheconfig.CONFIG:
                entries += cacheconfig.decode(read(one))
            elif one.is_manifest and not one.annotations.get("vnd.docker.reference.digest"):
                manifest = parse(read(one), one.media_type)
                assert isinstance(manifest, Manifest)
                entries += _of_manifest(one.digest, manifest, read(manifest.config))
    except ValueError as error:
        raise BadCache(f"{root.digest} is no cache: {error}") from None
    return entries


def _of_manifest(digest: str, manifest: Manifest, config: bytes) -> list[Entry]:
    """Return the records of one manifest. Raises ValueError."""
    if manifest.config.media_type == cacheconfig.CONFIG:
        return cacheconfig.decode(config)
    own = decode(config).get(cacheconfig.INLINE)
    if not isinstance(own, str):
        return []
    return cacheconfig.decode_inline(b64decode(own), image_content(digest, manifest, config).layers)
