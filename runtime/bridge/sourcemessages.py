"""Messages of `moby.buildkit.v1.frontend` about the metadata of sources."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from pybuild.compiler.llb.messages import platform_of
from pybuild.compiler.ops import SourceOp
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.compiler.protos import ops_pb2
from pybuild.compiler.reference import parse
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.metadata import Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.runtime.bridge.attestations import AttestationChain
    from pybuild.runtime.bridge.metadata import GitMetadata, HttpMetadata, ImageMetadata, SourceMetadata

_ALGORITHMS = {0: "sha256", 1: "sha384", 2: "sha512"}
_LAYOUT = 1
"""The `ResolverType` of an image in a layout; 0 is one in a registry."""


def source_of(source: ops_pb2.SourceOp) -> SourceOp:
    attrs: Any = dict(source.attrs)
    return SourceOp(source.identifier, attrs)


def image_of(message: pb.ResolveImageConfigRequest) -> SourceOp:
    """Return the image of a request, by its canonical name. Raises InvalidReference."""
    reference = parse(message.Ref)
    name = reference.canonical if reference.tag or reference.digest else reference.name
    if message.ResolverType != _LAYOUT:
        return SourceOp(f"docker-image://{name}")
    values = {"oci.session": message.SessionID, "oci.store": message.StoreID}
    attrs: Any = {key: value for key, value in values.items() if value}
    return SourceOp(f"oci-layout://{name}", attrs)


def wanted_config(message: pb.ResolveImageConfigRequest) -> Wanted:
    platform = platform_of(message.Platform) if message.HasField("Platform") else None
    return Wanted(platform, message.ResolveMode, message.LogName)


def wanted_of(message: pb.ResolveSourceMetaRequest) -> Wanted:
    """Decode the question of a request. Raises UserError."""
    return Wanted(
        platform_of(message.Platform) if message.HasField("Platform") else None,
        message.ResolveMode,
        message.LogName,
        config=not message.Image.NoConfig,
        attestations=message.Image.AttestationChain,
        predicates=tuple(message.Image.ResolveAttestations),
        objects=message.Git.ReturnObject,
        algorithm=_algorithm(message.HTTP),
        suffix=message.HTTP.ChecksumRequest.Suffix,
    )


def _algorithm(message: pb.ResolveSourceHTTPRequest) -> str:
    if not message.HasField("ChecksumRequest"):
        return ""
    number = int(message.ChecksumRequest.Algo)
    if number not in _ALGORITHMS:
        raise UserError(f"unsupported checksum algorithm {number}")
    return _ALGORITHMS[number]


def config_of(metadata: SourceMetadata, digest: str, config: bytes) -> pb.ResolveImageConfigResponse:
    return pb.ResolveImageConfigResponse(
        Ref=metadata.op.identifier.partition("://")[2], Digest=digest, Config=config
    )


def response_of(metadata: SourceMetadata, wanted: Wanted) -> pb.ResolveSourceMetaResponse:
    return pb.ResolveSourceMetaResponse(
        Source=ops_pb2.SourceOp(identifier=metadata.op.identifier, attrs=dict(metadata.op.attrs)),
        Image=None if metadata.image is None else _image(metadata.image),
        Git=None if metadata.git is None else _git(metadata.git),
        HTTP=None if metadata.http is None else _http(metadata.http, wanted.suffix),
    )


def _image(image: ImageMetadata) -> pb.ResolveSourceImageResponse:
    return pb.ResolveSourceImageResponse(
        Digest=image.digest,
        Config=image.config,
        AttestationChain=None if image.chain is None else _chain(image.chain),
    )


def _chain(chain: AttestationChain) -> pb.AttestationChain:
    message = pb.AttestationChain(
        Root=chain.root,
        ImageManifest=chain.image_manifest,
        AttestationManifest=chain.attestation_manifest,
    )
    for digest, (layer, data) in chain.blobs.items():
        descriptor = pb.Descriptor(
            media_type=layer.media_type,
            digest=layer.digest,
            size=layer.size,
            annotations=dict(layer.annotations),
        )
        message.Blobs[digest].CopyFrom(pb.Blob(descriptor=descriptor, data=data))
    return message


def _git(git: GitMetadata) -> pb.ResolveSourceGitResponse:
    return pb.ResolveSourceGitResponse(
        Checksum=git.checksum,
        Ref=git.ref,
        CommitChecksum=git.commit,
        CommitObject=git.commit_object,
        TagObject=git.tag_object,
    )


def _http(http: HttpMetadata, suffix: bytes) -> pb.ResolveSourceHTTPResponse:
    modified = None if http.modified is None else Timestamp(seconds=http.modified)
    digest = pb.ChecksumResponse(Digest=http.digest, Suffix=suffix) if http.digest else None
    return pb.ResolveSourceHTTPResponse(
        Checksum=http.checksum, Filename=http.filename, LastModified=modified, ChecksumResponse=digest
    )
