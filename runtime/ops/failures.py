"""Errors of steps, with advice for their likely causes."""

from __future__ import annotations

import os

from pybuild.compiler.ops import ExecOp
from pybuild.lang.diagnostics import Diagnostic, Label, UserError
from pybuild.lang.dockerfile.goquote import quote
from pybuild.runtime.content.space import advice
from pybuild.runtime.ops.stepoutput import StepOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.sandbox.executor import ExitCode
    from pybuild.runtime.sandbox.step import Step

LAST_LINES = 10
_FORMAT_ERROR = b"xec format error"
_TOO_LONG = b"rgument list too long"
_PATH_MAX = 4096
"""The kernel's limit for a path in bytes, its terminating zero byte included."""
_DOCKERFILE_KEYS = {"com.docker.dockerfile.v1.command"}
"""Description keys that only vertices of a Dockerfile have."""
_LONGEST_SHOWN = 4096
"""Most characters of a command that an error shows."""


class StepFailed(UserError):
    """A step exited with an invalid code, or was ended at a limit.

    `code` is the exit code, 0 if the step went on after a limit had ended one of its processes; `output` are the last
    of `lines` lines; `seconds` is how long the step ran; `limit` names the limit it reached (`32MiB of memory`,
    `5 processes`), "" for none. `snapshot` is the root it left if that was to be kept, else None. `mounts` then has,
    for each bind of the op by its number, the snapshots mounted there before and after the step.
    """

    def __init__(
        self,
        vertex: Vertex,
        code: int,
        output: StepOutput,
        store: str = "",
        *,
        seconds: float = 0.0,
        limit: str = "",
        lacked: str = "",
    ) -> None:
        """`store` is the root of the store, `lacked` what its file system had none of while the step ran ("block",
        "inode"; else "")."""
        assert isinstance(vertex.op, ExecOp)
        command = _clipped(" ".join(vertex.op.meta.args))
        tail = bytes(output.tail)
        lines = tail.decode("utf-8", "replace").splitlines()
        shown = [line.rstrip() for line in lines[-LAST_LINES:]]
        reached = f": it reached its limit of {limit}" if limit else ""
        if lacked:
            reached = f": no space left where the store {store} is: while it ran, there was no free {lacked}"
        said = f"did not complete successfully: exit code: {code}{reached}"
        diagnostic = Diagnostic(
            f'process "{command}" {said}',
            buildkit=f"process {quote(command)} {said}",
            labels=[Label(span, _meaning(code)) for span in vertex.metadata.spans[:1]],
            notes=[("output", "\n".join(["(the last lines)", *shown]))] if shown else [],
        )
        raised = f"raise the limit of {limit}, or have the step need less" if limit else ""
        super().__init__(
            diagnostic, help=raised or (advice(store) if lacked else "") or _length(tail) or _advice(code)
        )
        self.vertex = vertex
        self.code = code
        self.output = output.lines()
        self.lines = output.count
        self.seconds = seconds
        self.limit = limit
        self.snapshot: int | None = None
        self.mounts: dict[int, tuple[int | None, int | None]] = {}


class NotExecutable(UserError):
    """The kernel can't execute a step's program: it is for another processor, or no program at all."""

    def __init__(self, vertex: Vertex) -> None:
        from pybuild.compiler import platforms

        assert isinstance(vertex.op, ExecOp)
        program = vertex.op.meta.args[0] if vertex.op.meta.args else ""
        description = vertex.metadata.description
        here, there = platforms.default(), vertex.platform
        labels = [Label(span) for span in vertex.metadata.spans[:1]]
        if there is not None and there.architecture != here.architecture:
            from pybuild.runtime.sandbox.find import install_command

            names = platforms.format_all(there), platforms.format_all(here)
            title = "a step for {} can't run on this machine ({}): nothing here emulates its processor"
            stage = (
                ", in a stage FROM --platform=$BUILDPLATFORM" if _DOCKERFILE_KEYS & description.keys() else ""
            )
            super().__init__(
                Diagnostic(title.format(*names), labels=labels),
                help=f"install QEMU's emulators: {install_command('qemu-user-static')}; or run the step for this "
                f"machine{stage}",
            )
        else:
            super().__init__(
                Diagnostic(f"exec {program}: exec format error: the kernel can't run it", labels=labels),
                help="a script must begin with #! and its interpreter, with no byte before and no carriage return "
                f"after it; a program must be built for {platforms.format_all(here)}",
            )
        self.vertex = vertex


def reached(step: Step, code: ExitCode) -> str:
    """Return the limit that decided how a step ended, in the words of `StepFailed.limit`; "" for none.

    A process killed for want of memory counts whatever the step's exit code: the result depends on the limit, which
    is in no cache key. A process that could not be started counts only if the step failed.
    """
    if code.out_of_memory and step.resources is not None:
        from pybuild.lang.textual.expand.values import Size

        return f"{Size(step.resources.memory)} of memory"
    failed = code not in (step.meta.valid_exit_codes or (0,))
    if not (failed and code.out_of_processes):
        return ""
    return "1 process" if step.pids == 1 else f"{step.pids} processes"


def check_paths(paths: Iterable[str]) -> None:
    """Raise UserError for a path that no system call takes, as Python's calls would raise ValueError for it."""
    for path in paths:
        if "\0" in path:
            raise UserError(f"the path {path!r} holds a zero byte, which no path can", help="remove the byte")
        if len(os.fsencode(path)) >= _PATH_MAX:
            raise UserError(f"{_clipped(path)}: file name too long", help="a path has at most 4095 bytes")


def foreign(vertex: Vertex, output: bytes) -> bool:
    """Report whether a step for another processor ran into a program that the kernel can't execute."""
    from pybuild.compiler import platforms

    there = vertex.platform
    other = there is not None and there.architecture != platforms.default().architecture
    return other and _FORMAT_ERROR in output


def _length(output: bytes) -> str:
    """Return advice for a command or variable that the kernel refused for its size; else ""."""
    if _TOO_LONG not in output:
        return ""
    return (
        "the kernel takes 128 KiB of one argument or variable, and 2 MiB of all: put a long script into a file, or "
        "into a heredoc that begins with #! and an interpreter"
    )


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _meaning(code: int) -> str:
    if code > 128:
        import signal

        try:
            return f"exit code {code}: ended by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"exit code {code}"


def _advice(code: int) -> str:
    known = {
        126: "the program was found but can't be executed: is it built for this platform, is its mode +x?",
        127: "the program, or one it calls, was not found in the image: is it installed, is PATH right?",
        137: "it was killed, perhaps for want of memory: give it more, or let fewer steps run at once "
        "with --max-parallelism",
    }
    return known.get(
        code,
        "its whole output: --progress=plain; to look at the files it left, end the command with `|| true` "
        "and build with -o DIRECTORY",
    )
