"""Processes in containers on the wire: one call of `ExecProcess`, with any number of them.

The messages of a process come in this order: Started, File as it writes, Exit, File with EOF of each descriptor,
Done. A frontend writes to descriptor 0 alone, and reads the descriptors that it requested. The process itself
has only the first three, as in BuildKit.
"""

from __future__ import annotations

import signal
import threading

from pybuild.compiler.ops import SecretEnv, SecurityMode
from pybuild.compiler.protos import gateway_pb2 as pb
from pybuild.runtime.bridge.running import Listener, ProcessRequest
from pybuild.runtime.bridge.statuses import EXISTS, INVALID, NOT_FOUND, OUT_OF_RANGE, CallRefused, ExitFailed
from pybuild.runtime.session.outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from google.rpc.status_pb2 import Status

    from pybuild.runtime.bridge.container import Container
    from pybuild.runtime.bridge.running import Running
    from pybuild.runtime.solver.types import Cancellation

    StatusOf = Callable[[BaseException], Status]

_ROOM = 64
"""Messages that wait for the frontend to read them."""
_UNKNOWN = 255
"""Exit code of a process that was never started."""


class ExecStream:
    """A call of `ExecProcess`. `container` returns a container by its id."""

    def __init__(self, container: Callable[[str], Container], status_of: StatusOf) -> None:
        self._container = container
        self._status_of = status_of
        self._outbox: Outbox[pb.ExecMessage] = Outbox(_ROOM)
        self._streamed: dict[str, _Streamed] = {}
        self._guard = threading.Lock()
        self._going = 1
        """Running processes, and one more while the frontend may send messages."""

    def run(self, incoming: Iterator[pb.ExecMessage], cancellation: Cancellation) -> Iterator[pb.ExecMessage]:
        """Yield the messages for the frontend. Raises UserError for an invalid message. All processes begun
        here end then, as they do when the frontend gives the call up."""
        forget = cancellation.on_cancel(self._end)
        threading.Thread(target=self._read, args=(incoming,), name="container calls", daemon=True).start()
        try:
            yield from self._outbox
        finally:
            forget()
            self._end()

    def _end(self) -> None:
        self._outbox.end()
        with self._guard:
            streamed = list(self._streamed.values())
        for one in streamed:
            one.kill()

    def _read(self, incoming: Iterator[pb.ExecMessage]) -> None:
        try:
            for message in incoming:
                self._take(message)
        except BaseException as error:
            self._outbox.close(error)
        finally:
            for one in list(self._streamed.values()):
                one.end_input()
            self._one_less()

    def _one_less(self) -> None:
        with self._guard:
            self._going -= 1
            left = self._going
        if not left:
            self._outbox.close()

    def _take(self, message: pb.ExecMessage) -> None:
        if not message.ProcessID:
            raise CallRefused(INVALID, "ProcessID required")
        kind = message.WhichOneof("Input")
        if kind == "Init":
            self._start(message.ProcessID, message.Init)
        elif kind in ("File", "Resize", "Signal"):
            self._known(message.ProcessID).take(message)

    def _known(self, id: str) -> _Streamed:
        streamed = self._streamed.get(id)
        if streamed is None:
            raise CallRefused(NOT_FOUND, f'IO for process "{id}" not found')
        return streamed

    def _start(self, id: str, init: pb.InitMessage) -> None:
        if id in self._streamed:
            raise CallRefused(EXISTS, f"Process {id} already exists")
        container = self._container(init.ContainerID)
        streamed = _Streamed(id, init, self._outbox, self._status_of, self._one_less)
        with self._guard:
            self._streamed[id] = streamed
            self._going += 1
        try:
            streamed.start(container)
        except BaseException:
            self._one_less()
            raise


class _Streamed(Listener):
    """A process of the call. `over` is called after its last message was sent."""

    def __init__(
        self,
        id: str,
        init: pb.InitMessage,
        outbox: Outbox[pb.ExecMessage],
        status_of: StatusOf,
        over: Callable[[], None],
    ) -> None:
        self._id = id
        self._init = init
        self._outbox = outbox
        self._status_of = status_of
        self._over = over
        self._guard = threading.Lock()
        self._hurried = False
        self._killed = False
        self._running: Running | None = None

    def start(self, container: Container) -> None:
        """Raises UserError."""
        running = container.start(_asked(self._init), self)
        with self._guard:
            self._running = running
            killed = self._killed
        if killed:
            running.kill()

    def take(self, message: pb.ExecMessage) -> None:
        """Raises UserError."""
        running = self._running
        assert running is not None
        if message.HasField("File"):
            self._write(running, message.File)
        elif message.HasField("Resize"):
            running.resize(message.Resize.Rows, message.Resize.Cols)
        else:
            running.signal(signal_number(message.Signal.Name))

    def _write(self, running: Running, file: pb.FdMessage) -> None:
        if file.Fd != 0 or running.input is None or running.input.ended:
            raise CallRefused(OUT_OF_RANGE, f"fd {file.Fd} unavailable to write")
        running.input.write(file.Data)
        if file.EOF:
            running.input.end()

    def end_input(self) -> None:
        if self._running is not None and self._running.input is not None:
            self._running.input.end()

    def kill(self) -> None:
        with self._guard:
            self._killed = True
            running = self._running
        if running is not None:
            running.kill()

    # What its listener hears

    def started(self) -> None:
        self._send(Started=pb.StartedMessage())

    def written(self, stream: int, data: bytes) -> None:
        if stream in self._init.Fds:
            self._send(File=pb.FdMessage(Fd=stream, Data=data))

    def hurry(self) -> None:
        self._hurried = True
        self._outbox.wake()

    def ended(self, error: BaseException | None) -> None:
        self._send(Exit=self._exit(error))
        for fd in dict.fromkeys(self._init.Fds):
            if fd:
                self._send(File=pb.FdMessage(Fd=fd, EOF=True))
        self._send(Done=pb.DoneMessage())
        self._over()

    def _exit(self, error: BaseException | None) -> pb.ExitMessage:
        if error is None:
            return pb.ExitMessage()
        code = error.exit if isinstance(error, ExitFailed) else _UNKNOWN
        return pb.ExitMessage(Code=code, Error=self._status_of(error))

    def _send(self, **what: Any) -> None:
        self._outbox.put(pb.ExecMessage(ProcessID=self._id, **what), lambda: self._hurried)


def _asked(init: pb.InitMessage) -> ProcessRequest:
    return ProcessRequest(
        tuple(init.Meta.args),
        tuple(init.Meta.env),
        init.Meta.cwd,
        init.Meta.user,
        tuple(SecretEnv(one.ID, one.name, one.optional) for one in init.secretenv),
        SecurityMode(init.Security),
        stubs=init.Meta.removeMountStubsRecursive,
        terminal=init.Tty,
        reads=0 in init.Fds,
    )


def signal_number(name: str) -> int:
    """Return the number of a signal by its name, with or without SIG. Raises CallRefused."""
    word, sign, more = name.removeprefix("SIG").partition("+" if "+" in name else "-")
    known = getattr(signal.Signals, "SIG" + word, None)
    if known is None or (sign and not (word in ("RTMIN", "RTMAX") and more.isdecimal())):
        raise CallRefused(INVALID, f"Unknown signal {name}")
    return int(known) + int(f"{sign}{more}" or 0)
