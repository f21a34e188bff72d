"""What the runtime says in a step's place, told apart from what the step says."""

from __future__ import annotations

import pytest
from tests.runtime.sandbox.stage import Box, Result, Stage

from pybuild.runtime.sandbox.output import Output
from pybuild.runtime.solver.types import Cancellation

CRUN = b'{"msg":"exec container process `/x`: %s","level":"error","time":"2026-01-01T00:00:00Z"}\n'


def passed(program: str, *parts: tuple[int, bytes]) -> tuple[list[tuple[int, bytes]], bool]:
    got: list[tuple[int, bytes]] = []
    output = Output(program, lambda stream, data: got.append((stream, data)))
    for stream, data in parts:
        output(stream, data)
    output.finish()
    return got, output.format_error


@pytest.mark.parametrize("said", [CRUN % b"Exec format error", b"exec /x: exec format error\n"])
def test_an_exec_format_error_is_held_back(said: bytes) -> None:
    assert passed("/x", (2, said)) == ([], True)


def test_other_refusals_are_put_plainly() -> None:
    said = passed("/x", (2, CRUN % b"Argument list too long"))
    assert said == ([(2, b"exec /x: Argument list too long\n")], False)


@pytest.mark.parametrize("cut", [1, 10, 40, 80, len(CRUN) - 3])
def test_the_record_may_come_in_pieces(cut: int) -> None:
    record = CRUN % b"No such file"
    said = passed("/x", (2, record[:cut]), (2, record[cut:]))
    assert said == ([(2, b"exec /x: No such file\n")], False)


def test_a_missing_interpreter_is_named() -> None:
    record = CRUN.replace(b"process ", b"process (missing dynamic library?) ") % b"No such file or directory"
    (said,), _ = passed("/x", (2, record))
    assert said == (2, b"exec /x: No such file or directory; its interpreter is missing, perhaps\n")


@pytest.mark.parametrize(
    "parts",
    [
        [(1, b"before\n"), (2, CRUN % b"Exec format error")],
        [(1, CRUN % b"Exec format error")],
        [(2, b"exec /y: exec format error\n")],
        [(2, b"exec /x: exec format error\nand more\n")],
        [(2, CRUN.replace(b"/x", b"/y") % b"Exec format error")],
        [(2, b'{"msg":"exec container process')],
        [(2, b'{"other":"json"}\n')],
        [(2, b"\xff\xfe")],
    ],
)
def test_what_a_step_says_is_passed_on(parts: list[tuple[int, bytes]]) -> None:
    assert passed("/x", *parts) == (parts, False)


def test_both_runtimes_say_it(any_box: Box) -> None:
    def run(stage: Stage) -> tuple[Result, bool]:
        got: list[bytes] = []
        program = any_box.rootfs / "odd"
        program.write_text("no program\n")
        program.chmod(0o755)
        code = stage.sandbox.run(
            stage.step("/odd"), on_output=lambda stream, data: got.append(data), cancellation=Cancellation()
        )
        return Result(int(code), b"".join(got), b"", False), code.format_error

    result, format_error = any_box.inside(run)
    assert format_error
    assert result.code != 0
    assert result.out == ""
