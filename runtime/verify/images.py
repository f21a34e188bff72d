"""From a descriptor down: indexes, manifests, configs and layers, each blob read once.

Images.image      a manifest or an index and everything below it
Images.small      the bytes of a manifest, config or statement, compared with their descriptor
Images.layer      a layer's blob, its uncompressed bytes, and the archive that these are
"""

from __future__ import annotations

from pybuild.runtime.verify.attestations import attestation_problems, is_attestation
from pybuild.runtime.verify.configs import Config, platform_difference, platform_text
from pybuild.runtime.verify.descriptors import (
    CONFIGS,
    FOREIGN,
    INDEXES,
    LAYERS,
    MANIFESTS,
    Descriptor,
    descriptor,
    descriptors,
)
from pybuild.runtime.verify.findings import CHANGED, CONTRADICTS, Image, Report, quoted
from pybuild.runtime.verify.jsontext import decode_object, string_map
from pybuild.runtime.verify.layers import LayerFacts, read_layer
from pybuild.runtime.verify.limits import DEEPEST_INDEX, LONGEST_JSON, Limits
from pybuild.runtime.verify.streams import CHUNK, Hashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.verify.streams import Blob

    Open = Callable[[str], Blob]
    """Opens the blob of a digest. Raises OSError, FileNotFoundError if there is none."""

MISSING = "copy the whole image again; a part of it was left behind"


