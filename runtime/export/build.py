"""The input of exports: the results of a build and the means to make an image of them, once for all
outputs."""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.export.output import Output
    from pybuild.runtime.export.protected import ProtectedFiles
    from pybuild.runtime.image.annotations import Annotations
    from pybuild.runtime.image.assemble import Image, Result
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.progress.observer import Observer, Tracked
    from pybuild.runtime.snapshots.types import Snapshotter

    class Push(Protocol):
        def __call__(
            self, image: Image, name: Reference, *, insecure: bool, by_digest: bool, tracked: Tracked
        ) -> None:
            """Bring every blob of `image` and its manifests to the registry of `name`, and tag it unless
            `by_digest`. Raises RegistryError."""
else:
    Protocol = object


class Build:
    """A finished build, ready to be exported.

    `results` has an entry for each platform; `index` requests an index also for a single one; `tags` are the
    names of `--tag`; `epoch` is SOURCE_DATE_EPOCH (None: each result's own); `annotations` are those of
    `--annotation`; `push` pushes an image to a registry; no output may write the
    files that are `protected`. Images are assembled once for each set of options,
    so several outputs share layers, config and manifest.
    """

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        layers: Layers,
        results: Sequence[Result],
        observer: Observer,
        *,
        index: bool = False,
        tags: Sequence[str] = (),
        epoch: int | None = None,
        annotations: Annotations | None = None,
        push: Push | None = None,
        protected: ProtectedFiles | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.store = store
        self.snapshotter = snapshotter
        self.layers = layers
        self.results = tuple(results)
        self.index = index or len(self.results) > 1
        self.observer = observer
        self.tags = tuple(tags)
        self.epoch = epoch
        self.annotations = annotations
        self.push = push
        self.protected = protected
        self.cancelled = cancelled
        self._images: dict[tuple[object, ...], Image] = {}

    def epoch_of(self, result: Result) -> int | None:
        """Return the SOURCE_DATE_EPOCH of a result."""
        return result.epoch if self.epoch is None else self.epoch

    def image(self, output: Output, tracked: Tracked) -> Image:
        """Assemble the image for `output`. Raises UsageError for attributes that don't fit."""
        from pybuild.runtime.image.assemble import assemble

        options = output.image_options(
            epoch=self.epoch, annotations=self.annotations, names=self.names(output)
        )
        key = options.identity
        image = self._images.get(key)
        if image is None:
            image = assemble(
                self.store,
                self.layers,
                self.results,
                options,
                index=self.index,
                tracked=tracked,
                cancelled=self.cancelled,
            )
            self._images[key] = image
        return image

    def digests(self) -> list[str]:
        """Return the digest of every blob of the images assembled so far: indexes, manifests, configs and
        layers."""
        digests: dict[str, None] = {}
        for image in self._images.values():
            layers = [layer for image_layers in image.layers for layer in image_layers]
            for blob in (image.target, *image.manifests, *image.configs, *layers):
                digests[blob.digest] = None
        return list(digests)

    def names(self, output: Output) -> list[Reference]:
        """Return the names of the image: the output's own, else the tags of the build. Raises
        InvalidReference, or UsageError for a name with a digest."""
        from pybuild.compiler.reference import parse

        names = []
        for text in output.names or self.tags:
            name = parse(text)
            if name.digest is not None:
                raise UsageError(f"image name {text!r} has a digest", help="leave out everything from '@'")
            names.append(name if name.tag else name.with_tag("latest"))
        return names


def texts(found: Mapping[str, object]) -> dict[str, str]:
    """Return metadata for BuildKit's clients: an object becomes JSON in base 64."""
    from base64 import b64encode

    from pybuild.runtime.image.gojson import compact

    return {
        name: value if isinstance(value, str) else b64encode(compact(value)).decode()
        for name, value in found.items()
    }


def metadata(image: Image, names: Sequence[Reference], descriptor: Descriptor) -> dict[str, object]:
    """Return the metadata of an exported image for `--metadata-file`, under buildx's keys."""
    values: dict[str, object] = {
        "containerimage.config.digest": image.configs[0].digest,
        "containerimage.descriptor": descriptor.to_json(),
        "containerimage.digest": image.target.digest,
    }
    if not image.target.is_manifest:
        del values["containerimage.config.digest"]
    if names:
        values["image.name"] = ",".join(name.canonical for name in names)
    return values
