"""The command as a process: exit codes, signals, streams, imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BUILD = """
import sys, threading, time, types
from pybuild.lang.diagnostics import Cancelled, UserError
module = types.ModuleType("pybuild.build.pipeline")
class Result:
    iid = digest = "sha256:1"; config_digest = ""; metadata = {}; summary = (); evidence = None
def build(request, observer, cancellation):
    assert threading.active_count() == 1
    observer.start()
    print("started", file=sys.stderr, flush=True)
    MODE
module.build = build
module.BuildResult = Result
sys.modules["pybuild.build.pipeline"] = module
sys.argv[0] = "pybuild"
from pybuild import main
main()
"""
WAIT = """
    stopped = threading.Event()
    cancellation.on_cancel(stopped.set)
    assert stopped.wait(20)
    raise Cancelled()
"""
UNBUFFERED = "PYTHONUNBUFFERED"
"""With it nothing is left in a buffer when the process ends."""
DEAF = "time.sleep(20)"
DONE = "return Result()"
FAIL = "raise UserError('no luck')"
BUG = "raise ValueError('oops')"


def start(body: str, *arguments: str) -> subprocess.Popen[str]:
    script = BUILD.replace("    MODE", "    " + body.strip("\n").strip())
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def started(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline() == "started\n"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [(DONE, 0, ""), (FAIL, 1, "error: no luck\n"), (BUG, 1, "internal error: ValueError: oops\n")],
)
def test_exit_codes(body: str, code: int, words: str) -> None:
    process = start(body, "build", "--progress=plain")
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert words in err
    assert "Traceback" not in err


def test_usage_error_is_two() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pybuild", "build", "--bogus"], capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no such option: --bogus\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mode", ["plain", "quiet", "rawjson"])
def test_a_signal_cancels_cleanly(number: signal.Signals, mode: str) -> None:
    process = start(WAIT, "build", f"--progress={mode}")
    started(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert out == ""
    assert err.endswith("pybuild: cancelled\n")
    assert "Traceback" not in err


def test_whatever_a_cancelled_build_raises_it_is_cancelled() -> None:
    body = WAIT.replace("raise Cancelled()", "raise ValueError('torn')")
    process = start(body, "build", "--progress=plain")
    started(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "torn" not in err


def test_the_second_signal_ends_the_process() -> None:
    process = start(DEAF, "build", "--progress=plain")
    started(process)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "#0 cancelling; press Ctrl-C again to end at once\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - begun < 10


def test_a_closed_pipe_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pybuild", "completion", "bash"],
            stdout=write, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_build_survives_a_reader_of_progress_that_left() -> None:
    read, write = os.pipe()
    os.close(read)
    body = "observer.notice('x' * 100); Result.summary = ('built',); return Result()"
    script = BUILD.replace('print("started", file=sys.stderr, flush=True)', "").replace("MODE", body)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, "build", "--progress=plain"], stdout=subprocess.PIPE, stderr=write,
            timeout=20, check=False, env={name: value for name, value in os.environ.items() if name != UNBUFFERED},
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.returncode == 0


def test_importing_the_package_loads_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); import pybuild; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert set(done.stdout.split()) <= {"pybuild", "__future__"}


def test_click_rich_and_tomllib_are_loaded_only_where_needed(tmp_path: Path) -> None:
    script = BUILD.replace("    MODE", "    return Result()").replace(
        "main()", "try:\n    main()\nfinally:\n    print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "build", "--progress=plain"],
        cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    assert "click" in loaded
    assert not loaded & {"rich", "tomllib", "asyncio"}


def test_only_the_command_line_imports_click() -> None:
    import pybuild

    top = Path(pybuild.__file__).parent
    importers = [
        path.name
        for path in top.rglob("*.py")
        if any(
            line.split()[:2] in (["import", "click"], ["from", "click"])
            for line in path.read_text().split("\n")
        )
    ]
    assert importers == ["commands.py"]
