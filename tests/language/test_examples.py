"""The example projects: the output of each command, and builds of those whose images have stand-ins.

Images of registries are stood in for by small ones of a mirror, in which
the programs that they name are scripts.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.language.project import Project, read_images
from tests.runtime.registry.behaving import Registry

pytestmark = [pytest.mark.root, pytest.mark.crun]

EXAMPLES = Path(__file__).parent / "examples"
RUNNABLE = ("1_hello", "2_web", "3_go", "4_mono", "5_checks", "6_ml")
HOSTS = ("docker.io", "ghcr.io", "gcr.io")

STAND_INS = r"""
target alpine:
    from BASE
    tag "HOST/library/alpine:3.20"
target python for v in ["3.11", "3.12", "3.13"]:
    from BASE
    write to "/usr/local/bin/python", mode=0o755:
        #!/bin/sh
        echo "python $*" >> /python.log
    write to "/usr/bin/useradd", mode=0o755:
        #!/bin/sh
        echo "app:x:10001:10001::/:/bin/sh" >> /etc/passwd
    write v to "/version"
    tag "HOST/library/python:${{v}}-slim"
target uv:
    from BASE
    write to "/uv", mode=0o755:
        #!/bin/sh
        set -e
        echo "uv $*" >> /uv.log
        case "$1 $2 $3" in
            "sync"*) mkdir -p .venv/bin; touch .venv/synced;;
            "run --offline pytest")
                [ ! -e /src/fail ] && r=0 || r=1
                echo "<tests result='$r'/>" > /report.xml
                exit $r;;
            "run mkdocs build") mkdir -p /site; cp docs/build.md /site/index.html;;
            "run "*) ;;
            *) exit 9;;
        esac
    symlink "uv" to "/uvx"
    tag "HOST/astral-sh/uv:0.5"
target golang:
    from BASE
    write to "/bin/go", mode=0o755:
        #!/bin/sh -e
        [ "$1" = build ] && [ "$7" = ./cmd/app ]
        mkdir -p "$(dirname "$6")"; echo "$GOOS/$GOARCH $4 $(cat cmd/app/main.go)" > "$6"
    tag "HOST/library/golang:1.23-alpine"
target static on "linux/amd64", "linux/arm64":
    from scratch
    label "distroless" = "static"
    user "65532"
    tag "HOST/distroless/static:nonroot"
target node:
    from BASE
    run echo "node:x:1000:1000::/:/bin/sh" >> /etc/passwd
    write to "/bin/npm", mode=0o755:
        #!/bin/sh -e
        [ "$1" = test ] || echo "npm $*" >> /npm.log
        [ "$1" != test ] || [ ! -e fail ]
    tag "HOST/library/node:22-slim"
target cuda:
    from BASE
    env PATH = "/stubs:$PATH"
    write to "/stubs/apt-get", mode=0o755:
        #!/bin/sh -e
        echo "apt-get $*" >> /apt.log; touch /var/lib/apt/lists/list
    write to "/stubs/pip", mode=0o755:
        #!/bin/sh -e
        echo "pip $* $(cat /etc/pip.conf 2>/dev/null)" >> /pip.log
    symlink "pip" to "/stubs/pip3"
    symlink "python" to "/stubs/python3"
    write to "/stubs/python", mode=0o755:
        #!/bin/sh -e
        [ "$2" != pip ] || { shift 2; exec pip "$@"; }
    write to "/stubs/huggingface-cli", mode=0o755:
        #!/bin/sh -e
        [ "${#HF_TOKEN}" = 14 ]; mkdir -p /weights; echo "$2 $4" > /weights/model
    tag "HOST/nvidia/cuda:12.4.1-runtime-ubuntu22.04", "HOST/library/ubuntu:22.04"
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory, package: Path, base: Path) -> Iterator[str]:
    """`HOST:PORT` of a registry with all stand-ins."""
    registry = Registry()
    place = tmp_path_factory.mktemp("stand-ins")
    maker = Project(place, place / "store", package, base)
    maker.write(STAND_INS.replace("HOST", registry.host))
    targets = re.findall(r"^target (\w+)", STAND_INS, re.MULTILINE)
    maker.build("--push", *targets)
    yield registry.host
    registry.close()


