from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, Bases, busybox_layer, write_layout
from tests.e2e.building import Builder
from tests.sdk.pythonbase import make_python_base

import pybuild

EXAMPLE = Path(pybuild.__file__).parents[2] / "examples" / "steps-frontend"
_SCRIPT = """\
from pybuild.sdk import run

def build(client, inputs):
    names = {}
    exec(compile(inputs.source.text, inputs.source.name, "exec"), names)
    return names["build"](client, inputs)

run(build)
"""
_SCRIPT_IMAGE = """\
FROM python
COPY frontend.py /frontend.py
LABEL moby.buildkit.frontend.caps="moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts"
ENTRYPOINT ["python3", "/frontend.py"]
"""


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory that the session's tests share."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-frontends-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def bases(place: Path, registry: str) -> Bases:
    return Bases(place / "bases", registry)


@pytest.fixture(scope="session")
def shared(place: Path) -> Builder:
    """A builder whose store all tests share."""
    write_layout(place / "base", busybox_layer(), json.loads(PLAIN))
    return Builder(place, place / "base")


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The layout of an image with Python and what the SDK needs. The test processes of a run share it."""
    place = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        place = place.parent  # of all processes
    with open(place / "python.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "python-base").exists():
            made = make_python_base(tmp_path_factory.mktemp("python"))
            made.rename(place / "python-base")
    return place / "python-base"


@pytest.fixture(scope="session")
def example(shared: Builder, python: Path) -> Path:
    """The layout of the example's image, made by pybuild itself."""
    layout = shared.place / "steps"
    base = f"--build-context=python:3.13-slim=oci-layout://{python}"
    shared.build(base, "-o", f"type=oci,tar=false,dest={layout}", EXAMPLE)
    return layout


@pytest.fixture(scope="session")
def script(shared: Builder, python: Path) -> Path:
    """The layout of a frontend whose build files are Python: a function `build`, as the SDK takes it."""
    layout = shared.place / "script"
    context = shared.context("script-image", _SCRIPT_IMAGE, **{"frontend.py": _SCRIPT})
    shared.build(
        f"--build-context=python=oci-layout://{python}", "-o", f"type=oci,tar=false,dest={layout}", context
    )
    return layout


@pytest.fixture
def builder(tmp_path: Path, shared: Builder, script: Path) -> Builder:
    """A builder that knows the frontend `script`, by the configuration of its contexts."""
    return Builder(tmp_path, shared.base, root=shared.store)
