"""Unpacking of archives for ADD, with the rules of BuildKit's file backend (`unpack_root.go`).

Unlike a layer, whose paths are taken inside the root whatever they say, an archive with a name or a relative
symlink on the way that leads out of the destination is refused. A directory's entry goes where a symlink in its
place leads. Times that a file system may not hold become the epoch.
"""

from __future__ import annotations

import stat

from pybuild.runtime.image.extract import Extracted, Extractor, clean, extract_all
from pybuild.runtime.image.tarreader import DIRECTORY, TarReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image.decompression import Pull
    from pybuild.runtime.image.tarreader import Entry

MAX_TIME = (1 << 63) - 1
"""Nanoseconds since the epoch: in the year 2262."""


def unarchive(pull: Pull, root: bytes, *, archive: str, owner: tuple[int, int] | None = None) -> Extracted:
    """Unpack the archive that `pull` returns into directory `root`, and read the stream to its end. Entries
    keep their owners unless `owner` is given. Raises ArchiveError and ExtractError as `extract` does."""
    extractor = ArchiveExtractor(root, owner=owner, archive=archive)
    return extract_all(extractor, pull, archive)


class ArchiveExtractor(Extractor):
    """An extractor into a state, whose directory may be a snapshot's own."""

    def __init__(self, root: bytes, *, owner: tuple[int, int] | None, archive: str) -> None:
        super().__init__(root, owner=owner, archive=archive)
        self._marks = True

    def _place(self, entry: Entry, reader: TarReader) -> None:
        if not 0 <= entry.mtime <= MAX_TIME:
            entry.mtime = 0
        super()._place(entry, reader)

    def _parts(self, name: bytes, entry: Entry) -> list[bytes]:
        depth = 0
        for part in name.split(b"/"):
            depth += 0 if part in (b"", b".") else -1 if part == b".." else 1
            if depth < 0:
                raise self.refuse(entry, "it is outside the directory that the archive is unpacked into")
        return clean(name)

    def _above(self, path: bytes, entry: Entry) -> bytes:
        if not path:
            raise self.refuse(entry, "a symlink on its way leads out of the directory")
        return super()._above(path, entry)

    def _path(self, parent: bytes, name: bytes, entry: Entry) -> bytes:
        path = super()._path(parent, name, entry)
        if entry.kind == DIRECTORY:
            found = self.lstat(path)
            if found is not None and stat.S_ISLNK(found.st_mode):
                return self._parent(path.split(b"/"), entry)
        return path
