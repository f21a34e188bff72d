"""Containers of a frontend: processes with their streams, and the files of mounts."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import frozen
from google.protobuf.message import Message
from google.rpc import status_pb2
from tests.daemon.client.calls import Calls
from tests.daemon.client.failure import Failure

from pybuild.compiler.protos import fsutil_pb2, gateway_pb2, ops_pb2

ExecMessage = gateway_pb2.ExecMessage
SECONDS = 30.0


class Container:
    """Made at once; release it, or use it as a context."""

    def __init__(self, calls: Calls, mounts: Sequence[ops_pb2.Mount], **fields: object) -> None:
        self.id = uuid.uuid4().hex
        self._calls = calls
        request = gateway_pb2.NewContainerRequest(ContainerID=self.id, Mounts=mounts)
        for name, value in fields.items():
            _set(request, name, value)
        calls.call("NewContainer", request, gateway_pb2.NewContainerResponse)

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Failure):
            self.release()

    def release(self) -> None:
        """End all its processes. Raises Failure, also for the exit code of its first process."""
        request = gateway_pb2.ReleaseContainerRequest(ContainerID=self.id)
        self._calls.call("ReleaseContainer", request, gateway_pb2.ReleaseContainerResponse)

    def start(
        self,
        *args: str,
        env: Sequence[str] = ("PATH=/bin:/usr/bin",),
        cwd: str = "/",
        user: str = "",
        tty: bool = False,
        stdin: bool = False,
        security: int = 0,
        secrets: Sequence[ops_pb2.SecretEnv] = (),
    ) -> Process:
        """A process: the first one is the container's, later ones join it."""
        fds = [1, 2] if not tty else [1]
        init = gateway_pb2.InitMessage(
            ContainerID=self.id,
            Meta=ops_pb2.Meta(args=args, env=env, cwd=cwd, user=user),
            Fds=[0, *fds] if stdin else fds,
            Tty=tty,
            Security=ops_pb2.SecurityMode.Name(security),
            secretenv=secrets,
        )
        return Process(self._calls, init)

    def run(self, *args: str, stdin: bytes | None = None, **options: object) -> Ended:
        """A process to its end."""
        process = self.start(*args, stdin=stdin is not None, **options)  # type: ignore[arg-type]
        if stdin is not None:
            process.write(stdin)
            process.end_input()
        return process.wait()

    def read_file(self, path: str, mount: int = 0) -> bytes:
        request = gateway_pb2.ReadFileRequest(Ref=self.id, FilePath=path, MountIndex=mount)
        return self._calls.call("ReadFileContainer", request, gateway_pb2.ReadFileResponse).Data

    def read_dir(self, path: str, pattern: str = "", mount: int = 0) -> list[fsutil_pb2.Stat]:
        request = gateway_pb2.ReadDirRequest(
            Ref=self.id, DirPath=path, IncludePattern=pattern, MountIndex=mount
        )
        return list(self._calls.call("ReadDirContainer", request, gateway_pb2.ReadDirResponse).entries)

    def stat(self, path: str, mount: int = 0) -> fsutil_pb2.Stat:
        request = gateway_pb2.StatFileRequest(Ref=self.id, Path=path, MountIndex=mount)
        return self._calls.call("StatFileContainer", request, gateway_pb2.StatFileResponse).stat


@frozen
class Ended:
    """How a process ended. `error` is what the daemon said of it, beside the code."""

    code: int
    out: bytes
    err: bytes
    error: status_pb2.Status | None = None


class Process:
    """A process in a container: what it prints is collected, and may be waited for."""

    def __init__(self, calls: Calls, init: gateway_pb2.InitMessage) -> None:
        self.id = uuid.uuid4().hex
        self.started = threading.Event()
        self.failure: Failure | None = None
        self._printed: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self._exit: gateway_pb2.ExitMessage | None = None
        self._done = False
        self._changed = threading.Condition()
        self._sends: queue.Queue[gateway_pb2.ExecMessage | None] = queue.Queue()
        self._send(Init=init)
        self._answers = calls.stream("ExecProcess", self._messages(), ExecMessage)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def write(self, data: bytes, fd: int = 0) -> None:
        self._send(File=gateway_pb2.FdMessage(Fd=fd, Data=data))

    def end_input(self, fd: int = 0) -> None:
        self._send(File=gateway_pb2.FdMessage(Fd=fd, EOF=True))

    def resize(self, rows: int, columns: int) -> None:
        self._send(Resize=gateway_pb2.ResizeMessage(Rows=rows, Cols=columns))

    def signal(self, name: str) -> None:
        """`TERM`, `KILL`, …"""
        self._send(Signal=gateway_pb2.SignalMessage(Name=name))

    def await_output(self, data: bytes, fd: int = 1) -> None:
        """Until it has printed `data`. Raises TimeoutError, Failure."""
        with self._changed:
            found = self._changed.wait_for(lambda: data in self._printed[fd] or self._done, SECONDS)
        if self.failure is not None:
            raise self.failure
        if not found or data not in self._printed[fd]:
            raise TimeoutError(f"no {data!r} in {bytes(self._printed[fd])!r}")

    def wait(self) -> Ended:
        """Its end. Raises Failure if the call failed, TimeoutError."""
        self._thread.join(SECONDS)
        self._sends.put(None)
        if self._thread.is_alive():
            self._answers.cancel()
            raise TimeoutError(f"still running: {self._printed}")
        if self.failure is not None:
            raise self.failure
        assert self._exit is not None, "no Exit before the end of the stream"
        error = self._exit.Error if self._exit.HasField("Error") else None
        return Ended(self._exit.Code, bytes(self._printed[1]), bytes(self._printed[2]), error)

    def hang_up(self) -> None:
        """End the call, whatever the process does."""
        self._answers.cancel()
        self._sends.put(None)

    def _send(self, **what: Message) -> None:
        message = ExecMessage(ProcessID=self.id)
        for name, value in what.items():
            _set(message, name, value)
        self._sends.put(message)

    def _messages(self) -> Iterator[gateway_pb2.ExecMessage]:
        while (message := self._sends.get()) is not None:
            yield message

    def _receive(self) -> None:
        try:
            for message in self._answers:
                self._take(message)
                if message.HasField("Done"):
                    break
        except Failure as failure:
            self.failure = failure
        finally:
            self._sends.put(None)
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _take(self, message: gateway_pb2.ExecMessage) -> None:
        kind = message.WhichOneof("Input")
        if kind == "Started":
            self.started.set()
        elif kind == "Exit":
            self._exit = message.Exit
        elif kind == "File":
            with self._changed:
                self._printed.setdefault(message.File.Fd, bytearray()).extend(message.File.Data)
                self._changed.notify_all()


def mount(ref: str, dest: str = "/", **fields: object) -> ops_pb2.Mount:
    """A bind mount of a ref's state in a container."""
    made = ops_pb2.Mount(dest=dest, resultID=ref, input=-1)
    for name, value in fields.items():
        _set(made, name, value)
    return made


def _set(message: Message, name: str, value: object) -> None:
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif isinstance(value, (list, tuple)):
        getattr(message, name).extend(value)
    elif isinstance(value, Mapping):
        getattr(message, name).update(value)
    else:
        setattr(message, name, value)
