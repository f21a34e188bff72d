"""Recordings keep what is compared, and hold for what they were made of."""

from __future__ import annotations

import gzip
import json

import pytest
from attrs import evolve
from tests.differential import recordings
from tests.differential.casebook import entries, read_cases
from tests.differential.contexts import tar_bytes
from tests.differential.imagetree import Entry, ReadImage, Tree, apply_layer
from tests.differential.recordings import Recorded, Unrecorded, decoded, encoded, recorded
from tests.differential.wording import worded, worded_base

BASE = r"""
bin/busybox     0755 \x7fELF\xff
etc/            0755
etc/passwd      root\n
var/data        0640 1:4 one
var/link        -> data
"""
CHANGED = r"""
etc/.wh.passwd
var/data        4755 1000:50 xattr:user.a=b two
var/also        => var/data
odd\xff\n       \xfe\x00
dir/            1777
"""
WORDS = {"LAYOUT": "/tmp/layout", "BASE": "host:1/x:2", "BUSYBOX": "host:1/x:2", "WEBSITE": "http://host:3"}


def tree(*layers: str) -> Tree:
    found: Tree = {}
    for layer in layers:
        apply_layer(found, tar_bytes(entries(layer)))
    return found


def image(found: Tree) -> ReadImage:
    return ReadImage(
        {"os": "linux", "config": {"Env": ["A=é"]}, "history": [{"created_by": "x" * 200}]}, found, 2
    )


@pytest.mark.parametrize("layers", [(BASE,), (BASE, CHANGED), (CHANGED,), ()])
def test_images_are_read_as_they_were_written(layers: tuple[str, ...]) -> None:
    base = tree(BASE)
    found = tree(*layers) | {b"dev/x": Entry("character device", 0o600, 0, 0, device=(5, 1))}
    outcome = Recorded({"linux/amd64": image(found), "index: linux/arm64": image({})})
    text = recordings.text(encoded(outcome, base))
    assert decoded(json.loads(text), base) == outcome
    assert list(decoded(json.loads(text), base).images or {}) == list(outcome.images or {})


def test_refusals_are_read_as_they_were_written() -> None:
    for outcome in (Recorded(None), Recorded(None, (3, 7)), Recorded({})):
        assert decoded(encoded(outcome, {}), {}) == outcome


def test_only_what_differs_from_the_base_is_written() -> None:
    (one,) = encoded(Recorded({"x": image(tree(BASE, CHANGED))}), tree(BASE))["images"]
    assert one["over"] == "base"
    assert one["removed"] == ["etc/passwd"]
    assert sorted(one["tree"]) == ["dir", "odd\udcff\n", "var/also", "var/data"]


def test_what_changes_from_run_to_run_is_given_by_words() -> None:
    base = tree(BASE)
    found = {
        **base,
        b"copied": base[b"bin/busybox"],
        b"names": Entry("file", 0o644, 0, 0, b"http://host:3/a host:1/x:2"),
        b"long": Entry("file", 0o644, 0, 0, b"x" * 1000),
        b"packed": Entry("file", 0o644, 0, 0, gzip.compress(b"one", 9)),
    }
    other = {**found, b"packed": evolve(found[b"packed"], content=gzip.compress(b"one", 1))}
    made = worded(evolve(image(found), config={"http://host:3": ["/tmp/layout"]}), WORDS, base)
    assert made.config == {"WEBSITE": ["LAYOUT"]}
    assert made.tree[b"names"].content == b"WEBSITE/a BASE"
    assert (
        made.tree[b"copied"].content
        == worded_base(base)[b"bin/busybox"].content
        == b"{content of bin/busybox}"
    )
    assert made.tree[b"long"].content.startswith(b"{1000 bytes, sha256 ")
    assert worded(image(other), WORDS, base).tree == made.tree
    assert made.tree[b"packed"].content == b"{by gzip}one"


def test_a_recording_holds_for_its_case_only() -> None:
    case = next(case for case in read_cases() if case.rejected is not None)
    assert recorded(case, {}).images is None
    for changed in (evolve(case, dockerfile="FROM scratch\n"), evolve(case, flags=("--pull",))):
        with pytest.raises(Unrecorded, match="PYBUILD_WRITE_CASES=1"):
            recorded(changed, {})
    assert recorded(evolve(case, title="other", rejected=("words",)), {}).images is None
