"""The OCI bundle of a step: the directory with its `config.json`, and everything that is made for the step and
removed after it."""

from __future__ import annotations

import json
import os

from pybuild.runtime.sandbox import files, spec
from pybuild.runtime.sandbox.errors import LimitError, NotStarted
from pybuild.runtime.sandbox.find import install_command
from pybuild.runtime.sandbox.rootpath import make_directories, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.network import Network
    from pybuild.runtime.sandbox.step import Step

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_LIMIT_WORDS = {
    "memory": ("memory limit", "memory.", "`memory`", "oom"),
    "cpu": ("cpuset.", "`cpuset`", "cpu.", "`cpu`", "cpu-shares", "/cpu/"),
    "pids": ("pids.", "`pids`"),
}
"""Words by which to tell the runtimes' messages about a controller. crun and runc have no error codes for them."""


class Bundle:
    """The bundle of one step. Call `prepare`, run the step, then call `clean`, whatever happened.

    `id` is the container's name, `path` the bundle's directory, `log` the runtime's log, `group` the path of the
    step's control group within the hierarchies."""

    __slots__ = ("_limits", "_network", "_points", "_sandbox", "_step", "group", "id", "log", "path")

    def __init__(
        self, sandbox: Sandbox, step: Step, id: str, network: Network, limits: Mapping[str, object]
    ) -> None:
        self._sandbox = sandbox
        self._step = step
        self._network = network
        self._limits = limits
        self._points = files.MountPoints(step.rootfs, recursive=step.meta.remove_mount_stubs_recursive)
        self.id = id
        self.path = os.path.join(sandbox.directory, id)
        self.log = os.path.join(self.path, "log")
        self.group = f"{sandbox.own_group(step.meta.cgroup_parent)}/{id}"

    @property
    def program(self) -> str:
        """The name of the step's program as it was given, "" without one."""
        return self._step.meta.args[0] if self._step.meta.args else ""

    @property
    def grouped(self) -> bool:
        """Report whether the step has a control group of its own."""
        return self._sandbox.cgroups.grouped(self._limits)

    @property
    def counted(self) -> bool:
        """Report whether the step's control group counts how often a limit was reached."""
        return "memory" in self._limits or "pids" in self._limits

    def prepare(self) -> None:
        """Write the bundle; make the mount points and the working directory in the root. Raises NotStarted."""
        step, sandbox = self._step, self._sandbox
        context = spec.StepContext(
            hosts=sandbox.shared_file(files.hosts_file(step.meta.hostname, step.meta.extra_hosts)),
            resolv_conf=sandbox.shared_file(self._network.resolv_conf),
            netns=self._network.path,
            cgroup=self.group if self.grouped else None,
            rootless=sandbox.rootless,
            unified=sandbox.cgroups.unified,
            unfiltered=sandbox.unfiltered,
        )
        text = spec.configuration(step, context, self._limits)
        os.mkdir(self.path, 0o700)
        with open(os.path.join(self.path, "config.json"), "w", encoding="utf-8") as file:
            file.write(text)
        try:
            self._points.prepare(spec.mounts(step, context))
            self._make_working_directory()
        except OSError as error:
            where = os.fsdecode(error.filename or b"").removeprefix(os.fsdecode(step.rootfs))
            raise NotStarted(f"preparing {where or '/'} in its root: {error.strerror}") from None

    def _make_working_directory(self) -> None:
        root = self._step.rootfs.rstrip(b"/")
        path = resolve(root, self._step.meta.cwd or "/")
        if not os.path.lexists(path):
            # It belongs to the step's user, as in BuildKit.
            make_directories(path, root, self._step.identity.uid, self._step.identity.gid)

    def failure(self, log: str, program: str) -> int | None:
        """The exit code that a shell gives for a `program` that can't be executed, if the runtime's `log` tells of
        that; its message has gone to stderr. None if the log has no error. Raises LimitError for a limit that
        could not be set, NotStarted for any other error."""
        message = _last_error(log)
        if message is None:
            return None
        lower = message.lower()
        if "executable file" in lower and "not found" in lower:
            return _NOT_FOUND
        if "exec" in lower and program in message:
            return _NOT_FOUND if "no such file" in lower else _NOT_EXECUTABLE
        # runc starts no container of root without control groups that filter devices.
        help = f"crun can: {install_command('crun')}" if self._sandbox.lacks_crun else None
        raise self._limit_refused(message) or _not_mounted(message) or NotStarted(message, help=help)

    def _limit_refused(self, message: str) -> LimitError | None:
        """The error for a message about a limit that could not be set; None if the message is about something
        else."""
        for controller, values in self._limits.items():
            if any(word in message.lower() for word in _LIMIT_WORDS.get(controller, ())):
                assert isinstance(values, dict)
                limits = ", ".join(f"{name} {value}" for name, value in values.items())
                return LimitError(
                    f"the {controller} limit of the step ({limits}) can't be set: {message}",
                    help="give it another value: more memory, or CPUs that this machine has",
                )
        return None

    def clean(self) -> None:
        """Remove everything that was made for the step, except its results. Idempotent."""
        state = os.path.join(self._sandbox.directory, "state", self.id)
        if os.path.lexists(state):
            # The runtime was killed or failed half way: its state and the control group are still there.
            self._sandbox.cgroups.remove(self.group)
            files.remove_tree(state)
        else:
            self._sandbox.cgroups.tidy(self.group)
        self._points.clean()
        files.remove_tree(self.path)


def _not_mounted(message: str) -> NotStarted | None:
    """The error for crun's message "mount `SOURCE` to `TARGET`: REASON", without the paths in the store; None for
    another message."""
    start, to, rest = message.partition("` to `")
    target, end, reason = rest.partition("`: ")
    if not (start.startswith("mount `") and to and end):
        return None
    return NotStarted(
        f"mounting at /{target.lstrip('/')}: {reason.lower()}",
        help="a directory is mounted over a directory and a file over a file, and nothing over the root",
    )


def _last_error(log: str) -> str | None:
    """The last error in a runtime's log of JSON lines. A line that is no JSON is an error too: the runtime
    broke."""
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            return line
        if record.get("level") in ("error", "fatal"):
            return str(record.get("msg", line))
    return None
