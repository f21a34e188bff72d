"""Disk space in buildkitd's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.daemon.amounts import disk_size, in_bytes, parse_space
from pybuild.daemon.daemon_file import OCI
from pybuild.daemon.gc_policies import HOUR, GcPolicy, gc_policies
from pybuild.lang.source import Source
from pybuild.request.config.schema import Section, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0)),
        ("1024", (1024, 0)),
        ("512MB", (512 << 20, 0)),
        ("512 mb", (512 << 20, 0)),
        ("1.5GiB", (3 << 29, 0)),
        ("2k", (2048, 0)),
        ("10%", (0, 10)),
        ('"10%"', (0, 10)),
    ],
)
def test_amounts(text: str, expected: tuple[int, int]) -> None:
    assert parse_space(text) == expected


@pytest.mark.parametrize("text", ["x", "-1", "1XB", "1.5%", "%", "1 2", "MB"])
def test_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="invalid disk space"):
        parse_space(text)


@given(st.integers(1, 100))
def test_percents_are_of_the_disk(percents: int) -> None:
    found = in_bytes((0, percents), "/")
    assert found % 1_000_000_000 == 0
    assert found >= (disk_size("/") * percents // 100 >> 30) * 1_000_000_000


def test_the_disk_of_a_root_that_is_not_there_yet(tmp_path: Path) -> None:
    assert disk_size(str(tmp_path / "a" / "b")) == disk_size(str(tmp_path)) > 0


def test_policies_of_the_configuration() -> None:
    oci = read(
        Source(
            "buildkitd.toml",
            '[[gcpolicy]]\nfilters = ["type==exec.cachemount"]\nkeepDuration = "1h"\nreservedSpace = "1KB"\n'
            '[[gcpolicy]]\nall = true\nkeepDuration = 60\nkeepBytes = 10\nmaxUsedSpace = "2KB"\nminFreeSpace = 3',
        ),
        OCI,
    )
    assert gc_policies(oci, "/", None) == (
        GcPolicy(("type==exec.cachemount",), keep_duration=HOUR, reserved_space=1024),
        GcPolicy(
            all=True, keep_duration=60_000_000_000, reserved_space=10, max_used_space=2048, min_free_space=3
        ),
    )


def test_policies_by_default() -> None:
    first, second, third, last = gc_policies(Section(OCI), "/", 5_000_000)
    assert first.filters
    assert first.max_used_space == 512_000_000
    assert (second.keep_duration, third.keep_duration, last.all) == (60 * 24 * HOUR, 0, True)
    assert {one.reserved_space for one in (second, third, last)} == {5_000_000}