class Images:
    """The checking of the images of one place. Findings go to `report`."""

    def __init__(self, open_blob: Open, report: Report, limits: Limits | None = None) -> None:
        self._open = open_blob
        self._limits = limits or Limits()
        self._layers: dict[tuple[str, str], LayerFacts | None] = {}
        self._seen: dict[str, Descriptor] = {}
        self.report = report
        self.configs: set[str] = set()
        """Digests of the configs of images that were looked at."""
        self.sizes: dict[str, int] = {}
        """Bytes of the layers that were read, by their digests."""

    def small(self, where: str, blob: Descriptor, path: str, most: int = LONGEST_JSON) -> bytes | None:
        """Return the bytes of a blob of at most `most` bytes after comparing them with digest and size; None if they
        can't be read."""
        try:
            pieces, hashed = self._read(blob, most)
        except OSError as error:
            self.report.problem(where, f"is missing ({error.strerror or error})", path, MISSING)
            return None
        if not blob.names(hashed.digest()):
            self.report.problem(where, f"has the digest {hashed.digest()}", path, CHANGED)
        if blob.size is not None and hashed.size != blob.size:
            text = f"has {hashed.size} bytes, its descriptor says {blob.size}"
            self.report.problem(where, text, path, CHANGED)
        if hashed.size > most:
            self.report.problem(where, f"has {hashed.size} bytes: more than {most} are not looked into", path)
            return None
        return b"".join(pieces)

    def _read(self, blob: Descriptor, most: int) -> tuple[list[bytes], Hashed]:
        pieces: list[bytes] = []
        with self._open(blob.digest) as file:
            hashed = Hashed(file, blob.algorithm)
            while piece := hashed.read(CHUNK):
                # Beyond the limit bytes are hashed and let go.
                if hashed.size <= most:
                    pieces.append(piece)
        return pieces, hashed

    def image(
        self, listed: Descriptor, path: str, siblings: Sequence[Descriptor] = (), depth: int = 0
    ) -> None:
        """Check the manifest or index that `listed` describes, one of the `siblings` in an index, and everything
        below it. An image that can't be read is reported as one without layers."""
        where = f"manifest {listed.digest}"
        if (first := self._seen.setdefault(listed.digest, listed)) is not listed:
            if (first.size, first.media_type) != (listed.size, listed.media_type):
                text = "is listed twice, with different sizes or media types"
                self.report.problem(where, text, path, CONTRADICTS)
            return
        before = self.report.count
        data = self.small(where if listed.size is not None else f"image {listed.digest}", listed, path)
        try:
            if data is not None:
                self._parse(where, data, listed, siblings, path, depth, before)
                return
        except ValueError as error:
            self.report.problem(where, str(error), path, CONTRADICTS)
        platform = platform_text(listed.platform or {})
        if listed.media_type not in INDEXES and platform != "unknown/unknown":
            self.report.images.append(Image(listed.digest, platform, 0, listed.size or 0, sound=False))

    def _parse(
        self,
        where: str,
        data: bytes,
        listed: Descriptor,
        siblings: Sequence[Descriptor],
        path: str,
        depth: int,
        before: int,
    ) -> None:
        """Check the bytes of a manifest or index; `before` is the number of problems before they were read. Raises
        ValueError if it can't be understood."""
        value = decode_object(data)
        media_type = _manifest_type(value, listed.media_type)
        if media_type in INDEXES:
            self._index(where, value, path, depth)
        elif media_type in MANIFESTS:
            self._check_fields(where, value, path)
            self._manifest(where, value, listed, siblings, path, len(data), before)
        else:
            raise ValueError(f"has the unknown media type {quoted(media_type)}")

    def _check_fields(self, where: str, value: dict[str, object], path: str) -> None:
        if value.get("schemaVersion") != 2 or isinstance(value.get("schemaVersion"), bool):
            version = value.get("schemaVersion")
            shown = str(version)[:40] if isinstance(version, int | str) else "that is no number"
            self.report.problem(where, f"has schemaVersion {shown}", path, "the schemaVersion must be 2")
        if value.get("annotations") is not None and not string_map(value["annotations"]):
            self.report.problem(where, "has annotations that are not strings", path, CONTRADICTS)
        if value.get("subject") is not None:
            descriptor(value["subject"])

    def _index(self, where: str, value: dict[str, object], path: str, depth: int) -> None:
        self._check_fields(where, value, path)
        if depth >= DEEPEST_INDEX:
            raise ValueError(f"is an index within {DEEPEST_INDEX} others: what it lists was not looked at")
        entries = descriptors(value, "manifests")
        for number, entry in enumerate(entries):
            self.image(entry, f"{path} > manifests[{number}]", entries, depth + 1)

    def _manifest(
        self,
        where: str,
        value: dict[str, object],
        listed: Descriptor,
        siblings: Sequence[Descriptor],
        path: str,
        length: int,
        before: int,
    ) -> None:
        """Check a manifest of `length` bytes."""
        config, layers = descriptor(value.get("config")), descriptors(value, "layers")
        if is_attestation(layers):
            for problem in attestation_problems(listed, siblings, config, layers, path, self.small):
                self.report.problem(where, problem, path, CONTRADICTS)
            return
        stored = sum(blob.size or 0 for blob in (config, *layers)) + length
        kinds = {layer.media_type in LAYERS for layer in layers}
        if config.media_type not in CONFIGS and (value.get("artifactType") or True not in kinds):
            sound = self._artifact(config, layers, path) and self.report.count == before
            kind = str(value.get("artifactType") or config.media_type)[:100]
            self.report.images.append(
                Image(listed.digest, "", len(layers), stored, sound=sound, artifact=kind)
            )
            return
        platform, sound = self._config(where, listed, config, layers, path)
        sound = sound and self.report.count == before
        self.report.images.append(Image(listed.digest, platform, len(layers), stored, sound=sound))

    def _artifact(self, config: Descriptor, layers: Sequence[Descriptor], path: str) -> bool:
        """Compare the blobs of something that is no file system with their descriptors."""
        before = self.report.count
        self.small(f"config {config.digest}", config, f"{path} > config")
        for number, layer in enumerate(layers):
            where = f"blob {layer.digest}"
            try:
                _, hashed = self._read(layer, 0)
            except OSError as error:
                self.report.problem(where, f"is missing ({error.strerror or error})", path, MISSING)
                continue
            at = f"{path} > layers[{number}]"
            if hashed.digest() != layer.digest:
                self.report.problem(where, f"has the digest {hashed.digest()}", at, CHANGED)
            if hashed.size != layer.size:
                text = f"has {hashed.size} bytes, its descriptor says {layer.size}"
                self.report.problem(where, text, at, CHANGED)
        return self.report.count == before

    def _config(
        self, where: str, listed: Descriptor, config: Descriptor, layers: Sequence[Descriptor], path: str
    ) -> tuple[str, bool]:
        """Check a config against its manifest, and the layers. Returns the platform, and whether all is sound."""
        self.configs.add(config.digest)
        if config.media_type not in CONFIGS:
            text = f"has a config of type {quoted(config.media_type)}"
            self.report.problem(where, text, path, CONTRADICTS)
        own = f"config {config.digest}"
        data = self.small(own, config, f"{path} > config")
        try:
            parsed = None if data is None else Config(data)
        except ValueError as error:
            self.report.problem(own, str(error), f"{path} > config", CONTRADICTS)
            parsed = None
        ids: Sequence[str] = ()
        if parsed is not None:
            ids = parsed.diff_ids
            self._compare(where, own, listed, parsed, len(layers), path)
        sound = parsed is not None
        for number, layer in enumerate(layers):
            diff_id = ids[number] if number < len(ids) else ""
            sound = self.layer(layer, diff_id, f"{path} > layers[{number}]") and sound
        return platform_text(parsed.platform if parsed else listed.platform or {}), sound

    def _compare(
        self, where: str, own: str, listed: Descriptor, config: Config, layers: int, path: str
    ) -> None:
        for problem in config.problems:
            self.report.problem(own, problem, f"{path} > config", CONTRADICTS)
        if listed.platform is not None:
            text, omitted = platform_difference(listed.platform, config.platform)
            if omitted:
                self.report.note(where, text, path)
            elif text:
                self.report.problem(where, text, path, CONTRADICTS)
        if len(config.diff_ids) != layers:
            text = f"has {layers} layers, its config {len(config.diff_ids)} diff IDs"
            self.report.problem(where, text, path, CONTRADICTS)

    def layer(self, layer: Descriptor, diff_id: str, path: str) -> bool:
        """Check a layer against its descriptor and its diff ID ("" if there is none). Returns whether it is sound."""
        before = self.report.count
        where = f"layer {layer.label}"
        if layer.media_type and layer.media_type not in LAYERS:
            text = f"has the unknown media type {quoted(layer.media_type)}"
            self.report.problem(where, text, path, CONTRADICTS)
        facts = self._facts(where, layer, diff_id.partition(":")[0] or "sha256", path)
        if facts is None:
            return self.report.count == before and layer.media_type in FOREIGN
        stated = LAYERS.get(layer.media_type)
        if stated is not None and stated != facts.compression:
            text = f"has {facts.compression} bytes, its media type is {layer.media_type}"
            self.report.problem(where, text, path, CONTRADICTS)
        if layer.size is not None and facts.size != layer.size:
            text = f"has {facts.size} bytes, its descriptor says {layer.size}"
            self.report.problem(where, text, path, CHANGED)
        if diff_id and facts.diff_id and facts.diff_id != diff_id:
            text = f"has the diff ID {facts.diff_id}, its config says {diff_id}"
            self.report.problem(where, text, path, CONTRADICTS)
        return self.report.count == before and facts.sound

    def _facts(self, where: str, layer: Descriptor, diff_algorithm: str, path: str) -> LayerFacts | None:
        """Return a layer's facts, None if it is missing. They are reported the first time alone."""
        key = layer.digest, diff_algorithm
        if key in self._layers:
            return self._layers[key]
        try:
            with self._open(layer.digest) as file:
                facts = read_layer(file, layer.algorithm, diff_algorithm, self._limits)
        except OSError as error:
            self._layers[key] = None
            if layer.media_type in FOREIGN:
                self.report.note(where, "lies elsewhere, at the addresses of its descriptor", path)
            else:
                self.report.problem(where, f"is missing ({error.strerror or error})", path, MISSING)
            return None
        self._layers[key] = facts
        self.sizes[layer.digest] = facts.size
        if not layer.names(facts.digest):
            self.report.problem(where, f"has the digest {facts.digest}", path, CHANGED)
        for what, help, note in facts.facts:
            if note:
                self.report.note(where, what, path)
            else:
                self.report.problem(where, what, path, help)
        return facts


def _manifest_type(value: dict[str, object], listed: str) -> str:
    """Return the media type of a manifest or index. Raises ValueError for one that can be read in two ways: programs
    would run different images."""
    own = value.get("mediaType", "")
    if not isinstance(own, str):
        raise ValueError("it has a media type that is no string")
    if "manifests" in value and ("layers" in value or "config" in value):
        raise ValueError("it is both an index and a manifest")
    if listed and own and own != listed:
        raise ValueError(f"calls itself {quoted(own)}, its descriptor {quoted(listed)}")
    fields = "manifests" if "manifests" in value else "layers"
    kind = listed or own or (f"{next(iter(INDEXES))}" if fields == "manifests" else next(iter(MANIFESTS)))
    if kind in INDEXES | MANIFESTS and (kind in INDEXES) != (fields == "manifests"):
        raise ValueError(f"its fields are not those of {kind}")
    return kind
