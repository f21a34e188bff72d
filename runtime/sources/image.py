"""Images of registries: their layers brought into the store, when something needs them."""

from __future__ import annotations

from pybuild.runtime.registry.transfer import Transfer, fetch_blobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.ops import Platform
    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor, ImageContent
    from pybuild.runtime.registry.client import Client
    from pybuild.runtime.sources.resolve import ImageResolver


class ImageSource:
    """Registry images for a build: names resolve through the resolver, layers come on demand.

    Resolving fetches a manifest and a config; `fetch` brings the layers that the store lacks.
    """

    def __init__(self, store: Store, resolver: ImageResolver, client: Callable[[], Client]) -> None:
        self._store = store
        self._resolver = resolver
        self._client = client

    def content(
        self, ref: Reference | str, platform: Platform, *, cancelled: Callable[[], bool] | None = None
    ) -> ImageContent:
        """The image's manifest, config and layers; no layer is fetched. Raises as `ImageResolver.resolve`."""
        return self._resolver.resolve(ref, platform, cancelled=cancelled).content()

    def fetch(
        self,
        ref: Reference | str,
        layers: Sequence[Descriptor],
        transfer: Transfer | None = None,
    ) -> None:
        """Have the blobs of `layers` of image `ref` in the store, leased for this process. Idempotent; the
        network is used only for what is missing.

        Raises RegistryError, DigestMismatch, StoreFull, Cancelled; what arrived before is kept.
        """
        from pybuild.compiler.reference import parse

        ref = parse(ref) if isinstance(ref, str) else ref
        transfer = transfer or Transfer()
        fetch_blobs(self._store, _Lazy(self._client, ref, transfer), layers, transfer)


class _Lazy:
    """A provider that makes the client when the first blob is missing."""

    def __init__(self, client: Callable[[], Client], ref: Reference, transfer: Transfer) -> None:
        self._client = client
        self._ref = ref
        self._transfer = transfer

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        from pybuild.runtime.registry.pull import RegistryProvider

        client, ref = self._client(), self._ref
        repositories = client.repositories(ref.domain, ref.path, cancelled=self._transfer.cancelled)
        RegistryProvider(repositories).fetch(descriptor, writer, report)
