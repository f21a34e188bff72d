"""The list of what lies in a store's directory is true."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.runtime.cache.conftest import Place, context, copied

from pybuild.runtime.content import root
from pybuild.runtime.content.schema import VERSION
from pybuild.runtime.content.store import Store

DESCRIBED = re.findall(r"^ *([\w.-]+)/? {2,}\S", root.__doc__ or "", re.MULTILINE)
"""The names in the module's docstring, in order."""


def begins_with_an_entry(name: str) -> bool:
    return name == root.IN_USE or name.startswith(root.ENTRIES)


def test_every_entry_is_described_once() -> None:
    database = f"records-v{VERSION}.sqlite"
    entries = [root.IN_USE, *(database if entry == "records-v" else entry for entry in root.ENTRIES)]
    assert sorted(DESCRIBED) == sorted(entries)


def test_a_fresh_store_has_nothing_else(tmp_path: Path) -> None:
    with Store.open(str(tmp_path)):
        names = os.listdir(tmp_path)
    assert {directory.partition(os.sep)[0] for directory in root.DIRECTORIES} < set(names)
    assert [name for name in names if not begins_with_an_entry(name)] == []


@pytest.mark.root
def test_a_store_after_a_build_has_nothing_else(place: Place) -> None:
    place.write({"a": "1"})
    place.build(copied(context("a"), "/a", "/x"))
    names = os.listdir(place.directory / "store")
    assert {"snapshots", "snapshotter", "stat"} < set(names)
    assert [name for name in names if not begins_with_an_entry(name)] == []
