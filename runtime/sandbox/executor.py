"""Run steps, each in an OCI container of its own: stream the output, and leave nothing behind.

The container's first process is the step's own, as in BuildKit. There is no init before it, so `$$` is 1. It has to
reap orphans in the container, as every shell does; when it ends, the kernel ends and reaps the rest. Orphans of the
runtime itself are reaped by the runner's init.
"""

from __future__ import annotations

import os
import threading

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.sandbox import libc
from pybuild.runtime.sandbox.cgroups import Cgroups
from pybuild.runtime.sandbox.container import Container
from pybuild.runtime.sandbox.namespaces import rootless
from pybuild.runtime.sandbox.process import STDERR, STDOUT, ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pybuild.runtime.sandbox.bundle import Bundle
    from pybuild.runtime.sandbox.network import NetworkPool
    from pybuild.runtime.sandbox.runner import Child, Runner
    from pybuild.runtime.sandbox.step import Step
    from pybuild.runtime.solver.types import Cancellation

__all__ = ["STDERR", "STDOUT", "ExitCode", "Sandbox"]

_RUNTIME_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class Sandbox:
    """Runs steps with one OCI runtime. Thread-safe: many steps at once.

    Its files are in `work`, this process's directory in the store; `close` it before that is removed. The process
    must be in the build's mount namespace (`namespaces.enter`). `cgroup_parent` is the parent of control groups
    for steps that name none. `unfiltered`: there is no device filter (`devicefilter.missing`), so steps are kept
    from devices by other means.
    """

    def __init__(
        self,
        work: str,
        runner: Runner,
        networks: NetworkPool,
        runtime: str,
        *,
        unfiltered: bool,
        cgroup_parent: str = "",
    ) -> None:
        self.directory = os.path.join(work, "sandbox")
        self.name = os.path.basename(work)
        self.networks = networks
        self.rootless = rootless()
        self.cgroups = Cgroups.detect(rootless=self.rootless)
        self.unfiltered = unfiltered
        self._cgroup_parent = cgroup_parent
        self._runner = runner
        self._guard = threading.Lock()
        self._count = 0
        self._files: dict[str, str] = {}
        self._null = os.open(os.devnull, os.O_RDWR)
        os.makedirs(self.directory, 0o700, exist_ok=True)
        # A tmpfs: these files are made and removed for every step, and must not outlive the build. The mount ends
        # with the namespace, also when the build is killed.
        flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
        libc.mount("tmpfs", self.directory, "tmpfs", flags, "mode=700")
        os.mkdir(os.path.join(self.directory, "state"), 0o700)
        self._groups: set[str] = set()
        self._command = [runtime, "--root", os.path.join(self.directory, "state"), "--log-format", "json"]
        self._is_crun = os.path.basename(runtime).startswith("crun")
        self.lacks_crun = unfiltered and not self._is_crun

    def run(
        self,
        step: Step,
        *,
        on_output: Callable[[int, bytes], None],
        cancellation: Cancellation,
        stdin: int | None = None,
        stdout: int | None = None,
        on_start: Callable[[], None] | None = None,
        watch: Callable[[], int] | None = None,
    ) -> ExitCode:
        """Run the step to its end.

        `on_output(stream, bytes)` is called in this thread with everything that the step writes, as it comes;
        stream 1 is stdout, 2 stderr. The step reads from descriptor `stdin`, or nothing without one, and writes to
        descriptor `stdout` in place of stream 1 if given. The caller keeps both; `on_start` is called in this
        thread when the step's side has them, and the caller may close its own. `watch` is called in this thread
        while the step runs, each time after as many milliseconds as it returned. Raises Cancelled once every
        process of the cancelled step is dead, NotStarted if the runtime can't set the container up, LimitError for
        a limit that can't be enforced. A program that is not found or can't be executed is no error here: the
        runtime's message comes as stderr, and the code is 127 or 126.
        """
        if cancellation.cancelled:
            raise Cancelled
        container = Container(self, step)
        try:
            with container.start(stdin=stdin, stdout=stdout) as process:
                forget = cancellation.on_cancel(process.kill)
                try:
                    if on_start is not None:
                        on_start()
                    process.attend(on_output, watch)
                finally:
                    forget()
                if cancellation.cancelled:
                    raise Cancelled
                return container.code(process)
        finally:
            container.close()

    def new_name(self) -> str:
        """A container name that is unique on this machine."""
        with self._guard:
            self._count += 1
            return f"{self.name}-{self._count}"

    def command(self, bundle: Bundle, log: str, arguments: Sequence[str]) -> list[str]:
        """The runtime's command line. It writes its own errors to `log`."""
        manager = "cgroupfs" if bundle.grouped else "disabled"
        options = ["--log", log, *([f"--cgroup-manager={manager}"] if self._is_crun else [])]
        return [*self._command, *options, *arguments]

    def spawn(self, command: Sequence[str], stdin: int, stdout: int, stderr: int) -> Child:
        """Start the runtime. The caller keeps the descriptors."""
        return self._runner.spawn(
            command, env=_RUNTIME_ENV, cwd="/", stdin=stdin, stdout=stdout, stderr=stderr
        )

    def spawn_piped(
        self, command: Sequence[str], stdin: int | None = None, stdout: int | None = None
    ) -> tuple[Child, dict[int, int]]:
        """Start the runtime with pipes for the output streams that are not given. Returns the child, and the
        number of the stream by each descriptor to read from. It reads nothing without a `stdin`."""
        wanted = (STDERR,) if stdout is not None else (STDOUT, STDERR)
        pipes = {stream: os.pipe() for stream in wanted}
        try:
            child = self.spawn(
                command,
                self._null if stdin is None else stdin,
                pipes[STDOUT][1] if stdout is None else stdout,
                pipes[STDERR][1],
            )
        except BaseException:
            for reading, _ in pipes.values():
                os.close(reading)
            raise
        finally:
            # The child alone keeps the writing ends, so that its end shows as the end of the streams.
            for _, writing in pipes.values():
                os.close(writing)
        return child, {reading: stream for stream, (reading, _) in pipes.items()}

    def delete(self, bundle: Bundle) -> None:
        """Delete a container that the runtime was told to keep after its end."""
        child, outputs = self.spawn_piped(self.command(bundle, bundle.log, ["delete", bundle.id]))
        with child:
            child.wait()
        for fd in outputs:
            os.close(fd)

    def shared_file(self, text: str) -> str:
        """The path of a file with this text, which steps must not change: all that need the same text share it."""
        with self._guard:
            path = self._files.get(text)
            if path is None:
                path = os.path.join(self.directory, f"file-{len(self._files)}")
                with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                    # Any user of a step must be able to read it, whatever the umask.
                    os.fchmod(file.fileno(), 0o644)
                    file.write(text)
                self._files[text] = path
            return path

    def private_path(self, what: str) -> str:
        """A fresh path on the tmpfs, for a file or socket of one step. The caller makes it, and removes it after
        the step."""
        with self._guard:
            self._count += 1
            return os.path.join(self.directory, f"{what}-{self._count}")

    def own_group(self, parent: str) -> str:
        """The path of this build's control group below `parent`. It is removed when the build ends, also if it is
        killed."""
        group = self.cgroups.path(self.name, "", parent or self._cgroup_parent)
        with self._guard:
            if group not in self._groups:
                self._groups.add(group)
                self._runner.own_groups(self.cgroups.directories(group))
        return group

    def sweep(self, dead: Iterable[str]) -> None:
        """Remove the control groups of dead builds, given the names of their work directories (as `Store.sweep`
        returns them). Their mounts and processes ended with them."""
        for group in self.cgroups.leftovers(dead):
            self.cgroups.remove(group)

    def close(self) -> None:
        """Remove this build's control groups and files. No step may be running."""
        os.close(self._null)
        for group in self._groups:
            self.cgroups.remove(group)
        libc.umount(self.directory, libc.MNT_DETACH)
        os.rmdir(self.directory)
