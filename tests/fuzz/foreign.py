"""The targets that registries, servers and archives feed: documents of images, headers, tar archives."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from tests.fuzz.showing import Target, mode_of, show

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.decompression import ArchiveError, pull_decompressed
from pybuild.runtime.image.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from pybuild.runtime.image.manifest import config_platform, diff_ids, parse
from pybuild.runtime.image.tarreader import TarReader
from pybuild.runtime.registry import answers
from pybuild.runtime.registry.auth import parse_challenges
from pybuild.runtime.registry.details import error_codes, error_detail
from pybuild.runtime.sources.choice import choose
from pybuild.runtime.sources.download import is_dated, seconds
from pybuild.runtime.sources.httprequest import file_name

_AMD64 = Platform("amd64", "linux")
_DIGEST = "sha256:" + "a" * 64
_BLOCK = 512
_HEADERS = (
    *("Content-Length", "Content-Range", "Range", "Retry-After", "Location"),
    *("ETag", "Last-Modified", "Content-Disposition", "Date"),
)


class Unclear(Exception):
    """A ValueError of Python's own, or one that says nothing."""


def _refused(act: Callable[[], object]) -> None:
    """Call `act`, which may refuse by a ValueError with words of its own."""
    try:
        act()
    except ValueError as error:
        if type(error) is not ValueError or not str(error):
            raise Unclear(repr(error)) from error


def fuzz_oci(data: bytes) -> None:
    """Documents of an image, one a line; the last is read for every descriptor that has no line of its own."""
    lines = data.split(b"\n")
    left = list(lines)

    def read(descriptor: Descriptor) -> bytes:
        assert descriptor.size >= 0
        return left.pop(0) if len(left) > 1 else left[0]

    for line in lines:
        for declared in ("", OCI_INDEX, OCI_MANIFEST):
            _refused(partial(parse, line, declared))
        _refused(partial(diff_ids, line))
        _refused(partial(config_platform, line))
        error_codes(line)
        assert error_detail(line).isprintable()
    try:
        choose(Descriptor("", _DIGEST, len(data)), read, _AMD64, "example.com/app:1").content(
            "example.com/app:1"
        )
    except UserError as error:
        show(error.diagnostic)


def fuzz_headers(data: bytes) -> None:
    """Headers of an answer, one a line, as http.client decodes them."""
    lines = data.decode("latin-1").split("\n")
    headers = dict(zip(_HEADERS, lines, strict=False))
    for value in (answers.length(headers), answers.first_of_range(headers), answers.retry_after(headers)):
        assert value is None or value >= 0
    assert answers.end_of_range(headers) >= 0
    for line in lines:
        _refused(partial(answers.joined, "https://example.com/v2/", line))
        _refused(partial(answers.Address, line))
        _refused(partial(answers.Address, answers.quoted(line)))
        for challenge in parse_challenges([line]):
            _refused(partial(answers.Address, challenge.parameters.get("realm", "")))
        seconds(line)
    is_dated(headers)
    assert "/" not in file_name("https://example.com/a", headers)


def fuzz_tar(data: bytes) -> None:
    """An archive whose checksums are put right, plain or compressed."""
    mended = bytearray(data)
    for at in range(0, len(mended) - _BLOCK + 1, _BLOCK):
        if mended[at + 257 : at + 262] == b"ustar":
            mended[at + 148 : at + 156] = b"        "
            mended[at + 148 : at + 156] = b"%06o\0 " % sum(mended[at : at + _BLOCK])
    pieces = iter([bytes(mended)])
    source = data if mode_of(data, 4) == 0 else None
    try:
        pull = (lambda: next(pieces, b"")) if source is None else pull_decompressed(_File(source))
        reader = TarReader(pull)
        for entry in reader:
            assert entry.size >= 0
            size = 0
            while piece := reader.piece():
                size += len(piece)
            assert size == entry.size
    except ArchiveError as error:
        show(error.diagnostic)


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


def oci_seeds() -> list[bytes]:
    layer = {
        "mediaType": OCI_MANIFEST,
        "digest": _DIGEST,
        "size": 1,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [layer, {**layer, "platform": None}]}
    config = {**layer, "mediaType": "application/vnd.oci.image.config.v1+json"}
    tar = {**layer, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "urls": ["http://x"]}
    manifest = {"schemaVersion": 2, "config": config, "layers": [tar], "annotations": {"a": "b"}}
    image = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_DIGEST]}}
    texts = [json.dumps(one).encode() for one in (index, manifest, image)]
    return [b"\n".join(texts), b"\n".join(texts[1:]), b'{"errors":[{"code":"DENIED","message":"no"}]}']


def header_seeds() -> list[bytes]:
    return [
        b'12\nbytes 1-2/3\n0-5\n120\nhttps://u:p@h:1/x?y#z\n"tag"\nWed, 21 Oct 2015 07:28:00 GMT\n'
        b'attachment; filename="a"',
        b'Bearer realm="https://auth.example/token",service="a b",scope="repository:x:pull"\n'
        b"Basic realm=x\n//h/x\n../y",
    ]


def tar_seeds() -> list[bytes]:
    import gzip
    import io
    import tarfile

    out = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form, pax_headers={"comment": "x"}) as archive:
            entry = tarfile.TarInfo("d/" * 60 + "name" if form != tarfile.USTAR_FORMAT else "name")
            entry.size, entry.mtime = 3, 1
            archive.addfile(entry, io.BytesIO(b"abc"))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "name"
            archive.addfile(link)
        out.append(stream.getvalue().rstrip(b"\0") + bytes(1024))
    sparse = b"GNU.sparse.major=1\nGNU.sparse.size=9\nGNU.sparse.map=0,1\nSCHILY.xattr.user.a=b\n"
    return [*out, gzip.compress(out[0], mtime=0), sparse]


TARGETS: dict[str, Target] = {"oci": fuzz_oci, "headers": fuzz_headers, "tar": fuzz_tar}
SEEDS = {"oci": oci_seeds, "headers": header_seeds, "tar": tar_seeds}
