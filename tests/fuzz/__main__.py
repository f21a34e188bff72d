"""A long run: `python tests/fuzz --seconds 600 --seed 1 [target…]`.

The targets take turns. Each failure is printed when it is found, in a form that `found.md` takes. The exit code
is 1 if there were any.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.fuzz.fuzzer import Failure, Fuzzer  # noqa: E402
from tests.fuzz.targets import TARGETS  # noqa: E402

TURN = 5.0
"""Seconds that a target runs before the next one does."""


def say(failure: Failure) -> None:
    print(
        f"\n## {failure.target}: {failure.way}\n```python\n{failure.data!r}\n```\n{failure.trace}", flush=True
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description="Fuzzes what reads a user's text.")
    parser.add_argument("targets", nargs="*", metavar="target", help=f"{', '.join(TARGETS)}; all without any")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    unknown = set(given.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    print(f"seed {given.seed}", flush=True)
    fuzzers = [Fuzzer(name, given.seed, say) for name in given.targets or TARGETS]
    end = time.monotonic() + given.seconds
    while (left := end - time.monotonic()) > 0:
        for fuzzer in fuzzers:
            fuzzer.run(sys.maxsize, min(TURN, left / len(fuzzers)))
    for fuzzer in fuzzers:
        report = fuzzer.report
        print(
            f"{fuzzer.target:15} {report.executions:8} executions {len(report.steps):7} steps "
            f"{len(report.corpus):6} inputs {len(report.failures):3} failures"
        )
    return int(any(fuzzer.report.failures for fuzzer in fuzzers))


if __name__ == "__main__":
    sys.exit(main())
