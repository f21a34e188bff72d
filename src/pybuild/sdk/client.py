"""The builder, as a frontend sees it: `moby.buildkit.v1.frontend.LLBBridge` as methods over states and edges."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from google.protobuf.message import Message

from pybuild.compiler import reference
from pybuild.compiler.bridge import FileStat, ResolvedImage
from pybuild.compiler.gateway import Request
from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.decode import EmptyDefinition, decode_definition
from pybuild.compiler.llb.messages import definition_message, platform_message
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.protos import gateway_pb2, ops_pb2
from pybuild.compiler.services import methods
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.sdk.session import bound_to_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import grpc

M = TypeVar("M", bound=Message)
_METHODS = methods(gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"])
_ABSENT = ("no such file or directory", "not a directory")
_OCI_LAYOUT = 1
_PING_SECONDS = 15
_PIECE = 8 << 20
"""The most bytes of a file that one message brings."""
_TIMES = ("git://", "http://", "https://")


class Client:
    """The builder's service as a `compiler.bridge.Bridge`, with its other methods. Thread-safe.

    `options` are the build's attributes, `session` names the client that it is for. A directory or a layout in a
    graph is that client's, unless the op says more. Every method raises UserError for what the builder refuses.
    """

    def __init__(self, channel: grpc.Channel, options: Mapping[str, str], session: str) -> None:
        """Connect to the builder. Raises UserError if it does not answer."""
        self.options = dict(options)
        self.session = session
        self._guard = threading.Lock()
        self._solved: dict[str, str] = {}
        self._calls = {
            name: channel.unary_unary(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
            for name, method in _METHODS.items()
            if not method.client_streaming
        }
        pong = self.call("Ping", gateway_pb2.PingRequest(), gateway_pb2.PongResponse, timeout=_PING_SECONDS)
        self.capabilities = frozenset(method.ID for method in pong.FrontendAPICaps if method.Enabled)
        self.llb_capabilities = frozenset(method.ID for method in pong.LLBCaps if method.Enabled)

    def call(self, name: str, request: Message, response: type[M], *, timeout: float | None = None) -> M:
        """Call a method of the service. Raises UserError."""
        import grpc

        try:
            answer = self._calls[name](request, timeout=timeout)
        except grpc.RpcError as error:
            from pybuild.sdk.failures import call_failure

            raise call_failure(name, error) from None
        assert isinstance(answer, response)
        return answer

    # Solving

    def solve(self, edge: Edge | None, *, evaluate: bool = False) -> str:
        """Return the reference of a state, "" for the empty file system. Its steps run when something of it is
        needed, or at once with `evaluate`."""
        (bound,) = bound_to_session([edge], self.session)
        if bound is None:
            return ""
        key = f"{bound.vertex.digest} {bound.index}"
        with self._guard:
            ref = self._solved.get(key)
        if ref is None or evaluate:
            request = gateway_pb2.SolveRequest(Definition=definition_message(bound), Evaluate=evaluate)
            ref = self._solve(request).ref.id
            with self._guard:
                self._solved[key] = ref
        return ref

    def evaluate(self, edge: Edge | None) -> None:
        """Solve a state at once."""
        self.solve(edge, evaluate=True)

    def delegate(self, request: Request) -> gateway_pb2.Result:
        """Call another frontend; return its result in the builder's form, in which it can be returned."""
        inputs = dict(
            zip(request.inputs, bound_to_session(request.inputs.values(), self.session), strict=True)
        )
        return self._solve(
            gateway_pb2.SolveRequest(
                Frontend=request.frontend,
                FrontendOpt=request.options,
                FrontendInputs={name: definition_message(edge) for name, edge in inputs.items()},
                Evaluate=request.evaluate,
            )
        )

    def _solve(self, request: gateway_pb2.SolveRequest) -> gateway_pb2.Result:
        request.allowResultReturn = request.allowResultArrayRef = True
        return self.call("Solve", request, gateway_pb2.SolveResponse).result

    @cached_property
    def inputs(self) -> Mapping[str, State]:
        """The states that the client gives in place of directories, by name."""
        answer = self.call("Inputs", gateway_pb2.InputsRequest(), gateway_pb2.InputsResponse)
        return {name: State(_edge(definition)) for name, definition in answer.Definitions.items()}

    # The bridge

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self._resolve(gateway_pb2.ResolveImageConfigRequest(Ref=ref), platform, log_name)

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        """Resolve an image of an OCI layout. `ref` is `STORE@DIGEST`, of a content store of the client's, with a
        tag that is ignored."""
        bare, _, digest = ref.partition("@")
        store = bare.partition(":")[0]
        name = reference.Reference("docker.io", "library/layout", None, digest).canonical
        request = gateway_pb2.ResolveImageConfigRequest(
            Ref=name, ResolverType=_OCI_LAYOUT, SessionID=self.session, StoreID=store
        )
        image = self._resolve(request, platform, log_name)
        return ResolvedImage(name, image.digest or digest, image.config, store)

    def _resolve(
        self, request: gateway_pb2.ResolveImageConfigRequest, platform: Platform, log_name: str
    ) -> ResolvedImage:
        request.Platform.CopyFrom(platform_message(platform))
        request.ResolveMode = self.options.get("image-resolve-mode", "default")
        request.LogName = log_name or f"[internal] load metadata for {request.Ref}"
        answer = self.call("ResolveImageConfig", request, gateway_pb2.ResolveImageConfigResponse)
        name = reference.parse(answer.Ref or request.Ref)
        pinned = reference.Reference(name.domain, name.path, name.tag, answer.Digest or name.digest)
        return ResolvedImage(pinned.canonical, answer.Digest, answer.Config)

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        """Read a file, in pieces: the size of a message is limited."""
        ref, data = self.solve(edge), b""
        while True:
            length = _PIECE if limit is None else min(_PIECE, limit - len(data))
            span = gateway_pb2.FileRange(Offset=len(data), Length=length)
            request = gateway_pb2.ReadFileRequest(Ref=ref, FilePath=path, Range=span)
            piece = self._read("ReadFile", request, gateway_pb2.ReadFileResponse).Data
            data += piece
            if len(piece) < _PIECE or len(data) == limit:
                return data

    def stat(self, edge: Edge, path: str) -> FileStat:
        request = gateway_pb2.StatFileRequest(Ref=self.solve(edge), Path=path)
        entry = self._read("StatFile", request, gateway_pb2.StatFileResponse).stat
        return FileStat(entry.path, _mode(entry.mode), entry.size, entry.linkname)

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        request = gateway_pb2.ReadDirRequest(Ref=self.solve(edge), DirPath=path)
        entries = self._read("ReadDir", request, gateway_pb2.ReadDirResponse).entries
        return [FileStat(entry.path, _mode(entry.mode), entry.size, entry.linkname) for entry in entries]

    def _read(self, name: str, request: Message, response: type[M]) -> M:
        """Read a piece of a file. Raises FileNotFoundError, UserError."""
        try:
            return self.call(name, request, response)
        except UserError as error:
            if any(text in str(error) for text in _ABSENT):
                path: str = getattr(request, "FilePath", "") or getattr(request, "DirPath", "")
                raise FileNotFoundError(path or getattr(request, "Path", "")) from None
            raise

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        """Return the time of a commit, or of an HTTP source's Last-Modified; builders don't look into archives for
        it."""
        op = edge.vertex.op
        assert isinstance(op, SourceOp)
        if not op.identifier.startswith(_TIMES):
            return None
        request = gateway_pb2.ResolveSourceMetaRequest(
            Source=ops_pb2.SourceOp(identifier=op.identifier, attrs=op.attrs), LogName=log_name
        )
        request.Git.ReturnObject = op.identifier.startswith("git://")
        answer = self.call("ResolveSourceMeta", request, gateway_pb2.ResolveSourceMetaResponse)
        if answer.HasField("HTTP") and answer.HTTP.HasField("LastModified"):
            return int(answer.HTTP.LastModified.seconds)
        return _commit_time(answer.Git.CommitObject)

    def warn(self, warning: Diagnostic) -> None:
        from pybuild.sdk.failures import warning_message

        self.call("Warn", warning_message(warning), gateway_pb2.WarnResponse)


def _edge(definition: ops_pb2.Definition) -> Edge | None:
    try:
        return decode_definition(definition.SerializeToString())
    except EmptyDefinition:
        return None


_GO_KINDS = (
    (1 << 31, 0o040000),  # directory
    (1 << 27, 0o120000),  # symbolic link
    (1 << 25, 0o010000),  # named pipe
    (1 << 24, 0o140000),  # socket
    (1 << 21, 0o020000),  # character device
    (1 << 26, 0o060000),  # device
)
_GO_BITS = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))


def _mode(mode: int) -> int:
    """Return a mode of Go's `os.FileMode` as a mode of the system."""
    kind = next((bits for bit, bits in _GO_KINDS if mode & bit), 0o100000)
    return kind | mode & 0o777 | sum(bits for bit, bits in _GO_BITS if mode & bit)


def _commit_time(commit: bytes) -> int | None:
    """Return the committer's time of a commit object."""
    for line in commit.split(b"\n\n", 1)[0].split(b"\n"):
        if line.startswith(b"committer "):
            return int(line.rsplit(b" ", 2)[1])
    return None
