"""Images in files: OCI layouts (OCI image specification, image-layout.md) and archives of `docker save`.

verify                  whatever is at a path, with the images and all notes
verify_layout           the problems of an OCI layout
verify_docker_archive   the problems of an archive for `docker load`
verify_stored           the problems of an image in a store
verify_fetched          the problems of an image that is anywhere
"""

from __future__ import annotations

import re
from hashlib import sha256

from pybuild.runtime.verify.configs import Config, platform_text
from pybuild.runtime.verify.descriptors import INDEX, Descriptor, descriptor, is_digest
from pybuild.runtime.verify.files import open_files
from pybuild.runtime.verify.findings import (
    CHANGED,
    CONTRADICTS,
    Finding,
    Image,
    Report,
    Unreadable,
    joined,
    quoted,
)
from pybuild.runtime.verify.images import MISSING, Images
from pybuild.runtime.verify.jsontext import decode, decode_object, string_map, strings
from pybuild.runtime.verify.limits import LONGEST_JSON, Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from pybuild.runtime.verify.files import ArchiveFiles, DirectoryFiles
    from pybuild.runtime.verify.images import Open
    from pybuild.runtime.verify.streams import Blob

    Files = DirectoryFiles | ArchiveFiles

    class Blobs(Protocol):
        def path(self, digest: str) -> str:
            """Return where a blob lies."""

    class Stored(Protocol):
        """A content store."""

        @property
        def blobs(self) -> Blobs: ...


_BLOB = re.compile(r"blobs/([a-z0-9]+)/([0-9a-f]+)")
_LEGACY = re.compile(r"[0-9a-f]{64}/layer\.tar|[0-9a-f]{64}\.json")
"""Names in archives of Docker before version 25: a layer by its chain, a config by its digest."""


def verify(path: str, limits: Limits | None = None) -> Report:
    """Return a report of the images at a path: a layout's directory, an archive of one, an archive of `docker save`.
    Raises Unreadable if it is none of them."""

    def check(files: Files, images: Images) -> None:
        layout, docker = _has(files, "index.json"), _has(files, "manifest.json")
        if not layout and not docker:
            if files.fault:
                raise Unreadable(f"{path} {files.fault}", help=CHANGED)
            help = "give an OCI layout, or an archive of docker save or pybuild"
            raise Unreadable(f"{path} is no image: it has neither index.json nor manifest.json", help=help)
        if layout:
            _check_layout(files, images)
        if docker:
            _check_docker(files, images)
        _note_unused(files, images.report)

    return _checked(path, check, limits)


def verify_layout(path: str) -> list[Finding]:
    """Return the problems of the OCI image layout at a path, a directory or an archive of one."""
    return _problems(path, _check_layout)


def verify_docker_archive(path: str) -> list[Finding]:
    """Return the problems of an archive for `docker load`, and of the layout in it if there is one."""

    def check(files: Files, images: Images) -> None:
        if _has(files, "index.json"):
            _check_layout(files, images)
        _check_docker(files, images)

    return _problems(path, check)


def verify_stored(store: Stored, digest: str, media_type: str = "") -> list[Finding]:
    """Return the problems of the image whose manifest or index `digest` is in a store."""
    return verify_fetched(lambda wanted: open(store.blobs.path(wanted), "rb"), digest, media_type)


def verify_fetched(open_blob: Open, digest: str, media_type: str = "") -> list[Finding]:
    """Return the problems of an image whose blobs `open_blob` opens by digest. It raises FileNotFoundError for one
    that it doesn't have."""
    report = Report()
    Images(open_blob, report).image(Descriptor(media_type, digest, None), digest)
    return report.problems


def _problems(path: str, check: Callable[[Files, Images], None]) -> list[Finding]:
    try:
        return _checked(path, check, None).problems
    except Unreadable as error:
        return [Finding(path, f"can't be read: {error}")]


def _checked(path: str, check: Callable[[Files, Images], None], limits: Limits | None) -> Report:
    report = Report()
    files = open_files(path)
    try:

        def open_blob(digest: str) -> Blob:
            return files.open("blobs/" + digest.replace(":", "/") if is_digest(digest) else digest)

        images = Images(open_blob, report, limits)
        check(files, images)
        files.report_to(report)
    finally:
        files.close()
    return report


def _has(files: Files, name: str) -> bool:
    try:
        with files.open(name):
            return True
    except OSError:
        return False


def _read(files: Files, name: str, report: Report) -> bytes | None:
    """Return the bytes of a small file; a problem is reported."""
    try:
        with files.open(name) as file:
            pieces = []
            left = LONGEST_JSON + 1
            while left and (piece := file.read(left)):
                pieces.append(piece)
                left -= len(piece)
    except FileNotFoundError:
        report.problem(name, "is missing", name, MISSING)
        return None
    except OSError as error:
        report.problem(name, f"can't be read: {error.strerror or error}", name, CHANGED)
        return None
    if not left:
        report.problem(name, f"is longer than {LONGEST_JSON} bytes", name)
        return None
    return b"".join(pieces)


