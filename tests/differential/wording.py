"""Gives an image of a case in words that are the same in every run and on every machine.

The addresses of what the tests serve, and directories, become the words that the case has for them. Long contents
become their digests, busybox's program a word of its own, and of what is compressed the contents count.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from tests.differential.imagetree import Entry, ReadImage, Tree

PASSING = ("LAYOUT", "BASE", "BUSYBOX", "WEBSITE")
"""Words whose meaning is another in each run. The others are digests of what never changes."""

PROGRAM = b"bin/busybox"
LONGEST = 400
"""Bytes of the longest content that is given as it is."""

_COMPRESSED: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"\x1f\x8b", gzip.decompress),
    "bzip2": (b"BZh", bz2.decompress),
    "xz": (b"\xfd7zXZ", lzma.decompress),
}


def worded(image: ReadImage, references: Mapping[str, str], base: Tree) -> ReadImage:
    """`references` are what the words stood for; where two stood for the same, it is given by the earlier word of
    PASSING. `base` is the tree of the base images."""
    back: dict[str, str] = {}
    for word in PASSING:
        back.setdefault(references[word], word)
    program = base[PROGRAM].content
    return evolve(image, config=_replaced(image.config, back), tree=_tree(image.tree, back, program))


def worded_base(base: Tree) -> Tree:
    return _tree(base, {}, base[PROGRAM].content)


def _tree(tree: Tree, back: Mapping[str, str], program: bytes) -> Tree:
    return {path: _entry(entry, back, program) for path, entry in tree.items()}


def _entry(entry: Entry, back: Mapping[str, str], program: bytes) -> Entry:
    content = entry.content
    if content == program:
        return evolve(entry, content=b"{content of %s}" % PROGRAM)
    content = _decompressed(content)
    for meaning, word in back.items():
        content = content.replace(meaning.encode(), word.encode())
    if len(content) > LONGEST:
        digest = hashlib.sha256(content).hexdigest()
        content = f"{{{len(content)} bytes, sha256 {digest}}}".encode()
    return entry if content == entry.content else evolve(entry, content=content)


def _decompressed(content: bytes) -> bytes:
    """How well a file is compressed is up to the libraries of a machine."""
    for name, (magic, decompress) in _COMPRESSED.items():
        if content.startswith(magic):
            try:
                return f"{{by {name}}}".encode() + decompress(content)
            except (OSError, EOFError, lzma.LZMAError, zlib.error):
                return content
    return content


def _replaced(value: Any, back: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for meaning, word in back.items():
            value = value.replace(meaning, word)
        return value
    if isinstance(value, dict):
        return {_replaced(name, back): _replaced(member, back) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, back) for member in value]
    return value
