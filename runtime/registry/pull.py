"""Pulls from several places: mirrors first, the registry itself last."""

from __future__ import annotations

from pybuild.runtime.content.blobs import BlobError
from pybuild.runtime.image.descriptor import INDEXES, MANIFESTS
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.errors import NotFound, RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.registry.client import Repository


class RegistryProvider:
    """The blobs of one image, from the first of several repositories (mirrors, then the registry) that has
    them; layers that registries may not distribute also from the addresses in their descriptors."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self._repositories = repositories

    def describe(self, digest: str) -> Descriptor:
        """Return the descriptor of a blob, as `Repository.describe`, from the first repository that has
        it."""
        *mirrors, origin = self._repositories
        for repository in mirrors:
            try:
                return repository.describe(digest)
            except (RegistryError, BlobError):
                continue
        return origin.describe(digest)

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        *mirrors, origin = self._repositories
        for repository in mirrors:
            try:
                return _fetch(repository, descriptor, writer, report)
            except (RegistryError, BlobError):
                continue
        try:
            _fetch(origin, descriptor, writer, report)
        except NotFound:
            if not descriptor.is_foreign:
                raise
            self._fetch_foreign(origin, descriptor, writer, report)

    def _fetch_foreign(
        self,
        origin: Repository,
        descriptor: Descriptor,
        writer: BlobWriter,
        report: Callable[[int], None],
    ) -> None:
        reason = "its descriptor names no address"
        for url in descriptor.urls:
            try:
                return origin.fetch_url(url, descriptor, writer, report)
            except RegistryError as error:
                reason = str(error)
        raise errors.foreign_layer(origin.source, descriptor.digest, descriptor.urls, reason)


def _fetch(
    repository: Repository, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]
) -> None:
    if descriptor.media_type in MANIFESTS | INDEXES:
        _, data = repository.manifest(descriptor.digest)
        writer.restart()
        writer.write(data)
    else:
        repository.fetch(descriptor, writer, report)
