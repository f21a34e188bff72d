"""`pybuild doctor` tells what a build finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.building import Builder


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path, tmp_path)


@pytest.mark.root
@pytest.mark.crun
def test_where_steps_run(builder: Builder) -> None:
    out = builder.run("doctor").out
    assert out.endswith("\n\nBuilds with RUN work.\n")
    assert "\n    store              " + str(builder.store) in out
    report = json.loads(builder.run("doctor", "--format=json").out)
    assert (report["schema"], report["steps"], report["refusal"]) == ("pybuild.doctor/1", True, "")
    uses = {fact["name"]: fact["value"] for fact in report["uses"]}
    assert uses["snapshotter"] in ("overlay", "fuse-overlayfs", "copy")
    assert Path(uses["runtime"]).name in ("crun", "runc")


@pytest.mark.root
def test_what_is_missing_has_its_help(builder: Builder) -> None:
    done = builder.in_environment(PYBUILD_RUNTIME="/no/runtime").run("doctor", code=1)
    assert "steps can't run: PYBUILD_RUNTIME names /no/runtime" in done.out
    assert done.out.rstrip().endswith("-> give the path of crun or runc, or unset it")


@pytest.mark.root
def test_steps_that_were_given_up(builder: Builder) -> None:
    done = builder.in_environment(PYBUILD_SNAPSHOTTER="index").run("doctor", "--format=json", code=1)
    report = json.loads(done.out)
    assert (report["steps"], report["help"]) == (False, "unset PYBUILD_SNAPSHOTTER")
    assert [fact["value"] for fact in report["uses"]] == ["index"]


@pytest.mark.root
def test_the_users_wish_for_private_networks_counts(builder: Builder) -> None:
    config = builder.place / "home/.config/pybuild/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[network]\nisolate = 1\n")
    assert "config.toml:2:1" in builder.run("doctor", code=2).err


WITHOUT_TUN = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh")


@pytest.mark.root
@pytest.mark.crun
def test_a_missing_tun_device(builder: Builder) -> None:
    without = builder.through(*WITHOUT_TUN)
    out = without.run("doctor").out
    assert "  - /dev/net/tun       missing\n" in out
    assert "    network            the machine's\n" in out
    assert "notice             steps use the host's network: this machine has no /dev/net/tun (" in out
    config = builder.place / "home/.config/pybuild/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[network]\nisolate = true\n")
    assert (
        "steps can't run: no private network for the step: this machine has no /dev/net/tun"
        in without.run("doctor", code=1).out
    )
