"""A bridge over images and directories in memory, and a short way to lower a text through it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pybuild.compiler.bridge import FileStat, ResolvedImage
from pybuild.compiler.graph import Edge, Vertex, walk
from pybuild.compiler.lower.dockerfile import LoweredTarget, LowerOptions, lower
from pybuild.compiler.ops import Copy, ExecOp, FileOp, MkDir, MkFile, Platform, SourceOp
from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source

AMD64 = Platform("amd64", "linux")
ARM64 = Platform("arm64", "linux")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DIGEST = "sha256:" + "d" * 64


def image_config(
    config: Mapping[str, Any] | None = None, *, architecture: str = "amd64", layers: int = 1
) -> bytes:
    """The config of an image with `layers` layers; `config` adds to an environment with a PATH."""
    return json.dumps(
        {
            "created": "2020-01-01T00:00:00Z",
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [PATH], "Cmd": ["sh"], **(config or {})},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{number:064x}" for number in range(layers)]},
            "history": [
                {"created": "2020-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(layers)
            ],
        }
    ).encode()


class NoSuchImage(UserError):
    pass


class World:
    """Images by canonical name, directories by name, times of sources by identifier. Keeps and what it was told."""

    def __init__(
        self,
        images: Mapping[str, bytes] | None = None,
        directories: Mapping[str, Mapping[str, bytes]] | None = None,
        times: Mapping[str, int] | None = None,
    ) -> None:
        self.images = {"docker.io/library/base:latest": image_config(), **(images or {})}
        self.directories = directories or {}
        self.times = times or {}
        self.timed: list[SourceOp] = []
        self.resolved: list[tuple[str, str]] = []
        self.log_names: list[str] = []
        self.warnings: list[Diagnostic] = []

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self.resolved.append((ref, platform.architecture))
        self.log_names.append(log_name)
        if ref not in self.images:
            raise NoSuchImage(f"{ref}: not found")
        return ResolvedImage(ref, DIGEST, self.images[ref])

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self.resolved.append((f"oci-layout://{ref}", platform.architecture))
        return ResolvedImage(ref, DIGEST, self.images[ref])

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        op = edge.vertex.op
        assert isinstance(op, SourceOp)
        files = self.directories.get(op.identifier.removeprefix("local://"), {})
        if path not in files:
            raise FileNotFoundError(path)
        return files[path][:limit]

    def stat(self, edge: Edge, path: str) -> FileStat:
        return FileStat(path, 0o100644, len(self.read_file(edge, path)))

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        raise FileNotFoundError(path)

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        op = edge.vertex.op
        assert isinstance(op, SourceOp)
        self.timed.append(op)
        self.log_names.append(log_name)
        if op.identifier.endswith("/gone"):
            raise NoSuchImage(f"invalid response status 404: {op.identifier}")
        return self.times.get(op.identifier)

    def warn(self, warning: Diagnostic) -> None:
        self.warnings.append(warning)


def lowered(text: str, world: World | None = None, **options: Any) -> LoweredTarget:
    """Lowers `text` for linux/amd64 on a linux/amd64 machine, unless `options` say otherwise."""
    options.setdefault("build_platforms", (AMD64,))
    return lower(parse(Source("Dockerfile", text)), LowerOptions(**options), world or World())


def config_of(result: LoweredTarget) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(result.image.to_json())["config"]
    return value


def history_of(result: LoweredTarget) -> list[str]:
    """What the Dockerfile added to history, layers marked with `+`."""
    return [
        ("" if entry.empty_layer else "+ ") + entry.created_by
        for entry in result.image.history
        if entry.comment == "buildkit.dockerfile.v0"
    ]


def vertices(result: LoweredTarget) -> list[Vertex]:
    return list(walk([result.edge])) if result.edge is not None else []


def names(result: LoweredTarget) -> list[str]:
    return [vertex.name for vertex in vertices(result)]


def execs(result: LoweredTarget) -> list[ExecOp]:
    return [vertex.op for vertex in vertices(result) if isinstance(vertex.op, ExecOp)]


def sources(result: LoweredTarget) -> dict[str, dict[str, str]]:
    """Attributes of the sources by identifier."""
    found = (vertex.op for vertex in vertices(result))
    return {op.identifier: dict(op.attrs) for op in found if isinstance(op, SourceOp)}


def actions(result: LoweredTarget) -> Iterator[Copy | MkDir | MkFile]:
    """The file actions of the graph, inputs first."""
    for vertex in vertices(result):
        if isinstance(vertex.op, FileOp):
            for action in vertex.op.actions:
                assert isinstance(action.action, Copy | MkDir | MkFile)
                yield action.action


def copies(result: LoweredTarget) -> list[Copy]:
    return [action for action in actions(result) if isinstance(action, Copy)]
