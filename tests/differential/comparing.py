"""Differences between two images, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from tests.differential.imagetree import Entry, ReadImage, Tree


def comparable(image: ReadImage, *, times: bool = False) -> ReadImage:
    """The config without times, unless `times`, and without digests of layers, whose files bear times; their number
    stays."""
    left_out = () if times else ("created",)
    config = image.config
    out = {key: value for key, value in config.items() if key not in left_out}
    out["history"] = [
        {key: value for key, value in entry.items() if key not in left_out}
        for entry in config.get("history") or []
    ]
    out["rootfs"] = {"type": config["rootfs"]["type"], "diff_ids": len(config["rootfs"]["diff_ids"] or [])}
    return attrs.evolve(image, config=out)


def image_differences(theirs: ReadImage, ours: ReadImage) -> list[str]:
    found = [*differences(theirs.config, ours.config), *tree_differences(theirs.tree, ours.tree)]
    if theirs.layers != ours.layers:
        found.append(f"layers: docker {theirs.layers}, pybuild {ours.layers}")
    return found


def differences(theirs: object, ours: object, at: str = "config") -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from differences(theirs.get(key), ours.get(key), f"{at}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, (left, right) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(left, right, f"{at}[{index}]")
    elif theirs != ours:
        yield f"{at}:\n  docker  {theirs!r}\n  pybuild {ours!r}"


def tree_differences(theirs: Tree, ours: Tree) -> Iterator[str]:
    for path in sorted(theirs.keys() | ours.keys()):
        left, right = theirs.get(path), ours.get(path)
        if left != right:
            yield f"{path!r}:\n  docker  {_shown(left, right)}\n  pybuild {_shown(right, left)}"


def _shown(entry: Entry | None, other: Entry | None) -> str:
    if entry is None:
        return "(missing)"
    fields = attrs.asdict(entry)
    if other is not None:
        before = attrs.asdict(other)
        fields = {name: value for name, value in fields.items() if before[name] != value}
    fields["mode"] = oct(entry.mode)
    if len(entry.content) > 200:
        fields["content"] = f"{len(entry.content)} bytes"
    return " ".join(f"{name}={value!r}" for name, value in fields.items())
