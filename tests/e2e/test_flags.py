"""Flags of `pybuild build` that change what is built, each seen in the result."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.differential.bases import write_layout
from tests.e2e.building import Builder, steps_run
from tests.e2e.test_bad_input import BUILD, says

pytestmark = [pytest.mark.root, pytest.mark.crun]

TWO = """\
FROM base AS first
RUN cat /proc/sys/kernel/random/uuid >/first
FROM base AS second
RUN cat /proc/sys/kernel/random/uuid >/second
FROM base
COPY --from=first /first /
COPY --from=second /second /
"""


def tree(builder: Builder, name: str, *words: str | Path) -> dict[str, str]:
    """The regular files at the root of a build's result."""
    out = builder.place / name
    builder.build(*words, "-o", f"type=local,dest={out}")
    return {path.name: path.read_text() for path in out.iterdir() if path.is_file()}


def test_no_cache(builder: Builder) -> None:
    context = builder.context("context", TWO)
    first = tree(builder, "1", context)
    assert tree(builder, "2", context) == first
    second = tree(builder, "3", context, "--no-cache")
    assert first["first"] != second["first"]
    assert first["second"] != second["second"]
    assert tree(builder, "4", context) == second, "what ran without the cache is what the cache holds"
    third = tree(builder, "5", context, "--no-cache-filter=first")
    assert third["first"] != second["first"]
    assert third["second"] == second["second"]


def test_target(builder: Builder) -> None:
    context = builder.context("context", TWO)
    assert set(tree(builder, "1", context, "--target=first")) == {"first"}
    outcome = builder.build(context, "--target=second", "-t", "x")
    assert all(step.endswith(">/second") for step in steps_run(outcome))
    says(builder.build(context, "first", code=2), "--target first")


