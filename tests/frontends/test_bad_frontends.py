"""Frontends that do not do what one does: each is one clear error within a bound, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome, said
from tests.frontends.conftest import MARK, MakeFrontend

pytestmark = [pytest.mark.root, pytest.mark.crun]


def failed(builder: Builder, flags: list[str]) -> Outcome:
    """What a build that asks for the frontend says. It has failed, and at the line that asks."""
    context = builder.context("context", "# escape=`\n# syntax=bad\n")
    outcome = builder.build(*flags, "-o", "out", context, code=1)
    assert "Dockerfile:2:10" in outcome.err
    assert running(builder.place) == []
    return outcome


def running(place: Path) -> list[str]:
    """Processes of the frontends of a test."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                variables = (directory / "environ").read_bytes()
            except OSError:
                continue
            if f"{MARK}={place.name}".encode() in variables.split(b"\0"):
                found.append(directory.name)
    return found


def error_of(outcome: Outcome) -> str:
    return outcome.err[outcome.err.rindex("error: ") :]


def test_one_that_crashes_is_quoted(builder: Builder, frontend: MakeFrontend) -> None:
    outcome = failed(builder, frontend("bad", "echo out of luck >&2; exit 3"))
    assert error_of(outcome).startswith("error: the frontend bad failed: exit code: 3\n")
    assert "out of luck" in error_of(outcome)


def test_one_that_returns_nothing(builder: Builder, frontend: MakeFrontend) -> None:
    outcome = failed(builder, frontend("bad", "true"))
    assert error_of(outcome).startswith("error: the frontend bad failed: no result for incomplete build\n")


def test_one_that_cannot_be_started(builder: Builder, frontend: MakeFrontend) -> None:
    outcome = failed(builder, frontend("bad", "", Entrypoint=["/nothing"]))
    assert error_of(outcome).startswith("error: the frontend bad failed: exit code: 127\n")
    assert "/nothing" in error_of(outcome)


def test_garbage_ends_it(builder: Builder, frontend: MakeFrontend) -> None:
    began = time.monotonic()
    script = "yes 'this is no protocol' | head -c 1000000; exec sleep 1000"
    outcome = failed(builder, frontend("bad", script))
    assert "the frontend bad failed: frontend grpc server closed unexpectedly" in error_of(outcome)
    assert "speak gRPC on its standard input and output" in error_of(outcome)
    assert time.monotonic() - began < 10


def test_floods_of_output_are_cut_short(builder: Builder, frontend: MakeFrontend) -> None:
    outcome = failed(builder, frontend("bad", "yes flood | head -c 30000000 >&2; echo end >&2; exit 1"))
    assert "[the rest is not shown]" in outcome.err
    assert len(outcome.err) < 4 << 20
    assert "end" in error_of(outcome)


def test_one_that_hangs_ends_with_the_build(builder: Builder, frontend: MakeFrontend) -> None:
    script = "echo here >&2; trap '' TERM INT HUP; while :; do sleep 1000; done"
    flags = frontend("bad", script)
    context = builder.context("context", "# syntax=bad\n")
    log = builder.place / "log"
    process = builder.start(*flags, "-o", "out", context, log=log)
    while not said(log, "here"):
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    assert running(builder.place)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert running(builder.place) == []


def test_capabilities_that_it_lacks_are_named(builder: Builder, frontend: MakeFrontend) -> None:
    outcome = failed(builder, frontend("bad", "true", Labels={}))
    assert "error: unsupported frontend capability moby.buildkit.frontend.contexts" in outcome.err
