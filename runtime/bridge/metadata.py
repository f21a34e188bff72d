"""Metadata of sources, without their files: an image's digest and config, a ref's commit, a file's checksum.

A source that has no such facts (a local directory) is answered with its op alone, as BuildKit does.
"""

from __future__ import annotations

import hashlib

from attrs import field, frozen

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import Platform, SourceOp
    from pybuild.runtime.bridge.attestations import AttestationChain
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.snapshots.types import Node
    from pybuild.runtime.solver.types import Cancellation

CHUNK = 1 << 20

_PULL = {"": None, "default": None, "pull": True, "local": False}
"""Values of `image.resolvemode`: True resolves a known tag again, False never does, None leaves it to the
build."""


@frozen
class Wanted:
    """A question about a source. `mode` is how an image's tag is resolved (`pull`, `local`, `default`). For
    images: `config`, `attestations`, and `predicates`, the types of attestations whose statements are read.
    For git: `objects`. For HTTP: `algorithm` (sha256, sha384, sha512; "" for none) of a checksum over the
    file's bytes and then `suffix`."""

    platform: Platform | None = None
    mode: str = ""
    log_name: str = ""
    config: bool = True
    attestations: bool = False
    predicates: tuple[str, ...] = ()
    objects: bool = False
    algorithm: str = ""
    suffix: bytes = b""


@frozen
class ImageMetadata:
    """An image; `digest` is of the manifest or index that its name resolves to."""

    digest: str
    config: bytes = field(default=b"", repr=False)
    chain: AttestationChain | None = None


@frozen
class GitMetadata:
    """A git ref. `checksum` is the hash that the remote lists for `ref`; `commit` is the commit's hash if the
    ref is an annotated tag. `commit_object` and `tag_object` are their bytes, if requested."""

    ref: str
    checksum: str
    commit: str = ""
    commit_object: bytes = field(default=b"", repr=False)
    tag_object: bytes = field(default=b"", repr=False)


@frozen
class HttpMetadata:
    """A file on a web server. `modified` is seconds since 1970, None if the server doesn't say. `digest` is
    the requested checksum."""

    checksum: str
    filename: str
    modified: int | None = None
    digest: str = ""


@frozen
class SourceMetadata:
    """A source as it goes into a graph (`op`), with the metadata of its kind."""

    op: SourceOp
    image: ImageMetadata | None = None
    git: GitMetadata | None = None
    http: HttpMetadata | None = None


def source_metadata(
    engine: Engine, observer: Observer, op: SourceOp, wanted: Wanted, cancellation: Cancellation
) -> SourceMetadata:
    """Resolve a source. Raises UserError, Cancelled."""
    scheme, separator, _ = op.identifier.partition("://")
    if not separator:
        raise UserError(f"failed to parse {op.identifier}: it has no scheme")
    find = _KINDS.get(scheme)
    if find is None:
        return SourceMetadata(op)
    with Tracked(observer, wanted.log_name or f"resolve image config for {op.identifier}"):
        return find(engine, op, wanted, cancellation)


def _image(engine: Engine, op: SourceOp, wanted: Wanted, cancellation: Cancellation) -> SourceMetadata:
    ref = op.identifier.partition("://")[2]
    mode = wanted.mode or op.attrs.get("image.resolvemode", "")
    if mode not in _PULL:
        raise UserError(f"invalid resolvemode: {mode}", help="it is default, pull or local")
    pull = _PULL[mode]
    image = engine.images.resolve_image(ref, _platform(wanted), cancellation, pull=pull)
    expected = op.attrs.get("image.checksum", "")
    if expected not in ("", image.digest):
        raise UserError(f"image digest {image.digest} for {ref} does not match expected {expected}")
    chain = None
    if wanted.attestations or wanted.predicates:
        from pybuild.runtime.bridge.attestations import attestation_chain

        chain = attestation_chain(engine, image, wanted.predicates, cancellation)
    config = image.config if wanted.config else b""
    return SourceMetadata(op, image=ImageMetadata(image.digest, config, chain))


def _layout(engine: Engine, op: SourceOp, wanted: Wanted, cancellation: Cancellation) -> SourceMetadata:
    name, _, digest = op.identifier.partition("://")[2].partition("@")
    content = engine.images.named_content(op, _platform(wanted), cancellation)
    digest = digest or engine.images.resolve_named(name, _platform(wanted), cancellation).digest
    return SourceMetadata(op, image=ImageMetadata(digest, content.config if wanted.config else b""))


def _git(engine: Engine, op: SourceOp, wanted: Wanted, cancellation: Cancellation) -> SourceMetadata:
    git = engine.fetchers.git()
    ref = git.resolve(op, cancellation)
    commit = ref.commit if ref.commit != ref.checksum else ""
    objects = git.objects(op, cancellation) if wanted.objects else (b"", b"")
    return SourceMetadata(op, git=GitMetadata(ref.ref, ref.checksum, commit, *objects))


def _http(engine: Engine, op: SourceOp, wanted: Wanted, cancellation: Cancellation) -> SourceMetadata:
    source = engine.fetchers.http()
    file = source.resolve(op, cancellation)
    digest = ""
    if wanted.algorithm:
        tree = engine.snapshotter.tree(source.snapshot(op, cancellation))
        (node,) = tree.list(b"")
        digest = _hash(node, wanted.algorithm, wanted.suffix)
    return SourceMetadata(op, http=HttpMetadata(file.digest, file.name, file.modified, digest))


def _hash(node: Node, algorithm: str, suffix: bytes) -> str:
    digest = hashlib.new(algorithm)
    with node.content() as file:
        while data := file.read(CHUNK):
            digest.update(data)
    digest.update(suffix)
    return f"{algorithm}:{digest.hexdigest()}"


def _platform(wanted: Wanted) -> Platform:
    from pybuild.compiler.platforms import default

    return wanted.platform or default()


_KINDS: dict[str, Callable[[Engine, SourceOp, Wanted, Cancellation], SourceMetadata]] = {
    "docker-image": _image,
    "oci-layout": _layout,
    "git": _git,
    "http": _http,
    "https": _http,
}
