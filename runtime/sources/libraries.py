"""Finds libraries where the dynamic loader would, without running it.

The rules are those of ld.so(8) for glibc and of musl's loader: RPATH of the object and of those that loaded it,
RUNPATH, the loader's cache or configured directories, its built-in directories. LD_LIBRARY_PATH is ignored, as it is
the environment of the machine's user and not of the image.
"""

from __future__ import annotations

import glob
import os
import re
from struct import Struct

from pybuild.runtime.sources.elf import BadElf, Elf, read_elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.runtime.sources.hosttree import HostTree

CACHE = "/etc/ld.so.cache"
CONFIG = "/etc/ld.so.conf"
MUSL_PLACES = ("/lib", "/usr/local/lib", "/usr/lib")

_OLD_MAGIC = b"ld.so-1.7.0"
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = 48
_ENTRY = Struct("=iIIIQ")
_COUNT = Struct("=I")


class Found:
    """A library: its path as the loader would spell it, its ELF data, and whether the loader finds it without its
    cache."""

    __slots__ = ("elf", "path", "searched")

    def __init__(self, path: str, elf: Elf, searched: bool) -> None:
        self.path = path
        self.elf = elf
        self.searched = searched


class Loader:
    """A program interpreter, such as `/lib64/ld-linux-x86-64.so.2`. `places` are the directories it always
    searches."""

    def __init__(self, tree: HostTree, interpreter: str, root: str = "") -> None:
        """Read an interpreter. `root` is a prefix of the configuration's paths, for tests. Raises OSError."""
        self._tree = tree
        self._read: dict[str, Elf | None] = {}
        self._cache: dict[str, list[str]] | None = None
        self._configuration = root
        self.path = interpreter
        self.musl = os.path.basename(interpreter).startswith("ld-musl-")
        with open(interpreter, "rb") as file:
            content = file.read()
        if self.musl:
            self.places = self._musl_places()
        else:
            self.places = built_in(content)

    def find(self, name: str, kind: tuple[int, int, str], chain: Sequence[tuple[str, Elf]]) -> Found | None:
        """Find the library `name` for the last object of `chain`, which has (path, ELF data) of the program and of
        each library from there on. None if the loader would find none."""
        if "/" in name:
            library = self._library(name, kind)
            return Found(name, library, True) if library is not None else None
        for directory, searched in self._directories(name, chain):
            path = f"{directory.rstrip('/')}/{name}"
            elf = self._library(path, kind)
            if elf is not None:
                return Found(path, elf, searched)
        return None

    def _directories(self, name: str, chain: Sequence[tuple[str, Elf]]) -> Iterator[tuple[str, bool]]:
        """Yield directories in the order of the search, each with whether it is searched without the cache."""
        owner, elf = chain[-1]
        if self.musl:
            for path, link in reversed(chain):
                yield from ((place, True) for place in _expand(link.runpath or link.rpath, path))
        else:
            if not elf.runpath:
                for path, link in reversed(chain):
                    if not link.runpath:
                        yield from ((place, True) for place in _expand(link.rpath, path))
            yield from ((place, True) for place in _expand(elf.runpath, owner))
            for path in self._configured().get(name, ()):
                directory = os.path.dirname(path)
                yield directory, self._is_searched(directory)
        yield from ((place, True) for place in self.places)

    def _is_searched(self, directory: str) -> bool:
        real = self._tree.find(directory)
        return directory in self.places or any(self._tree.find(place) == real for place in self.places)

    def _library(self, path: str, kind: tuple[int, int, str]) -> Elf | None:
        """Return the ELF data of the library at `path`, None if there is none of that kind: the loader ignores
        others."""
        if path not in self._read:
            self._read[path] = None
            if self._tree.find(path) is not None:
                try:
                    with open(path, "rb") as file:
                        self._read[path] = read_elf(file)
                except (OSError, BadElf):
                    pass
        elf = self._read[path]
        return elf if elf is not None and elf.kind == kind else None

    def _musl_places(self) -> list[str]:
        machine = os.path.basename(self.path).removeprefix("ld-musl-").partition(".")[0]
        text = self._text(f"/etc/ld-musl-{machine}.path")
        if text is None:
            return list(MUSL_PLACES)
        return [place for place in text.replace("\n", ":").split(":") if place.startswith("/")]

    def _configured(self) -> dict[str, list[str]]:
        """Return paths by library name, from the cache or, without one, from the configured directories."""
        if self._cache is None:
            path = self._configuration + CACHE
            self._tree.consulted.add(path)
            try:
                with open(path, "rb") as file:
                    self._cache = read_cache(file.read())
            except OSError:
                self._cache = {}
                for directory in self._config_directories(CONFIG, 0):
                    self._list(directory, self._cache)
        return self._cache

    def _list(self, directory: str, into: dict[str, list[str]]) -> None:
        self._tree.consulted.add(directory)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return
        for name in names:
            into.setdefault(name, []).append(f"{directory}/{name}")

    def _config_directories(self, path: str, depth: int) -> Iterator[str]:
        for line in (self._text(path) or "").splitlines():
            words = line.partition("#")[0].split()
            # The depth is bounded, as files may include each other.
            if words[:1] == ["include"] and depth < 8:
                for pattern in words[1:]:
                    absolute = os.path.join(os.path.dirname(path), pattern)
                    root = self._configuration
                    for included in sorted(glob.glob(root + absolute)):
                        yield from self._config_directories(included.removeprefix(root), depth + 1)
            elif words and words[0] != "include":
                yield from (word for word in words if word.startswith("/"))

    def _text(self, path: str) -> str | None:
        path = self._configuration + path
        self._tree.consulted.add(path)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return None


