"""A gRPC server for one peer, on a unix socket, whose calls may wait for one another: each has a thread of its own.

Errors go out as `google.rpc.Status` with their details. Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from pybuild.compiler.services import methods
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.bridge.statuses import UNAVAILABLE, CallRefused
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.message import Message
    from google.rpc.status_pb2 import Status

    from pybuild.compiler.services import Method

    StatusOf = Callable[[BaseException], Status]
    Context = grpc.ServicerContext

MOST_CALLS = 1000
"""Most calls at once; further ones are refused, never queued."""
LARGEST_MESSAGE = 16 << 20
"""Most bytes of an incoming message. Outgoing ones have no limit, as they hold files."""
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_metadata_size", LARGEST_MESSAGE),
    ("grpc.absolute_max_metadata_size", LARGEST_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.max_ping_strikes", 0),
)
_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_ANSWERING = 0.5
"""Seconds that calls have to end by themselves when the server does."""
_PATIENCE = 5.0
"""Seconds that cancelled calls have to end when the server does."""


class Server:
    """A server of the methods of `service` that `methods_of` has under their names. Each gets its request,
    or an iterator of them, and a cancellation that comes when the peer gives the call up. They may raise
    UserError, Cancelled; anything else is a bug and goes to stderr. `status_of` encodes errors for the
    peer."""

    def __init__(
        self, path: str, service: ServiceDescriptor, methods_of: object, status_of: StatusOf
    ) -> None:
        """Listen and accept calls. Raises OSError."""
        self._status_of = status_of
        self._ending = Cancellation()
        self._finished = threading.Event()
        self._threads = _Threads()
        threads: Any = self._threads  # the stubs ask for a pool, the library for an executor
        self._server = grpc.server(threads, options=_OPTIONS, maximum_concurrent_rpcs=MOST_CALLS)
        handlers = {
            name: self._handler(getattr(methods_of, name), one)
            for name, one in methods(service).items()
            if hasattr(methods_of, name)
        }
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service.full_name, handlers),)
        )
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), self._server)
        try:
            self._server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise OSError(f"{path}: {error}") from None
        self._server.start()

    def finish(self) -> None:
        """Refuse new calls, cancel those that don't end soon, and wait for all. The connection stays open: a
        peer that writes to a closed one loses the answers that it has not read yet. Idempotent."""
        self._finished.set()
        if not self._threads.join(_ANSWERING):
            self._ending.cancel()
            self._threads.join(_PATIENCE)

    def stop(self) -> None:
        """Finish, and close the connection. Idempotent."""
        self.finish()
        self._server.stop(_ANSWERING).wait()
        # A call whose peer reads nothing ends only now, with its connection.
        self._threads.join(_PATIENCE)

    def _handler(self, behaviour: Callable[..., Any], method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        reading, writing = method.request.FromString, _encoded
        if method.server_streaming:
            assert method.client_streaming
            many: Any = partial(self._many, behaviour)
            return grpc.stream_stream_rpc_method_handler(many, reading, writing)
        one: Any = partial(self._one, behaviour)
        return grpc.unary_unary_rpc_method_handler(one, reading, writing)

    def _one(self, behaviour: Callable[..., Message], request: Message, context: Context) -> Message:
        try:
            with self._call(context) as cancellation:
                return behaviour(request, cancellation)
        except BaseException as error:
            self._fail(error, context)
            raise

    def _many(
        self, behaviour: Callable[..., Iterator[Message]], requests: Iterator[Message], context: Context
    ) -> Iterator[Message]:
        try:
            with self._call(context) as cancellation:
                try:
                    yield from behaviour(_until_gone(requests, context), cancellation)
                finally:
                    cancellation.cancel()
        # The peer is gone: there is nobody to send an error to.
        except GeneratorExit:
            raise
        except BaseException as error:
            self._fail(error, context)
            raise

    @contextmanager
    def _call(self, context: Context) -> Iterator[Cancellation]:
        """Yield a call's cancellation, which comes from its peer or the server's end. Raises CallRefused
        after `finish`."""
        cancellation = Cancellation()
        if self._finished.is_set():
            raise CallRefused(UNAVAILABLE, "the build has its result, and takes no more calls")
        # False: the call has already ended.
        if not context.add_callback(cancellation.cancel):
            cancellation.cancel()
        forget = self._ending.on_cancel(cancellation.cancel)
        try:
            yield cancellation
        finally:
            forget()

    def _fail(self, error: BaseException, context: Context) -> None:
        """End the call with an error. Always raises."""
        if not isinstance(error, UserError):
            traceback.print_exception(error)
        status = self._status_of(error)
        # gRPC's own status has no details: Go's clients read them from this trailer.
        if status.details:
            context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
        context.abort(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message)


def _until_gone(requests: Iterator[Message], context: Context) -> Iterator[Message]:
    """Yield the messages of a peer. Raises Cancelled when it has given the call up."""
    try:
        yield from requests
    except Exception:
        if context.is_active():
            raise
        raise Cancelled from None


def _encoded(message: Message) -> bytes:
    return message.SerializeToString()


class _Threads(Executor):
    """An executor that starts a thread for each call: calls wait for one another, so that a bounded pool
    could deadlock."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._alive: set[threading.Thread] = set()

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        thread = threading.Thread(
            target=self._run, args=(future, partial(work, *args, **options)), daemon=True, name="call"
        )
        with self._guard:
            self._alive.add(thread)
        thread.start()
        return future

    def _run(self, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        finally:
            with self._guard:
                self._alive.discard(threading.current_thread())

    def join(self, seconds: float) -> bool:
        """Wait up to `seconds` for all threads. Returns whether they have ended."""
        end = time.monotonic() + seconds
        with self._guard:
            left = list(self._alive)
        for thread in left:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in left)
