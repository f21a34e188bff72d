"""What the tests of exporters build, and how they look at what came of it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.daemon.client.bridge import Gateway, Result, by_platform
from tests.daemon.client.control import Daemon
from tests.daemon.client.files import Results
from tests.daemon.client.solving import Build, Callback, solve

from pybuild.compiler.state import State, mkfile
from pybuild.runtime.verify.archives import verify_layout

PLATFORMS = ("linux/amd64", "linux/arm64")


def files(**contents: str) -> State:
    """A state with files of the root."""
    state = State.scratch()
    for name, content in contents.items():
        state = state.file(mkfile(f"/{name}", content.encode()))
    return state


def several(metadata: Mapping[str, bytes] | None = None) -> Callback:
    """A frontend whose result has a file `f` for each of two platforms, with the platform in it."""

    def frontend(gateway: Gateway) -> Result:
        refs = {one: gateway.ref(files(f=one)) for one in PLATFORMS}
        return by_platform(refs, metadata)

    return frontend


@frozen
class Layout:
    """An OCI layout in an archive."""

    members: Mapping[str, bytes]

    @property
    def root(self) -> dict[str, Any]:
        """The one entry of its index."""
        (entry,) = json.loads(self.members["index.json"])["manifests"]
        return dict(entry)

    def json(self, digest: str) -> dict[str, Any]:
        return dict(json.loads(self.members["blobs/sha256/" + digest.removeprefix("sha256:")]))

    @property
    def target(self) -> dict[str, Any]:
        return self.json(self.root["digest"])


def layout_of(archive: bytes, place: Path) -> Layout:
    """The layout in an archive, which is whole."""
    path = place / "layout.tar"
    path.write_bytes(archive)
    assert verify_layout(str(path)) == []
    return Layout(members(archive))


def members(archive: bytes) -> dict[str, bytes]:
    """The regular files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {one.name: opened.extractfile(one) for one in opened}
        return {name: file.read() for name, file in found.items() if file is not None}


def oci(
    daemon: Daemon,
    place: Path,
    exporter: Mapping[str, str] = {},
    frontend: Callback | None = None,
    **fields: Any,
) -> tuple[Layout, dict[str, str]]:
    """What `type=oci` makes, and what it answers. `fields` are those of Build."""
    results = Results()
    if frontend is None:
        fields.setdefault("graph", files(f="1"))
    offers = [results.offer(), *fields.pop("offers", ())]
    solved = solve(daemon, Build(exporters=[("oci", exporter)], offers=offers, **fields), frontend)
    return layout_of(results.only.data, place), solved.response
