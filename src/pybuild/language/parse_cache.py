"""A cache of parsed files: a file that parsed without diagnostics is read back without loading the parser's grammar.

parsed/KEY      the tree in its plain form; the key is made of the text and the parser's state
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
    from typing import Any

    from pybuild.lang.source import Source
    from pybuild.lang.textual.parse import Parsed

FORMAT = b"pybuild parsed 1\n"
KEPT = 1000
"""Maximum number of parsed files in a store; the oldest are removed."""


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
    found = parser.parse(source)
    if not found.diagnostics:
        _store(path, to_plain(found.file))
    return found


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
        found: object = marshal.loads(data[start:])
    except (EOFError, ValueError, TypeError):
        return None
    return found


def _store(path: str, plain: Any) -> None:
    """Store a tree atomically. A failure is ignored: the file is parsed again next time."""
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
