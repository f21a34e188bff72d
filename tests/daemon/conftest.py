"""What the tests of the daemon start from."""

from __future__ import annotations

import pytest
from tests.support.daemons import RUN

from pybuild.compiler.ops import NetMode
from pybuild.compiler.state import State


@pytest.fixture(scope="session")
def base(base_reference: str) -> State:
    """A state of that image, with a PATH. Its commands run in the host's network, which Docker's BuildKit in tests
    has alone: a Solve that runs some is given the entitlement `HOST_NETWORK`. They are this run's own, as a daemon
    that went on from an earlier one has its steps."""
    state = State.image(base_reference).env("PATH", "/bin:/usr/bin").env("TEST_RUN", RUN)
    return state.network(NetMode.HOST)
