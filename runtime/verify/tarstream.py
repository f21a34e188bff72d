"""Members of a tar archive, read from front to back in bounded memory."""

from __future__ import annotations

from pybuild.runtime.verify import tarheaders as tar
from pybuild.runtime.verify.findings import UNUSUAL, quoted
from pybuild.runtime.verify.limits import LONGEST_EXTENSION
from pybuild.runtime.verify.streams import CHUNK
from pybuild.runtime.verify.tarheaders import BLOCK, Damaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from pybuild.runtime.verify.findings import Tally

    class Input(Protocol):
        """Bytes by exact counts; `streams.Exact` is one."""

        position: int

        def take(self, size: int) -> bytes: ...

        def skip(self, size: int) -> int: ...


class Member:
    """An entry of an archive as its header and the extensions before it describe it. Its `size` bytes of content
    begin at `offset`."""

    __slots__ = ("link", "name", "offset", "size", "type")

    def __init__(self, type: bytes, name: bytes, link: bytes, size: int, offset: int) -> None:
        self.type = type
        self.name = name
        self.link = link
        self.size = size
        self.offset = offset

    @property
    def is_file(self) -> bool:
        return self.type in (tar.FILE, tar.CONTIGUOUS, tar.SPARSE)


def members(archive: Input, tally: Tally) -> Iterator[Member]:
    """Yield the members of an archive to its end; what is wrong or unusual about its form goes to `tally`. Raises
    Damaged where it can't be read further."""
    extensions = _Extensions()
    while True:
        block = archive.take(BLOCK)
        if not archive.position:
            raise Damaged("it is empty")
        if len(block) < BLOCK or not block.strip(b"\0"):
            if extensions.pending:
                tally.problem("extension", "ends after an extended header that describes nothing", UNUSUAL)
            _check_end(archive, block, tally)
            return
        header = tar.parse_header(block)
        for fact in header.unusual:
            tally.note(fact.partition("`")[0], f"has {fact}")
        if header.type in tar.EXTENSIONS:
            if header.size > LONGEST_EXTENSION:
                raise Damaged(f"an extended header has {header.size} bytes")
            data = archive.take(header.size)
            if len(data) < header.size:
                raise Damaged("it ends within an extended header")
            _skip_padding(archive, header.size, tally)
            extensions.add(header.type, data, tally)
            continue
        if header.type not in tar.TYPES:
            raise Damaged(f"{quoted(header.name)} has the unknown type {quoted(header.type)}")
        if header.type == tar.SPARSE:
            _skip_sparse_map(archive, block)
        member = extensions.applied(header, archive.position)
        yield member
        if archive.skip(member.size) < member.size:
            raise Damaged(f"it ends within {quoted(member.name)}")
        _skip_padding(archive, member.size, tally)


class _Extensions:
    """The extended headers before a member."""

    def __init__(self) -> None:
        self._records: Mapping[bytes, bytes] = {}
        self._name: bytes | None = None
        self._link: bytes | None = None
        self.pending = False

    def add(self, type: bytes, data: bytes, tally: Tally) -> None:
        if type == tar.PAX_GLOBAL:
            tar.pax_records(data)
            tally.note("global", "has a global pax header, which programs that unpack layers pass over")
            return
        if type == tar.PAX:
            if self._records:
                tally.problem("pax", "has two pax headers before one entry", UNUSUAL)
            self._records = tar.pax_records(data)
        elif type == tar.LONG_NAME:
            self._name = data.partition(b"\0")[0]
        else:
            self._link = data.partition(b"\0")[0]
        self.pending = True

    def applied(self, header: tar.Header, offset: int) -> Member:
        """Return the member of a header, and forget what was said about it."""
        records, name, link = self._records, self._name, self._link
        self._records, self._name, self._link, self.pending = {}, None, None, False
        name = header.name if name is None else name
        link = header.link if link is None else link
        # An empty value of a pax record stands for what the header itself says.
        name = records.get(b"GNU.sparse.name") or records.get(b"path") or name
        link = records.get(b"linkpath") or link
        size = header.size
        if records.get(b"size") and header.type not in tar.WITHOUT_CONTENT:
            size = int(records[b"size"])
        type = tar.DIRECTORY if header.type == tar.FILE and name.endswith(b"/") else header.type
        return Member(type, name, link, size, offset)


def _skip_padding(archive: Input, size: int, tally: Tally) -> None:
    padding = -size % BLOCK
    if padding and archive.take(padding).strip(b"\0"):
        tally.note("padding", "has bytes other than zero in the padding behind a file")


def _skip_sparse_map(archive: Input, block: bytes) -> None:
    """Pass over the further blocks of an old GNU sparse map: each says in one byte whether another one follows."""
    more = block[482]
    while more:
        block = archive.take(BLOCK)
        if len(block) < BLOCK:
            raise Damaged("it ends within a sparse map")
        more = block[504]


def _check_end(archive: Input, first: bytes, tally: Tally) -> None:
    """The end is two blocks of zeros; zeros may follow, as old tapes had records of 20 blocks."""
    if not first:
        tally.problem("end", "ends without the two blocks of zeros that mark the end", UNUSUAL)
        return
    if len(first) < BLOCK:
        tally.problem("end", "ends within a header", UNUSUAL)
        return
    second = archive.take(BLOCK)
    if len(second) < BLOCK:
        tally.problem("end", "has only one of the two blocks of zeros that mark the end", UNUSUAL)
    data = second
    while data:
        if data.strip(b"\0"):
            tally.problem("end", "has data behind its end", UNUSUAL)
            return
        data = archive.take(CHUNK)
