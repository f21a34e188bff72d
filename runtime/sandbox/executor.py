"""Running steps: one OCI container a step, its output streamed, nothing of it left afterwards.

The container's first process is the step's own, as in BuildKit: no init is put before it, so `$$` is 1 there.
Orphans inside a step are its first process's to reap, as every shell does, and the kernel ends and reaps all of
them with it; orphans of the runtime itself are reaped by the runner's init.
"""

from __future__ import annotations

import os
import select
import threading

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.sandbox import libc
from pybuild.runtime.sandbox.bundle import Bundle
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.namespaces import rootless
from pybuild.runtime.sandbox.output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pybuild.runtime.sandbox.network import NetworkPool
    from pybuild.runtime.sandbox.runner import Child, Runner
    from pybuild.runtime.sandbox.step import Step
    from pybuild.runtime.solver.types import Cancellation

STDOUT, STDERR = 1, 2
_CHUNK = 1 << 16
_SIGNALLED = 128
_RUNTIME_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class ExitCode(int):
    """A step's exit code as a shell has it: 128 + number for a signal. `out_of_memory`: the kernel killed a
    process of the step for want of memory (known only where a memory limit was set). `format_error`: it does not
    know what the step's program is, which the step's output does not say then."""

    out_of_memory = False
    format_error = False


class Sandbox:
    """Runs steps with one runtime. Thread-safe: many steps at once.

    Its files are in `work`, this process's own directory in the store; `close` it before that is removed. The
    process must be in the build's mount namespace (`namespaces.enter`).
    """

    def __init__(self, work: str, runner: Runner, networks: NetworkPool, runtime: str) -> None:
        self.directory = os.path.join(work, "sandbox")
        self.name = os.path.basename(work)
        self.networks = networks
        self.rootless = rootless()
        self.cgroups = Cgroups.detect(rootless=self.rootless)
        self._runner = runner
        self._guard = threading.Lock()
        self._count = 0
        self._files: dict[str, str] = {}
        self._null = os.open(os.devnull, os.O_RDWR)
        os.makedirs(self.directory, 0o700, exist_ok=True)
        # In memory: made and removed for every step, worth nothing after the build, gone with its namespace.
        flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", self.directory, "tmpfs", flags, "mode=700")
        os.mkdir(os.path.join(self.directory, "state"), 0o700)
        self._groups: set[str] = set()
        self._command = [runtime, "--root", os.path.join(self.directory, "state"), "--log-format", "json"]
        if os.path.basename(runtime).startswith("crun"):
            self._command.append("--cgroup-manager=" + ("cgroupfs" if self.cgroups.usable else "disabled"))

    def run(
        self, step: Step, *, on_output: Callable[[int, bytes], None], cancellation: Cancellation
    ) -> ExitCode:
        """Run the step to its end.

        `on_output(stream, bytes)` gets everything the step writes, as it comes, in this thread; stream 1 is
        stdout, 2 stderr. Raises Cancelled when cancelled, with every process of the step dead; NotStarted when
        the runtime can't set the container up; LimitError for a limit that can't be enforced. A program that is
        not found or can't be executed is no error here: the runtime's message comes as stderr, the code is 127
        or 126.
        """
        if cancellation.cancelled:
            raise Cancelled
        with self._guard:
            self._count += 1
            number = self._count
        limits = self.cgroups.limits(step)
        network = self.networks.take(step.network)
        bundle = Bundle(self, step, f"{self.name}-{number}", network, limits)
        try:
            bundle.prepare()
            return self._run(bundle, on_output, cancellation)
        finally:
            try:
                bundle.clean()
            finally:
                self.networks.give_back(network, reusable=not step.insecure)

    def _run(
        self, bundle: Bundle, on_output: Callable[[int, bytes], None], cancellation: Cancellation
    ) -> ExitCode:
        keep = ["--keep"] if bundle.limited_memory else []
        spoken = Output(bundle.program, on_output)
        child, outputs = self._start(["run", *keep, "--bundle", bundle.path, bundle.id], bundle.log)
        with child:
            forget = cancellation.on_cancel(child.kill)
            try:
                _stream(outputs, spoken)
                code = child.wait() or 0
            except BaseException:
                child.kill()
                child.wait()
                raise
            finally:
                forget()
                for fd in outputs:
                    os.close(fd)
        if cancellation.cancelled:
            raise Cancelled
        unable = bundle.failure()
        if unable is not None:
            return ExitCode(unable)
        result = ExitCode(code if code >= 0 else _SIGNALLED - code)
        result.format_error = spoken.format_error
        if keep:
            result.out_of_memory = self.cgroups.out_of_memory_kills(bundle.group) > 0
            self._delete(bundle)
        return result

    def _start(self, arguments: Sequence[str], log: str) -> tuple[Child, dict[int, int]]:
        """Start the runtime: the child, and the streams by the descriptors they are read from."""
        out_read, out_write = os.pipe()
        error_read, error_write = os.pipe()
        try:
            child = self._runner.spawn(
                [*self._command, "--log", log, *arguments],
                env=_RUNTIME_ENV,
                cwd="/",
                stdin=self._null,
                stdout=out_write,
                stderr=error_write,
            )
        except BaseException:
            os.close(out_read)
            os.close(error_read)
            raise
        finally:
            os.close(out_write)
            os.close(error_write)
        return child, {out_read: STDOUT, error_read: STDERR}

    def _delete(self, bundle: Bundle) -> None:
        child, outputs = self._start(["delete", bundle.id], bundle.log)
        with child:
            child.wait()
        for fd in outputs:
            os.close(fd)

    def shared_file(self, text: str) -> str:
        """Path of a read-only file with this text, one for all steps that need the same."""
        with self._guard:
            path = self._files.get(text)
            if path is None:
                path = os.path.join(self.directory, f"file-{len(self._files)}")
                with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                    os.fchmod(file.fileno(), 0o644)
                    file.write(text)
                self._files[text] = path
            return path

    def private_path(self, what: str) -> str:
        """A path in memory at which nothing is, for a file or socket that one step is given. Who makes it there
        removes it after the step."""
        with self._guard:
            self._count += 1
            return os.path.join(self.directory, f"{what}-{self._count}")

    def own_group(self, parent: str) -> str:
        """This build's control group below `parent`, removed when the build ends, however it does."""
        group = self.cgroups.path(self.name, "", parent)
        with self._guard:
            if group not in self._groups:
                self._groups.add(group)
                self._runner.own_groups(self.cgroups.directories(group))
        return group

    def sweep(self, dead: Iterable[str]) -> None:
        """Remove the control groups of dead builds, by the names of their work directories (what `Store.sweep`
        returns; it removes the directories themselves, and their mounts and processes went with them)."""
        for group in self.cgroups.leftovers(dead):
            self.cgroups.remove(group)

    def close(self) -> None:
        """Remove this build's groups and files. No step may be running."""
        os.close(self._null)
        for group in self._groups:
            self.cgroups.remove(group)
        libc.umount(self.directory, libc.MNT_DETACH)
        os.rmdir(self.directory)


def _stream(outputs: dict[int, int], on_output: Callable[[int, bytes], None]) -> None:
    """Pass on everything until both streams are closed by their last writer."""
    poll = select.poll()
    for fd in outputs:
        poll.register(fd, select.POLLIN)
    left = len(outputs)
    while left:
        for fd, _ in poll.poll():
            data = os.read(fd, _CHUNK)
            if data:
                on_output(outputs[fd], data)
            else:
                poll.unregister(fd)
                left -= 1