def other_base(builder: Builder, architecture: str) -> Path:
    """The base as an image of another architecture, whose `sh` is no program of this machine."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        head = bytearray(64)
        head[:20] = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
        member = tarfile.TarInfo("bin/sh")
        member.mode, member.size = 0o755, len(head)
        archive.addfile(member, io.BytesIO(bytes(head)))
    layout = builder.place / f"base-{architecture}"
    write_layout(layout, out.getvalue(), {}, architecture=architecture)
    return layout


@pytest.mark.parametrize("use", ["FROM tools", "FROM scratch\nCOPY --from=tools /bin/sh /"])
def test_commands_of_this_machine_are_for_its_platform(builder: Builder, use: str) -> None:
    flags = ("--build-context=tools=host:sh", "--platform=linux/s390x")
    refused = builder.build(builder.context("refused", f"{use}\n"), *flags, code=None)
    assert refused.code
    says(refused, "`host` is of this machine", "not for linux/s390x", "FROM --platform=$BUILDPLATFORM")
    own = "FROM --platform=$BUILDPLATFORM tools AS own\nFROM scratch\nCOPY --from=own /bin/sh /\n"
    builder.build(builder.context("own", own), *flags)


def test_other_platform(builder: Builder) -> None:
    layout = other_base(builder, "arm64")
    flags = ("--platform=linux/arm64", f"--build-context=base=oci-layout://{layout}")
    copied = builder.context("copied", "FROM base\nCOPY f /\n", f="x")
    out = builder.place / "image"
    builder.build(copied, *flags, "-o", f"type=oci,tar=false,dest={out}")
    index = json.loads((out / "index.json").read_text())
    assert index["manifests"][0]["platform"] == {"architecture": "arm64", "os": "linux"}
    run = builder.context("run", "FROM base\nRUN true\n")
    says(builder.build(run, *flags, code=BUILD), "arm64", "qemu-user", "Dockerfile:2:1")


@pytest.mark.registry
def test_every_kind_of_named_context(builder: Builder, docker_registry: str) -> None:
    reference = f"{docker_registry}/flags/base:1"
    source = f"oci:{builder.base}:latest"
    archive = builder.place / "saved.tar"
    tarred = builder.place / "layout.tar"
    subprocess.run(
        ["skopeo", "copy", "-q", "--dest-tls-verify=false", source, f"docker://{reference}"],
        check=True,
        timeout=60,
    )
    subprocess.run(
        ["skopeo", "copy", "-q", source, f"docker-archive:{archive}:base:1"], check=True, timeout=60
    )
    subprocess.run(["tar", "-C", builder.base, "-cf", tarred, "."], check=True, timeout=60)
    digest = json.loads((builder.base / "index.json").read_text())["manifests"][0]["digest"]
    context = builder.context("context", "FROM other\nRUN test -e /var/tool && echo ran >/ran\n")
    for number, value in enumerate(
        (
            f"docker-image://{reference}",
            f"docker-archive:{archive}",
            f"docker-archive:{archive}:base:1",
            f"oci-layout://{builder.base}",
            f"oci-layout://{builder.base}:latest",
            f"oci-layout://{builder.base}@{digest}",
            f"oci-layout://{tarred}",
        )
    ):
        found = tree(builder, str(number), context, f"--build-context=other={value}")
        assert found["ran"] == "ran\n", value
    files = builder.context("files", part="content", **{".dockerignore": "secret\n", "secret": "x"})
    copies = builder.context("copies", "FROM base\nCOPY --from=other . /\n")
    found = tree(builder, "directory", copies, f"--build-context=other={files}")
    assert found["part"] == "content"
    assert "secret" not in found
    hosts = builder.context("hosts", "FROM other\nRUN echo ran >/ran\n")
    assert tree(builder, "host", hosts, "--build-context=other=host:sh")["ran"] == "ran\n"


def test_a_named_context_replaces_a_stage(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM nowhere AS made\nRUN false\nFROM base\nCOPY --from=made /part /\n"
    )
    files = builder.context("files", part="content")
    assert tree(builder, "1", context, f"--build-context=made={files}")["part"] == "content"


def tar_of(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return out.getvalue()


def test_standard_input(builder: Builder) -> None:
    context = builder.context("context", part="content")
    out = builder.place / "out"
    output = ("-o", f"type=local,dest={out}")
    builder.build("-f", "-", context, *output, stdin=b"FROM base\nCOPY part /from-file\n")
    assert (out / "from-file").read_text() == "content"
    builder.build("-", *output, stdin=b"FROM base\nRUN echo alone >/alone\n")
    assert (out / "alone").read_text() == "alone\n"
    archive = tar_of(Dockerfile="FROM base\nCOPY part /archived\n", part="in the archive")
    builder.build("-", *output, stdin=archive)
    assert (out / "archived").read_text() == "in the archive"
    named = tar_of(**{"other/File": "FROM base\nCOPY part /named\n", "part": "named"})
    builder.build("-", "-f", "other/File", *output, stdin=named)
    assert (out / "named").read_text() == "named"
    says(builder.build("-", code=2, stdin=tar_of(part="x")), "standard input", "Dockerfile", "-f")
    says(builder.build("-", "-f", "-", code=2), "standard input")
    says(builder.build("-", code=2), "is empty")


@pytest.mark.parametrize(("target", "read"), [("real", True), ("../../../../../../etc/hostname", False)])
def test_an_archive_of_standard_input_leads_nowhere_else(builder: Builder, target: str, read: bool) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("Dockerfile")
        link.type, link.linkname = tarfile.SYMTYPE, target
        archive.addfile(link)
        member = tarfile.TarInfo("real")
        text = b"FROM base\nRUN echo was read\n"
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    done = builder.build("-", code=0 if read else 2, stdin=out.getvalue())
    assert ("was read" if read else "has no Dockerfile") in done.err


def test_standard_input_is_a_build_like_any(builder: Builder) -> None:
    archive = tar_of(Dockerfile="FROM base\nCOPY part /\nRUN cat /part\n", part="content")
    builder.build("-", "-t", "x", stdin=archive)
    assert steps_run(builder.build("-", "-t", "y", stdin=archive)) == []
    changed = tar_of(Dockerfile="FROM base\nCOPY part /\nRUN cat /part\n", part="other")
    assert len(steps_run(builder.build("-", "-t", "y", stdin=changed))) == 2


def test_build_arguments_and_labels(builder: Builder) -> None:
    text = "FROM base\nARG WHO=nobody\nRUN echo $WHO >/who\n"
    context = builder.context("context", text)
    assert tree(builder, "1", context)["who"] == "nobody\n"
    assert tree(builder, "2", context, "--build-arg=WHO=me")["who"] == "me\n"
    there = builder.in_environment(WHO="them")
    assert tree(there, "3", context, "--build-arg=WHO")["who"] == "them\n"
    out = builder.place / "image"
    builder.build(context, "--label=a=b", "-o", f"type=oci,tar=false,dest={out}")
    blobs = [path.read_bytes() for path in (out / "blobs" / "sha256").iterdir()]
    configs = [json.loads(data) for data in blobs if data.startswith(b'{"architecture')]
    assert [one["config"]["Labels"] for one in configs] == [{"a": "b"}]


def test_names_of_hosts_and_networks(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN cat /etc/hosts >/hosts; ls /sys/class/net >/net\n")
    found = tree(builder, "1", context, "--add-host=box:10.9.8.7", "--network=none")
    assert "10.9.8.7\tbox\n" in found["hosts"]
    assert found["net"] == "lo\n"
    says(builder.build(context, "--network=host", code=BUILD), "network.host", "--allow network.host")
    builder.build(context, "--network=host", "--allow=network.host")
