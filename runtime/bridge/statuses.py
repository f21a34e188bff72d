"""Errors of a build as `google.rpc.Status`, in BuildKit's words and with its typed details, and back.

Users of the command line and clients get different texts: clients compare messages with BuildKit's, and show
the place of an error themselves, from its details. Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from pybuild.compiler.gateway import UnsupportedCapability, UnsupportedSubrequest
from pybuild.compiler.ops import Copy, ExecOp, FileOp, MountType, SourceOp
from pybuild.compiler.protos import errdefs_pb2, gateway_pb2, ops_pb2, policy_pb2, policysession_pb2
from pybuild.lang.diagnostics import Cancelled, Diagnostic, Label, UserError
from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.bridge.details import packed, sources, spans_of, unpacked
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.files.failures import SourceNotFound
from pybuild.runtime.ops.origin import CONTENT, KEY, Origin
from pybuild.runtime.policy.rules import SourceDenied
from pybuild.runtime.registry.errors import AccessDenied, NotFound
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.session.calls import CallFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from pybuild.compiler.graph import Vertex
    from pybuild.lang.source import Span

    Register = Callable[[int | None], str]
    """The id under which a client may name a snapshot, for a mount of a container say; "" for None."""

CANCELLED, UNKNOWN, INVALID, NOT_FOUND, EXISTS = 1, 2, 3, 5, 6
OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 11, 12, 13, 14
"""gRPC's codes. Most errors of a build are UNKNOWN in BuildKit."""
_SHORT = 12
"""Hexadecimal digits that identify a state in a message."""


class ReceivedError(UserError):
    """An error that a frontend or a client sent; `status` is the whole message, `code` is gRPC's."""

    def __init__(self, diagnostic: Diagnostic, status: bytes, code: int) -> None:
        super().__init__(diagnostic)
        self.status = status
        self.code = code


class CallRefused(UserError):
    """A refused call, in BuildKit's words. `code` is gRPC's."""

    def __init__(self, code: int, title: str) -> None:
        super().__init__(title)
        self.code = code


class ExitFailed(UserError):
    """A process of a frontend's container has failed with the code `exit`, or was killed (`cancelled`)."""

    def __init__(self, exit: int, *, cancelled: bool = False) -> None:
        super().__init__(f"exit code: {exit}: context canceled" if cancelled else f"exit code: {exit}")
        self.exit = exit
        self.code = CANCELLED if cancelled else UNKNOWN


class SourceFailed(UserError):
    """An error while the source `identifier` was resolved; `before` is put before its message."""

    def __init__(self, error: UserError, identifier: str, before: str = "") -> None:
        super().__init__(error.diagnostic)
        self.error = error
        self.identifier = identifier
        self.before = before


class SolveFailed(UserError):
    """An error of a Solve. Its status has an `errdefs.Solve`, which clients expect, an empty one if no op
    failed."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.diagnostic)
        self.error = error


def status_of(error: BaseException, *, identifier: str = "", register: Register | None = None) -> Status:
    """Return the status of an error. `identifier` is the source in question, if no vertex tells; with
    `register` the client gets ids of the inputs and outputs of a failed step (`errdefs.Solve`)."""
    if isinstance(error, ReceivedError):
        return Status.FromString(error.status)
    if isinstance(error, SolveFailed):
        status = status_of(error.error, register=register)
        if not any(isinstance(unpacked(one), errdefs_pb2.Solve) for one in status.details):
            status.details.insert(0, packed(errdefs_pb2.Solve()))
        return status
    if isinstance(error, SourceFailed):
        status = status_of(error.error, identifier=error.identifier, register=register)
        status.message = error.before + status.message
        return status
    status = Status(code=_code(error), message=_text(message_of(error, identifier)))
    if isinstance(error, UserError) and not isinstance(error, Cancelled):
        status.details.extend(packed(one) for one in _details(error, register))
    return status


def error_of(status: Status) -> UserError:
    """Return a status as an error, whose labels are the places that it names. `status_of` is the inverse."""
    if status.code == CANCELLED:
        return Cancelled(status.message or "context canceled")
    details = [unpacked(one) for one in status.details]
    spans = [span for one in details if isinstance(one, errdefs_pb2.Source) for span in spans_of(one)]
    labels = [Label(span, primary=number == 0) for number, span in enumerate(spans)]
    title = status.message or f"the frontend failed with code {status.code}"
    return ReceivedError(
        Diagnostic(title, labels=labels), status.SerializeToString(deterministic=True), status.code
    )


def message_of(error: BaseException, identifier: str = "") -> str:
    """Return the message of an error in BuildKit's words."""
    if isinstance(error, Cancelled):
        return "context canceled"
    if not isinstance(error, UserError):
        return f"{type(error).__name__}: {error}"
    origin = error.origin if isinstance(error.origin, Origin) else None
    if origin is not None and isinstance(origin.vertex.op, SourceOp):
        identifier = identifier or origin.vertex.op.identifier
    text = _said(error, identifier)
    if origin is None:
        return text
    if _of_content(error, origin):
        return f"failed to compute cache key: failed to calculate checksum of ref {_ref(origin)}: {text}"
    if origin.phase == KEY:
        return f"failed to load cache key: {text}"
    if isinstance(error, SandboxError) and isinstance(origin.vertex.op, ExecOp):
        command = " ".join(origin.vertex.op.meta.args)
        return f"process {quote(command)} did not complete successfully: {text}"
    return text


