"""Errors of a build as `google.rpc.Status`, in BuildKit's words and with its typed details, and back.

What a user reads here and what a client is told differ: a client compares messages with BuildKit's, and shows the
place of an error itself, from its details. Needs the extra `pybuild[buildkit]`.
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
"""Hexadecimal digits that tell a state apart in a message."""


class ReceivedError(UserError):
    """What a frontend or a client said went wrong; `status` is that, whole. `code` is gRPC's."""

    def __init__(self, diagnostic: Diagnostic, status: bytes, code: int) -> None:
        super().__init__(diagnostic)
        self.status = status
        self.code = code


class CallRefused(UserError):
    """A call asks for what can't be, in BuildKit's words. `code` is gRPC's."""

    def __init__(self, code: int, title: str) -> None:
        super().__init__(title)
        self.code = code


class ExitFailed(UserError):
    """A process of a frontend's container has ended with the code `exit`, or had to be ended (`cancelled`)."""

    def __init__(self, exit: int, *, cancelled: bool = False) -> None:
        super().__init__(f"exit code: {exit}: context canceled" if cancelled else f"exit code: {exit}")
        self.exit = exit
        self.code = CANCELLED if cancelled else UNKNOWN


class SourceFailed(UserError):
    """What went wrong (`error`) when the source `identifier` was asked about; `before` comes before its message."""

    def __init__(self, error: UserError, identifier: str, before: str = "") -> None:
        super().__init__(error.diagnostic)
        self.error = error
        self.identifier = identifier
        self.before = before


class SolveFailed(UserError):
    """What went wrong (`error`) in a Solve. Its status has an `errdefs.Solve` as clients expect, which tells nothing
    where no op failed."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.diagnostic)
        self.error = error


def status_of(error: BaseException, *, identifier: str = "", register: Register | None = None) -> Status:
    """The status of an error. `identifier` is the source that was asked about, where no vertex tells; with `register`
    the client gets ids of what a failed step was given and left (`errdefs.Solve`)."""
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
    """The error that a status is, with the places it names as those of the message. `status_of` gives it back."""
    if status.code == CANCELLED:
        return Cancelled(status.message or "context canceled")
    found = [unpacked(one) for one in status.details]
    spans = [span for one in found if isinstance(one, errdefs_pb2.Source) for span in spans_of(one)]
    labels = [Label(span, primary=number == 0) for number, span in enumerate(spans)]
    title = status.message or f"the frontend failed with code {status.code}"
    return ReceivedError(
        Diagnostic(title, labels=labels), status.SerializeToString(deterministic=True), status.code
    )


def message_of(error: BaseException, identifier: str = "") -> str:
    """What is said of an error, in BuildKit's words."""
    if isinstance(error, Cancelled):
        return "context canceled"
    if not isinstance(error, UserError):
        return f"{type(error).__name__}: {error}"
    origin = error.origin if isinstance(error.origin, Origin) else None
    if origin is not None and isinstance(origin.vertex.op, SourceOp):
        identifier = identifier or origin.vertex.op.identifier
    said = _said(error, identifier)
    if origin is None:
        return said
    if _of_content(error, origin):
        return f"failed to compute cache key: failed to calculate checksum of ref {_ref(origin)}: {said}"
    if origin.phase == KEY:
        return f"failed to load cache key: {said}"
    if isinstance(error, SandboxError) and isinstance(origin.vertex.op, ExecOp):
        command = " ".join(origin.vertex.op.meta.args)
        return f"process {quote(command)} did not complete successfully: {said}"
    return said


def _text(said: str) -> str:
    """What a message on the wire can hold: a name in it may be no text."""
    return said.encode("utf-8", "replace").decode()


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
    """A name for the state whose content was looked at."""
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
    """The outermost first, as an error of BuildKit's is unwrapped."""
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
    """The exit code of a process that failed, 0 for what is no such failure."""
    if isinstance(error, ExitFailed):
        return error.exit
    return error.code if isinstance(error, StepFailed) else 0


def _vertex(error: UserError) -> Vertex | None:
    if isinstance(error.origin, Origin):
        return error.origin.vertex
    return error.vertex if isinstance(error, StepFailed) else None


def _places(error: UserError, vertex: Vertex | None) -> list[Span]:
    """Where the vertex comes from, else what the message itself points at."""
    if vertex is not None and vertex.metadata.spans:
        return list(vertex.metadata.spans)
    return [
        label.span for one in error.messages if one.level == "error" for label in one.labels if label.primary
    ]


def _solve(error: UserError, vertex: Vertex, register: Register) -> errdefs_pb2.Solve:
    """The op that failed, with the ids of states: of a step's mounts, in their order, what was mounted and what it
    left there; of a file op its inputs and, at the number of the action that failed, what that has made; of a content
    that could not be looked at that input."""
    found = errdefs_pb2.Solve(
        op=ops_pb2.Op.FromString(vertex.payload), description=dict(vertex.metadata.description)
    )
    origin = error.origin if isinstance(error.origin, Origin) else None
    if isinstance(error, StepFailed) and isinstance(vertex.op, ExecOp) and error.mounts:
        for index, mount in enumerate(vertex.op.mounts):
            given, left = error.mounts.get(index, (None, None))
            found.inputIDs.append(register(given))
            found.mountIDs.append(register(left) if mount.mount_type == MountType.BIND else "")
    elif origin is not None and _of_content(error, origin):
        found.cache.index = _input(origin)
        found.inputIDs.append(register(origin.input(found.cache.index)))
    elif origin is not None and isinstance(vertex.op, FileOp):
        found.file.index = origin.index
        found.inputIDs.extend(register(origin.input(index)) for index in range(len(vertex.inputs)))
        made = {origin.index: register(origin.left)}
        found.mountIDs.extend(made.get(number, "") for number in range(len(vertex.op.actions)))
    return found


def _of_content(error: UserError, origin: Origin) -> bool:
    """Whether it is what BuildKit finds out before it runs an op: that a file of an input is not there."""
    op = origin.vertex.op
    if origin.phase == CONTENT or not isinstance(error, SourceNotFound):
        return origin.phase == CONTENT
    if not isinstance(op, FileOp):
        return True
    action = op.actions[origin.index]
    return isinstance(action.action, Copy) and action.secondary_input < len(origin.vertex.inputs)


def _input(origin: Origin) -> int:
    """The number of the input whose content was looked at."""
    op = origin.vertex.op
    if origin.phase == CONTENT or not isinstance(op, FileOp):
        return origin.index
    return max(op.actions[origin.index].secondary_input, 0)
