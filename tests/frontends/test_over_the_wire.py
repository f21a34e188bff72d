"""Frontends of images, asked for by clients of a daemon: pybuild's, and Docker's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.daemon.client.control import Daemon
from tests.daemon.client.progress import Watch
from tests.daemon.client.sessions import Session
from tests.daemon.client.solving import Build, SolveFailed, solve
from tests.differential.bases import PLAIN, Bases
from tests.frontends.conftest import MARK
from tests.frontends.test_bad_frontends import running
from tests.support.daemons import Peer

from pybuild.compiler.protos import errdefs_pb2
from pybuild.compiler.state import State, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def frontend(bases: Bases, script: str, **config: object) -> str:
    """The reference of a frontend that is a shell script."""
    made = {**json.loads(PLAIN), "Entrypoint": ["/bin/sh", "-c", script], **config}
    return bases.reference(json.dumps({**made, "Labels": {"moby.buildkit.frontend.network.none": "1"}}))


def failed(daemon: Daemon, build: Build) -> SolveFailed:
    with pytest.raises(SolveFailed) as wrong:
        solve(daemon, build)
    return wrong.value


def test_one_that_crashes(peer: Peer, bases: Bases) -> None:
    source = frontend(bases, "echo out of luck >&2; exit 3")
    assert (
        "exit code: 3" in failed(peer.daemon, Build(frontend="gateway.v0", attrs={"source": source})).message
    )


def test_no_source(peer: Peer) -> None:
    assert "no source specified for gateway" in failed(peer.daemon, Build(frontend="gateway.v0")).message


def test_a_capability_that_it_lacks(peer: Peer, bases: Bases) -> None:
    build = Build(
        frontend="gateway.v0",
        attrs={"source": frontend(bases, "exit 1")},
        inputs={"context": State.scratch().file(mkfile("/a", b""))},
    )
    wrong = failed(peer.daemon, build)
    assert "unsupported frontend capability moby.buildkit.frontend.inputs" in wrong.message
    assert wrong.one(errdefs_pb2.FrontendCap).name == "moby.buildkit.frontend.inputs"


def test_what_it_is_told_of_its_client(daemon: Daemon, bases: Bases) -> None:
    attrs = {"source": frontend(bases, "env >&2; exit 1"), "a": "b"}
    with Session(daemon) as session:
        wrong = failed(daemon, Build(frontend="gateway.v0", attrs=attrs, session=session))
        said = wrong.progress.output().decode()
        assert f"BUILDKIT_SESSION_ID={session.id}\n" in said
    assert "BUILDKIT_FRONTEND_OPT_0=a=b\n" in said
    (worker,) = daemon.list_workers()
    assert f'BUILDKIT_WORKERS=[{{"id": "{worker.ID}"' in said


def test_it_ends_with_its_client(daemon: Daemon, bases: Bases, tmp_path: Path) -> None:
    script = "trap '' TERM; echo here >&2; while :; do sleep 1000; done"
    source = frontend(bases, script, Env=["PATH=/bin", f"{MARK}={tmp_path.name}"])
    build = Build(frontend="gateway.v0", attrs={"source": source})
    with Session(daemon) as session:
        pending = daemon.solve(build.request(session.id), 60)
        watch = Watch(daemon.status(build.ref, 60))
        _until(lambda: bool(running(tmp_path)))
        pending.cancel()
        watch.cancel()
    _until(lambda: not running(tmp_path))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
