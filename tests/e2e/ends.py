"""Builds that are killed or signalled at any moment, also right after their start: what they print, their exit codes,
and what they leave running. `python tests/e2e/ends.py --seconds N` goes on for as long as one likes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.building import Builder
from tests.e2e.remains import until, wait_for_none, work_names

DOCKERFILE = "FROM base\nRUN echo go-on >/f; sleep 0.3\nRUN cp /f /g\n"


def end(builder: Builder, context: Path, number: signal.Signals, after: float) -> str:
    """Start a build that has nothing cached, signal it after so many seconds, and return what it printed. Asserts
    that it ended at once with the right code, and left nothing running."""
    log = builder.place / "log"
    process = builder.start("--no-cache", context, log=log)
    if number != signal.SIGKILL:
        # Until then the interpreter starts, which nothing of the program's can change.
        assert until(lambda: _handles_signals(process.pid) or process.poll() is not None, 60)
    time.sleep(after)
    works = work_names(builder.store)
    process.send_signal(number)
    started = time.monotonic()
    code = process.wait(60)
    took = time.monotonic() - started
    printed = log.read_text("utf-8", "replace")
    works |= work_names(builder.store)
    what = f"signal {number} after {after:.4f} s: code {code} in {took:.2f} s: {printed}"
    expected = -number if number == signal.SIGKILL else 128 + number
    assert code in (expected, 0), what
    assert took < 10, what
    assert "Traceback" not in printed, what
    assert "internal error" not in printed, what
    assert (left := wait_for_none(builder.store, works)) == [], f"{what}: {left}"
    return printed


def _handles_signals(process: int) -> bool:
    """Report whether a process has a handler of SIGTERM."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def rounds(builder: Builder, draw: random.Random, *, stop: float = 0.0, at_least: int = 0) -> int:
    """End builds by all signals in turn until a moment of the monotonic clock, and then make a whole one. Returns how
    many were ended."""
    context = builder.context("ended", DOCKERFILE)
    builder.build(context)
    count = 0
    while count < at_least or time.monotonic() < stop:
        number = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[count % 3]
        end(builder, context, number, draw.choice([draw.uniform(0.0, 0.22), draw.uniform(0.0, 0.8)]))
        count += 1
    builder.build("--no-cache", context)
    return count


def main() -> None:
    from tests.differential.bases import PLAIN, busybox_layer, write_layout

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 32))
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="pybuild-ends-"))
    try:
        write_layout(place / "base", busybox_layer(), json.loads(PLAIN))
        builder = Builder(place, place / "base")
        count = rounds(builder, random.Random(given.seed), stop=time.monotonic() + given.seconds)
        print(f"{count} builds ended, seed {given.seed}: nothing left, no traceback, codes right")
    except AssertionError as error:
        sys.exit(f"seed {given.seed}: {error}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    os.environ.pop("PYBUILD_ROOT", None)
    main()
