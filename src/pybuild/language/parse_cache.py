"""A cache of parsed files: a file that parsed without diagnostics is read back without loading the parser's grammar.

parsed/KEY      the tree in its plain form; the key is made of the text and the parser's state
names/KEY       the names that a Python module declared when it ran last, for completion; the key is made of its path
"""

from __future__ import annotations

import marshal
import os
from hashlib import blake2b
from zlib import crc32

from pybuild.lang.textual.plain import from_plain, to_plain
from pybuild.release import VERSION
from pybuild.runtime.content.place import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pybuild.lang.source import Source
    from pybuild.lang.textual.parse import Parsed

FORMAT = b"pybuild parsed 1\n"
KEPT = 1000
"""Maximum number of files of each kind in a store; the oldest are removed."""


def parse(source: Source) -> Parsed:
    """Return the result of `lang.textual.parse.parse` for a file, from the store if it is there."""
    from pybuild.lang.textual import parse as parser

    path = os.path.join(default_root(), "parsed", _key(source.text))
    known = _load(path)
    if known is not None:
        try:
            return parser.Parsed(from_plain(known, source), ())
        except ValueError:
            pass  # of another make: parsed again
    parsed = parser.parse(source)
    if not parsed.diagnostics:
        _store(path, to_plain(parsed.file))
    return parsed


def keep_names(module: str, names: Sequence[str]) -> None:
    """Keep the names that a Python module declares, for `known_names`."""
    if list(names) != known_names(module):
        _store(_names_path(module), list(names))


def known_names(module: str) -> list[str]:
    """Return the names that a Python module declared when it ran last; nothing is run."""
    names = _load(_names_path(module))
    return [str(name) for name in names] if isinstance(names, list) else []


def _names_path(module: str) -> str:
    key = blake2b(os.fsencode(os.path.realpath(module)), digest_size=16).hexdigest()
    return os.path.join(default_root(), "names", key)


def _key(text: str) -> str:
    """Return the key of a text for this parser, whose modules count with their sizes and times."""
    import pybuild.lang.textual as parser

    (directory,) = parser.__path__
    states = []
    for folder in (directory, os.path.join(directory, "tree")):
        with os.scandir(folder) as entries:
            states += sorted(
                f"{entry.name} {entry.stat().st_size} {entry.stat().st_mtime_ns}"
                for entry in entries
                if entry.name.endswith((".py", ".lark"))
            )
    known = "\0".join((VERSION, *states, text))
    return blake2b(known.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _load(path: str) -> object:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    start = len(FORMAT) + 4
    if not data.startswith(FORMAT) or crc32(data[start:]) != int.from_bytes(
        data[len(FORMAT) : start], "little"
    ):
        return None
    try:
        plain: object = marshal.loads(data[start:])
    except (EOFError, ValueError, TypeError):
        return None
    return plain


def _store(path: str, plain: Any) -> None:
    """Store a value of built-in types atomically. A failure is ignored: all of it can be made again."""
    body = marshal.dumps(plain)
    temporary = f"{path}.{os.urandom(6).hex()}"
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(FORMAT + crc32(body).to_bytes(4, "little") + body)
        os.rename(temporary, path)
        _thin(directory)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass


def _thin(directory: str) -> None:
    names = os.listdir(directory)
    if len(names) <= KEPT:
        return
    paths = [os.path.join(directory, name) for name in names]
    for path in sorted(paths, key=os.path.getmtime)[:-KEPT]:
        os.unlink(path)
