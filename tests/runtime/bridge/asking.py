"""What frontends of these tests ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.daemon.client.failure import Failure

from pybuild.compiler.ops import NetMode
from pybuild.compiler.state import State, mkfile

FILES = State.local("files")


def root() -> State:
    """The state that commands run on."""
    return State.local("root").env("PATH", "/bin")


def sh(script: str) -> State:
    return root().run(["sh", "-c", script], network=NetMode.NONE)


def made(name: str) -> State:
    """A state of one file."""
    return State.scratch().file(mkfile(name, b"text"))


def digest_of(state: State) -> str:
    assert state.edge is not None
    return state.edge.vertex.digest


def fails(call: Callable[[], object]) -> Failure:
    with pytest.raises(Failure) as failed:
        call()
    return failed.value