@pytest.fixture
def example(project: Project, mirror: str) -> Project:
    """A project whose images come from the mirror, with all modules of the examples."""
    config = project.home / ".config" / "pybuild"
    config.mkdir(parents=True)
    tables = [f'[registries."{host}"]\nmirrors = ["http://{mirror}"]\n' for host in HOSTS]
    (config / "config.toml").write_text("".join(tables))
    project.put({"lib/node_service.pybuild": (EXAMPLES / "node_service.pybuild").read_text()})
    project.git("init", "-q")
    return project


def written(project: Project, name: str, files: dict[str, str] | None = None) -> None:
    project.put({"build.pybuild": (EXAMPLES / f"{name}.pybuild").read_text(), **(files or {})})
    project.git("add", ".")
    project.git("commit", "-qm", name)
    project.git("tag", "-f", "v1.2.0")


WEB = {
    "pyproject.toml": "[project]\n",
    "uv.lock": "",
    "README.md": "readme",
    "src/web/main.py": "",
    "src/web/__pycache__/x.pyc": "",
    "requirements.txt": "torch\n",
    "configs/c": "c",
    "docs/index.md": "",
    "mkdocs.yml": "",
    "cmd/app/main.go": "package main",
    "package.json": "{}",
    "libs/l/package.json": "{}",
    **{f"services/{name}/package.json": "{}" for name in ("api", "worker", "billing")},
}


@pytest.mark.parametrize("name", RUNNABLE)
def test_what_commands_say_of_an_example(example: Project, name: str) -> None:
    written(example, name, WEB)
    checked = example.run("check")
    assert "error" not in checked.err
    listed = example.run("list")
    for target in re.findall(r"^(?:target|test) (\w+)", example.text("build.pybuild"), re.MULTILINE):
        assert target in listed.out
    for param in re.findall(r"^param (\w+)", example.text("build.pybuild"), re.MULTILINE):
        assert param in listed.out
    graph = example.run("graph", "--format=json")
    json.loads(graph.out)
    formatted = example.run("fmt", "--check", "build.pybuild", code=None)
    assert formatted.code == 0, formatted.out + formatted.err


@pytest.mark.parametrize("name", ["7_kitchen", "8_embed"])
def test_what_check_says_of_examples_of_everything(example: Project, name: str) -> None:
    """They name modules and frontends that aren't there, which is all that is wrong with the second."""
    written(example, name, {**WEB, "legacy/Dockerfile": "FROM scratch AS build\n", "Containerfile.x": ""})
    done = example.run("check", "build.pybuild", code=None)
    assert done.code in (0, 1, 2)
    assert "unexpected" not in done.err
    assert "E01" not in done.err


def test_hello(example: Project) -> None:
    written(example, "1_hello")
    image = example.image("hello", "-p", "name=Ana O'Neil")
    assert image.text("/greeting.txt") == "hello Ana O'Neil\n"
    assert image.config["Cmd"] == ["cat", "/greeting.txt"]
    assert "docker.io/library/hello:latest" in example.build("hello").err
    assert '"docker.io/library/alpine:3.20" = "sha256:' in example.text("pybuild.lock")
    assert example.build("--locked").code == 0


def test_web(example: Project) -> None:
    written(example, "2_web", WEB)
    image = example.image("-p", "version=1.0", "-p", "python=3.13")
    assert image.text("/version") == "3.13"
    config = image.config
    assert config["Env"][0].startswith("PATH=/app/.venv/bin:/")
    assert (config["User"], config["WorkingDir"], config["ExposedPorts"]) == ("app", "/app", {"8000/tcp": {}})
    assert config["Entrypoint"][0] == "uvicorn"
    assert "Cmd" not in config
    assert "/app/src/web/main.py" in image.files
    assert not [path for path in image.files if "__pycache__" in path]
    assert image.text("/uv.log").splitlines() == [
        "uv sync --frozen --no-dev --no-install-project",
        "uv sync --frozen --no-dev",
    ]
    assert "ghcr.io/acme/web:1.0" in example.build("-p", "version=1.0").err
    example.put({"README.md": "changed"})
    done = example.build("-p", "python=3.13")
    assert re.search(r"run uv sync --frozen --no-dev --no-install-project\n#\d+ CACHED", done.err)


