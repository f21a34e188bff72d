from __future__ import annotations

import io
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.sources.host import binaries

from pybuild.runtime.sources.elf import BadElf, read_elf
from pybuild.runtime.sources.libraries import built_in, read_cache

names = st.lists(st.from_regex(r"lib[a-z]{1,8}\.so\.[0-9]", fullmatch=True), max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(
    needed=names,
    bits=st.sampled_from([32, 64]),
    order=st.sampled_from("<>"),
    interpreter=st.sampled_from(["", "/lib/ld.so"]),
    rpath=st.sampled_from(["", "$ORIGIN/../lib"]),
    runpath=st.sampled_from(["", "/opt/lib:/srv"]),
)
def test_what_is_written_is_read(
    needed: list[str], bits: int, order: str, interpreter: str, rpath: str, runpath: str
) -> None:
    data = binaries.elf(
        bits=bits, order=order, needed=needed, interpreter=interpreter, rpath=rpath, runpath=runpath
    )
    found = read_elf(io.BytesIO(data))
    assert found is not None
    assert found.needed == tuple(needed)
    assert (found.interpreter, found.rpath, found.runpath) == (interpreter, rpath, runpath)
    assert found.kind == (binaries.X86_64, bits, order)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_is_bad_elf_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(binaries.elf(interpreter="/lib/ld.so", needed=["liba.so.1", "libb.so.2"]))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(4, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(whole)))
    try:
        read_elf(io.BytesIO(bytes(whole[:cut])))
    except BadElf:
        pass


def test_other_files_are_none() -> None:
    assert read_elf(io.BytesIO(b"#!/bin/sh\n")) is None
    assert read_elf(io.BytesIO(b"")) is None


def test_the_running_interpreter_agrees_with_readelf() -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        with open(sys.executable, "rb") as file:
            found = read_elf(file)
        assert found is not None
        assert any(name.startswith(("libc.so", "libc.musl", "libpython")) for name in found.needed)
        return
    text = subprocess.run(
        [readelf, "-dlW", sys.executable], capture_output=True, text=True, check=True
    ).stdout
    with open(sys.executable, "rb") as file:
        found = read_elf(file)
    assert found is not None
    assert list(found.needed) == [
        line.split("[")[1].split("]")[0] for line in text.splitlines() if "(NEEDED)" in line
    ]
    assert f"[Requesting program interpreter: {found.interpreter}]" in text


@pytest.mark.parametrize("old", [False, True])
def test_loader_cache(old: bool) -> None:
    written = binaries.cache(
        [
            ("libz.so.1", "/opt/v3/libz.so.1", 1 << 62),
            ("libz.so.1", "/usr/lib/libz.so.1", 0),
            ("libz.so.1", "/usr/lib32/libz.so.1", 0),
            ("libm.so.6", "/lib/libm.so.6", 0),
        ],
        old=old,
    )
    assert read_cache(written) == {
        "libz.so.1": ["/usr/lib/libz.so.1", "/usr/lib32/libz.so.1"],
        "libm.so.6": ["/lib/libm.so.6"],
    }


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 90))
def test_damaged_caches_have_no_entries_or_some(noise: bytes, cut: int) -> None:
    whole = binaries.cache([("libz.so.1", "/usr/lib/libz.so.1", 0)])
    read_cache(whole[:cut] + noise)
    assert read_cache(noise) == {}


def test_directories_built_into_a_loader() -> None:
    content = b"\x7fELF/etc/\0/lib/x86_64-linux-gnu/\0/usr/lib/\0/lib/not\0/lib/x86_64-linux-gnu/\0"
    assert built_in(content) == ["/lib/x86_64-linux-gnu", "/usr/lib"]
