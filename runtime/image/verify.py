"""The verifier: every digest, size and diff ID of an image derived again from its bytes.

It shares nothing with the code that makes images: archives are read by `tarfile`, gzip by the standard
library. Findings are facts for a person; an empty list means the image is whole and consistent.
"""

from __future__ import annotations

import os
from hashlib import sha256

from pybuild.runtime.image.descriptor import COMPRESSIONS, CONFIGS, OCI_INDEX, Descriptor
from pybuild.runtime.image.manifest import Index, config_platform, decode, diff_ids, parse
from pybuild.runtime.image.verify_attestations import attestation_problems, is_attestation
from pybuild.runtime.image.verify_streams import (
    Hashed,
    Rejoined,
    damage,
    decompressed,
    kind_of,
    read_archive,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable
    from typing import IO

    from pybuild.runtime.content.store import Store

    Open = Callable[[str], "IO[bytes]"]


class Finding:
    """Something wrong with an image: where (`manifest sha256:…`, `index.json`) and what."""

    __slots__ = ("what", "where")

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        self.what = what

    def __repr__(self) -> str:
        return f"{self.where}: {self.what}"


def verify_layout(path: str) -> list[Finding]:
    """Findings of the OCI image layout at `path`, a directory or a tar archive of one."""
    return _with_files(path, _check_layout)


def verify_docker_archive(path: str) -> list[Finding]:
    """Findings of an archive for `docker load`; of the layout in it as well, if there is one."""
    return _with_files(path, _check_docker)


def verify_stored(store: Store, digest: str, media_type: str = "") -> list[Finding]:
    """Findings of the image whose manifest or index `digest` is in a store."""

    def open_blob(wanted: str) -> IO[bytes]:
        return open(store.blobs.path(wanted), "rb")

    return verify_fetched(open_blob, digest, media_type)


def verify_fetched(open_blob: Open, digest: str, media_type: str = "") -> list[Finding]:
    """Findings of an image anywhere: `open_blob` gives the bytes of a digest, raising OSError
    (FileNotFoundError) for one it does not have."""
    check = _Check(open_blob)
    data = check.small(f"image {digest}", digest, None)
    if data is not None:
        check.image(Descriptor(media_type, digest, len(data)), data)
    return check.findings


class _Check:
    """The checking of one image; blobs that several manifests share are read once."""

    def __init__(self, open_blob: Open) -> None:
        self._open = open_blob
        self._layers: dict[tuple[str, str], str | None] = {}
        self.findings: list[Finding] = []

    def add(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))

    def small(self, where: str, digest: str, size: int | None) -> bytes | None:
        """The bytes of a manifest or config, checked against digest and size."""
        try:
            with self._open(digest) as file:
                data = file.read()
        except OSError as error:
            self.add(where, f"is missing ({error.strerror or error})")
            return None
        found = "sha256:" + sha256(data).hexdigest()
        if found != digest:
            self.add(where, f"has the digest {found}")
        if size is not None and size != len(data):
            self.add(where, f"has {len(data)} bytes, its descriptor says {size}")
        return data

    def image(self, descriptor: Descriptor, data: bytes | None = None) -> None:
        """A manifest or an index and everything below it."""
        where = f"manifest {descriptor.digest}"
        if data is None:
            data = self.small(where, descriptor.digest, descriptor.size)
            if data is None:
                return
        try:
            value = decode(data)
            found = parse(data, descriptor.media_type)
        except ValueError as error:
            self.add(where, str(error))
            return
        if isinstance(found, str):
            self.add(where, f"has the unknown media type {found!r}")
            return
        if value.get("schemaVersion") != 2:
            self.add(where, f"has schemaVersion {value.get('schemaVersion')!r}")
        if descriptor.media_type and value.get("mediaType", descriptor.media_type) != descriptor.media_type:
            self.add(where, f"calls itself {value.get('mediaType')}, its descriptor {descriptor.media_type}")
        if isinstance(found, Index):
            for entry in found.manifests:
                self.image(entry)
            return
        if is_attestation(found):
            for problem in attestation_problems(descriptor, found, self.small):
                self.add(where, problem)
            return
        self._config(where, descriptor, found.config, found.layers)

    def _config(
        self, where: str, descriptor: Descriptor, config: Descriptor, layers: tuple[Descriptor, ...]
    ) -> None:
        if config.media_type not in CONFIGS:
            self.add(where, f"has a config of type {config.media_type!r}")
        data = self.small(f"config {config.digest}", config.digest, config.size)
        if data is None:
            return
        try:
            ids = diff_ids(data)
            platform = config_platform(data)
        except ValueError as error:
            self.add(f"config {config.digest}", str(error))
            return
        self.config(f"config {config.digest}", data, len(layers))
        if descriptor.platform is not None and dict(descriptor.platform) != platform:
            self.add(where, f"is listed for {dict(descriptor.platform)}, its config is for {platform}")
        if len(ids) != len(layers):
            self.add(where, f"has {len(layers)} layers, its config {len(ids)} diff IDs")
        for layer, diff_id in zip(layers, ids, strict=False):
            self.layer(layer, diff_id)

    def config(self, where: str, data: bytes, layers: int) -> None:
        """What a config says of itself."""
        value = decode(data)
        for name in ("architecture", "os"):
            if not value.get(name):
                self.add(where, f"has no {name}")
        history = value.get("history") or []
        if isinstance(history, list) and history:
            full = sum(not (isinstance(entry, dict) and entry.get("empty_layer")) for entry in history)
            if full != layers:
                self.add(where, f"has {full} history entries with a layer for {layers} layers")

    def layer(self, layer: Descriptor, diff_id: str, *, sized: bool = True) -> None:
        """A layer's blob, its uncompressed bytes, and that these are an archive."""
        where = f"layer {layer.digest}"
        known = self._layers.get((layer.digest, layer.media_type))
        if known is None:
            known = self._layers[(layer.digest, layer.media_type)] = self._read_layer(where, layer, sized)
        if known and known != diff_id:
            self.add(where, f"has the diff ID {known}, its config says {diff_id}")

    def _read_layer(self, where: str, layer: Descriptor, sized: bool) -> str:
        """The diff ID found; "" when the blob can't be read."""
        try:
            with self._open(layer.digest) as file:
                blob = Hashed(file)
                start = blob.read(8)
                kind = kind_of(start)
                stated = COMPRESSIONS.get(layer.media_type)
                if layer.media_type and stated is None:
                    self.add(where, f"has the unknown media type {layer.media_type!r}")
                elif stated is not None and stated != kind:
                    self.add(where, f"has {kind} bytes, its media type is {layer.media_type}")
                tar = Hashed(decompressed(Rejoined(start, blob), kind))
                problem = read_archive(tar)
                if problem:
                    self.add(where, problem)
                blob.drain()
        except damage() as error:
            self.add(where, f"can't be read: {getattr(error, 'strerror', None) or error}")
            return ""
        if blob.digest() != layer.digest:
            self.add(where, f"has the digest {blob.digest()}")
        if sized and blob.size != layer.size:
            self.add(where, f"has {blob.size} bytes, its descriptor says {layer.size}")
        return tar.digest()


