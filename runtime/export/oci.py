"""`type=oci`: an OCI image layout, as a tar archive or (`tar=false`) a directory."""

from __future__ import annotations

import os

from pybuild.runtime.export.build import Build, metadata, texts
from pybuild.runtime.export.destination import ExportError, OutputFile, failure, put_file
from pybuild.runtime.export.layout import (
    LAYOUT_FILE,
    blob_name,
    described,
    index_entries,
    index_json,
    write_tar,
)
from pybuild.runtime.image.descriptor import CONTAINERD_NAME, REF_NAME
from pybuild.runtime.image.gojson import compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.runtime.export.output import Output
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked


def export(output: Output, build: Build, tracked: Tracked) -> dict[str, object]:
    """Write the layout and return its metadata. Raises ExportError and what assembling the image raises."""
    image = build.image(output, tracked)
    names = build.names(output)
    found = metadata(image, names, described(image))
    entries = index_entries(image, names)
    if output.flag("tar", True):
        files = {"index.json": index_json(entries), "oci-layout": LAYOUT_FILE}
        output.receiver.archive(lambda file: write_tar(file, build.store, image.blobs, files), texts(found))
        tracked.progress("sending tarball", 0, 0, done=True)
    else:
        output.receiver.layout(build, image, entries, {})
    return found


def write_directory(
    dest: str,
    build: Build,
    image: Image,
    entries: Sequence[dict[str, object]],
    files: Mapping[str, bytes],
) -> None:
    """Add the image to the layout in directory `dest`, made if missing.

    The index is replaced last, so a reader sees the layout as it was or as it will be. Images of other names
    stay in it; one of the same name, or the one without a name, is replaced. Blobs that are there stay.
    """
    try:
        os.makedirs(os.path.join(dest, "blobs", "sha256"), exist_ok=True)
        index = _merged(dest, entries)
        for blob in image.blobs:
            path = os.path.join(dest, blob_name(blob.digest))
            if not (os.path.isfile(path) and os.stat(path).st_size == blob.size):
                with OutputFile(path) as file:
                    file.copy(build.store.blobs.path(blob.digest))
        put_file(os.path.join(dest, "oci-layout"), LAYOUT_FILE)
        for name, data in files.items():
            put_file(os.path.join(dest, name), data)
        put_file(os.path.join(dest, "index.json"), index)
    except OSError as error:
        raise failure(dest, error) from None


def _merged(dest: str, entries: Sequence[dict[str, object]]) -> bytes:
    """Return the index of the layout at `dest` with `entries` merged into it."""
    from pybuild.runtime.image.manifest import decode

    path = os.path.join(dest, "index.json")
    try:
        with open(path, "rb") as file:
            value = decode(file.read())
        manifests = value.get("manifests") or []
        if not isinstance(manifests, list) or not all(isinstance(entry, dict) for entry in manifests):
            raise ValueError("its manifests are not a list of objects")
    except FileNotFoundError:
        return index_json(entries)
    except ValueError as error:
        raise ExportError(
            f"{path} is no index of an OCI layout: {error}",
            help="choose an empty directory, or remove the file",
        ) from None
    replaced = {_name(entry) for entry in entries}
    others = [entry for entry in manifests if _name(entry) not in replaced]
    value.update(schemaVersion=2, manifests=[*others, *entries])
    return compact(value)


def _name(entry: dict[str, object]) -> tuple[object, object]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return None, None
    return annotations.get(CONTAINERD_NAME), annotations.get(REF_NAME)
