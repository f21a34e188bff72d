"""Documents, streams and listings from elsewhere that would fill the memory or never end."""

from __future__ import annotations

import io
import json
import lzma
import threading
import tracemalloc

import pytest

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.image.decompression import ArchiveError, open_decompressed
from pybuild.runtime.image.descriptor import OCI_INDEX, OCI_MANIFEST, Descriptor
from pybuild.runtime.image.manifest import decode, parse
from pybuild.runtime.registry import errors
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources import gitcommand
from pybuild.runtime.sources.choice import DEEPEST, choose
from pybuild.runtime.sources.gitcommand import Git, GitFailed

AMD64 = Platform("amd64", "linux")
DIGEST = "sha256:" + "a" * 64
PLATFORM = {"os": "linux", "architecture": "amd64"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[" + b"{}," * 2_700_000 + b"{}]", "values"),
        (b'{"a":' + b"[" * 100_000, "nested"),
        (b'{"a":' + b"9" * 5000 + b"}", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
    ],
)
def test_a_document_that_is_refused(data: bytes, problem: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=problem):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_numbers_of_layers_and_manifests_have_a_bound() -> None:
    entry = {"mediaType": "x", "digest": DIGEST, "size": 1}
    for media_type, name in ((OCI_MANIFEST, "layers"), (OCI_INDEX, "manifests")):
        data = json.dumps(
            {"config": entry, name: [entry] * 5000} if name == "layers" else {name: [entry] * 5000}
        )
        with pytest.raises(ValueError, match=f"5000 {name}"):
            parse(data.encode(), media_type)


@pytest.mark.parametrize("platform", [PLATFORM, None])
def test_indexes_in_indexes_have_a_bound(platform: dict[str, str] | None) -> None:
    entry = {"mediaType": OCI_INDEX, "digest": DIGEST, "size": 1, "platform": platform}
    reads: list[str] = []

    def read(descriptor: Descriptor) -> bytes:
        reads.append(descriptor.digest)
        return json.dumps({"manifests": [entry]}).encode()

    with pytest.raises(errors.BadContent, match="nests indexes"):
        choose(Descriptor(OCI_INDEX, DIGEST, 1), read, AMD64, "x")
    assert len(reads) <= DEEPEST + 2


def test_few_entries_are_read_for_their_platform() -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 1}
    config = {**entry, "mediaType": "application/vnd.oci.image.config.v1+json"}
    answers: list[object] = [{"manifests": [entry] * 1000}]
    image = (
        {"config": config, "layers": []},
        {"os": "linux", "architecture": "s390x", "rootfs": {"diff_ids": []}},
    )
    number = iter(range(10_000))

    def read(descriptor: Descriptor) -> bytes:
        count = next(number)
        return json.dumps(answers[0] if count == 0 else image[(count - 1) % 2]).encode()

    with pytest.raises(errors.BadContent, match="don't say for which platform"):
        choose(Descriptor(OCI_INDEX, DIGEST, 1), read, AMD64, "x")
    assert next(number) < 200


def test_an_xz_stream_does_not_choose_how_much_memory_it_takes() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29, "mode": lzma.MODE_FAST, "mf": lzma.MF_HC3}]
    data = lzma.compress(b"x", filters=filters)
    with pytest.raises(ArchiveError, match=r"[Mm]emory"):
        open_decompressed(io.BytesIO(data)).read()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_server_does_not_choose_how_much_git_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, stream: str
) -> None:
    monkeypatch.setattr(gitcommand, "_program", ["/bin/sh"])
    monkeypatch.setattr(gitcommand, "LONGEST_OUTPUT", 1 << 20)
    git = Git(str(tmp_path), Cancellation())
    with pytest.raises(GitFailed, match="the server sends more than"):
        git.run("-c", f"while :; do echo name; done >&{stream}", network=True)
    out, said = git.run("-c", "echo out; echo said >&2", network=True)
    assert (out, said) == (b"out\n", b"said\n")


def test_a_cancelled_git_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(gitcommand, "_program", ["/bin/sh"])
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        Git(str(tmp_path), cancellation).run("-c", "sleep 60", network=True)
