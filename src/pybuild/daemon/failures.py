"""Converts a worker's errors to gRPC statuses for the client."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import DEBUG, Cancelled, UserError

CANCELLED, UNKNOWN = 1, 2


def status_bytes(error: BaseException, *, cancelled: bool = False) -> bytes:
    """Return the google.rpc.Status of an error. Any error of a cancelled task counts as its cancellation."""
    if cancelled and not isinstance(error, Cancelled):
        error = Cancelled("context canceled")
    try:
        from pybuild.runtime.bridge.statuses import status_of
    except ImportError:
        return _plain(error)
    if not isinstance(error, UserError):
        error = _user_error(error)
    return bytes(status_of(error).SerializeToString())


def _plain(error: BaseException) -> bytes:
    from google.rpc.status_pb2 import Status

    code = CANCELLED if isinstance(error, Cancelled) else UNKNOWN
    return bytes(Status(code=code, message=str(error)).SerializeToString())


def _user_error(error: BaseException) -> UserError:
    """Return an error of the machine in words for the user. A bug's traceback goes to the daemon's log too."""
    from pybuild.build import errors

    diagnostic, _ = errors.explain(error)
    if diagnostic is None or diagnostic.level.startswith("internal") or os.environ.get(DEBUG) == "1":
        import traceback

        traceback.print_exception(error)
    return UserError(diagnostic if diagnostic is not None else str(error))
