"""A small fuzzer that is guided by coverage.

1. Every seed runs once, in turn with mutations; those that take new steps are the corpus.
2. An input of the corpus is chosen, rather a recent or a short one, and mutated; what takes new steps joins it.
3. An input that fails is made smaller while it fails in the same way; each way to fail is reported once.

A run is decided by its seed: the same seed and number of executions give the same inputs. A limit of time only
ends it earlier.
"""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.coverage import Step, Steps
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.showing import Target
from tests.fuzz.targets import ROOT, TARGETS, WATCHED

SLOW = 10.0
"""Seconds of CPU time that one input may take, watched as it is."""


class TooSlow(Exception):
    """An input that took longer than `SLOW`."""


@dataclass(frozen=True)
class Failure:
    """One way to fail: the smallest input found for it, and what it raises."""

    target: str
    data: bytes
    way: str
    trace: str


@dataclass
class Report:
    """What a run did: executions, steps seen, the corpus it ended with, failures by their way."""

    executions: int = 0
    steps: set[Step] = field(default_factory=set)
    corpus: list[bytes] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)


class Fuzzer:
    """Fuzzes one target. `say` hears of failures as they are found."""

    def __init__(self, target: str, seed: int, say: Callable[[Failure], None] = lambda _: None) -> None:
        self.target = target
        self.act = TARGETS[target]
        self.random = Random(f"{target} {seed}")
        self.say = say
        self.report = Report()
        self._steps = Steps(WATCHED)
        self._known = seeds(target)
        self.random.shuffle(self._known)

    def run(self, executions: int, seconds: float) -> Report:
        """Goes on for as long as both limits allow."""
        end = time.monotonic() + seconds
        report = self.report
        last = report.executions + executions
        while report.executions < last and time.monotonic() < end:
            self._one(self._known.pop() if self._known and report.executions % 2 == 0 else self._next())
        return report

    def _next(self) -> bytes:
        corpus: Sequence[bytes] = self.report.corpus or (b"",)
        recent = corpus[-50:] if self.random.random() < 0.5 else corpus
        data = min((self.random.choice(recent) for _ in range(2)), key=len)
        return mutated(self.random, data, corpus)

    def _one(self, data: bytes) -> None:
        report = self.report
        report.executions += 1
        with self._steps.recording():
            error = outcome(self.act, data)
        taken = self._steps.taken()
        if error is not None:
            way = way_of(error)
            if way not in report.failures:
                trace = "".join(traceback.format_exception(error)[-12:])
                smaller = minimal(data, lambda other: _fails(self.act, other, way))
                report.failures[way] = Failure(self.target, smaller, way, trace)
                self.say(report.failures[way])
        elif not taken <= report.steps:
            report.corpus.append(data)
        report.steps |= taken


def outcome(act: Target, data: bytes) -> Exception | None:
    """What the target raises for `data`, or that it is slow; None if all is well."""

    def stop(number: int, frame: object) -> None:
        raise TooSlow(f"{len(data)} bytes")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        act(data)
    except Exception as error:
        return error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return None


def _fails(act: Target, data: bytes, way: str) -> bool:
    error = outcome(act, data)
    return error is not None and way_of(error) == way


def way_of(error: Exception) -> str:
    """A short name for how it fails: the exception and the innermost line of ours that it passed."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(str(ROOT)) and ".venv" not in frame.filename:
            place = f"{frame.filename.removeprefix(str(ROOT) + '/')}:{frame.name}"
            if not isinstance(error, RecursionError):
                place += f":{frame.lineno}"
    return f"{type(error).__name__} {place}".rstrip()


def minimal(data: bytes, fails: Callable[[bytes], bool], tries: int = 400) -> bytes:
    """A smaller input that fails too: ranges are left out, long ones first, as long as tries are left."""
    size = max(len(data) // 2, 1)
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + size :]
            tries -= 1
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
