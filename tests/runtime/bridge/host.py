"""A build whose frontend is the test: an engine in a process of its own, its gateway served on a socket.

    python -m buildkit.bridge.host SOCKET STORE DIRECTORIES [ENTITLEMENTS]

DIRECTORIES are JSON of local sources' names and paths. `ready` is said when the socket is; a line on standard input
ends it, and then what came of it is said in JSON: what was returned, the notices and warnings, the logs of vertices.
"""

from __future__ import annotations

import json
import os
import sys
import threading

from pybuild.compiler.gateway import Result
from pybuild.compiler.protos.worker_pb2 import WorkerRecord
from pybuild.frontends.gateway import make_gateway
from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.session.secrets import SecretSource
from pybuild.runtime.solver.types import Cancellation

SECRET = "hunter2"


class Noting(Observer):
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[list[str]] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def warning(self, vertex: str, warning: Diagnostic) -> None:
        places = [label.span.place for label in warning.labels]
        self.warnings.append([vertex, warning.title, *places, *(text for _, text in warning.notes)])


def main(socket: str, store: str, directories: str, entitlements: str = "") -> None:
    observer, cancellation = Noting(), Cancellation()
    os.environ["BRIDGE_SECRET"] = SECRET
    client = LocalClient(
        directories={name: os.fsencode(path) for name, path in json.loads(directories).items()},
        secrets=[SecretSource("word", variable="BRIDGE_SECRET")],
    )
    options = EngineOptions(store, client=client, allow=frozenset(entitlements.split()))
    engine = Engine(options, observer, cancellation)
    try:
        from pybuild.runtime.bridge import service

        gateway = make_gateway(engine, observer)
        served = service.serve(gateway, socket, worker=WorkerRecord(ID="here", Labels={"a": "b"}))
        print("ready", flush=True)
        sys.stdin.readline()
        served.stop()
        returned = served.returned()
    finally:
        engine.close()
    said = {
        "returned": _told(returned),
        "notices": observer.notices,
        "warnings": observer.warnings,
        "threads": _left(),
    }
    print(json.dumps(said), flush=True)


def _left() -> list[str]:
    """Return the names of the threads of calls that go on. Those that have only to return get the time for it."""
    calls = [one for one in threading.enumerate() if one.name.startswith(("call", "container"))]
    for one in calls:
        one.join(5)
    return sorted(one.name for one in calls if one.is_alive())


def _told(returned: object) -> object:
    if not isinstance(returned, Result):
        return None if returned is None else {"error": str(returned)}
    edges = {"": returned.edge} if returned.edges is None else returned.edges
    return {
        "edges": {key: edge is not None and edge.vertex.digest for key, edge in edges.items()},
        "metadata": {name: value.decode() for name, value in returned.metadata.items()},
        "attestations": {
            key: [one.path for one in several] for key, several in returned.attestations.items()
        },
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
