"""The front process, which clients connect to. It has one thread, an event loop, and gRPC's asyncio server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time

import grpc
from grpc_health.v1 import health

from pybuild.compiler.protos import control_pb2
from pybuild.daemon import addresses, content
from pybuild.daemon.control import Control
from pybuild.daemon.debugging import Debugging
from pybuild.daemon.proxy import SERVER
from pybuild.daemon.records import Records
from pybuild.daemon.services import Passing, service
from pybuild.daemon.sessions import Sessions
from pybuild.daemon.workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pybuild.daemon.addresses import Address
    from pybuild.daemon.journal import Journal
    from pybuild.daemon.proxy import Context
    from pybuild.daemon.settings import Settings

ENDING = 0.9
"""Seconds from SIGTERM to the end of the last process."""
PATIENCE = 3.0
"""Seconds after which a daemon that hangs while it ends is killed."""
_BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"
_TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class FrontProcess:
    """Serves until SIGTERM or SIGINT. `directory` is private to the daemon; `fork_server` is the pid of the fork
    server and the socket to it."""

    def __init__(
        self, settings: Settings, journal: Journal, directory: str, fork_server: tuple[int, socket.socket]
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._directory = directory
        self._fork_server = fork_server
        self._stop = asyncio.Event()

    async def run(self, places: Sequence[Address]) -> int:
        """Serve at these addresses; return the exit code. Raises UsageError and OSError for an address that can't
        be bound."""
        loop = asyncio.get_running_loop()
        workers = Workers(*self._fork_server)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        sessions = Sessions()
        records = Records(self._settings)
        inner_path = os.path.join(self._directory, "front")
        control = Control(
            self._settings, workers, sessions, records, self._journal, self._directory, inner_path
        )
        outer = grpc.aio.server(options=SERVER)
        outer.add_generic_rpc_handlers(_services(control, self._settings.root))
        health_grpc = health._health_pb2_grpc  # its module registers by generated code alone
        health_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), outer)
        debugging = Debugging(
            lambda: {"builds": control.builds, "sessions": sessions.count, "workers": workers.count}
        )
        listening = addresses.Listening()
        try:
            if self._settings.debug_address:
                await debugging.listen(self._settings.debug_address)
            await sessions.listen(inner_path)
            # Last, since an address accepts connections from here on.
            listening.add(outer, places, self._settings)
            await outer.start()
            for place in listening.bound:
                self._journal.info(f"running server on {place}")
            _notify("READY=1")
            # Not earlier: the imports would take the CPU from a start that clients wait for.
            workers.prepare()
            return await self._until_stopped(workers)
        finally:
            _notify("STOPPING=1")
            threading.Thread(target=self._end_anyway, daemon=True, name="end").start()
            # The sockets go first, so that no client connects to a daemon that is ending.
            listening.close()
            debugging.close()
            await workers.close(ENDING)
            sessions.close()
            await outer.stop(None)
            await control.close()
            records.close()

    def _end_anyway(self) -> None:
        """End the process even if something hangs. The workers have ended by then, and the fork server removes the
        directory."""
        time.sleep(PATIENCE)
        self._journal.error("the daemon did not end in time, and is ended")
        os._exit(1)

    async def _until_stopped(self, workers: Workers) -> int:
        waits = [asyncio.create_task(self._stop.wait()), asyncio.create_task(workers.lost.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._stop.is_set():
            return 0
        self._journal.error("the process that forks workers has ended: the daemon can't go on without it")
        return 1


def _services(control: Control, root: str) -> tuple[grpc.GenericRpcHandler, ...]:
    described = control_pb2.DESCRIPTOR.services_by_name["Control"]
    return (
        service(described, control),
        Passing(_BRIDGE, control.bridge),
        Passing(_TRACES, _take_traces),
        content.handler(root),
    )


async def _take_traces(method: str, requests: AsyncIterator[bytes], context: Context) -> None:
    """Accept traces and drop them."""
    async for _ in requests:
        pass
    await context.write(b"")


def _notify(state: str) -> None:
    """Notify systemd of a state, if it started the daemon (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        try:
            end.connect("\0" + path[1:] if path.startswith("@") else path)
            end.send(state.encode())
        except OSError:
            pass
