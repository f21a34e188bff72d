"""Images of registries, whose layers are fetched when something needs them."""

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
    """The registry images of a build. `content` fetches manifest and config only, `fetch` the missing layers.
    `client` returns the registry client, when the network is needed."""

    def __init__(self, store: Store, resolver: ImageResolver, client: Callable[[], Client]) -> None:
        self._store = store
        self._resolver = resolver
        self._client = client

    def content(
        self, ref: Reference | str, platform: Platform, *, cancelled: Callable[[], bool] | None = None
    ) -> ImageContent:
        """Return manifest, config and layers of an image; fetches no layer. Raises like `ImageResolver.resolve`."""
        return self._resolver.resolve(ref, platform, cancelled=cancelled).content()

    def fetch(
        self,
        ref: Reference | str,
        layers: Sequence[Descriptor],
        transfer: Transfer | None = None,
    ) -> None:
        """Fetch the missing blobs of an image's `layers` to the store, leased for this process. Idempotent.

        Raises RegistryError, DigestMismatch, NoRoom, Cancelled; blobs that were complete before stay.
        """
        from pybuild.compiler.reference import parse

        ref = parse(ref) if isinstance(ref, str) else ref
        transfer = transfer or Transfer()
        fetch_blobs(self._store, _Lazy(self._client, ref, transfer), layers, transfer)


class _Lazy:
    """A provider that gets the client when the first blob is missing."""

    def __init__(self, client: Callable[[], Client], ref: Reference, transfer: Transfer) -> None:
        self._client = client
        self._ref = ref
        self._transfer = transfer

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        from pybuild.runtime.registry.pull import RegistryProvider

        client, ref = self._client(), self._ref
        repositories = client.repositories(ref.domain, ref.path, cancelled=self._transfer.cancelled)
        RegistryProvider(repositories).fetch(descriptor, writer, report)