class _Files:
    """The files of a layout or archive by name."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tar: tarfile.TarFile | None = None
        if not os.path.isdir(path):
            import tarfile

            self._tar = tarfile.open(path)  # noqa: SIM115 (closed by `close`)

    def open(self, name: str) -> IO[bytes]:
        """Raises FileNotFoundError."""
        if self._tar is None:
            return open(os.path.join(self._path, name), "rb")
        try:
            file = self._tar.extractfile(name)
        except KeyError:
            file = None
        if file is None:
            raise FileNotFoundError(2, "no such file", name)
        return file

    def open_blob(self, digest: str) -> IO[bytes]:
        return self.open("blobs/" + digest.replace(":", "/"))

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()


def _with_files(path: str, check: Callable[[_Files, _Check], None]) -> list[Finding]:
    import tarfile

    try:
        files = _Files(path)
    except (tarfile.TarError, OSError) as error:
        return [Finding(path, f"can't be read: {error}")]
    try:
        checking = _Check(files.open_blob)
        check(files, checking)
        return checking.findings
    finally:
        files.close()


def _check_layout(files: _Files, check: _Check) -> None:
    layout = _object(files, check, "oci-layout")
    if layout is not None and layout.get("imageLayoutVersion") != "1.0.0":
        check.add("oci-layout", f"has the version {layout.get('imageLayoutVersion')!r}")
    index = _object(files, check, "index.json")
    if index is None:
        return
    if index.get("schemaVersion") != 2:
        check.add("index.json", f"has schemaVersion {index.get('schemaVersion')!r}")
    if index.get("mediaType", OCI_INDEX) != OCI_INDEX:
        check.add("index.json", f"has the media type {index.get('mediaType')!r}")
    entries = index.get("manifests")
    if not isinstance(entries, list) or not entries:
        check.add("index.json", "lists no manifests")
        return
    seen = set()
    for entry in entries:
        try:
            descriptor = Descriptor.from_json(entry)
        except ValueError as error:
            check.add("index.json", str(error))
            continue
        if descriptor.digest not in seen:
            seen.add(descriptor.digest)
            check.image(descriptor)


def _check_docker(files: _Files, check: _Check) -> None:
    try:
        with files.open("index.json"):
            pass
    except FileNotFoundError:
        pass
    else:
        _check_layout(files, check)
    import json

    try:
        with files.open("manifest.json") as file:
            images = json.loads(file.read())
        for image in images:
            _check_docker_image(files, check, image["Config"], image["Layers"])
    except FileNotFoundError:
        check.add("manifest.json", "is missing")
    except (ValueError, KeyError, TypeError) as error:
        check.add("manifest.json", f"is damaged: {error!r}")


def _check_docker_image(files: _Files, check: _Check, config: str, layers: list[str]) -> None:
    archive = _Check(lambda digest: files.open(names[digest]))
    names = {"sha256:" + os.path.basename(name).removesuffix(".json"): name for name in [config, *layers]}
    where = f"config {config}"
    data = archive.small(where, "sha256:" + os.path.basename(config).removesuffix(".json"), None)
    if data is not None:
        try:
            ids = diff_ids(data)
            archive.config(where, data, len(layers))
        except ValueError as error:
            archive.add(where, str(error))
            ids = []
        if len(ids) != len(layers):
            archive.add(where, f"has {len(ids)} diff IDs for {len(layers)} layers")
        for name, diff_id in zip(layers, ids, strict=False):
            digest = "sha256:" + os.path.basename(name)
            archive.layer(Descriptor("", digest, 0), diff_id, sized=False)
    check.findings += [
        finding for finding in archive.findings if repr(finding) not in map(repr, check.findings)
    ]


def _object(files: _Files, check: _Check, name: str) -> dict[str, object] | None:
    try:
        with files.open(name) as file:
            return decode(file.read())
    except FileNotFoundError:
        check.add(name, "is missing")
    except (ValueError, OSError) as error:
        check.add(name, str(error))
    return None
