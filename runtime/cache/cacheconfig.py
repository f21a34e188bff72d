"""A cache outside of the store: which layers each record's results are, in the shape of BuildKit's cache config.

    {"layers":  [{"blob": DIGEST, "parent": number, "annotations": {…}}],
     "records": [{"digest": KEY, "results": [{"layer": number, "createdAt": TIME}],
                  "pybuild": {"op": OP KEY, "content": CONTENT, "outputs": [number or null]}}]}

A layer is a file system state: its parent's with one blob over it. BuildKit reads such a config and finds nothing in
it that it knows, as keys are the builder's own; `pybuild` holds what BuildKit's records have no place for.
"""

from __future__ import annotations

from pybuild.runtime.image.descriptor import Descriptor, is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

CONFIG = "application/vnd.buildkit.cacheconfig.v0"
"""Media type."""
INLINE = "moby.buildkit.cache.v0"
"""The key of an image config that has the records, in base 64, of a cache whose layers are the image's."""
LARGEST = 64 << 20
_OWN = "pybuild"


class BadConfig(ValueError):
    """What should be a cache config is none."""


class Entry:
    """A record: `key` and `op` as in the store's records, `content` the digest of what it read where that is known;
    `results` has for each output the layers of its state, from the base up and with their diff IDs, None for the
    empty file system. `created` is RFC 3339, "" for unknown."""

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
        self.results = tuple(None if one is None else tuple(one) for one in results)
        self.created = created


class Chains:
    """Layers that are numbered as they come: each over its parent."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str], int] = {}
        self.layers: list[tuple[int, Descriptor]] = []

    def number(self, chain: Sequence[Descriptor]) -> int:
        """The number of the topmost of a chain's layers."""
        number = -1
        for layer in chain:
            found = self._numbers.get((number, layer.digest))
            if found is None:
                found = self._numbers[number, layer.digest] = len(self.layers)
                self.layers.append((number, layer))
            number = found
        return number


def encode(entries: Sequence[Entry]) -> tuple[bytes, list[Descriptor]]:
    """The config, and the blobs that it names."""
    from pybuild.runtime.image.gojson import compact

    chains = Chains()
    records = [_record(one, chains) for one in entries]
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
    """The records of those entries whose results are the first layers of an image, as its config has them."""
    from pybuild.runtime.image.gojson import compact

    chains = Chains()
    chains.number(image)
    records = []
    for one in entries:
        before = len(chains.layers)
        record = _record(one, chains)
        if len(chains.layers) == before:
            records.append(record)
        else:
            chains = Chains()
            chains.number(image)
    return compact(records)


def decode(data: bytes) -> list[Entry]:
    """The entries of a config. What is not of this builder is passed over. Raises BadConfig."""
    value = _load(data)
    if not isinstance(value, dict):
        raise BadConfig("a cache config is no object")
    layers = [_layer(one) for one in value.get("layers") or []]
    return _entries(value.get("records") or [], layers)


def decode_inline(data: bytes, image: Sequence[Descriptor]) -> list[Entry]:
    """The entries of an image's own records. Raises BadConfig."""
    return _entries(_load(data), [(number - 1, layer) for number, layer in enumerate(image)])


def _record(one: Entry, chains: Chains) -> dict[str, object]:
    outputs = [None if chain is None else chains.number(chain) for chain in one.results]
    results = [
        {"layer": number, **({"createdAt": one.created} if one.created else {})}
        for number in outputs
        if number is not None and number >= 0
    ]
    own = {"op": one.op, "content": one.content, "outputs": outputs}
    return {"digest": one.key, **({"results": results} if results else {}), _OWN: own}


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
        told: Mapping[str, Any] = value["annotations"]
        parent, digest, diff_id = value.get("parent", -1), value["blob"], told["diffID"]
        size, media_type = told["size"], told["mediaType"]
    except (KeyError, TypeError, AttributeError):
        raise BadConfig("a layer of a cache config lacks what it is made of") from None
    numbers = isinstance(parent, int) and isinstance(size, int) and size >= 0
    if not (numbers and is_digest(digest) and is_digest(diff_id) and isinstance(media_type, str)):
        raise BadConfig(f"a layer of a cache config is none: {digest!r}")
    return parent, Descriptor(media_type, digest, size, diff_id=diff_id)


def _entries(records: Any, layers: Sequence[tuple[int, Descriptor]]) -> list[Entry]:
    if not isinstance(records, list):
        raise BadConfig("the records of a cache config are no list")
    found = []
    for one in records:
        own = one.get(_OWN) if isinstance(one, dict) else None
        if not isinstance(own, dict):
            continue
        key, op, content, outputs = one.get("digest"), own.get("op"), own.get("content"), own.get("outputs")
        if not (isinstance(key, str) and isinstance(op, str) and isinstance(outputs, list)):
            raise BadConfig("a record of a cache config lacks what it is about")
        results = [None if number is None else _chain(number, layers) for number in outputs]
        found.append(Entry(key, op, content if isinstance(content, str) else "", results))
    return found


def _chain(number: object, layers: Sequence[tuple[int, Descriptor]]) -> list[Descriptor]:
    chain: list[Descriptor] = []
    while number != -1:
        if not isinstance(number, int) or not 0 <= number < len(layers) or len(chain) > len(layers):
            raise BadConfig(f"a cache config has no layer {number!r}")
        number, layer = layers[number]
        chain.append(layer)
    return chain[::-1]
