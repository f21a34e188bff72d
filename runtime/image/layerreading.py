"""Layers brought into snapshots, in the form of each kind."""

from __future__ import annotations

from hashlib import sha256

from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.snapshots.types import INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.decompression import Pull
    from pybuild.runtime.image.extract import Extracted
    from pybuild.runtime.snapshots.types import Active, Snapshotter


def read_layer_blob(
    store: Store, snapshotter: Snapshotter, active: Active, digest: str, diff_id: str
) -> None:
    """Bring the layer of a blob in the store into a snapshot. Raises as `unpack`."""
    from pybuild.runtime.image.decompression import pull_decompressed

    name = f"layer {digest}"
    hashed = sha256()
    with open(store.blobs.path(digest), "rb", buffering=0) as file:
        decompressed = pull_decompressed(file, name=name)

        def pull() -> bytes:
            piece = decompressed()
            hashed.update(piece)
            return piece

        read_layer(snapshotter, active, pull, name, hashed)
    if "sha256:" + hashed.hexdigest() != diff_id:
        raise DigestMismatch(f"{name}, uncompressed,", diff_id, "sha256:" + hashed.hexdigest())


def read_layer(snapshotter: Snapshotter, active: Active, pull: Pull, name: str, hashed: Hash) -> Extracted:
    """Bring a layer into a snapshot, in the form of its kind. `hashed` is the hash of what `pull` has given."""
    if snapshotter.name != INDEX:
        from pybuild.runtime.image.extract import extract
        from pybuild.runtime.image.layering import layering

        return extract(pull, active.upper, archive=name, layering=layering(snapshotter, active))
    from pybuild.runtime.image import indexextract
    from pybuild.runtime.snapshots.indexactive import IndexActive

    assert isinstance(active, IndexActive)
    done = indexextract.read_layer(pull, active, name)
    active.layer = "sha256:" + hashed.hexdigest()
    return done
