"""Policies and errors of a Dockerfile, as `docker buildx` passes and shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from tests.daemon.buildx.conftest import Buildx, buildx
from tests.runtime.policy.rules import convert, deny, message

from pybuild.runtime.policy.rules import Rule

__all__ = ["buildx"]

pytestmark = pytest.mark.registry


def encoded(*rules: Rule) -> str:
    """As Go reads a policy: numbers are no strings."""
    return json.dumps({**MessageToDict(message(*rules)), "version": 1})


def test_a_policy(buildx: Buildx, tmp_path: Path, registry: str, base_reference: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {registry}/other:1\nRUN --network=none true\n")
    policy = tmp_path / "policy.json"
    given: Any = {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": str(policy)}
    other = f"docker-image://{registry}/other:1"
    policy.write_text(encoded(convert(other, f"docker-image://{base_reference}")))
    buildx("build", ".", cwd=tmp_path, **given)
    policy.write_text(encoded(deny(other)))
    said = buildx.failing("build", ".", cwd=tmp_path, **given)
    assert f'source "{other}" denied by policy' in said
    assert ">>> FROM" in said


def test_the_place_of_a_mistake(buildx: Buildx, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY \\\n a\n")
    said = buildx.failing("build", ".", cwd=tmp_path)
    assert "dockerfile parse error on line 2: COPY requires at least two arguments" in said
    assert "   2 | >>> COPY" in said
    assert "   3 | >>>  a" in said
