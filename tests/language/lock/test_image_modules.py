"""Modules in images: `oci://`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.language.lock.outside import Outside, digest, locked
from tests.language.project import Project
from tests.runtime.registry.images import digest_of
from tests.support.dockerregistry import start_registry

from pybuild.runtime.image.descriptor import OCI_MANIFEST

pytestmark = pytest.mark.root

HEADER = "# syntax=pybuild:1\n\n"
MODULE = HEADER + 'def step():\n    copy "data" to "/data"\n'
USER = 'target app:\n    from scratch\n    mod.step()\n    output "/data" to "data"\n'


def test_a_module_of_an_image(project: Project, outside: Outside) -> None:
    image, index = outside.image("mod", **{"build.pybuild": MODULE, "data": "one\n"})
    project.write(f'use "oci://{image}" as mod\n\n{USER}')
    project.build()
    assert project.text("data") == "one\n"
    assert locked(project) == {"module": {f"oci://{image}": f"{index} {digest(MODULE)}"}}
    outside.image("mod", **{"build.pybuild": MODULE, "data": "two\n"})
    asked = outside.asked()
    project.build("--locked", "--no-cache")
    assert project.text("data") == "one\n"
    assert outside.asked() == asked
    assert "moved module" in project.run("lock", "--update").out
    project.build()
    assert project.text("data") == "two\n"


def test_a_digest_needs_no_entry(project: Project, outside: Outside) -> None:
    image, index = outside.image("mod", **{"build.pybuild": MODULE, "data": "one\n"})
    project.write(f'use "oci://{image}@{index}" as mod\n\n{USER}')
    project.build("--locked")
    assert project.text("data") == "one\n"


def test_one_that_was_built_here(project: Project) -> None:
    project.at(project.place / "module").put(
        {
            "mod.pybuild": MODULE,
            "data": "mine\n",
            "build.pybuild": HEADER
            + 'target mod:\n    from scratch\n    copy "mod.pybuild" to "/build.pybuild"\n    copy "data" to "/"\n'
            '    tag "mine/mod:1"\n',
        }
    )
    project.run("build", str(project.place / "module"))
    project.write(f'use "oci://mine/mod:1" as mod\n\n{USER}')
    project.build("--locked")
    assert project.text("data") == "mine\n"


@pytest.mark.registry
def test_published_with_pybuild(project: Project, tmp_path: Path) -> None:
    directory = tmp_path / "registry"
    directory.mkdir()
    host, process = start_registry(directory)
    try:
        module = project.at(project.place / "module")
        module.put(
            {
                "mod.pybuild": HEADER + 'use "./lib/part.pybuild" as part\n\ndef step():\n    part.step()\n',
                "lib/part.pybuild": HEADER + 'ignore "no*"\n\ndef step():\n    copy "." to "/data"\n',
                "lib/yes": "1",
                "lib/no": "0",
                "build.pybuild": HEADER
                + 'target mod:\n    from scratch\n    copy "mod.pybuild" to "/build.pybuild"\n    copy "lib" to "/"\n'
                f'    tag "{host}/mod:1"\n',
            }
        )
        module.store = project.place / "publisher"
        module.run("build", "--push")
        project.write(f'use "oci://{host}/mod:1" as mod\n\n{USER}')
        project.build()
        assert project.names("data") == ["part.pybuild", "yes"]
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def test_what_is_not_there(project: Project, outside: Outside) -> None:
    image, _ = outside.image("mod", file="x")
    for written, words in (
        (image, "no `build.pybuild` in it"),
        (f"{outside.registry.host}/no:1", "cannot be fetched"),
    ):
        project.write(f'use "oci://{written}" as mod\n\n{USER}')
        said = project.build(code=2).err
        assert "error[E0801]" in said
        assert words in said
        assert said.count("error[") == 1


def test_an_artifact_is_no_image(project: Project, outside: Outside) -> None:
    registry = outside.registry
    data = MODULE.encode()
    registry.add("art", data)
    registry.add("art", b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [
            {
                "mediaType": "text/plain",
                "digest": digest_of(data),
                "size": len(data),
                "annotations": {"org.opencontainers.image.title": "build.pybuild"},
            }
        ],
    }
    registry.tag("art", "1", OCI_MANIFEST, json.dumps(manifest).encode())
    project.write(f'use "oci://{registry.host}/art:1" as mod\n\n{USER}')
    said = project.build(code=2).err
    assert "error[E0801]" in said
    assert "is an artifact, not an image" in said


def test_a_registry_of_the_configuration(project: Project, outside: Outside) -> None:
    outside.image("mod", **{"build.pybuild": MODULE, "data": "one\n"})
    (project.home / ".config" / "pybuild").mkdir(parents=True)
    (project.home / ".config" / "pybuild" / "config.toml").write_text(
        f'[registries."modules.example"]\nmirrors = ["{outside.registry.host}"]\nhttp = true\n'
    )
    project.write(f'use "oci://modules.example/mod:1" as mod\n\n{USER}')
    project.build()
    assert list(locked(project)["module"]) == ["oci://modules.example/mod:1"]