def _object(files: Files, name: str, report: Report) -> dict[str, object] | None:
    data = _read(files, name, report)
    try:
        return None if data is None else decode_object(data)
    except ValueError as error:
        report.problem(name, str(error), name, CHANGED)
        return None


def _check_layout(files: Files, images: Images) -> None:
    report = images.report
    layout = _object(files, "oci-layout", report)
    if layout is not None and layout.get("imageLayoutVersion") != "1.0.0":
        version = layout.get("imageLayoutVersion")
        text = f"has the version {quoted(version) if isinstance(version, str) else 'of no string'}"
        report.problem("oci-layout", text, "oci-layout", "the imageLayoutVersion must be 1.0.0")
    index = _object(files, "index.json", report)
    if index is None:
        return
    if index.get("schemaVersion") != 2:
        report.problem("index.json", "has another schemaVersion than 2", "index.json", CONTRADICTS)
    if index.get("mediaType", INDEX) != INDEX:
        report.problem("index.json", f"has another media type than {INDEX}", "index.json", CONTRADICTS)
    if index.get("annotations") is not None and not string_map(index["annotations"]):
        report.problem("index.json", "has annotations that are not strings", "index.json", CONTRADICTS)
    entries = index.get("manifests")
    if not isinstance(entries, list) or not entries:
        report.problem("index.json", "lists no manifests", "index.json", CONTRADICTS)
        return
    listed = []
    for number, entry in enumerate(entries):
        path = f"index.json > manifests[{number}]"
        try:
            listed.append((path, descriptor(entry)))
        except ValueError as error:
            report.problem("index.json", str(error), path, CONTRADICTS)
    for path, one in listed:
        images.image(one, path, [other for _, other in listed])


def _check_docker(files: Files, images: Images) -> None:
    report = images.report
    data = _read(files, "manifest.json", report)
    if data is None:
        return
    try:
        entries = decode(data)
    except ValueError as error:
        report.problem("manifest.json", str(error), "manifest.json", CHANGED)
        return
    if not isinstance(entries, list) or not entries:
        report.problem("manifest.json", "lists no images", "manifest.json", CONTRADICTS)
        return
    for number, entry in enumerate(entries):
        path = f"manifest.json > [{number}]"
        config = entry.get("Config") if isinstance(entry, dict) else None
        layers = entry.get("Layers") if isinstance(entry, dict) else None
        tags = entry.get("RepoTags") if isinstance(entry, dict) else None
        if not isinstance(config, str) or not (layers is None or strings(layers)):
            text = "is damaged: an entry has no config or no layers"
            report.problem("manifest.json", text, path, CONTRADICTS)
            continue
        if tags is not None and not strings(tags):
            report.problem("manifest.json", "has tags that are no list of strings", path, CONTRADICTS)
        _check_docker_image(images, config, layers or [], path)


def _check_docker_image(images: Images, config: str, layers: list[str], path: str) -> None:
    """Check an image of `manifest.json`. It gets a line of its own unless the layout in the archive has it too."""
    report, before = images.report, images.report.count
    blob = _named(config)
    where = f"config {blob.label}"
    data = images.small(where, blob, f"{path} > Config")
    if data is None:
        return
    try:
        parsed = Config(data)
    except ValueError as error:
        report.problem(where, str(error), f"{path} > Config", CONTRADICTS)
        return
    for problem in parsed.problems:
        report.problem(where, problem, f"{path} > Config", CONTRADICTS)
    if len(parsed.diff_ids) != len(layers):
        text = f"has {len(parsed.diff_ids)} diff IDs for {len(layers)} layers"
        report.problem(where, text, path, CONTRADICTS)
    sound = True
    for number, name in enumerate(layers):
        diff_id = parsed.diff_ids[number] if number < len(parsed.diff_ids) else ""
        sound = images.layer(_named(name), diff_id, f"{path} > Layers[{number}]") and sound
    digest = f"sha256:{sha256(data).hexdigest()}"
    if digest not in images.configs:
        size = len(data) + sum(images.sizes.get(_named(name).digest, 0) for name in layers)
        sound = sound and report.count == before
        report.images.append(Image(digest, platform_text(parsed.platform), len(layers), size, sound=sound))


def _named(name: str) -> Descriptor:
    """Return a descriptor of a file that `manifest.json` names: by its digest if the name tells that."""
    blob = _BLOB.fullmatch(name)
    digest = f"{blob[1]}:{blob[2]}" if blob else ""
    return Descriptor("", digest if is_digest(digest) else name, None)


def _note_unused(files: Files, report: Report) -> None:
    """Note the blobs that no descriptor leads to: they take room, and belong to no image."""
    names, total = [], 0
    for name, size in files.names():
        if name not in files.opened and (_BLOB.fullmatch(name) or _LEGACY.fullmatch(name)):
            names.append(name)
            total += size
    if names:
        blobs = "1 blob" if len(names) == 1 else f"{len(names)} blobs"
        shown = joined([quoted(name) for name in sorted(names)])
        report.note("the image", f"has {blobs} that nothing refers to, of {total} bytes: {shown}")
