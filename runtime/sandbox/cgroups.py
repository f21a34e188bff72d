"""Control groups of steps: their places, the limits that can be enforced, and their removal.

A step's group is `/pybuild-<work directory's name>/<step>` in every hierarchy (version 1) or in the only one
(version 2). The runtime makes and removes it. The groups of a killed build are removed by its runner as that ends,
or else by a later build, which knows them by their names. Builds share no group, so none is removed while another
is about to use it.

An ordinary user has groups where a part of the hierarchy is delegated, as systemd does for its user managers. They
lie beside the build's own group there, and only steps with limits get one.
"""

from __future__ import annotations

import errno
import os
import time

from pybuild.runtime.sandbox.errors import LimitError
from pybuild.runtime.sandbox.files import remove_tree
from pybuild.runtime.sandbox.namespaces import UNIFIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.runtime.sandbox.step import Step

PREFIX = "pybuild-"
_REMOVAL_SECONDS = 1.0


class Cgroups:
    """The hierarchies that this process may use. Unless `usable`, no step has a group of its own, for `reason`; if
    `delegated`, only a step with limits has one. `base` is the group that the build's groups lie in, "" for the
    root; `unified` tells that the hierarchy is of version 2."""

    __slots__ = ("_cover", "_roots", "base", "delegated", "reason", "unified", "usable")

    def __init__(
        self,
        roots: Sequence[tuple[str, frozenset[str]]],
        unified: bool,
        reason: str = "",
        *,
        base: str = "",
        delegated: bool = False,
    ) -> None:
        self._roots = tuple(roots)
        self.unified = unified
        self.usable = bool(roots)
        self.base = base
        self.delegated = delegated
        self._cover = UNIFIED if roots and not unified and os.path.ismount(UNIFIED) else None
        self.reason = reason

    @classmethod
    def detect(
        cls,
        *,
        rootless: bool,
        mountinfo: str = "/proc/thread-self/mountinfo",
        own: str = "/proc/thread-self/cgroup",
    ) -> Cgroups:
        """Find out which hierarchies are mounted and, for an ordinary user, delegated."""
        first, second = _hierarchies(mountinfo)
        if rootless:
            base = _delegated(second[0][0], own) if second else None
            if base is None:
                return cls((), False, "an ordinary user can't make control groups, and none is delegated")
            point = second[0][0]
            return cls([(point, _controllers(point + base))], True, base=base, delegated=True)
        roots = second or first
        if not roots:
            return cls((), False, "no control groups are mounted")
        if not all(os.access(path, os.W_OK) for path, _ in roots):
            return cls((), False, "the control groups are mounted read-only")
        return cls(roots, bool(second))

    def path(self, work: str, step: str, parent: str = "") -> str:
        """The path of a step's group within the hierarchies, below the group `parent`. `work` names the build's
        work directory; "" as `step` gives the group of all its steps."""
        # A frontend may choose `parent`, so `..` must not lead out of the base.
        above = [part for part in parent.split("/") if part not in ("", ".", "..")]
        return self.base + "/".join(["", *above, PREFIX + work, step]).rstrip("/")

    def grouped(self, limits: Mapping[str, object]) -> bool:
        """Report whether a step with these limits gets a group of its own."""
        return self.usable and (bool(limits) or not self.delegated)

    def directories(self, group: str) -> list[str]:
        """The directories of a group, one in each hierarchy."""
        return [path + group for path, _ in self._roots]

    def point(self, controller: str) -> str | None:
        """The mount point of the hierarchy in which a controller can be used, None without one. Version 2 lists
        no controller `devices`: every group there takes programs."""
        for path, controllers in self._roots:
            if self.unified or controller in controllers:
                return path
        return None

    def limits(self, step: Step) -> dict[str, object]:
        """The step's limits as an OCI `linux.resources` object. Raises LimitError for a limit that can't be
        enforced."""
        wanted = step.resources
        limits: dict[str, object] = {}
        memory: dict[str, object] = {}
        cpu: dict[str, object] = {}
        if wanted is not None:
            memory = {"limit": wanted.memory, "swap": wanted.memory_swap}
            cpu = {
                "shares": wanted.cpu_shares,
                "period": wanted.cpu_period,
                "quota": wanted.cpu_quota,
                "cpus": wanted.cpuset_cpus,
                "mems": wanted.cpuset_mems,
            }
        for controller, values in (("memory", memory), ("cpu", cpu), ("pids", {"limit": step.pids})):
            nonzero = {name: value for name, value in values.items() if value}
            if nonzero:
                self._require(controller)
                limits[controller] = nonzero
        # The OCI object has cpusets among `cpu`, but they are a controller of their own.
        if wanted is not None and (wanted.cpuset_cpus or wanted.cpuset_mems):
            self._require("cpuset")
        return limits

    def _require(self, controller: str) -> None:
        """Make sure that a controller limits the build's groups. Raises LimitError if it can't."""
        what = f"a {controller} limit on a step can't be enforced here"
        if not self.usable:
            raise LimitError(f"{what}: {self.reason}", help="build as root, or drop the limit")
        if not any(controller in controllers for _, controllers in self._roots):
            whose = "delegated to this user" if self.delegated else "offered by the kernel"
            raise LimitError(f"{what}: no such controller is {whose}", help="drop the limit")
        if self.unified:
            try:
                _switch_on(self._roots[0][0] + self.base, controller)
            except OSError as error:
                raise LimitError(
                    f"{what}: its controller can't be switched on below {self._roots[0][0] + self.base}: "
                    f"{error.strerror}",
                    help="drop the limit, or build where control groups are delegated",
                ) from None

    def out_of_memory_kills(self, group: str) -> int:
        """The number of processes in the group that the kernel killed for lack of memory; 0 if it isn't known."""
        name = "memory.events" if self.unified else "memory.oom_control"
        return self._counter(group, "memory", name, "oom_kill")

    def refused_processes(self, group: str) -> int:
        """The number of forks in the group that failed because of its process limit; 0 if it isn't known."""
        return self._counter(group, "pids", "pids.events", "max")

    def _counter(self, group: str, controller: str, name: str, key: str) -> int:
        for path, controllers in self._roots:
            if controller in controllers:
                try:
                    with open(f"{path}{group}/{name}", encoding="ascii") as file:
                        words = dict(line.split() for line in file)
                except (OSError, ValueError):
                    return 0
                return int(words.get(key, 0))
        return 0

    def remove(self, group: str) -> None:
        """Remove a group and the groups below it from every hierarchy. It must have no living process; dying ones
        are waited for. An absent group is no error."""
        for directory in self.directories(group):
            remove_group(directory)
        self.tidy(group)

    def tidy(self, group: str) -> None:
        """Remove the directories that crun wrote for the group into the tmpfs that covers a hybrid host's version
        2 part (`namespaces.UNIFIED`)."""
        if self._cover is not None:
            remove_tree(self._cover + group)

    def leftovers(self, works: Iterable[str]) -> list[str]:
        """The groups of the builds whose work directories had these names, as paths within the hierarchies."""
        names = {PREFIX + work for work in works}
        left: set[str] = set()
        for path, _ in self._roots:
            left.update(name for name in os.listdir(path + self.base) if name in names)
        return [f"{self.base}/{name}" for name in sorted(left)]


