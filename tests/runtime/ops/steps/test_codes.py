"""Which errors of a solve have a code of the language's group R."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from pybuild.compiler.graph import Metadata, Vertex
from pybuild.compiler.ops import ExecOp, Meta, Platform
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.codes import solve_code
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.export.selecting import NoSuchPath
from pybuild.runtime.ops.failures import NotExecutable, StepFailed
from pybuild.runtime.ops.files.failures import SourceNotFound
from pybuild.runtime.ops.stepoutput import StepOutput
from pybuild.runtime.registry.errors import NotFound, silent
from pybuild.runtime.session.types import MissingAgent, MissingSecret
from pybuild.runtime.sources.gitcommand import GitFailed
from pybuild.runtime.sources.gitrepository import CommitNotFound, FetchError, FetchTimedOut, fetch_failed
from pybuild.runtime.sources.http import HttpError, HttpMismatch, HttpTimedOut
from pybuild.runtime.sources.layout import LayoutError

STEP = Vertex(ExecOp(Meta(args=("make",))), platform=Platform("riscv64", "linux"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StepFailed(STEP, 2, StepOutput(b"no\n")), "R0001"),
        (NotFound("gone"), "R0002"),
        (HttpError("gone", status=404), "R0002"),
        (FetchError("gone"), "R0002"),
        (LayoutError("gone"), "R0002"),
        (SourceNotFound("gone"), "R0002"),
        (NoSuchPath("/gone"), "R0002"),
        (HttpMismatch("other"), "R0003"),
        (CommitNotFound("other"), "R0003"),
        (DigestMismatch("a blob", "sha256:" + "0" * 64, "sha256:" + "1" * 64), "R0003"),
        (silent("registry.test", 60), "R0005"),
        (HttpTimedOut("silent"), "R0005"),
        (FetchTimedOut("silent"), "R0005"),
        (MissingSecret("none", "token", help="give it"), "R0004"),
        (MissingAgent("none", "default", help="give it"), "R0004"),
        (UserError("else"), ""),
        (NotExecutable(STEP), ""),
    ],
)
def test_codes(error: UserError, code: str) -> None:
    assert solve_code(error) == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fatal: unable to access 'https://acme.test/': Failed to connect: Connection timed out", "R0005"),
        ("error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred", "R0005"),
        ("fatal: repository 'https://acme.test/timeout' not found", "R0002"),
    ],
)
def test_a_silent_repository(said: str, code: str) -> None:
    error = fetch_failed("https://acme.test/", GitFailed("fetch", 128, said))
    assert solve_code(error) == code


def test_a_failed_step_ends_the_program_like_any_failure() -> None:
    error = StepFailed(STEP, 99, StepOutput())
    assert (error.code, error.exit_code) == (99, 1)


def test_help_for_a_foreign_step_fits_what_it_comes_from() -> None:
    description: Any = {"com.docker.dockerfile.v1.command": "RUN make"}
    of_dockerfile = evolve(STEP, metadata=Metadata(description=description))
    helps = [dict(NotExecutable(one).diagnostic.notes)["help"] for one in (of_dockerfile, STEP)]
    assert helps[0].endswith("run the step for this machine, in a stage FROM --platform=$BUILDPLATFORM")
    assert helps[1].endswith("or run the step for this machine")
