"""What buildx says of the builder, and what it does to its store."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.daemon.buildx.conftest import BUILDER, Buildx

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def test_the_builder(buildx: Buildx) -> None:
    said = buildx("inspect", "--bootstrap")
    assert "Status:" in said
    assert "running" in said
    assert "linux/amd64" in said or "linux/arm64" in said
    assert BUILDER in buildx("ls")


def test_usage(buildx: Buildx, tmp_path: Path) -> None:
    word = uuid.uuid4().hex
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY file /{word}\n")
    (tmp_path / "file").write_text(word)
    buildx("build", "-o", f"{tmp_path}/out", str(tmp_path))
    said = buildx("du", "--verbose")
    assert f"COPY file /{word}" in said
    assert "Total:" in said
    assert word in buildx("prune", "--force", "--all", "--verbose")
    assert word not in buildx("du", "--verbose")
