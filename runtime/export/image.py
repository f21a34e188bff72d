"""`type=image`: the image under its names in the local store, and with `push=true` in their registries."""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.export.build import Build, metadata
from pybuild.runtime.export.layout import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Name and push the image, and return its metadata. Names are recorded before anything is sent. Raises
    UsageError when a push has no name, RegistryError."""
    names = build.names(output)
    push = output.flag("push")
    by_digest = output.flag("push-by-digest")
    if (push or by_digest) and not names:
        raise UsageError("an image without a name can't be pushed", help="add --tag NAME or name=NAME")
    image = build.image(output, tracked)
    if output.flag("store", True) and not by_digest:
        record(build.store, _stored_names(output, image, [name.canonical for name in names]), image)
    if push or by_digest:
        if build.push is None:
            raise UsageError("this build has no way to push images", help="leave out push=true")
        insecure = output.flag("registry.insecure")
        for name in names:
            build.push(image, name, insecure=insecure, by_digest=by_digest, tracked=tracked)
    return metadata(image, names, described(image, dated=False))


def record(store: Store, names: list[str], image: Image) -> None:
    """Name `image` in the local store by every one of `names` (canonical references), in one transaction."""
    from time import time

    target = image.target
    known = {
        str(found): str(digest)
        for name in names
        for found, digest in store.query("SELECT name, digest FROM image WHERE name = ?", name)
    }
    if all(known.get(name) == target.digest for name in names):
        return
    with store.transaction() as db:
        db.executemany(
            "INSERT OR REPLACE INTO image VALUES (?, ?, ?, ?, ?)",
            [(name, target.digest, target.size, target.media_type, time()) for name in names],
        )
    store.bump()


def _stored_names(output: Output, image: Image, names: list[str]) -> list[str]:
    digest = image.target.digest
    prefix = output.attributes.get("dangling-name-prefix", "")
    if not names:
        return [f"{prefix}@{digest}"] if prefix else []
    if output.flag("name-canonical"):
        return [*names, *(f"{name.rpartition(':')[0]}@{digest}" for name in names)]
    return names
