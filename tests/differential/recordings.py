"""What Docker made of the cases, as `recorded/*.json` hold it: one file for each of `cases`.

A file has the `architecture` it was recorded on and an entry for each case: the digest of the `case` it was recorded
for, and `refused` with the lines Docker names, or `images` in their order, or `accepted`, where the case must be
refused and Docker builds it. Of an image: the `config` as it is compared, the number of `layers`, and the `tree` as
it differs from that of the base image, or from nothing if that takes fewer words.

    PYBUILD_WRITE_CASES=1 ./test tests/differential/test_docker.py

records all cases anew, and with `-k` some of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.differential.bases import machine
from tests.differential.builders import Outcome
from tests.differential.casebook import Case
from tests.differential.comparing import comparable
from tests.differential.imagetree import Entry, ReadImage, Tree

HERE = Path(__file__).parent / "recorded"
ALL = os.environ.get("PYBUILD_DIFFERENTIAL") == "all"
"""Whether Docker is asked about every case."""

WRITE = bool(os.environ.get("PYBUILD_WRITE_CASES"))
WIDTH = 110
HOW = "PYBUILD_WRITE_CASES=1 ./test tests/differential/test_docker.py -k {name}"


@frozen
class Recorded:
    """An outcome of Docker's, its images being comparable ones. Of a case that must be refused and is accepted,
    `images` holds nothing."""

    images: dict[str, ReadImage] | None
    lines: tuple[int, ...] = ()


class Unrecorded(Exception):
    """There is no recording of a case as it is."""


def recorded(case: Case, base: Tree) -> Recorded:
    """Raises Unrecorded."""
    found = read(case.file)["cases"].get(case.name)
    if found is None or found["case"] != case.digest:
        raise Unrecorded(f"{case.name} is not recorded as it is; record it: {HOW.format(name=case.name)}")
    return decoded(found, base)


def is_of_this_machine(case: Case) -> bool:
    """Whether recordings of the case's file hold for this machine's architecture."""
    return bool(read(case.file)["architecture"] == machine())


@lru_cache
def read(file: str) -> dict[str, Any]:
    """The recordings of a file of cases."""
    path = _path(file)
    if not path.exists():
        return {"architecture": machine(), "cases": {}}
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _path(file: str) -> Path:
    return HERE / file.replace(".md", ".json")


def write(case: Case, outcome: Recorded, base: Tree, names: Iterable[str]) -> None:
    """Record a case. Recordings of its file for another than `names` are dropped."""
    kept = set(names)
    before = read(case.file)["cases"] if is_of_this_machine(case) else {}
    cases = {name: one for name, one in before.items() if name in kept}
    cases[case.name] = {"case": case.digest, **encoded(outcome, base)}
    book = {"architecture": machine(), "cases": cases}
    HERE.mkdir(exist_ok=True)
    _path(case.file).write_text(text(book) + "\n")
    read.cache_clear()


def text(value: Any, indent: int = 0) -> str:
    """JSON with what is short on one line."""
    flat = json.dumps(value, sort_keys=True)
    if len(flat) + indent <= WIDTH or not value or not isinstance(value, dict | list):
        return flat
    named = sorted(value.items()) if isinstance(value, dict) else [("", member) for member in value]
    starts = [" " * (indent + 1) + (f"{json.dumps(name)}: " if name else "") for name, _ in named]
    lines = [start + text(member, indent + 1) for start, (_, member) in zip(starts, named, strict=True)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def of_docker(case: Case, outcome: Outcome) -> Recorded:
    """What is compared of an outcome of Docker's. That it must be one is asserted here, as what is recorded wrongly
    stays wrong."""
    assert "Cannot connect to the Docker daemon" not in outcome.messages
    if outcome.images is None:
        assert case.rejected is not None, outcome.messages
        return Recorded(None, outcome.lines)
    if case.rejected is not None:
        return Recorded({})
    return Recorded({name: comparable(image, times=case.times) for name, image in outcome.images.items()})


def encoded(outcome: Recorded, base: Tree) -> dict[str, Any]:
    if outcome.images is None:
        return {"refused": sorted(set(outcome.lines))}
    if not outcome.images:
        return {"accepted": True}
    return {"images": [{"name": name, **_image(image, base)} for name, image in outcome.images.items()]}


def decoded(value: Mapping[str, Any], base: Tree) -> Recorded:
    if "refused" in value:
        return Recorded(None, tuple(value["refused"]))
    images = {}
    for one in value.get("images", ()):
        tree = dict(base) if one["over"] == "base" else {}
        for path in one.get("removed", ()):
            del tree[os.fsencode(path)]
        tree |= {os.fsencode(path): _read_entry(entry) for path, entry in one["tree"].items()}
        images[one["name"]] = ReadImage(one["config"], tree, one["layers"])
    return Recorded(images)


def _image(image: ReadImage, base: Tree) -> dict[str, Any]:
    removed = sorted(base.keys() - image.tree.keys())
    changed = {path: entry for path, entry in image.tree.items() if base.get(path) != entry}
    found: dict[str, Any] = {"config": image.config, "layers": image.layers}
    if len(removed) + len(changed) < len(image.tree):
        found |= {"over": "base", "tree": _tree(changed)}
        return {**found, "removed": [os.fsdecode(path) for path in removed]} if removed else found
    return {**found, "over": "nothing", "tree": _tree(image.tree)}


def _tree(tree: Tree) -> dict[str, Any]:
    return {os.fsdecode(path): _entry(entry) for path, entry in tree.items()}


def _entry(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {entry.kind: f"{entry.mode:04o} {entry.uid}:{entry.gid}"}
    if entry.kind == "file":
        try:
            found["text"] = entry.content.decode()
        except UnicodeDecodeError:
            found["bytes"] = entry.content.hex(" ")
    if entry.target:
        found["target"] = os.fsdecode(entry.target)
    if entry.device != (0, 0):
        found["device"] = list(entry.device)
    if entry.xattrs:
        found["xattrs"] = [list(pair) for pair in entry.xattrs]
    if entry.links:
        found["links"] = sorted(os.fsdecode(path) for path in entry.links)
    return found


def _read_entry(value: Mapping[str, Any]) -> Entry:
    (kind,) = value.keys() - {"text", "bytes", "target", "device", "xattrs", "links"}
    mode, _, owner = value[kind].partition(" ")
    uid, _, gid = owner.partition(":")
    content = value["text"].encode() if "text" in value else bytes.fromhex(value.get("bytes", ""))
    return Entry(
        kind,
        int(mode, 8),
        int(uid),
        int(gid),
        content=content,
        target=os.fsencode(value.get("target", "")),
        device=tuple(value.get("device", (0, 0))),
        xattrs=tuple((name, text) for name, text in value.get("xattrs", ())),
        links=frozenset(os.fsencode(path) for path in value.get("links", ())),
    )
