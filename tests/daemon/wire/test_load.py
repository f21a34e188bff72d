"""Clients that are killed while the daemon works for them. `tests/daemon/load.py` is the long form."""

from __future__ import annotations

import pytest
from tests.daemon.load import Load, run
from tests.support.daemons import StartDaemon

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def test_nothing_is_left_of_clients_that_were_killed(start_daemon: StartDaemon, base_reference: str) -> None:
    running = start_daemon()
    report = run(running, Load(base_reference, clients=6, seconds=3, lives=0.4, grace=20))
    assert report.faults == [], running.said()
    assert report.kills > 3
    assert report.builds > 0