def test_go(example: Project) -> None:
    written(example, "3_go", WEB)
    layout = example.place / "go-layout"
    example.build("-o", f"type=oci,dest={layout},tar=false")
    images = read_images(layout)
    assert [(one.json["architecture"], one.text("/app")) for one in images] == [
        (arch, f"linux/{arch} -s -X main.version=v1.2.0 package main\n") for arch in ("amd64", "arm64")
    ]
    assert images[0].config["Labels"]["org.opencontainers.image.version"] == "v1.2.0"
    assert images[0].config["Labels"]["distroless"] == "static"
    example.build("binaries")
    assert example.names("dist") == ["app-darwin-arm64", "app-linux-amd64", "app-linux-arm64"]
    assert example.text("dist/app-darwin-arm64").startswith("darwin/arm64 ")
    example.build("binaries[p=darwin/arm64]", "-p", "version=x")
    assert "main.version=x" in example.text("dist/app-darwin-arm64")
    assert "main.version=v1.2.0" in example.text("dist/app-linux-arm64")


def test_mono(example: Project) -> None:
    written(example, "4_mono", WEB)
    here = "--platform=linux/" + {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    done = example.build("image", here, "-p", "version=1.0", "-p", "services=api,worker")
    for name in ("api:1.0", "api:latest", "worker:1.0", "worker:latest"):
        assert f"ghcr.io/acme/{name}" in done.err
    image = example.image("image[name=api]", here)
    assert image.config["ExposedPorts"] == {"8080/tcp": {}}
    assert image.config["WorkingDir"] == "/repo/services/api"
    assert "/repo/services/api/package.json" in image.files
    tested = example.test()
    assert tested.out.rstrip().endswith("passed") or "cached" in tested.out
    assert "unit[name=worker,db=sqlite]" in tested.out
    assert "unit[name=worker,db=postgres]" not in tested.out
    example.put({"services/worker/fail": ""})
    done = example.build("image", here, "-p", "version=2.0", code=1)
    assert "ghcr.io/acme/api:2.0" not in done.err


def test_checks(example: Project) -> None:
    written(example, "5_checks", WEB)
    done = example.test()
    assert "lint" in done.out
    assert example.names("reports") == ["unit-3.11.xml", "unit-3.12.xml", "unit-3.13.xml"]
    example.build("ci")
    commit = example.git("rev-parse", "HEAD")
    assert example.text("site/index.html") == f"# Build\nVersion {commit}, Python 3.13.\n"
    example.put({"fail": ""})
    done = example.test("unit[py=3.12]", code=1)
    assert "1 failed" in done.out
    assert "result='1'" in example.text("reports/unit-3.12.xml")
    assert "result='0'" in example.text("reports/unit-3.11.xml")


def test_ml(example: Project) -> None:
    written(example, "6_ml", WEB)
    key = example.place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (example.place / "conf").write_text("conf-s3cret")
    done = example.build(f"--ssh=default={key}", code=1)
    assert "error[R0004]" in done.err
    assert "hf_token" in done.err
    words = ("--secret=hf_token=env:TOKEN", f"--ssh=default={key}", "-p", "gpu=false")
    image = example.image(*words, TOKEN="s3cret-of-mine")
    assert image.text("/models/base/model") == "meta-llama/Llama-3.2-1B main\n"
    assert "s3cret" not in str(image.json) + str(image.layers)
    assert image.config["WorkingDir"] == "/job"
    assert "/job/configs/c" in image.files
    assert "https://download.pytorch.org/whl/cpu" in image.text("/pip.log")
    done = example.build("-p", "cuda=11.8", code=2)
    assert "error[E0602]" in done.err
    assert 'cuda = "11.8"' in done.err
    done = example.test(*words[:2], code=1, TOKEN="s3cret-of-mine")
    assert "nvidia.com/gpu=all" in done.err
