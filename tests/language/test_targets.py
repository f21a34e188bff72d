"""Names of images, several targets, matrices and platforms."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.test_platforms import EMULATOR, REGISTERING, program
from tests.language.project import Project
from tests.runtime.registry.behaving import Registry

pytestmark = [pytest.mark.root, pytest.mark.crun]


@pytest.fixture
def registry() -> Iterator[Registry]:
    found = Registry()
    yield found
    found.close()


def test_images_are_pushed_only_when_asked(project: Project, registry: Registry) -> None:
    project.write(
        f"""
param version: str = "dev"
target a:
    from BASE
    label "v" = version
    tag ["{registry.host}/acme/a:${{{{version}}}}", "{registry.host}/acme/a:latest"]
"""
    )
    done = project.build()
    assert f"{registry.host}/acme/a:dev" in done.err
    assert not registry.requests
    project.build("--push", "-p", "version=1.0")
    assert {"1.0", "latest"} <= registry.manifests["acme/a"].keys()
    other = project.at(project.place / "other")
    other.store = project.place / "other-store"
    other.write(f'target b:\n    from "{registry.host}/acme/a:1.0"\n    run true\n')
    image = other.image()
    assert image.config["Labels"] == {"v": "1.0"}
    assert f'"{registry.host}/acme/a:1.0" = "sha256:' in other.text("pybuild.lock")


def test_an_image_of_an_earlier_build(project: Project) -> None:
    """By its name: what was built here is taken as it is, and not pinned."""
    project.write('target a:\n    from BASE\n    label "v" = "1"\n    tag "example.test/built:1"\n')
    project.build()
    other = project.at(project.place / "other")
    other.write('target b:\n    from "example.test/built:1"\n    run true\n')
    assert other.image().config["Labels"] == {"v": "1"}
    assert not (other.directory / "pybuild.lock").exists()


def test_several_targets(project: Project) -> None:
    project.write(
        """
target a for n in ["1", "2"]:
    from BASE
    label "n" = n
    tag "several-a:${{n}}"
target b:
    from BASE
    tag "several-b:1"
"""
    )
    done = project.build("a", "b")
    assert [name for name in ("several-a:1", "several-a:2", "several-b:1") if name not in done.err] == []
    done = project.build("a", "b", "-o", f"type=oci,dest={project.place}/x.tar", code=2)
    assert "one target" in done.err
    done = project.build("a[n=2]", "-t", "more:1")
    assert "more:1" in done.err
    assert "error[E0707]" in project.build("--target=c", code=2).err
    assert "error[E0706]" in project.build("a[n=3]", code=2).err


def test_tags_that_collide(project: Project) -> None:
    project.write('target a for n in ["1", "2"]:\n    from BASE\n    label "n" = n\n    tag "same:1"\n')
    assert "error[E0710]" in project.build("a", code=2).err


def test_the_default(project: Project) -> None:
    project.write("target a:\n    from BASE\n    run true\ntarget b:\n    from BASE\n    run true\n")
    assert "error[E0708]" in project.build(code=2).err


def test_a_matrix_from_the_command_line(project: Project) -> None:
    project.write(
        """
param names: list[str] = ["x", "y", "z"]
target a for name in names for n in [1, 2] if not (name == "x" and n == 2):
    from BASE
    write name + str(n) to "/out"
    output "/out" to "out/${{name}}${{n}}"
default a
"""
    )
    project.build()
    assert project.names("out") == ["x1", "y1", "y2", "z1", "z2"]
    other = project.at(project.place / "other")
    other.write(project.text("build.pybuild").removeprefix("# syntax=pybuild:1\n\n"))
    other.build("a[n=2]", "-p", "names=x,only")
    assert other.names("out") == ["only2"]
    assert "error[E0705]" in other.build("-p", "names=", code=2).err
    assert "error[E0704]" in other.build("-p", "names=a,a", code=2).err


PLATFORMS = """
target build:
    from BASE on build_platform
    run echo built for ${{platform}} ${{platform.os}} ${{platform.arch}} on $(uname -m) > /out
target image on "linux/amd64", "linux/arm64":
    from scratch
    copy "/out" from build to "/out"
    label "arch" = platform.arch
    tag "platforms:1"
target files for p in ["linux/amd64", "linux/arm64", "darwin/arm64"]:
    from scratch
    copy "/out" from build[platform=p] to "/out"
    output "/out" to "out/${{p.replace("/", "-")}}"
default image
"""


def test_several_platforms_make_an_index(project: Project) -> None:
    project.write(PLATFORMS)
    images = project.images()
    machine = platform.machine()
    assert [(one.json["architecture"], one.config["Labels"], one.text("/out")) for one in images] == [
        (arch, {"arch": arch}, f"built for linux/{arch} linux {arch} on {machine}\n")
        for arch in ("amd64", "arm64")
    ]
    (only,) = project.images("--platform=linux/arm64")
    assert only.json["architecture"] == "arm64"
    project.build("files")
    assert project.names("out") == ["darwin-arm64", "linux-amd64", "linux-arm64"]
    assert project.text("out/darwin-arm64").startswith("built for darwin/arm64 darwin arm64 on")


def test_steps_for_another_processor_need_an_emulator(project: Project) -> None:
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("this processor is emulated for the whole machine")
    project.put({"hello": program(b"hello\n")})
    (project.directory / "hello").chmod(0o755)
    project.write(
        'target a on "linux/arm64":\n    from scratch\n    copy "hello" to "/hello"\n    exec ["/hello"]\n'
    )
    done = project.build(code=1)
    assert "qemu-user-static" in done.err
    assert "build.pybuild:6:5" in done.err


@pytest.mark.qemu
def test_steps_for_another_processor_under_an_emulator(project: Project) -> None:
    if not Path(EMULATOR).exists():
        pytest.skip(f"needs {EMULATOR}")
    project.put({"hello": program(b"hello from aarch64\n")})
    (project.directory / "hello").chmod(0o755)
    project.write(
        'target a on "linux/arm64":\n    from scratch\n    copy "hello" to "/hello"\n    exec ["/hello"]\n'
    )
    ids = ["--map-users=0:0:65536", "--map-groups=0:0:65536"]
    words = ["unshare", "--user", *ids, "--mount", "sh", "-c", REGISTERING, "sh"]
    command = [*words, *project.command("build", "--progress=plain")]
    done = subprocess.run(
        command, cwd=project.directory, env=project.variables(PYBUILD_ROOT=str(project.place / "s")),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("the kernel has no table of emulators for a user namespace")
    assert "hello from aarch64" in done.stderr, done.stderr
