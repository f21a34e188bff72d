"""Whole builds: several platforms, steps that run, metadata."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.replay.project import Project

PLATFORMS = """\
FROM scratch
ARG TARGETARCH
COPY single /for-$TARGETARCH
"""


def test_an_index_of_two_platforms(project: Project) -> None:
    project.write({"Dockerfile": PLATFORMS})
    project.words += ["--platform=linux/amd64,linux/arm64", "--metadata-file=../metadata", "--tag=multi"]
    digest = project.settled().out.strip()
    index = project.json_blob(digest)
    found = {}
    for entry in index["manifests"]:
        architecture = entry["platform"]["architecture"]
        manifest = project.json_blob(entry["digest"])
        config = project.json_blob(manifest["config"]["digest"])
        assert config["architecture"] == architecture
        found[architecture] = project.files(entry["digest"])
    assert found == {"amd64": {"for-amd64"}, "arm64": {"for-arm64"}}

    metadata = json.loads((project.place / "up/metadata").read_text())
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.descriptor"]["digest"] == digest
    assert metadata["image.name"] == "docker.io/library/multi:latest"
    assert "containerimage.config.digest" not in metadata
    assert (project.place / "up/iid").read_text() == digest

    project.write({"single": "edited"})
    found_again = project.judged()
    assert found_again.path == "rebuild"
    assert len(project.json_blob(found_again.out)["manifests"]) == 2


def test_metadata_of_one_platform(project: Project) -> None:
    project.words.append("--metadata-file=../metadata")
    digest = project.settled().out.strip()
    metadata = json.loads((project.place / "up/metadata").read_text())
    config = project.json_blob(digest)["config"]["digest"]
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.config.digest"] == config
    assert (project.place / "up/iid").read_text() == config


def test_an_archive_in_a_file(project: Project) -> None:
    project.words[1:] = ["-o", "type=oci,dest=../out.tar", "-o", "type=tar,dest=../files.tar"]
    project.settled()
    out = project.place / "up/out.tar"
    before = out.read_bytes()
    out.write_bytes(before[:-1] + b"x")
    assert project.judged().path == "rebuild"
    assert out.read_bytes() == before
    (project.place / "up/files.tar").unlink()
    assert project.judged().path == "rebuild"
    assert (project.place / "up/files.tar").exists()


@pytest.mark.root
@pytest.mark.crun
def test_steps(project: Project, tmp_path: Path) -> None:
    write_layout(tmp_path / "layout", busybox_layer(), json.loads(PLAIN))
    project.write(
        {"Dockerfile": "FROM base\nCOPY single /s\nRUN cat /s /s > /made && rm /s\nCOPY target /t\n"}
    )
    project.words.append("--build-context=base=oci-layout://../../layout")
    first = project.settled()
    project.write({"target": "edited"})
    second = project.judged()
    assert second.path == "rebuild"
    project.write({"single": "edited"})
    third = project.judged()
    assert third.path == "rebuild"
    assert len({first.out, second.out, third.out}) == 3
    layers = [project.json_blob(one.out)["layers"] for one in (first, second, third)]
    assert layers[0][:3] == layers[1][:3]
    assert layers[1][2] != layers[2][2]
