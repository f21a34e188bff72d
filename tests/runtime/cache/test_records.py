"""Records: how runs are found again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybuild.runtime.cache.records import Record, Records, digest_of
from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter


class Held:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.snapshotter = OverlaySnapshotter(store)
        self.records = Records(store, self.snapshotter)

    def snapshot(self, text: str, parent: int | None = None, *, name: str = "f", mtime: int = 1) -> int:
        active = self.snapshotter.prepare(parent)
        path = os.path.join(active.upper, os.fsencode(name))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.utime(path, (mtime, mtime))
        return active.commit()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    with Store.open(str(tmp_path / "store")) as store:
        yield Held(store)


def never(record: Record) -> str | None:
    raise AssertionError(f"the content of {record.key} was asked for")


def test_by_key(held: Held) -> None:
    one = held.snapshot("1")
    assert held.records.lookup("k") is None
    assert not held.records.known("op")
    held.records.save("k", "op", [None, -1], [one, None], "content")
    assert held.records.known("op")
    assert held.records.lookup("k") == [one, None]
    other = held.snapshot("2")
    held.records.save("k", "op", [], [other], None)
    assert held.records.lookup("k") == [other]


def test_by_content_which_is_computed_once_and_when_asked_for(held: Held) -> None:
    inputs = [held.snapshot(text) for text in ("a", "b", "c")]
    results = [held.snapshot(text) for text in ("1", "2", "3")]
    for number in range(3):
        held.records.save(f"k{number}", "op", [inputs[number]], [results[number]], None)
    held.records.save("other", "another op", [inputs[0]], [results[0]], None)
    asked: list[str] = []

    def content(record: Record) -> str | None:
        asked.append(record.key)
        return {inputs[0]: "A", inputs[1]: "B", inputs[2]: None}[record.inputs[0]]  # type: ignore[index]

    assert held.records.find("op", "B", content) == [results[1]]
    assert sorted(asked) == ["k0", "k1", "k2"]
    assert held.records.find("op", "A", never) == [results[0]]
    assert held.records.find("op", "C", never) is None


def test_the_earliest_of_equal_content_is_found(held: Held) -> None:
    first, second = held.snapshot("1"), held.snapshot("1")
    held.records.save("b", "op", [], [second], "same")
    held.records.save("a", "op", [], [first], "same")
    assert held.records.find("op", "same", never) == [second]


def test_what_a_record_read_may_be_gone(held: Held) -> None:
    gone, result = held.snapshot("x"), held.snapshot("1")
    held.records.save("k", "op", [gone], [result], None)
    assert held.snapshotter.remove([gone]) == [gone]
    fresh = Records(held.store, OverlaySnapshotter(held.store))
    assert fresh.find("op", "content", never) is None
    assert fresh.lookup("k") == [result]


def test_results_that_are_gone_are_no_hit(held: Held) -> None:
    result = held.snapshot("1")
    held.records.save("k", "op", [], [result], "content")
    held.snapshotter.remove([result])
    fresh = Records(held.store, OverlaySnapshotter(held.store))
    assert fresh.lookup("k") is None
    assert fresh.find("op", "content", never) is None


def test_the_earliest_sibling_has_the_same_content_whatever_its_times(held: Held) -> None:
    base = held.snapshot("base", name="base")
    first = held.snapshot("1", base, mtime=1)
    unlike = [held.snapshot("2", base), held.snapshot("1", base, name="g"), held.snapshot("1")]
    last = held.snapshot("1", base, mtime=9)
    assert held.records.earliest(last) == first
    assert held.records.earliest(first) == first
    for one in unlike:
        assert held.records.earliest(one) == one


def test_replacing_changes_every_record_that_leads_there(held: Held) -> None:
    one, other, third = held.snapshot("1"), held.snapshot("1"), held.snapshot("3")
    held.records.save("a", "op", [], [third, other], None)
    held.records.save("b", "op", [], [other], None)
    held.records.save("c", "op", [], [third], None)
    held.records.replace(other, one)
    found = [held.records.lookup(key) for key in "abc"]
    assert found == [[third, one], [one], [third]]


def test_parts_of_a_key_are_not_run_together() -> None:
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("a") != digest_of("a", "")
    assert digest_of("\udcff") != digest_of("\ufffd")
