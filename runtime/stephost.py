"""The machinery that runs a build's steps: runner, sandbox and networks."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.sandbox.errors import SandboxError
    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.network import NetworkPool
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.sandbox.surroundings import Surroundings


class StepHost:
    """Owns the runner of a build, and builds sandbox and networks when the first step needs them. Thread-safe.

    `work` is the process's directory in the store. Without a `runner` the process is not in namespaces of its own,
    and no step can run; `refusal` says why, if it tried to enter them.
    """

    def __init__(
        self,
        runner: Runner | None,
        work: str,
        surroundings: Surroundings,
        observer: Observer,
        refusal: SandboxError | None = None,
    ) -> None:
        self.runner = runner
        self._work = work
        self._surroundings = surroundings
        self._observer = observer
        self._refusal = refusal
        self._sandbox: Sandbox | None = None
        self._unfiltered: str | None = None
        self._networks: NetworkPool | None = None
        # sandbox() calls networks() with the lock held.
        self._guard = threading.RLock()

    def sandbox(self) -> Sandbox:
        """Return the sandbox. Raises StepsImpossible where steps can't run, SandboxError when there is no OCI
        runtime."""
        from pybuild.runtime.sandbox.errors import StepsImpossible
        from pybuild.runtime.sandbox.executor import Sandbox
        from pybuild.runtime.sandbox.find import find_runtime

        with self._guard:
            if self._sandbox is None:
                if self._refusal is not None:
                    raise StepsImpossible(self._refusal)
                assert self.runner is not None
                unfiltered = self.unfiltered()
                self._sandbox = Sandbox(
                    self._work,
                    self.runner,
                    self.networks(),
                    find_runtime(),
                    unfiltered=bool(unfiltered),
                    cgroup_parent=self._surroundings.cgroup_parent,
                )
                if unfiltered:
                    self._observer.notice(
                        f"steps can't make or open device nodes, as nothing else filters devices: {unfiltered}"
                    )
            return self._sandbox

    def unfiltered(self) -> str:
        """Return the reason why no device filter works for steps, "" if one does or none is needed.

        It is tried once, before the first step: the trial takes less time than to find out whether an earlier
        one still counts."""
        from pybuild.runtime.sandbox.devicefilter import missing

        with self._guard:
            if self._unfiltered is None:
                self._unfiltered = missing(os.path.basename(self._work))
            return self._unfiltered

    def networks(self) -> NetworkPool:
        """Return the pool of network namespaces."""
        from pybuild.runtime.sandbox.network import NetworkPool

        with self._guard:
            if self._networks is None:
                assert self.runner is not None
                directory = os.path.join(self._work, "networks")
                os.mkdir(directory, 0o700)
                self._networks = NetworkPool(
                    self.runner,
                    directory,
                    notice=self._observer.notice,
                    isolate=self._surroundings.isolate,
                    host=self._surroundings.host_network,
                    dns=self._surroundings.dns,
                )
            return self._networks

    def close(self) -> None:
        """End the sandbox, then the runner, and with it the tools that serve networks."""
        if self._sandbox is not None:
            self._sandbox.close()
        if self.runner is not None:
            self.runner.close(wait=False)
