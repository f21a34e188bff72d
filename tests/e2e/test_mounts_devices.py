"""RUN --device: CDI specifications of the machine, and what a build is granted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import Builder, Outcome
from tests.e2e.test_mounts import lines

pytestmark = [pytest.mark.root, pytest.mark.crun]

SPEC: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.test/tool",
    "containerEdits": {"env": ["SHARED=yes"], "additionalGids": [77]},
    "devices": [
        {"name": "one", "containerEdits": {"env": ["WHICH=one", "KEPT=device"]}},
        {
            "name": "zero",
            "annotations": {"org.mobyproject.buildkit.device.class": "numbers"},
            "containerEdits": {
                "deviceNodes": [{"path": "/dev/other-zero", "hostPath": "/dev/zero", "permissions": "r"}],
                "env": ["WHICH=zero"],
            },
        },
    ],
}
STEP = "FROM base\nENV KEPT=image\nRUN --device={} {}\n"


def machine(builder: Builder, *specs: dict[str, Any]) -> list[str]:
    """What a command is started through to be on a machine with these specifications in /etc/cdi: in a mount
    namespace of its own."""
    directory = builder.place / "cdi"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    for number, spec in enumerate(specs):
        (directory / f"{number}.json").write_text(json.dumps(spec))
    script = 'mount -t tmpfs none /etc/opt && mkdir /etc/opt/up /etc/opt/work && d="$0" && '
    script += "mount -t overlay -o lowerdir=/etc,upperdir=/etc/opt/up,workdir=/etc/opt/work none /etc && "
    script += 'mkdir -p /etc/cdi && mount --bind "$d" /etc/cdi && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(directory)]


def on_machine(builder: Builder, *specs: dict[str, Any]) -> Builder:
    return builder.through(*machine(builder, *specs))


def test_a_device_edits_its_step(builder: Builder) -> None:
    prepared = on_machine(builder, SPEC)
    context = builder.context("one", STEP.format("vendor.test/tool=one", "echo $SHARED $WHICH $KEPT; id -G"))
    told = lines(prepared.build("--allow", "device", context))
    assert "yes one device" in told
    assert any(line.split()[-1:] == ["77"] for line in told), told
    script = "stat -c %F /dev/other-zero; head -c 4 /dev/other-zero | od -An -tx1; : >/dev/other-zero || echo locked"
    context = builder.context("zero", STEP.format("vendor.test/tool=numbers", script))
    told = lines(prepared.build("--allow", "device=vendor.test/tool=zero", context))
    assert "character special file" in told
    assert "00 00 00 00" in [line.strip() for line in told]


def test_a_device_for_an_ordinary_user(user_builder: Builder) -> None:
    script = "head -c 4 /dev/other-zero | od -An -tx1; echo $WHICH"
    context = user_builder.context("zero", STEP.format("vendor.test/tool=zero", script))
    command = user_builder.command(user_builder.words(["--allow=device", context]))
    done = subprocess.run(
        [*machine(user_builder, SPEC), *command],
        env=user_builder.variables(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = lines(Outcome(0, done.stdout, done.stderr))
    assert "00 00 00 00" in [line.strip() for line in told]
    assert "zero" in told


@pytest.mark.parametrize(
    ("flags", "name", "title"),
    [
        ([], "vendor.test/tool=one", "device vendor.test/tool=one is requested by the build but not allowed"),
        (["--allow=device=vendor.test/tool=zero"], "vendor.test/tool=one", "tool=one is requested"),
        ([], "vendor.test/tool=*", "devices vendor.test/tool=one, vendor.test/tool=zero are requested"),
        ([], "vendor.test/tool", "device vendor.test/tool=one is requested"),
        (["--allow=device"], "vendor.test/tool=three", "required device 'vendor.test/tool=three' is not"),
        (
            ["--allow=device"],
            "other.test/tool=one",
            "required device 'other.test/tool=one' is not registered",
        ),
    ],
)
def test_a_device_that_is_not_given(builder: Builder, flags: list[str], name: str, title: str) -> None:
    context = builder.context("context", STEP.format(name + ",required", "echo ran"))
    outcome = on_machine(builder, SPEC).build(*flags, context, code=1)
    assert title in outcome.err
    assert "Dockerfile:3" in outcome.err
    assert "ran" not in lines(outcome)


def test_an_optional_device_that_is_not_there(builder: Builder) -> None:
    context = builder.context("context", STEP.format("other.test/tool=one", "echo ${WHICH-without}"))
    assert "without" in lines(on_machine(builder, SPEC).build(context))


def test_an_alias(builder: Builder) -> None:
    context = builder.context("context", STEP.format("want.test/any=it", "echo $WHICH"))
    flag = "--allow=device=vendor.test/tool=zero,alias=want.test/any=it"
    assert "zero" in lines(on_machine(builder, SPEC).build(flag, context))


def test_a_specification_that_lets_every_build(builder: Builder) -> None:
    open_to_all = {**SPEC, "annotations": {"org.mobyproject.buildkit.device.autoallow": "true"}}
    context = builder.context("context", STEP.format("vendor.test/tool=one", "echo $WHICH"))
    assert "one" in lines(on_machine(builder, open_to_all).build(context))


def test_mounts_and_hooks(builder: Builder) -> None:
    hooked = builder.place / "hooked"
    given = builder.place / "given"
    given.mkdir()
    (given / "file").write_text("from the machine\n")
    script = Path(builder.place / "hook.sh")
    script.write_text(f"#!/bin/sh\ncat >/dev/null\necho $1 >{hooked}\n")
    script.chmod(0o755)
    edits = {
        "mounts": [{"hostPath": str(given), "containerPath": "/given", "options": ["ro", "nosuid"]}],
        "hooks": [{"hookName": "createRuntime", "path": str(script), "args": ["hook.sh", "called"]}],
    }
    spec = {"cdiVersion": "0.5.0", "kind": "v.test/m", "devices": [{"name": "d", "containerEdits": edits}]}
    context = builder.context(
        "context", STEP.format("v.test/m=d", "cat /given/file; touch /given/x || echo ro")
    )
    out = builder.place / "out"
    told = lines(on_machine(builder, spec).build("--allow=device", context, "-o", out))
    assert "from the machine" in told
    assert "ro" in told
    assert hooked.read_text() == "called\n"
    assert not (out / "given").exists()


def test_what_is_not_applied_is_refused(builder: Builder) -> None:
    edits = {"intelRdt": {"closID": "x"}}
    spec = {"cdiVersion": "0.7.0", "kind": "v.test/m", "devices": [{"name": "d", "containerEdits": edits}]}
    context = builder.context("context", STEP.format("v.test/m=d", "true"))
    outcome = on_machine(builder, spec).build("--allow=device", context, code=1)
    assert "wants intelRdt, which pybuild does not apply" in outcome.err
