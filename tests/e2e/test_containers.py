"""Builds in containers that have no capability, a read-only root and one writable directory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.docs.examples import ROOT
from tests.e2e.building import FIXED_TIME, Builder, Outcome
from tests.support.needs import lacks_programs

from pybuild.runtime.sandbox.namespaces import UNIFIED

pytestmark = [pytest.mark.root, pytest.mark.long]

STAGES = """\
FROM base AS files
WORKDIR /srv/app
COPY --chown=5:6 --chmod=4750 a ./
COPY tree ./tree
FROM base
COPY --from=files --chown=7 /srv/app /app
COPY --link tree/deep /linked
ENV APP=/app
USER 7
"""


def bubblewrap(place: Path, uid: int) -> list[str]:
    """A command of bubblewrap; another uid than 0 is that of root in a user namespace, who can read the checkout."""
    mounts = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", str(place), str(place)]
    ids = ["--unshare-user", "--uid", str(uid), "--gid", str(uid)] if uid else []
    return ["bwrap", *mounts, *ids, "--cap-drop", "ALL", "--die-with-parent", "--chdir", str(place)]


def crun(place: Path, uid: int) -> list[str]:
    """A command of crun; its container's root has the machine's directories, read-only."""
    rootfs = place.parent / f"{place.name}-bundle" / "rootfs"
    for name in ("proc", "dev"):
        (rootfs / name).mkdir(parents=True)
    mounts: list[dict[str, object]] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
    ]
    for entry in os.scandir("/"):
        if entry.is_symlink():
            (rootfs / entry.name).symlink_to(os.readlink(entry))
        elif entry.is_dir() and entry.name not in ("proc", "dev", "sys"):
            (rootfs / entry.name).mkdir()
            mounts.append(bound(entry.path, "ro"))
    kinds = ["mount", "pid", "ipc", *(["user"] if uid else [])]
    ids = {"uidMappings": [mapping(uid)], "gidMappings": [mapping(uid)]} if uid else {}
    none: dict[str, list[str]] = {
        kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
    }
    config = {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": True},
        "mounts": [*mounts, bound(str(place), "rw")],
        "process": {
            "user": {"uid": uid, "gid": uid},
            "cwd": str(place),
            "args": [],
            "capabilities": none,
            "noNewPrivileges": True,
        },
        "linux": {"namespaces": [{"type": kind} for kind in kinds], **ids},
    }
    (rootfs.parent / "template.json").write_text(json.dumps(config))
    start = rootfs.parent / "start.py"
    start.write_text(START)
    # crun refuses a hybrid host's version 2 part.
    hide = 'if mountpoint -q $0; then mount -t tmpfs none $0; fi; exec "$@"'
    return ["unshare", "--mount", "sh", "-c", hide, UNIFIED, "python3", str(start), str(rootfs.parent)]


START = """\
import json, os, sys
bundle, *words = sys.argv[1:]
config = json.load(open(f"{bundle}/template.json"))
config["process"] |= {"args": words, "env": [f"{name}={value}" for name, value in os.environ.items()]}
json.dump(config, open(f"{bundle}/config.json", "w"))
name = "pybuild-test-" + os.urandom(6).hex()
os.execvp("crun", ["crun", "--cgroup-manager=disabled", f"--root={bundle}/state", "run", f"--bundle={bundle}", name])
"""


def bound(path: str, mode: str) -> dict[str, object]:
    return {"destination": path, "type": "bind", "source": path, "options": ["rbind", mode]}


def mapping(uid: int) -> dict[str, int]:
    return {"containerID": uid, "hostID": 0, "size": 1}


ENGINES: dict[str, Callable[[Path, int], list[str]]] = {"bwrap": bubblewrap, "crun": crun}


@pytest.fixture(params=[f"{engine}-{user}" for engine in ENGINES for user in ("root", "user")])
def contained(request: pytest.FixtureRequest, builder: Builder) -> Iterator[Builder]:
    engine, _, user = request.param.partition("-")
    if lacks_programs(engine):
        pytest.skip(lacks_programs(engine))
    command = ENGINES[engine](builder.place, {"root": 0, "user": 1234}[user])
    yield builder.through(*command).in_environment(**FIXED_TIME)
    shutil.rmtree(builder.place.parent / f"{builder.place.name}-bundle", ignore_errors=True)


def test_without_any_capability(builder: Builder, contained: Builder) -> None:
    files = {"a": "A", "tree/one": "1", "tree/deep/two": "2"}
    directory = builder.context("context", STAGES, **files)
    contained.build("-o", f"type=oci,dest={builder.place}/inside.tar,rewrite-timestamp=true", directory)
    outside = builder.in_environment(**FIXED_TIME).with_store(builder.place / "outside")
    outside.build("-o", f"type=oci,dest={builder.place}/outside.tar,rewrite-timestamp=true", directory)
    assert (builder.place / "inside.tar").read_bytes() == (builder.place / "outside.tar").read_bytes()
    step = builder.context("step", STAGES.replace("ENV", "RUN true\nENV"), **files)
    refused(contained.build(step, code=1))


def test_the_example_of_the_readme_is_told_what_it_lacks(builder: Builder) -> None:
    if lacks_programs("bwrap"):
        pytest.skip(lacks_programs("bwrap"))
    shutil.copytree(ROOT / "examples/greeting", builder.place / "greeting")
    contained = builder.through(*bubblewrap(builder.place, 1234))
    refused(contained.run("build", "--progress=plain", builder.place / "greeting", code=1))


def refused(done: Outcome) -> None:
    assert "error: this step can't be run: " in done.err
    assert "this container " in done.err
    assert " = help: start it with" in done.err


WITHOUT_TUN = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh")


@pytest.mark.crun
def test_a_missing_tun_device_is_told_each_time(builder: Builder) -> None:
    without = builder.through(*WITHOUT_TUN)
    for number in "12":
        done = without.build(builder.context("context", f"FROM base\nRUN echo {number} >/a\nRUN cat /a\n"))
        assert done.err.count("steps use the host's network: this machine has no /dev/net/tun (") == 1
    context = builder.context("private", "FROM base\nRUN echo 3\n")
    private = without.build("--network=default", context, code=1)
    assert "no private network for the step: this machine has no /dev/net/tun" in private.err
