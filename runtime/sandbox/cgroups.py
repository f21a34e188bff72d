"""Control groups of steps: where they go, what can be enforced, and their removal.

A step's group is `/pybuild-<work directory's name>/<step>` in every hierarchy (version 1) or the one (version 2).
The runtime makes and removes it. What a killed build leaves, the runner removes as it ends, or else a later build,
which finds it by the name. Builds share no group, so none is removed while another one is about to use it.

An ordinary user has groups where a part of the one hierarchy is delegated, as systemd does for its user managers:
they lie beside the build's own there, and only steps with limits get one.
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
    """The hierarchies this process may use. Without `usable` no step has a group of its own, with `delegated` only
    one with limits; `base` is the group that theirs lie in."""

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
        """Look at what is mounted and, for an ordinary user, at what is delegated."""
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
        """The step's group, absolute within the hierarchies."""
        above = [part for part in parent.split("/") if part not in ("", ".", "..")]
        return self.base + "/".join(["", *above, PREFIX + work, step]).rstrip("/")

    def grouped(self, limits: Mapping[str, object]) -> bool:
        """Whether a step with these limits gets a group of its own."""
        return self.usable and (bool(limits) or not self.delegated)

    def directories(self, group: str) -> list[str]:
        """Where the group is, in every hierarchy."""
        return [path + group for path, _ in self._roots]

    def limits(self, step: Step) -> dict[str, object]:
        """The step's limits as an OCI `linux.resources` object. Raises LimitError for one that can't be kept."""
        asked = step.resources
        found: dict[str, object] = {}
        memory: dict[str, object] = {}
        cpu: dict[str, object] = {}
        if asked is not None:
            memory = {"limit": asked.memory, "swap": asked.memory_swap}
            cpu = {
                "shares": asked.cpu_shares,
                "period": asked.cpu_period,
                "quota": asked.cpu_quota,
                "cpus": asked.cpuset_cpus,
                "mems": asked.cpuset_mems,
            }
        for controller, values in (("memory", memory), ("cpu", cpu), ("pids", {"limit": step.pids})):
            given = {name: value for name, value in values.items() if value}
            if given:
                self._require(controller)
                found[controller] = given
        if asked is not None and (asked.cpuset_cpus or asked.cpuset_mems):
            self._require("cpuset")
        return found

    def _require(self, controller: str) -> None:
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
        """How many processes of the group the kernel killed for want of memory; 0 when nothing tells."""
        name = "memory.events" if self.unified else "memory.oom_control"
        return self._counter(group, "memory", name, "oom_kill")

    def refused_processes(self, group: str) -> int:
        """How often the group was refused a process for the limit on their number; 0 when nothing tells."""
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
        """Remove a group and those below it from every hierarchy; it must have no living process, and one that
        is just dying is waited for. Absent ones are no error."""
        for directory in self.directories(group):
            remove_group(directory)
        self.tidy(group)

    def tidy(self, group: str) -> None:
        """Remove what crun wrote for the group where a hybrid host's version 2 part is covered."""
        if self._cover is not None:
            remove_tree(self._cover + group)

    def leftovers(self, works: Iterable[str]) -> list[str]:
        """Groups of the builds whose work directories had these names."""
        names = {PREFIX + work for work in works}
        found: set[str] = set()
        for path, _ in self._roots:
            found.update(name for name in os.listdir(path + self.base) if name in names)
        return [f"{self.base}/{name}" for name in sorted(found)]


def _hierarchies(mountinfo: str) -> tuple[list[tuple[str, frozenset[str]]], list[tuple[str, frozenset[str]]]]:
    """Mounted hierarchies of version 1 and of version 2: mount point and controllers."""
    first, second = [], []
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            left, _, right = line.partition(" - ")
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
    """The nearest group above this process's own that this user may make groups in and move processes below; None
    if there is none. Its own can't be it: a group with processes has no controllers for those below."""
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
    """Have the groups below a group of version 2 limited by a controller that the group has. Raises OSError."""
    path = f"{directory}/cgroup.subtree_control"
    with open(path, encoding="ascii") as file:
        if controller in file.read().split():
            return
    with open(path, "w", encoding="ascii") as file:
        file.write(f"+{controller}")


def remove_group(directory: str) -> None:
    """Remove one control group and those below it, waiting a moment for processes that are just dying."""
    try:
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
            if error.errno != errno.EBUSY or time.monotonic() > end:
                return
        time.sleep(0.002)
