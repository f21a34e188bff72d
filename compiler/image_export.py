"""Completes the image config of a frontend for export: matches history with layers, fills in times, orders keys.

The rules are those of BuildKit's image exporter (`exporter/containerimage/writer.go`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from pybuild.compiler.image import (
    EXPORTER_COMMENT,
    History,
    ImageConfigError,
    encode,
    history_object,
    parse,
)
from pybuild.compiler.timestamps import format_seconds, parse_time


@frozen
class Layer:
    """An exported layer: its diff ID, the time it was made (RFC 3339), and the step that made it."""

    diff_id: str
    created: str | None = None
    description: str = ""


def finish(
    config: bytes,
    layers: Sequence[Layer],
    *,
    epoch: int | None = None,
    base: bytes | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the stored config of an image with these `layers`, lowest first.

    No time is later than `epoch` (SOURCE_DATE_EPOCH, in seconds), except for the history of `base`, the config of
    the base image. `extra` adds top-level keys (inline cache). Raises `ImageConfigError`.
    """
    image = parse(config)
    if not image.os or not image.architecture:
        missing = "architecture" if image.os else "os"
        raise ImageConfigError(f"invalid image config for export: missing {missing}")
    history = normalize_history(image.history, layers)
    if epoch is not None:
        history = _bound_history(history, epoch, parse(base).history if base is not None else ())
    value: dict[str, Any] = json.loads(config)
    # The config is changed as JSON, so that fields outside the model are kept.
    value["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers] or None}
    value["history"] = [history_object(entry) for entry in history] or None
    if image.created is not None and epoch is not None and _after(image.created, epoch):
        value["created"] = format_seconds(epoch)
    if "created" not in value:
        times = [entry.created for entry in history if entry.created is not None]
        value["created"] = times[-1] if times else None
    value.update(extra or {})
    return encode(dict(sorted(value.items())))


def normalize_history(history: Sequence[History], layers: Sequence[Layer]) -> list[History]:
    """Return a history that has one non-empty entry for each layer, and a time for every entry.

    1. If there are too many non-empty entries, those beyond the last layer become empty.
    2. If there are too few, entries are added from the descriptions of the layers.
    3. An entry without a time gets that of its layer; an empty one gets the time of the next entry that has one, or
       else of the last one before.
    """
    entries: list[History] = []
    count = 0
    for entry in history:
        if not entry.empty_layer and count >= len(layers):
            entry = evolve(entry, empty_layer=True)
        count += not entry.empty_layer
        entries.append(entry)
    for layer in layers[count:]:
        by = layer.description or "created by buildkit"
        entries.append(History(layer.created, by, comment=EXPORTER_COMMENT))
    remaining = iter(layers)
    for number, entry in enumerate(entries):
        if not entry.empty_layer:
            layer = next(remaining)
            if entry.created is None:
                entries[number] = evolve(entry, created=layer.created)
    return _fill_times(entries)


def _fill_times(entries: list[History]) -> list[History]:
    # The time of the first gap: the first own time after it, else the last one before it.
    created = None
    missing = False
    for entry in entries:
        if entry.created is None:
            missing = True
            continue
        created = entry.created
        if missing:
            break
    filled = []
    missing = False
    for entry in entries:
        if entry.created is None:
            missing = True
            entry = evolve(entry, created=created)
        elif missing:
            created = entry.created
        filled.append(entry)
    return filled


def _bound_history(history: Sequence[History], epoch: int, base: Sequence[History]) -> list[History]:
    """Limit times to `epoch`, except for the leading entries that are the base image's own."""
    same = 0
    while same < min(len(history), len(base)) and history[same] == base[same]:
        same += 1
    limit = format_seconds(epoch)
    return [
        entry
        if number < same or (entry.created is not None and not _after(entry.created, epoch))
        else evolve(entry, created=limit)
        for number, entry in enumerate(history)
    ]


def _after(created: str, epoch: int) -> bool:
    return parse_time(created).nanoseconds > epoch * 1_000_000_000
