"""Devices of the Container Device Interface (CDI), as the machine's specifications describe them.

A specification (version 0.3 to 1.0, https://github.com/cncf-tags/container-device-interface) names devices of one
kind, `vendor.com/class`, with edits of a container's configuration, some for all of them and some for each. A file
in a later directory takes precedence over one in an earlier directory. If two files of one directory name the same
device, the device is dropped. Requests without a device name, with `*` or with a device class resolve as in
BuildKit.
"""

from __future__ import annotations

import json
import os
import re

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import Diagnostic, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# The first two are the specification's own default directories.
DIRECTORIES = ("/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi")
CLASS = "org.mobyproject.buildkit.device.class"
AUTO_ALLOW = "org.mobyproject.buildkit.device.autoallow"

_VENDOR = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_CLASS = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")

_EDITS = frozenset({"env", "deviceNodes", "mounts", "hooks", "additionalGids"})
"""The members of `containerEdits` that can be applied. A device with any other is refused: without it the device
may not work as its vendor means it to."""


class Device:
    """A device: its qualified `name` (`vendor.com/class=device`), its annotations together with its
    specification's, the specification's `file` and edits (`shared`), and its own `edits`."""

    __slots__ = ("annotations", "edits", "file", "name", "shared")

    def __init__(
        self,
        name: str,
        file: str,
        annotations: dict[str, str],
        shared: dict[str, Any],
        edits: dict[str, Any],
    ) -> None:
        self.name = name
        self.file = file
        self.annotations = annotations
        self.shared = shared
        self.edits = edits

    @property
    def allowed(self) -> bool:
        """Report whether the specification lets every build use the device without being entitled to."""
        return bool(truth(self.annotations.get(AUTO_ALLOW, "")))


