"""A container: its first process, which is the step's own, and others that join it while the first one runs.

When the first process ends, the kernel ends all others, as they are in its pid namespace.
"""

from __future__ import annotations

import os
from itertools import count

from pybuild.runtime.sandbox import spec
from pybuild.runtime.sandbox.bundle import Bundle
from pybuild.runtime.sandbox.process import ExitCode, Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.network import Network
    from pybuild.runtime.sandbox.step import Step
    from pybuild.runtime.sandbox.terminal import Terminal


class Container:
    """A container in the root of `step`, prepared on construction. `close` it when its processes have ended. The
    constructor raises NotStarted, LimitError, SandboxError."""

    def __init__(self, sandbox: Sandbox, step: Step) -> None:
        self._sandbox = sandbox
        self._step = step
        self._numbers = count(1)
        limits = sandbox.cgroups.limits(step)
        self._network: Network | None = sandbox.networks.take(step.network)
        self._bundle: Bundle | None = None
        try:
            self._bundle = Bundle(sandbox, step, sandbox.new_name(), self._network, limits)
            self._prepared.prepare()
        except BaseException:
            self.close()
            raise

    def start(
        self,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        terminal: Terminal | None = None,
        joined: bool = False,
    ) -> Process:
        """Start the step's own process. It reads descriptor `stdin`, or nothing without one, and writes to
        `stdout`; output that goes nowhere else is passed on by `Process.attend`. A `terminal` is all three
        streams. With `joined`, other processes may join it, and signals be sent to it, once `Process.await_start`
        returns."""
        bundle = self._prepared
        # The runtime removes the control group with the container, and the counters are read from it afterwards.
        keep = ["--keep"] if bundle.counted else []
        pid = self._file("pid") if joined else ""
        return self._spawn(
            ["run", *keep, *_pid_file(pid), "--bundle", bundle.path, bundle.id],
            Process(self._sandbox, bundle.program, bundle.log, pid, terminal),
            stdin,
            stdout,
        )

    def join(self, step: Step, *, stdin: int | None = None, terminal: Terminal | None = None) -> Process:
        """Start another process in the container, with the command, the variables and the identity of `step`. The
        first one must have started."""
        bundle = self._prepared
        path, log, pid = self._file("process"), self._file("log"), self._file("pid")
        with open(path, "w", encoding="utf-8") as file:
            file.write(spec.process_text(step, unfiltered=self._sandbox.unfiltered))
        program = step.meta.args[0] if step.meta.args else ""
        return self._spawn(
            ["exec", *_pid_file(pid), "--process", path, bundle.id],
            Process(self._sandbox, program, log, pid, terminal),
            stdin,
            None,
        )

    def code(self, process: Process) -> ExitCode:
        """The exit code of a process that was attended to its end. Raises NotStarted or LimitError if it never
        began because the runtime could not set it up."""
        bundle = self._prepared
        unable = bundle.failure(process.log, process.program)
        if unable is not None:
            return ExitCode(unable)
        code = process.exit_code()
        if process.log == bundle.log and bundle.counted:
            code.out_of_memory = self._sandbox.cgroups.out_of_memory_kills(bundle.group) > 0
            code.out_of_processes = self._sandbox.cgroups.refused_processes(bundle.group) > 0
            self._sandbox.delete(bundle)
        return code

    def close(self) -> None:
        """Remove everything but the results, and give back the network. Idempotent."""
        bundle, self._bundle = self._bundle, None
        network, self._network = self._network, None
        try:
            if bundle is not None:
                bundle.clean()
        finally:
            if network is not None:
                self._sandbox.networks.give_back(network, reusable=not self._step.insecure)

    @property
    def _prepared(self) -> Bundle:
        assert self._bundle is not None, "the container is closed"
        return self._bundle

    def _file(self, what: str) -> str:
        return os.path.join(self._prepared.path, f"{what}-{next(self._numbers)}")

    def _spawn(
        self, arguments: Sequence[str], process: Process, stdin: int | None, stdout: int | None
    ) -> Process:
        process.begin(self._sandbox.command(self._prepared, process.log, arguments), stdin, stdout)
        return process


def _pid_file(path: str) -> list[str]:
    return ["--pid-file", path] if path else []