def built_in(loader: bytes) -> list[str]:
    """Return the built-in directories of a glibc loader, in order. They differ between distributions, and are found
    as strings in its file that end in a slash."""
    places = re.findall(rb"(/[\x21-\x7e]*)/\0", loader)
    return list(dict.fromkeys(os.fsdecode(place) for place in places if b"/lib" in place))


def _expand(paths: str, owner: str) -> Iterator[str]:
    """Yield the directories of an RPATH or RUNPATH of the object at `owner`, with tokens replaced."""
    origin = os.path.dirname(os.path.realpath(owner))
    machine = os.uname().machine
    for path in paths.split(":") if paths else ():
        for token, value in (("ORIGIN", origin), ("PLATFORM", machine)):
            path = path.replace(f"${{{token}}}", value).replace(f"${token}", value)
        if "$LIB" in path or "${LIB}" in path:
            for value in (f"lib/{machine}-linux-gnu", "lib64", "lib"):
                yield path.replace("${LIB}", value).replace("$LIB", value)
        elif path.startswith("/"):
            yield os.path.normpath(path) if "/../" in path + "/" else path


def read_cache(data: bytes) -> dict[str, list[str]]:
    """Return paths by library name from an ld.so.cache in format 1.1, alone or after the old format.

    Entries for particular processors (glibc-hwcaps) are ignored, so that the result does not depend on the processor.
    A malformed cache has no entries.
    """
    start = data.find(_MAGIC) if data.startswith(_OLD_MAGIC) else 0
    if start < 0 or not data.startswith(_MAGIC, start):
        return {}
    data = data[start:]
    if len(data) < _HEADER:
        return {}
    (count,) = _COUNT.unpack_from(data, len(_MAGIC))
    if _HEADER + count * _ENTRY.size > len(data):
        return {}
    paths: dict[str, list[str]] = {}
    for index in range(count):
        _, name, path, _, hwcap = _ENTRY.unpack_from(data, _HEADER + index * _ENTRY.size)
        if not hwcap:
            paths.setdefault(_string(data, name), []).append(_string(data, path))
    return paths


def _string(data: bytes, start: int) -> str:
    end = data.find(b"\0", start)
    return os.fsdecode(data[start : end if end >= 0 else len(data)])
