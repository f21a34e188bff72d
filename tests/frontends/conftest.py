from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.e2e.building import Builder
from tests.support.fixtures import session_store as store

__all__ = ["store"]

MakeFrontend = Callable[..., list[str]]
CAPABILITIES = "moby.buildkit.frontend.caps"
"""The label that names what a frontend takes."""
CONTEXTS = "moby.buildkit.frontend.contexts"
CAPABLE = {CAPABILITIES: CONTEXTS}

MARK = "FRONTEND_OF"
"""A variable that the processes of frontends have: the name of the test's directory."""


@pytest.fixture(scope="session")
def layer() -> bytes:
    return busybox_layer()


@pytest.fixture
def builder(tmp_path: Path, base: Path, store: Path) -> Builder:
    return Builder(tmp_path, base, root=store)


@pytest.fixture
def frontend(tmp_path: Path, layer: bytes) -> MakeFrontend:
    """`frontend(NAME, SHELL_SCRIPT, **config)`: the flags that make an image with that script known as NAME."""

    def make(name: str, script: str, **config: object) -> list[str]:
        layout = tmp_path / f"frontend-{name}"
        made = {"Entrypoint": ["/bin/sh", "-c", script], "Env": ["PATH=/bin", f"{MARK}={tmp_path.name}"]}
        write_layout(layout, layer, {**json.loads(PLAIN), **made, "Labels": CAPABLE, **config})
        return [f"--build-context={name}=oci-layout://{layout}"]

    return make
