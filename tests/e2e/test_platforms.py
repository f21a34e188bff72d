"""Builds for several platforms: an index, steps of another processor under QEMU, and what is said without it."""

from __future__ import annotations

import json
import platform
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import FIXED_TIME, Builder, blob

pytestmark = [pytest.mark.root, pytest.mark.crun]

EMULATOR = "/usr/bin/qemu-aarch64-static"
# The head of an ELF file for aarch64 and which bits of it count, as QEMU's package registers them.
MAGIC = r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
REGISTERING = f"""\
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77
printf '%s' ':aarch64:M::{MAGIC}:{MASK}:{EMULATOR}:F' >/proc/sys/fs/binfmt_misc/register || exit 77
exec "$@"
"""
"""A user namespace has its own table of emulators: the machine's stays as it is."""

DOCKERFILE = """\
FROM scratch
ARG TARGETARCH
COPY hello /hello
RUN ["/hello"]
LABEL arch=$TARGETARCH
"""


def program(text: bytes) -> bytes:
    """A static ELF file for aarch64 that writes `text` to its standard output and ends."""
    words = [
        0xD2800020,  # mov x0, 1
        0,  # adr x1, text
        0xD2800002 | len(text) << 5,  # mov x2, length
        0xD2800808,  # mov x8, write
        0xD4000001,  # svc 0
        0xD2800000,  # mov x0, 0
        0xD2800BA8,  # mov x8, exit
        0xD4000001,
    ]
    start = 64 + 56
    away = len(words) * 4 - 4
    words[1] = 0x10000001 | (away & 3) << 29 | (away >> 2) << 5
    body = struct.pack("<8I", *words) + text
    address, size = 0x400000, start + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, address + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, address, address, size, size, 4096) + body


@pytest.fixture
def context(builder: Builder) -> Path:
    if platform.machine() == "aarch64":
        pytest.skip("this processor runs the program itself")
    directory = builder.context("context", DOCKERFILE, hello=program(b"hello from afar\n"))
    (directory / "hello").chmod(0o755)
    return directory


@pytest.mark.qemu
def test_steps_of_two_platforms(builder: Builder, context: Path) -> None:
    ids = ("--map-users=0:0:65536", "--map-groups=0:0:65536")
    here = ("unshare", "--user", *ids, "--mount", "sh", "-c", REGISTERING, "sh")
    native = "linux/" + {"x86_64": "amd64"}.get(platform.machine(), platform.machine())
    context.joinpath("Dockerfile").write_text(
        DOCKERFILE + "FROM scratch AS last\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY --from=0 /hello /\n"
    )
    layout = builder.place / "layout"
    output = f"type=oci,tar=false,dest={layout}"
    done = builder.through(*here).build(f"--platform=linux/arm64,{native}", "-o", output, context, code=None)
    if done.code == 77:
        pytest.skip("the kernel has no table of emulators of its own for a user namespace")
    assert done.code == 0, done.err
    assert [one["platform"]["architecture"] for one in manifests(layout)] == ["arm64", native[6:]]
    for one in manifests(layout):
        config = json.loads(blob(layout, json.loads(blob(layout, one["digest"]))["config"]["digest"]))
        assert config["config"]["Labels"] == {"arch": one["platform"]["architecture"]}
    assert "hello from afar" in done.err


def test_without_an_emulator(builder: Builder, context: Path) -> None:
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("the kernel has an emulator registered")
    done = builder.build("--platform=linux/arm64", context, code=1)
    assert "a step for linux/arm64 can't run on this machine" in done.err
    assert "qemu-user-static" in done.err
    assert "Dockerfile:4:1" in done.err


@pytest.mark.parametrize(("value", "kind"), [("1", "index"), ("false", "manifest")])
def test_an_index_of_one(builder: Builder, value: str, kind: str) -> None:
    context = builder.context("context", "FROM base\nCOPY a /\n", a="a")
    layout = builder.place / "layout"
    output = f"type=oci,tar=false,dest={layout}"
    asked = f"--build-arg=BUILDKIT_MULTI_PLATFORM={value}"
    builder.build(asked, "-o", output, context)
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert f".{kind}." in entry["mediaType"]
    builder.build(asked, "-o", f"type=local,dest={builder.place}/tree", context)
    written = [path.name for path in (builder.place / "tree").glob("linux_*")]
    assert bool(written) == (kind == "index")


def test_an_index_that_must_not_be(builder: Builder) -> None:
    context = builder.context("context", "FROM scratch\nCOPY a /\n", a="a")
    words = ["--platform=linux/amd64,linux/arm64", "--build-arg=BUILDKIT_MULTI_PLATFORM=0", str(context)]
    assert "BUILDKIT_MULTI_PLATFORM is false" in builder.build(*words, code=2).err


def test_replayed_as_an_index(builder: Builder) -> None:
    context = builder.context("context", "FROM scratch\nCOPY a /\n", a="a")
    words = ["--build-arg=BUILDKIT_MULTI_PLATFORM=1", "-t", "kept:1", str(context)]
    builder = builder.in_environment(**FIXED_TIME)
    first = builder.build(*words)
    (context / "a").write_text("b")
    changed = builder.build(*words)
    builder.run("prune", "--all", "--force")
    assert changed.digest != first.digest
    assert builder.build(*words).digest == changed.digest


def manifests(layout: Path) -> list[Any]:
    """The entries of the index that an OCI layout holds."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    found: list[Any] = json.loads(blob(layout, entry["digest"]))["manifests"]
    return found
