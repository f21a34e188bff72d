"""How a frontend of an image is asked for on the command line, and what it is told."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome
from tests.frontends.conftest import CAPABILITIES, CAPABLE, CONTEXTS, MakeFrontend
from tests.support.controlgroups import THROUGH_READ_ONLY

pytestmark = [pytest.mark.root, pytest.mark.crun]

SHOW = "env >&2; exit 1"
"""A frontend that says what it is told, and makes nothing."""


def told(outcome: Outcome) -> dict[str, str]:
    """The environment that the frontend had."""
    lines = re.findall(r"^#\d+ [\d.]+ (\w+)=(.*)$", outcome.err, re.MULTILINE)
    assert "the frontend show failed: exit code: 1" in outcome.err
    return dict(lines)


def attributes(outcome: Outcome) -> dict[str, str]:
    pairs = [value for name, value in told(outcome).items() if name.startswith("BUILDKIT_FRONTEND_OPT_")]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=show --flag\n",
        "#syntax=show --flag\nFROM x\n",
        "#!/usr/bin/env x\n# escape=`\n# Syntax = show --flag\n",
        "// syntax=show --flag\n{}\n",
        '{"syntax": "show --flag", "more": []}\n',
    ],
)
def test_every_form_of_the_line(builder: Builder, frontend: MakeFrontend, text: str) -> None:
    flags = frontend("show", SHOW)
    found = attributes(builder.build(*flags, builder.context("context", text), code=1))
    assert found["source"] == "show"
    assert found["cmdline"] == "show --flag"
    assert found["filename"] == "Dockerfile"


def test_the_argument_takes_the_lines_place(builder: Builder, frontend: MakeFrontend) -> None:
    context = builder.context("context", "# syntax=docker/dockerfile:1\nFROM scratch\n")
    outcome = builder.build(*frontend("show", SHOW), "--build-arg", "BUILDKIT_SYNTAX=show", context, code=1)
    assert attributes(outcome)["source"] == "show"
    assert "= note: failed with build-arg:BUILDKIT_SYNTAX = show" in outcome.err


def test_flags_are_attributes_as_buildx_writes_them(builder: Builder, frontend: MakeFrontend) -> None:
    context = builder.context("context", None, **{"sub/x.build": "# syntax=show\n"})
    flags: list[str | Path] = [*frontend("show", SHOW), "-f", context / "sub/x.build", "--build-arg", "A=1"]
    flags += ["--label", "l=2", "--target=t", "--platform=linux/amd64,linux/arm64/v8", "--no-cache", "--pull"]
    flags += [
        "--network=host",
        "--add-host=h:1.2.3.4",
        "--ulimit=nofile=5:6",
        "--ulimit=core=0",
        "--shm-size=1k",
    ]
    outcome = builder.build(*flags, "--cgroup-parent=c", "--build-context=dir=.", context, code=1)
    found = attributes(outcome)
    layouts = {name: found.pop(f"context:{name}") for name in ("base", "show")}
    assert all(re.fullmatch(r"oci-layout://layout\d@sha256:[0-9a-f]{64}", one) for one in layouts.values())
    assert found == {
        "source": "show",
        "cmdline": "show",
        "filename": "x.build",
        "build-arg:A": "1",
        "label:l": "2",
        "target": "t",
        "platform": "linux/amd64,linux/arm64",
        "multi-platform": "true",
        "no-cache": "",
        "image-resolve-mode": "pull",
        "force-network-mode": "host",
        "add-hosts": "h=1.2.3.4",
        "ulimit": "nofile=5:6,core=0:0",
        "shm-size": "1024",
        "cgroup-parent": "c",
        "context:dir": "local:context:dir",
        "frontend.caps": "moby.buildkit.frontend.contexts",
    }


def test_what_it_is_told_of_its_builder(builder: Builder, frontend: MakeFrontend) -> None:
    flags = frontend("show", SHOW, Env=["PATH=/bin", "OF_THE=image"], WorkingDir="/var")
    found = told(builder.build(*flags, builder.context("context", "# syntax=show\n"), code=1))
    (worker,) = json.loads(found["BUILDKIT_WORKERS"])
    assert worker["platforms"][0]["os"] == "linux"
    assert found["BUILDKIT_SESSION_ID"] == ""
    assert found["BUILDKIT_EXPORTEDPRODUCT"] == "buildkit"
    assert (found["OF_THE"], found["PWD"]) == ("image", "/var")


def test_a_frontend_sees_its_own_graph_and_no_network(builder: Builder, frontend: MakeFrontend) -> None:
    script = (
        "grep -c oci-layout:// /run/config/buildkit/metadata/frontend.bin >&2; ls /sys/class/net >&2; exit 1"
    )
    flags = frontend("show", script, Labels={**CAPABLE, "moby.buildkit.frontend.network.none": "true"})
    outcome = builder.build(*flags, builder.context("context", "# syntax=show\n"), code=1)
    assert re.findall(r"^#\d+ [\d.]+ (.*)$", outcome.err, re.MULTILINE) == ["1", "lo"]


def test_the_file_from_standard_input(builder: Builder, frontend: MakeFrontend) -> None:
    context = builder.context("context", None, a="")
    outcome = builder.build(*frontend("show", SHOW), "-f-", context, stdin=b"# syntax=show\n", code=1)
    assert attributes(outcome)["filename"] == "Dockerfile"


def test_calls_are_its_to_answer(builder: Builder, frontend: MakeFrontend) -> None:
    flags = frontend("show", SHOW, Labels={CAPABILITIES: f"{CONTEXTS},moby.buildkit.frontend.subrequests"})
    outcome = builder.build(*flags, "--call=outline", builder.context("context", "# syntax=show\n"), code=1)
    found = attributes(outcome)
    assert found["requestid"] == "frontend.outline"
    assert found["frontend.caps"] == f"{CONTEXTS},moby.buildkit.frontend.subrequests"


def test_an_archive_is_sent_to_it(builder: Builder, frontend: MakeFrontend) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        data = b"# syntax=show\n"
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    outcome = builder.build(*frontend("show", SHOW), "-", stdin=out.getvalue(), code=1)
    assert attributes(outcome)["context"] == "http://buildkit-session/context"


@pytest.mark.parametrize("source", ["nothing:9/x", "127.0.0.1:9/x:1"])
def test_an_image_that_cannot_be_had(builder: Builder, source: str) -> None:
    outcome = builder.build(builder.context("context", f"\n\n# syntax={source}\n".lstrip()), code=1)
    assert f"Dockerfile:1:10\n  |\n1 | # syntax={source}\n  |          ^" in outcome.err


def test_without_grpc_the_extra_is_named(builder: Builder, frontend: MakeFrontend, tmp_path: Path) -> None:
    (tmp_path / "broken/grpc").mkdir(parents=True)
    blocker = "import sys\nsys.modules['grpc'] = None\n"
    (tmp_path / "broken/sitecustomize.py").write_text(blocker)
    outcome = builder.in_environment(PYTHONPATH=str(tmp_path / "broken")).build(
        *frontend("show", SHOW), builder.context("context", "# syntax=show\n"), code=1
    )
    assert (
        "the frontend show is an image, and running one needs packages that are not installed (grpc)"
        in outcome.err
    )
    assert "help: pip install 'pybuildkit[buildkit]'" in outcome.err
    assert "Dockerfile:1:10" in outcome.err


def test_a_frontend_makes_no_device_where_nothing_filters_them(
    builder: Builder, frontend: MakeFrontend
) -> None:
    flags = frontend("show", "mknod /node c 1 3 || echo not made >&2; exit 1")
    context = builder.context("context", "# syntax=show\n")
    outcome = builder.through(*THROUGH_READ_ONLY).build(*flags, context, code=1)
    assert "not made" in outcome.err
    assert outcome.err.count("steps can't make or open device nodes") == 1
