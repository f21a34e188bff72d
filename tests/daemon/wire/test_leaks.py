"""After builds of each kind, their records deleted and the store pruned, there is nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.daemon.client.containers import mount
from tests.daemon.client.files import Directories, Results
from tests.daemon.client.offers import Secrets
from tests.daemon.client.solving import Build, SolveFailed, ask, solve
from tests.daemon.client.weighing import settled, weigh
from tests.e2e.soundness import faults, leftovers
from tests.support.daemons import StartDaemon

from pybuild.compiler.ops import NetMode
from pybuild.compiler.state import State, bind, cache, copy, diff, merge, mkfile, secret

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def test_nothing_is_left(start_daemon: StartDaemon, base_reference: str, tmp_path: Path) -> None:
    running = start_daemon()
    base = State.image(base_reference).env("PATH", "/bin").network(NetMode.NONE)
    (tmp_path / "context").mkdir()
    (tmp_path / "context/file").write_text("of the context")
    local = State.local("context")
    offers = [Directories({"context": tmp_path / "context"}).offer(), Secrets({"s": b"x"}).offer()]
    run = base.run(
        ["sh", "-c", "cat /s /l/file >/c/f; cp /c/f /out"],
        mounts=[cache("/c", "one"), secret("/s", id="s"), bind("/l", local, readonly=True)],
    )
    copied = State.scratch().file(copy(run, "/out", "/out").mkfile("/more", b"more"))
    joined = merge([copied, diff(base, run)])
    failing = base.run(["sh", "-c", "exit 1"])
    with running.connect() as daemon:
        solve(daemon, Build(State.scratch().file(mkfile("/warm", b"up"))))
        time.sleep(0.3)
        idle = weigh(running)
        for kind in ("oci", "tar"):
            results = Results()
            solve(daemon, Build(joined, exporters=[(kind, {})], offers=[*offers, results.offer()]))
        with pytest.raises(SolveFailed):
            solve(daemon, Build(failing))

        def frontend(gateway):  # type: ignore[no-untyped-def]
            ref = gateway.ref(run)
            with gateway.container([mount(ref)]) as container:
                return container.run("cat", "/out").out

        assert ask(daemon, frontend, *offers) == b"xof the context"
        assert len(list(daemon.history())) == 5
        assert daemon.disk_usage()
        assert daemon.contents()
        daemon.clear()
        assert list(daemon.history()) == []
        assert [(one.Description, one.InUse) for one in daemon.disk_usage()] == []
        assert [one.digest for one in daemon.contents()] == []
        assert settled(running, idle, 5, besides=("descriptors", "threads")) == []
    assert faults(running.root) == []
    assert leftovers(running.root) == []
