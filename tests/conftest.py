"""What holds for the whole suite. The fixtures that rooms share are in `tests/support`."""

from __future__ import annotations

import gc
import os
import signal

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.support.needs",
    "tests.support.processor_time",
    "tests.support.fixtures",
    "tests.support.daemons",
]

# Tests fork, and what they fork enters namespaces: gRPC must not start its threads anew there.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# A shell that starts the suite in the background has it ignore SIGINT, and so would the builds that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Deadlines are of wall time, which other work on the machine decides about. `processor_time` has bounds instead.
settings.register_profile("suite", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


LAST = ("lang", "compiler")
"""Rooms of many files that take a second each: what the processes of a run share out at the end is small."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {room: number for number, room in enumerate(LAST, 1)}
    items.sort(key=lambda item: order.get(item.nodeid.split("/", 2)[1], 0))


def pytest_collection_finish() -> None:
    """Keep what was collected out of garbage collections: thousands of tests that live to the end. What tests make
    themselves, trees above all, mostly isn't garbage either while they run: look less often than usual."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
