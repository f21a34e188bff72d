"""Entitlements: the privileges that a build was granted with `--allow`, and the check that its steps need no others.

The check precedes all runs and covers cached steps, as BuildKit's does when it loads a graph.
"""

from __future__ import annotations

from pybuild.compiler.ops import ExecOp, NetMode, SecurityMode
from pybuild.lang.diagnostics import Diagnostic, Label, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.sandbox.devices import Device, Devices

DEVICE = "device"


class NotAllowed(UserError):
    """A step needs an entitlement that the build was not granted."""


class Unfiltered(UserError):
    """A step needs devices where no filter would keep it from all the others, for `reason`."""

    def __init__(self, vertex: Vertex, wanted: str, reason: str) -> None:
        super().__init__(
            Diagnostic(
                f"{wanted} is refused here: nothing would keep the step from all devices of the machine, as {reason}",
                labels=[Label(span) for span in vertex.metadata.spans[:1]],
            ),
            help="build where root may write control groups (in a container: with /sys/fs/cgroup writable), "
            "or as an ordinary user",
        )
        self.reason = reason


class Entitlements:
    """The entitlements of one build. `allow` are the values of `--allow`: `network.host`, `security.insecure`,
    `device`, `device=NAME[,alias=OTHER]`. `devices` are the machine's CDI devices. `unfiltered` gives the reason why
    no device filter works for steps, "" if one does."""

    def __init__(
        self,
        allow: Iterable[str],
        devices: Devices | None = None,
        unfiltered: Callable[[], str] = lambda: "",
    ) -> None:
        texts = list(allow)
        self._unfiltered = unfiltered
        self._allow = frozenset(texts)
        self._devices = devices
        self._granted: list[str] = []
        self._aliases: dict[str, str] = {}
        for text in texts:
            if text.startswith(DEVICE + "="):
                name, alias = device_grant(text)
                self._granted.append(alias or name)
                if alias:
                    self._aliases[alias] = name

    def check(self, vertices: Iterable[Vertex]) -> None:
        """Raise NotAllowed, UserError for a missing device, or Unfiltered at the first step that needs more than was
        granted, or more than can be granted here."""
        for vertex in vertices:
            op = vertex.op
            if not isinstance(op, ExecOp):
                continue
            for needed, name in (
                (op.network == NetMode.HOST, "network.host"),
                (op.security == SecurityMode.INSECURE, "security.insecure"),
            ):
                if needed and name not in self._allow:
                    raise _denied(vertex, f"{name} is not allowed: the step needs this entitlement", name)
            devices: Sequence[Device] = ()
            if op.cdi_devices:
                try:
                    devices = self.devices(vertex, op)
                except UserError as error:
                    if not error.diagnostic.labels:
                        error.diagnostic = _placed(error.diagnostic, vertex)
                    raise
            wanted = "security.insecure" if op.security == SecurityMode.INSECURE else ""
            wanted = wanted or (f"device {devices[0].name}" if devices else "")
            reason = self._unfiltered() if wanted else ""
            if reason:
                raise Unfiltered(vertex, wanted, reason)

    def devices(self, vertex: Vertex, op: ExecOp) -> Sequence[Device]:
        """Return the devices of a step, each once. Raises UserError if one is missing, NotAllowed if one is not
        granted."""
        if not op.cdi_devices:
            return ()
        machine = self._machine()
        # A name that is an alias of the user's is granted by that; all others have to be checked.
        aliased: dict[str, Device] = {}
        requested: dict[str, Device] = {}
        for wanted in op.cdi_devices:
            real = self._aliases.get(wanted.name)
            into = requested if real is None else aliased
            for device in machine.find(real or wanted.name, optional=wanted.optional):
                into[device.name] = device
        granted = self._granted_names(machine) if requested and DEVICE not in self._allow else None
        forbidden = [
            name
            for name, device in requested.items()
            if granted is not None and name not in granted and not device.allowed
        ]
        if forbidden:
            one = len(forbidden) == 1
            what = f"device {forbidden[0]} is" if one else f"devices {', '.join(forbidden)} are"
            wanted_flag = f"{DEVICE}={forbidden[0]}" if one else DEVICE
            raise _denied(vertex, f"{what} requested by the build but not allowed", wanted_flag)
        return list({**aliased, **requested}.values())

    def _granted_names(self, machine: Devices) -> frozenset[str]:
        names = (self._aliases.get(name, name) for name in self._granted)
        return frozenset(device.name for name in names for device in machine.find(name))

    def _machine(self) -> Devices:
        if self._devices is None:
            from pybuild.runtime.sandbox.devices import Devices

            self._devices = Devices()
        return self._devices


def device_grant(text: str) -> tuple[str, str]:
    """Return name and alias ("" for none) of `device=NAME[,alias=OTHER]`. Raises ValueError."""
    name, *rest = text.partition("=")[2].split(",")
    alias = ""
    for field in rest:
        key, equals, value = field.partition("=")
        if not equals:
            raise ValueError(f"invalid device config {field!r}")
        if key != "alias":
            raise ValueError(f"unknown device config key {key!r}")
        alias = value
    return name, alias


def _placed(diagnostic: Diagnostic, vertex: Vertex) -> Diagnostic:
    labels = [Label(span) for span in vertex.metadata.spans[:1]]
    return Diagnostic(diagnostic.title, labels=labels, notes=diagnostic.notes, code=diagnostic.code)


def _denied(vertex: Vertex, title: str, entitlement: str) -> NotAllowed:
    return NotAllowed(
        Diagnostic(title, labels=[Label(span) for span in vertex.metadata.spans[:1]]),
        help=f"if you trust this build, run it with --allow {entitlement}",
    )