def _text(text: str) -> str:
    """Replace what UTF-8 can't encode: a file name in a message may be no text."""
    return text.encode("utf-8", "replace").decode()


def _said(error: UserError, identifier: str) -> str:
    title = error.diagnostic.buildkit or str(error)
    scheme, _, ref = identifier.partition("://")
    if scheme == "docker-image" and isinstance(error, NotFound):
        return f"{ref}: not found"
    if scheme == "docker-image" and isinstance(error, AccessDenied):
        return (
            "pull access denied, repository does not exist or may require authorization: "
            f"server message: {title}"
        )
    return title


def _ref(origin: Origin) -> str:
    """Return a name for the state whose content was read."""
    edges, index = origin.vertex.inputs, _input(origin)
    vertex = edges[index].vertex if index < len(edges) else origin.vertex
    short = vertex.digest.partition(":")[2]
    return f"{short[:_SHORT]}::{short[_SHORT : 2 * _SHORT]}"


def _code(error: BaseException) -> int:
    if isinstance(error, Cancelled):
        return CANCELLED
    if isinstance(error, (CallFailed, CallRefused, ExitFailed)):
        return error.code or UNKNOWN
    if isinstance(error, UnsupportedCapability):
        return UNIMPLEMENTED
    return UNKNOWN if isinstance(error, UserError) else INTERNAL


def _details(error: UserError, register: Register | None) -> Iterator[Message]:
    """Yield the details of an error, the outermost first, in the order in which BuildKit unwraps its
    errors."""
    if isinstance(error, UnsupportedCapability):
        yield errdefs_pb2.FrontendCap(name=error.name)
    if isinstance(error, UnsupportedSubrequest):
        yield errdefs_pb2.Subrequest(name=error.name)
    if isinstance(error, SourceDenied) and error.reasons:
        reasons = [policysession_pb2.DenyMessage(message=one) for one in error.reasons]
        yield policysession_pb2.DecisionResponse(action=policy_pb2.DENY, denyMessages=reasons)
    vertex = _vertex(error)
    if register is not None and vertex is not None:
        yield _solve(error, vertex, register)
    yield from reversed(list(sources(_places(error, vertex))))
    if vertex is not None:
        yield errdefs_pb2.Vertex(digest=vertex.digest)
    code = _exit(error)
    if code:
        yield gateway_pb2.ExitMessage(Code=code)


def _exit(error: UserError) -> int:
    """Return the exit code of a failed process, 0 for any other error."""
    if isinstance(error, ExitFailed):
        return error.exit
    return error.code if isinstance(error, StepFailed) else 0


def _vertex(error: UserError) -> Vertex | None:
    if isinstance(error.origin, Origin):
        return error.origin.vertex
    return error.vertex if isinstance(error, StepFailed) else None


def _places(error: UserError, vertex: Vertex | None) -> list[Span]:
    """Return the places of the vertex, else those of the message itself."""
    if vertex is not None and vertex.metadata.spans:
        return list(vertex.metadata.spans)
    return [
        label.span for one in error.messages if one.level == "error" for label in one.labels if label.primary
    ]


def _solve(error: UserError, vertex: Vertex, register: Register) -> errdefs_pb2.Solve:
    """Describe the failed op with ids of states: of a step's mounts, in order, the inputs and what was left
    in them; of a file op its inputs and, at the number of the failed action, what that has made; of content
    that could not be read the input."""
    detail = errdefs_pb2.Solve(
        op=ops_pb2.Op.FromString(vertex.payload), description=dict(vertex.metadata.description)
    )
    origin = error.origin if isinstance(error.origin, Origin) else None
    if isinstance(error, StepFailed) and isinstance(vertex.op, ExecOp) and error.mounts:
        for index, mount in enumerate(vertex.op.mounts):
            given, left = error.mounts.get(index, (None, None))
            detail.inputIDs.append(register(given))
            detail.mountIDs.append(register(left) if mount.mount_type == MountType.BIND else "")
    elif origin is not None and _of_content(error, origin):
        detail.cache.index = _input(origin)
        detail.inputIDs.append(register(origin.input(detail.cache.index)))
    elif origin is not None and isinstance(vertex.op, FileOp):
        detail.file.index = origin.index
        detail.inputIDs.extend(register(origin.input(index)) for index in range(len(vertex.inputs)))
        made = {origin.index: register(origin.left)}
        detail.mountIDs.extend(made.get(number, "") for number in range(len(vertex.op.actions)))
    return detail


def _of_content(error: UserError, origin: Origin) -> bool:
    """Return whether BuildKit finds the error before it runs the op: a file of an input is missing."""
    op = origin.vertex.op
    if origin.phase == CONTENT or not isinstance(error, SourceNotFound):
        return origin.phase == CONTENT
    if not isinstance(op, FileOp):
        return True
    action = op.actions[origin.index]
    return isinstance(action.action, Copy) and action.secondary_input < len(origin.vertex.inputs)


def _input(origin: Origin) -> int:
    """Return the number of the input whose content was read."""
    op = origin.vertex.op
    if origin.phase == CONTENT or not isinstance(op, FileOp):
        return origin.index
    return max(op.actions[origin.index].secondary_input, 0)
