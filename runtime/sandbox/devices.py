"""Devices of the Container Device Interface: what the machine's specifications say of them, for steps that ask.

A specification (version 0.3 to 1.0, https://github.com/cncf-tags/container-device-interface) names devices of one
kind, `vendor.com/class`, and edits of a container's configuration: for all of them, and for each. Files of a later
directory go before those of an earlier one; of two in one directory that name the same device, neither counts.
Which device a name without one, with `*`, or with a class of its own means, is BuildKit's.
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

DIRECTORIES = ("/etc/cdi", "/var/run/cdi", "/etc/buildkit/cdi")
CLASS = "org.mobyproject.buildkit.device.class"
AUTO_ALLOW = "org.mobyproject.buildkit.device.autoallow"

_VENDOR = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_CLASS = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")

_EDITS = frozenset({"env", "deviceNodes", "mounts", "hooks", "additionalGids"})
"""Members of `containerEdits` that can be applied; any other is refused."""


class Device:
    """One device: its qualified `name` (`vendor.com/class=device`), its annotations with those of its specification,
    the specification's file and edits, and its own edits."""

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
        """Whether its specification lets every build use it."""
        return bool(truth(self.annotations.get(AUTO_ALLOW, "")))


class Devices:
    """The devices of this machine, read when first asked for. `unread` are reasons why files could not be."""

    def __init__(self, directories: Sequence[str] = DIRECTORIES) -> None:
        self._directories = directories
        self._found: dict[str, Device] | None = None
        self.unread: list[str] = []

    def all(self) -> dict[str, Device]:
        """By qualified name, in the order of the names."""
        if self._found is None:
            found: dict[str, Device] = {}
            for directory in self._directories:
                found.update(self._of_directory(directory))
            self._found = dict(sorted(found.items()))
        return self._found

    def find(self, name: str, *, optional: bool = False) -> list[Device]:
        """The devices that a name means; none for an optional one that isn't there. Raises UserError."""
        kind, _, which = name.partition("=")
        vendor, slash, klass = kind.partition("/")
        if not slash or not _VENDOR.fullmatch(vendor) or not _CLASS.fullmatch(klass):
            raise UserError(f"invalid device {name!r}", help="write --device=VENDOR/CLASS=NAME")
        alike = [one for one in self.all().values() if one.name.startswith(kind + "=")]
        if which == "*":
            found = alike
        elif which == "":
            found = alike[:1]
        else:
            found = [one for one in alike if one.name == name]
            found = found or [one for one in alike if one.annotations.get(CLASS) == which]
        if not found and (not optional or self.unread):
            raise self._unknown(name)
        return found

    def _unknown(self, name: str) -> UserError:
        known = ", ".join(self.all()) or "none"
        notes = [("note", f"the devices of this machine: {known}"), *(("note", one) for one in self.unread)]
        return UserError(
            Diagnostic(f"required device {name!r} is not registered", notes=notes),
            help="specifications (JSON or YAML) are looked for in " + ", ".join(self._directories),
        )

    def _of_directory(self, directory: str) -> dict[str, Device]:
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return {}
        found: dict[str, Device] = {}
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
                if device.name in found:
                    twice.add(device.name)
                    self.unread.append(f"{path} and {found[device.name].file} both name {device.name}")
                found[device.name] = device
        return {name: device for name, device in found.items() if name not in twice}


def _read(path: str) -> list[Device]:
    """The devices of one file. Raises OSError, ValueError, KeyError, TypeError, AttributeError."""
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
    """What devices change of a step's configuration, in the terms of the OCI runtime specification."""

    __slots__ = ("devices", "env", "gids", "hooks", "mounts", "rules")

    def __init__(self) -> None:
        self.env: list[str] = []
        self.gids: list[int] = []
        self.devices: list[dict[str, object]] = []
        self.rules: list[dict[str, object]] = []
        self.mounts: list[dict[str, object]] = []
        self.hooks: dict[str, list[dict[str, object]]] = {}


def edits(devices: Iterable[Device], *, uid: int, gid: int, bound: bool) -> Edits:
    """The edits of `devices` for a step that runs as `uid` and `gid`: those of a specification once, before the
    first of its devices. With `bound`, device nodes are mounts of the machine's, because no node can be made in a
    user namespace. Raises UserError: an edit that can't be applied."""
    found = Edits()
    seen: set[str] = set()
    for device in devices:
        if device.file not in seen:
            seen.add(device.file)
            _apply(found, device, device.shared, uid, gid, bound)
        _apply(found, device, device.edits, uid, gid, bound)
    return found


def _apply(out: Edits, device: Device, given: dict[str, Any], uid: int, gid: int, bound: bool) -> None:
    refused = sorted(name for name, value in given.items() if value and name not in _EDITS)
    if refused:
        raise UserError(
            f"device {device.name}: {device.file} wants {refused[0]}, which pybuild does not apply"
        )
    try:
        out.env += given.get("env") or []
        out.gids += [number for number in given.get("additionalGids") or [] if number]
        for node in given.get("deviceNodes") or []:
            _apply_node(out, node, uid, gid, bound)
        for mount in given.get("mounts") or []:
            out.mounts.append(_mount(mount))
        for hook in given.get("hooks") or []:
            kept = {name: hook[name] for name in ("path", "args", "env", "timeout") if hook.get(name)}
            out.hooks.setdefault(hook["hookName"], []).append(kept)
    except OSError as error:
        raise UserError(f"device {device.name}: {error.filename}: {(error.strerror or '').lower()}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"device {device.name}: {device.file} is malformed: {error!r}") from None


def _mount(given: dict[str, Any]) -> dict[str, object]:
    options = list(given.get("options") or [])
    if not {"bind", "rbind"} & set(options) and given.get("type", "bind") in ("", "bind", "none"):
        options.insert(0, "rbind")
    return {
        "destination": given["containerPath"],
        "type": given.get("type") or "bind",
        "source": given["hostPath"],
        "options": options,
    }


def _apply_node(out: Edits, node: dict[str, Any], uid: int, gid: int, bound: bool) -> None:
    """One device node; what its specification leaves open is looked up on the machine. Raises OSError."""
    path = node["path"]
    host = node.get("hostPath") or path
    if bound:
        os.stat(host)
        out.mounts.append(
            {"destination": path, "type": "bind", "source": host, "options": ["bind", "nosuid", "noexec"]}
        )
        return
    kind, major, minor = node.get("type") or "", node.get("major") or 0, node.get("minor") or 0
    if not kind or (not major and kind != "p"):
        kind, major, minor = _numbers(host, kind)
    made: dict[str, object] = {"path": path, "type": kind, "major": major, "minor": minor}
    if node.get("fileMode") is not None:
        made["fileMode"] = node["fileMode"]
    for name, own in (("uid", uid), ("gid", gid)):
        value = node.get(name)
        if value is not None or own:
            made[name] = own if value is None else value
    out.devices.append(made)
    if kind in ("b", "c"):
        access = node.get("permissions") or "rwm"
        out.rules.append({"allow": True, "type": kind, "major": major, "minor": minor, "access": access})


def _numbers(path: str, kind: str) -> tuple[str, int, int]:
    import stat

    found = os.stat(path)
    real = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
    real = real or ("p" if stat.S_ISFIFO(found.st_mode) else "")
    if not real:
        raise ValueError(f"{path} is no device")
    if kind and kind not in (real, "u" if real == "c" else real):
        raise ValueError(f"{path} is of type {real}, not {kind}")
    return real, os.major(found.st_rdev), os.minor(found.st_rdev)
