"""Signals, whichever thread the kernel gives them to."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading, time
from _thread import allocate_lock

from pybuild.build.signals import Interrupts
from pybuild.runtime.solver.types import Cancellation

cancellation, said = Cancellation(), []
with Interrupts(cancellation, said.append, lambda: os.write(1, b"restored ")) as heard:
    if "watched" in sys.argv:
        heard.watch()
        heard.watch()
    waiting = allocate_lock()
    waiting.acquire()
    cancellation.on_cancel(waiting.release)

    def strike():
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    if "watched" in sys.argv:
        threading.Thread(target=strike).start()
        waiting.acquire()  # without a timeout: nothing wakes the main thread but the release
    else:
        signal.raise_signal(signal.SIGTERM)
        waiting.acquire()
    if "twice" in sys.argv:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
assert threading.active_count() == 1 or not time.sleep(0.5)
print("cancelled")
"""


def outcome(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("words", [("watched",), ()], ids=["another thread's", "the main thread's"])
def test_the_first_cancels(words: tuple[str, ...]) -> None:
    assert outcome(*words) == (0, "cancelled\n")


@pytest.mark.parametrize("words", [("watched", "twice"), ("twice",)], ids=["watched", "unwatched"])
def test_the_second_ends_the_process(words: tuple[str, ...]) -> None:
    # The first of the signals gives the code: without a watcher that is SIGTERM.
    assert outcome(*words) == (130 if "watched" in words else 143, "restored ")