class Devices:
    """The devices of this machine, read on first use. `unread` are messages about files that could not be read."""

    def __init__(self, directories: Sequence[str] = DIRECTORIES) -> None:
        self._directories = directories
        self._devices: dict[str, Device] | None = None
        self.unread: list[str] = []

    def all(self) -> dict[str, Device]:
        """All devices by qualified name, ordered by name."""
        if self._devices is None:
            devices: dict[str, Device] = {}
            for directory in self._directories:
                devices.update(self._in_directory(directory))
            self._devices = dict(sorted(devices.items()))
        return self._devices

    def find(self, name: str, *, optional: bool = False) -> list[Device]:
        """The devices that a requested name means: `KIND=DEVICE`, `KIND=CLASS`, `KIND=*` or `KIND` for the first.
        Empty for an `optional` device that does not exist. Raises UserError."""
        kind, _, which = name.partition("=")
        vendor, slash, klass = kind.partition("/")
        if not slash or not _VENDOR.fullmatch(vendor) or not _CLASS.fullmatch(klass):
            raise UserError(f"invalid device {name!r}", help="write --device=VENDOR/CLASS=NAME")
        alike = [one for one in self.all().values() if one.name.startswith(kind + "=")]
        if which == "*":
            devices = alike
        elif which == "":
            devices = alike[:1]
        else:
            devices = [one for one in alike if one.name == name]
            devices = devices or [one for one in alike if one.annotations.get(CLASS) == which]
        # An unreadable file may be the one that names an optional device, so that is an error too.
        if not devices and (not optional or self.unread):
            raise self._unknown(name)
        return devices

    def _unknown(self, name: str) -> UserError:
        known = ", ".join(self.all()) or "none"
        notes = [("note", f"the devices of this machine: {known}"), *(("note", one) for one in self.unread)]
        return UserError(
            Diagnostic(f"required device {name!r} is not registered", notes=notes),
            help="specifications (JSON or YAML) are looked for in " + ", ".join(self._directories),
        )

    def _in_directory(self, directory: str) -> dict[str, Device]:
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return {}
        known: dict[str, Device] = {}
        twice = set()
        for name in names:
            if not name.endswith((".json", ".yaml", ".yml")):
                continue
            path = os.path.join(directory, name)
            try:
                devices = _read(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                self.unread.append(f"{path} can't be read: {error}")
                continue
            for device in devices:
                if device.name in known:
                    twice.add(device.name)
                    self.unread.append(f"{path} and {known[device.name].file} both name {device.name}")
                known[device.name] = device
        return {name: device for name, device in known.items() if name not in twice}


def _read(path: str) -> list[Device]:
    """The devices of one file. Raises OSError, and for a malformed file ValueError, KeyError, TypeError or
    AttributeError."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    spec = json.loads(text) if path.endswith(".json") else _yaml(text)
    kind, shared = spec["kind"], spec.get("containerEdits") or {}
    above = dict(spec.get("annotations") or {})
    return [
        Device(
            f"{kind}={one['name']}",
            path,
            {name: _text(value) for name, value in {**above, **(one.get("annotations") or {})}.items()},
            dict(shared),
            dict(one.get("containerEdits") or {}),
        )
        for one in spec["devices"]
    ]


def _text(value: object) -> str:
    """An annotation's value as JSON writes it: YAML has booleans without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _yaml(text: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise ValueError(
            "YAML needs PyYAML: install it beside pybuild (pip install PyYAML), or write the file as JSON"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


class Edits:
    """Changes of a step's configuration that devices need, in terms of the OCI runtime specification."""

    __slots__ = ("devices", "env", "gids", "hooks", "mounts", "rules")

    def __init__(self) -> None:
        self.env: list[str] = []
        self.gids: list[int] = []
        self.devices: list[dict[str, object]] = []
        self.rules: list[dict[str, object]] = []
        self.mounts: list[dict[str, object]] = []
        self.hooks: dict[str, list[dict[str, object]]] = {}


def edits(devices: Iterable[Device], *, uid: int, gid: int, bound: bool) -> Edits:
    """The edits of `devices` for a step that runs as `uid` and `gid`. A specification's shared edits come once,
    before the first of its devices. With `bound`, device nodes are bind mounts of the machine's nodes, because no
    node can be made in a user namespace. Raises UserError for an edit that can't be applied."""
    merged = Edits()
    seen: set[str] = set()
    for device in devices:
        if device.file not in seen:
            seen.add(device.file)
            _apply(merged, device, device.shared, uid, gid, bound)
        _apply(merged, device, device.edits, uid, gid, bound)
    return merged


def _apply(
    out: Edits, device: Device, container_edits: dict[str, Any], uid: int, gid: int, bound: bool
) -> None:
    refused = sorted(name for name, value in container_edits.items() if value and name not in _EDITS)
    if refused:
        raise UserError(
            f"device {device.name}: {device.file} wants {refused[0]}, which pybuild does not apply"
        )
    try:
        out.env += container_edits.get("env") or []
        out.gids += [number for number in container_edits.get("additionalGids") or [] if number]
        for node in container_edits.get("deviceNodes") or []:
            _apply_node(out, node, uid, gid, bound)
        for mount in container_edits.get("mounts") or []:
            out.mounts.append(_mount(mount))
        for hook in container_edits.get("hooks") or []:
            kept = {name: hook[name] for name in ("path", "args", "env", "timeout") if hook.get(name)}
            out.hooks.setdefault(hook["hookName"], []).append(kept)
    except OSError as error:
        raise UserError(f"device {device.name}: {error.filename}: {(error.strerror or '').lower()}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"device {device.name}: {device.file} is malformed: {error!r}") from None


def _mount(mount: dict[str, Any]) -> dict[str, object]:
    options = list(mount.get("options") or [])
    if not {"bind", "rbind"} & set(options) and mount.get("type", "bind") in ("", "bind", "none"):
        options.insert(0, "rbind")
    return {
        "destination": mount["containerPath"],
        "type": mount.get("type") or "bind",
        "source": mount["hostPath"],
        "options": options,
    }


def _apply_node(out: Edits, node: dict[str, Any], uid: int, gid: int, bound: bool) -> None:
    """Add a device node. Values that its specification leaves open are looked up on the machine. Raises OSError."""
    path = node["path"]
    host = node.get("hostPath") or path
    if bound:
        os.stat(host)  # raises for an absent node, with a better message than the runtime's
        out.mounts.append(
            {"destination": path, "type": "bind", "source": host, "options": ["bind", "nosuid", "noexec"]}
        )
        return
    kind, major, minor = node.get("type") or "", node.get("major") or 0, node.get("minor") or 0
    if not kind or (not major and kind != "p"):
        kind, major, minor = _numbers(host, kind)
    device: dict[str, object] = {"path": path, "type": kind, "major": major, "minor": minor}
    if node.get("fileMode") is not None:
        device["fileMode"] = node["fileMode"]
    for name, own in (("uid", uid), ("gid", gid)):
        value = node.get(name)
        if value is not None or own:
            device[name] = own if value is None else value
    out.devices.append(device)
    if kind in ("b", "c"):
        access = node.get("permissions") or "rwm"
        out.rules.append({"allow": True, "type": kind, "major": major, "minor": minor, "access": access})


def _numbers(path: str, kind: str) -> tuple[str, int, int]:
    """Type, major and minor number of the node at `path`. Raises ValueError if it is not of type `kind`, where one
    is given."""
    import stat

    status = os.stat(path)
    real = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    real = real or ("p" if stat.S_ISFIFO(status.st_mode) else "")
    if not real:
        raise ValueError(f"{path} is no device")
    if kind and kind not in (real, "u" if real == "c" else real):
        raise ValueError(f"{path} is of type {real}, not {kind}")
    return real, os.major(status.st_rdev), os.minor(status.st_rdev)
