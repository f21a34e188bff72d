"""The example's frontend: an image that pybuild makes, run by pybuild and by Docker's BuildKit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.differential.bases import Bases
from tests.differential.imagetree import ReadImage, read_image
from tests.e2e.building import Builder
from tests.sdk.conftest import EXAMPLE

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun]
NAME = "localhost:5000/steps"
"""What the demonstration's syntax line asks for."""


def push(layout: Path, reference: str) -> None:
    command = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{reference}"]
    subprocess.run(command, check=True, timeout=60)


def without_times(image: ReadImage) -> dict[str, Any]:
    """The config without what the times of a run decide, and without the names of layers that no frontend named:
    BuildKit's are those of the step that first made their content."""
    config = json.loads(json.dumps(image.config))
    del config["rootfs"]["diff_ids"]
    for one in (config, *config["history"]):
        one.pop("created", None)
        if one.get("comment") == "buildkit.exporter.image.v0":
            del one["created_by"]
    found: dict[str, Any] = config
    return found


def test_it_is_a_whole_image(example: Path) -> None:
    assert verify_layout(str(example)) == []


def test_the_demonstration(builder: Builder, example: Path) -> None:
    flags: list[str | Path] = [
        f"--build-context={NAME}=oci-layout://{example}",
        "-f",
        EXAMPLE / "demo/image.steps",
    ]
    builder.build(*flags, "-o", "out", EXAMPLE / "demo")
    assert (builder.place / "out/said").read_text() == (EXAMPLE / "demo/greeting.txt").read_text()


def test_mistakes_are_shown_in_the_file(builder: Builder, example: Path) -> None:
    context = builder.context("context", None, **{"x.steps": f"# syntax={NAME}\nfrom base\nfly  away\n"})
    flags: list[str | Path] = [f"--build-context={NAME}=oci-layout://{example}", "-f", context / "x.steps"]
    outcome = builder.build(*flags, context, code=1)
    said = f"""\
error: unknown word fly: a line begins with from, copy or run
 --> {context}/x.steps:3:1
  |
3 | fly  away
  | ^^^
"""
    assert outcome.err.endswith(said)


@pytest.mark.registry
@pytest.mark.docker
def test_docker_makes_the_same_of_it(builder: Builder, example: Path, bases: Bases, registry: str) -> None:
    frontend = f"{registry}/pybuild-frontend:steps"
    push(example, frontend)
    text = f"# syntax={frontend}\nfrom {bases.reference()}\ncopy greeting.txt\nrun cat greeting.txt > /said\n"
    context = builder.context("context", None, **{"x.steps": text, "greeting.txt": "hello\n"})
    flags: list[str | Path] = [
        "--network=host",
        "--label=a=b",
        "--build-arg=SOURCE_DATE_EPOCH=1700000000",
        "-f",
        context / "x.steps",
    ]
    ours, theirs = builder.place / "ours.tar", builder.place / "theirs.tar"
    builder.build(*flags, "--allow=network.host", "-o", f"type=oci,dest={ours}", context)
    subprocess.run(
        ["docker", "buildx", "build", *map(str, flags), "-o", f"type=oci,dest={theirs}", str(context)],
        env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
        check=True,
        timeout=60,
        capture_output=True,
    )
    mine, other = read_image(ours), read_image(theirs)
    assert mine.tree == other.tree
    assert mine.tree[b"said"].content == b"hello\n"
    assert without_times(mine) == without_times(other)
