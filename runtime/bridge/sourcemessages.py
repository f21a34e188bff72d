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
    found = parse(message.Ref)
    name = found.canonical if found.tag or found.digest else found.name
    if message.ResolverType != _LAYOUT:
        return SourceOp(f"docker-image://{name}")
    given = {"oci.session": message.SessionID, "oci.store": message.StoreID}
    attrs: Any = {key: value for key, value in given.items() if value}
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


def config_of(found: SourceMetadata, digest: str, config: bytes) -> pb.ResolveImageConfigResponse:
    return pb.ResolveImageConfigResponse(
        Ref=found.op.identifier.partition("://")[2], Digest=digest, Config=config
    )


def response_of(found: SourceMetadata, wanted: Wanted) -> pb.ResolveSourceMetaResponse:
    return pb.ResolveSourceMetaResponse(
        Source=ops_pb2.SourceOp(identifier=found.op.identifier, attrs=dict(found.op.attrs)),
        Image=None if found.image is None else _image(found.image),
        Git=None if found.git is None else _git(found.git),
        HTTP=None if found.http is None else _http(found.http, wanted.suffix),
    )


def _image(found: ImageMetadata) -> pb.ResolveSourceImageResponse:
    return pb.ResolveSourceImageResponse(
        Digest=found.digest,
        Config=found.config,
        AttestationChain=None if found.chain is None else _chain(found.chain),
    )


def _chain(found: AttestationChain) -> pb.AttestationChain:
    message = pb.AttestationChain(
        Root=found.root,
        ImageManifest=found.image_manifest,
        AttestationManifest=found.attestation_manifest,
    )
    for digest, (one, data) in found.blobs.items():
        descriptor = pb.Descriptor(
            media_type=one.media_type, digest=one.digest, size=one.size, annotations=dict(one.annotations)
        )
        message.Blobs[digest].CopyFrom(pb.Blob(descriptor=descriptor, data=data))
    return message


def _git(found: GitMetadata) -> pb.ResolveSourceGitResponse:
    return pb.ResolveSourceGitResponse(
        Checksum=found.checksum,
        Ref=found.ref,
        CommitChecksum=found.commit,
        CommitObject=found.commit_object,
        TagObject=found.tag_object,
    )


def _http(found: HttpMetadata, suffix: bytes) -> pb.ResolveSourceHTTPResponse:
    modified = None if found.modified is None else Timestamp(seconds=found.modified)
    digest = pb.ChecksumResponse(Digest=found.digest, Suffix=suffix) if found.digest else None
    return pb.ResolveSourceHTTPResponse(
        Checksum=found.checksum, Filename=found.filename, LastModified=modified, ChecksumResponse=digest
    )