def _hierarchies(mountinfo: str) -> tuple[list[tuple[str, frozenset[str]]], list[tuple[str, frozenset[str]]]]:
    """The mounted hierarchies of version 1 and of version 2, each as mount point and controllers. A version 2
    hierarchy elsewhere than at /sys/fs/cgroup belongs to a hybrid host and has no controllers."""
    first, second = [], []
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            # The kernel writes a blank in a path as \040 (proc(5)).
            point = left.split(" ")[4].replace("\\040", " ")
            kind, _, options = right.split(" ", 2)
            if kind == "cgroup":
                first.append((point, frozenset(options.strip().split(","))))
            elif kind == "cgroup2" and point == "/sys/fs/cgroup":
                second.append((point, _controllers(point)))
    return first, second


def _controllers(point: str) -> frozenset[str]:
    try:
        with open(f"{point}/cgroup.controllers", encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def _delegated(point: str, own: str) -> str | None:
    """The nearest group above this process's own in which this user may make groups and move processes to them;
    None if there is none. The process's own group won't do: a group with processes can't have controllers for the
    groups below it (cgroups(7), "no internal processes")."""
    with open(own, encoding="utf-8", errors="surrogateescape") as file:
        group = next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), "/")
    while group != "/":
        group = os.path.dirname(group)
        directory = point + group.rstrip("/")
        wanted = (directory, f"{directory}/cgroup.procs", f"{directory}/cgroup.subtree_control")
        if all(os.access(path, os.W_OK) for path in wanted):
            return group.rstrip("/")
    return None


def _switch_on(directory: str, controller: str) -> None:
    """Enable a controller for the groups below a group of version 2. Raises OSError."""
    path = f"{directory}/cgroup.subtree_control"
    with open(path, encoding="ascii") as file:
        if controller in file.read().split():
            return
    with open(path, "w", encoding="ascii") as file:
        file.write(f"+{controller}")


def remove_group(directory: str) -> None:
    """Remove a control group and the groups below it, waiting a moment for processes that are dying."""
    try:
        # Only directories: the control files go with their group.
        below = [entry.path for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for child in below:
        remove_group(child)
    end = time.monotonic() + _REMOVAL_SECONDS
    while True:
        try:
            os.rmdir(directory)
            return
        except OSError as error:
            # Processes that were killed stay in their group until the kernel has torn them down.
            if error.errno != errno.EBUSY or time.monotonic() > end:
                return
        time.sleep(0.002)
