"""Stand-ins for base images, in a registry of the test's own: busybox with programs that record how they were called.
Every image that a test names, of any registry, is the same one."""

from __future__ import annotations

import io
import json
import re
import shlex
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import field, frozen
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.e2e.building import Builder
from tests.runtime.registry.behaving import Registry

PROGRAMS = "apk apt-get cargo dnf go microdnf npm pnpm pytest python python3 uv".split()
REGISTRIES = ("docker.io", "ghcr.io", "gcr.io")
"""Registries in whose place the test's own one answers."""

_RECORDER = (Path(__file__).parent / "recorder.sh").read_bytes()
_USUAL = ("HOME", "HOSTNAME", "OLDPWD", "PATH", "PWD", "SHLVL", "_")
_BASE = ("/", "/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf")


@frozen
class Call:
    """How a program was called. `environment` and `mounts` are what a step has not anyway."""

    words: tuple[str, ...]
    user: str
    directory: str
    environment: dict[str, str] = field(factory=dict)
    mounts: list[str] = field(factory=list)

    def lines(self, before: Call | None) -> Iterator[str]:
        """For people to read: what is as in the call before is left out."""
        yield shlex.join(self.words)
        for name, value, same in (
            ("as", self.user, before.user if before else "0:0"),
            ("in", self.directory, before.directory if before else "/"),
            ("with", self._assignments(), before._assignments() if before else ""),
            ("at", " ".join(self.mounts), " ".join(before.mounts) if before else ""),
        ):
            if value != same:
                yield f"  {name} {value}".rstrip()

    def _assignments(self) -> str:
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(self.environment.items()))


def calls(record: str) -> list[Call]:
    """The calls of a record, in order."""
    found = []
    for block in re.split(r"^call ", record, flags=re.M)[1:]:
        head, *lines = block.splitlines()
        user, _, directory = head.partition(" ")
        told: dict[str, list[str]] = {"word": [], "env": [], "mount": []}
        for line in lines:
            kind, _, value = line.partition(" ")
            told[kind].append(value)
        environment = dict(entry.split("=", 1) for entry in told["env"])
        found.append(
            Call(
                tuple(told["word"]),
                user,
                directory,
                {name: value for name, value in environment.items() if name not in _USUAL},
                sorted(_mounts(told["mount"], head.partition(" ")[0])),
            )
        )
    return found


def _mounts(lines: Iterable[str], user: str) -> Iterator[str]:
    """Mountpoints that are a step's own; with an owner where that is another than the user."""
    for line in lines:
        owner, _, path = line.partition(" ")
        if path not in _BASE and not path.startswith(_BASE[1:4]):
            yield path if owner == user else f"{path}({owner})"


def described(record: str) -> str:
    """A record for people to read."""
    found = calls(record)
    return "".join(
        f"{line}\n"
        for before, call in zip([None, *found], found, strict=False)
        for line in call.lines(before)
    )


def layer() -> bytes:
    """busybox with the stand-ins."""
    out = io.BytesIO(busybox_layer())
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as archive:
        for name, data, mode in (
            ("record", b"", 0o666),
            ("uv", _RECORDER, 0o755),
            ("uvx", _RECORDER, 0o755),
            ("etc/apt/apt.conf.d/docker-clean", b"DPkg\n", 0o644),
            ("var/log/apt/readme", b"", 0o644),
            *((f"usr/bin/{name}", _RECORDER, 0o755) for name in PROGRAMS),
        ):
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def serve(registry: Registry, directory: Path, references: Iterable[str]) -> None:
    """Have a registry serve the stand-in image as each of `references` (`REPOSITORY:TAG`)."""
    layout = directory / "standin"
    write_layout(layout, layer(), json.loads(PLAIN))
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    blobs = {f"sha256:{path.name}": path.read_bytes() for path in (layout / "blobs" / "sha256").iterdir()}
    for reference in references:
        repository, _, tag = reference.rpartition(":")
        for data in blobs.values():
            registry.add(repository, data)
        registry.tag(repository, tag, entry["mediaType"], blobs[entry["digest"]])


def answer_for_all(builder: Builder, registry: Registry) -> None:
    """Have a builder ask this registry in place of REGISTRIES."""
    config = builder.place / "home" / ".config" / "pybuild" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    text = [f'[registries."{name}"]\nmirrors = ["{registry.host}"]\n' for name in REGISTRIES]
    config.write_text("\n".join(text))
