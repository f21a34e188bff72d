"""The config of an exported cache, in the format of BuildKit's: records, and the layers of their results.

    {"layers":  [{"blob": DIGEST, "parent": number, "annotations": {…}}],
     "records": [{"digest": KEY, "results": [{"layer": number, "createdAt": TIME}],
                  "pybuild": {"op": OP KEY, "content": CONTENT, "outputs": [number or null]}}]}

An entry of `layers` is a state: the parent's state with one blob on top. BuildKit can read such a config but finds no
key of its own in it, as keys depend on the builder. The member `pybuild` holds what BuildKit's records have no field
for.
"""

from __future__ import annotations

from pybuild.runtime.image.descriptor import Descriptor, is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

CONFIG = "application/vnd.buildkit.cacheconfig.v0"
"""Media type of the config."""
INLINE = "moby.buildkit.cache.v0"
"""Member of an image config with an inline cache: records in base 64, whose layers are the image's."""
LARGEST = 64 << 20
"""Bytes of the largest config that is read."""
_OWN = "pybuild"


class BadConfig(ValueError):
    """A cache config is malformed."""


class Entry:
    """A record. `key` and `op` are as in the store's records; `content` is the digest of what the op read, "" if
    unknown. `results` has the layers of each output, from the base up and with their diff IDs, None for the empty
    root. `created` is an RFC 3339 time, "" if unknown."""

    __slots__ = ("content", "created", "key", "op", "results")

    def __init__(
        self,
        key: str,
        op: str,
        content: str,
        results: Sequence[Sequence[Descriptor] | None],
        created: str = "",
    ) -> None:
        self.key = key
        self.op = op
        self.content = content
        self.results = tuple(None if chain is None else tuple(chain) for chain in results)
        self.created = created


class Chains:
    """A table of states: (number of the parent state, layer on top), numbered in the order of their first use."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}
        self.layers: list[tuple[int, Descriptor]] = []

    def number(self, chain: Sequence[Descriptor]) -> int:
        """Return the number of the state that a chain of layers makes, -1 for an empty chain."""
        number = -1
        for layer in chain:
            known = self._numbers.get((number, layer.digest))
            if known is None:
                known = self._numbers[number, layer.digest] = len(self.layers)
                self.layers.append((number, layer))
            number = known
        return number


def encode(entries: Sequence[Entry]) -> tuple[bytes, list[Descriptor]]:
    """Return the config and the descriptors of the blobs it names."""
    from pybuild.runtime.image.gojson import compact

    chains = Chains()
    records = [_record(entry, chains) for entry in entries]
    layers = [
        {
            "blob": layer.digest,
            "parent": parent,
            "annotations": {"mediaType": layer.media_type, "diffID": layer.diff_id, "size": layer.size},
        }
        for parent, layer in chains.layers
    ]
    blobs = {layer.digest: layer for _, layer in chains.layers}
    return compact({"layers": layers, "records": records}), list(blobs.values())


def encode_inline(entries: Sequence[Entry], image: Sequence[Descriptor]) -> bytes:
    """Return the records of the entries whose results are made of an image's first layers, for the image's config."""
    from pybuild.runtime.image.gojson import compact

    chains = Chains()
    chains.number(image)
    records = []
    for entry in entries:
        before = len(chains.layers)
        record = _record(entry, chains)
        if len(chains.layers) == before:
            records.append(record)
        else:
            # The record added states that the image lacks: leave it out and start from the image's again.
            chains = Chains()
            chains.number(image)
    return compact(records)


def decode(data: bytes) -> list[Entry]:
    """Return the entries of a config, ignoring records of other builders. Raises BadConfig."""
    value = _load(data)
    if not isinstance(value, dict):
        raise BadConfig("a cache config is no object")
    layers = [_layer(layer) for layer in value.get("layers") or []]
    return _entries(value.get("records") or [], layers)


def decode_inline(data: bytes, image: Sequence[Descriptor]) -> list[Entry]:
    """Return the entries of an image's inline cache. Raises BadConfig."""
    return _entries(_load(data), [(number - 1, layer) for number, layer in enumerate(image)])


def _record(entry: Entry, chains: Chains) -> dict[str, object]:
    outputs = [None if chain is None else chains.number(chain) for chain in entry.results]
    results = [
        {"layer": number, **({"createdAt": entry.created} if entry.created else {})}
        for number in outputs
        if number is not None and number >= 0
    ]
    own = {"op": entry.op, "content": entry.content, "outputs": outputs}
    return {"digest": entry.key, **({"results": results} if results else {}), _OWN: own}


def _load(data: bytes) -> Any:
    import json

    if len(data) > LARGEST:
        raise BadConfig(f"a cache config has more than {LARGEST} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"a cache config is no JSON: {error}") from None


def _layer(value: Any) -> tuple[int, Descriptor]:
    try:
        annotations: Mapping[str, Any] = value["annotations"]
        parent, digest, diff_id = value.get("parent", -1), value["blob"], annotations["diffID"]
        size, media_type = annotations["size"], annotations["mediaType"]
    except (KeyError, TypeError, AttributeError):
        raise BadConfig("a layer of a cache config lacks what it is made of") from None
    numbers = isinstance(parent, int) and isinstance(size, int) and size >= 0
    if not (numbers and is_digest(digest) and is_digest(diff_id) and isinstance(media_type, str)):
        raise BadConfig(f"a layer of a cache config is none: {digest!r}")
    return parent, Descriptor(media_type, digest, size, diff_id=diff_id)


def _entries(records: Any, layers: Sequence[tuple[int, Descriptor]]) -> list[Entry]:
    if not isinstance(records, list):
        raise BadConfig("the records of a cache config are no list")
    entries = []
    for record in records:
        own = record.get(_OWN) if isinstance(record, dict) else None
        if not isinstance(own, dict):
            continue
        key, op, content, outputs = (
            record.get("digest"),
            own.get("op"),
            own.get("content"),
            own.get("outputs"),
        )
        if not (isinstance(key, str) and isinstance(op, str) and isinstance(outputs, list)):
            raise BadConfig("a record of a cache config lacks what it is about")
        results = [None if number is None else _chain(number, layers) for number in outputs]
        entries.append(Entry(key, op, content if isinstance(content, str) else "", results))
    return entries


def _chain(number: object, layers: Sequence[tuple[int, Descriptor]]) -> list[Descriptor]:
    chain: list[Descriptor] = []
    while number != -1:
        # A chain longer than the table is a cycle.
        if not isinstance(number, int) or not 0 <= number < len(layers) or len(chain) > len(layers):
            raise BadConfig(f"a cache config has no layer {number!r}")
        number, layer = layers[number]
        chain.append(layer)
    return chain[::-1]
