"""Builds without RUN where nothing can be mounted and no id given: the same images; one store for both ways."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import write_layout
from tests.e2e.building import FIXED_TIME, Builder, steps_run
from tests.runtime.snapshots.states import CAPABILITY

from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.verify.archives import verify_layout

pytestmark = pytest.mark.root

NOBODY = 65534
TIME = 1_600_000_000
FILE, LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, PIPE = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

DOCKERFILE = """\
FROM odd AS one
COPY a /data/sub/a
COPY --chown=me:us tree /lib/tree
COPY --chmod=u+s,go-rwx a /su
COPY tree/deep /up/deep
WORKDIR /work/dir
COPY <<TEXT /work/file
hello
TEXT
ADD odd.tar.gz /unpacked/
FROM scratch AS two
COPY --from=one / /all/
COPY --from=one --chown=5:6 /bin/su /bin/ping /tools/
COPY --from=one /locked /locked
COPY --from=one /links /links
FROM odd
COPY --from=one /lib/ /copied/
COPY --link a /lib/linked
COPY --link --from=two /tools /opt/tools
COPY --from=two /all/dev /devices/
COPY --parents tree/./deep/er /parents/
COPY --exclude=*/two tree /data/
USER me
ENV X=1
"""


def tar(*members: bytes) -> bytes:
    return b"".join(members) + bytes(1024)


def member(
    name: str,
    kind: bytes,
    mode: int = 0o644,
    owner: tuple[int, int] = (0, 0),
    data: bytes = b"",
    link: str = "",
    device: tuple[int, int] | None = None,
    **attributes: bytes,
) -> bytes:
    named = {key.replace("_", ".").encode(): value for key, value in attributes.items()}
    head = header(name.encode(), kind, mode, *owner, len(data), TIME, link.encode(), device, named or None)
    return head + data + bytes(-len(data) % 512)


LOWER = tar(
    member("etc/", DIRECTORY, 0o755),
    member("etc/passwd", FILE, data=b"root:x:0:0::/root:/bin/sh\nme:x:1000:1001::/home:/bin/sh\n"),
    member("etc/group", FILE, data=b"root:x:0:\nus:x:1001:\n"),
    member("bin/", DIRECTORY, 0o755),
    member("bin/su", FILE, 0o4755, data=b"su" * 3000),
    member("bin/ping", FILE, 0o755, data=b"ping", security_capability=CAPABILITY, user_note=b"n"),
    member("locked/", DIRECTORY, 0o000, (5, 6)),
    member("locked/f", FILE, 0o000, (5, 6), b"secret"),
    member("dev/", DIRECTORY, 0o755),
    member("dev/null", CHARACTER, 0o666, device=(1, 3)),
    member("dev/sda", BLOCK, 0o660, (0, 6), device=(8, 0)),
    member("pipe", PIPE, 0o640, (1, 2)),
    member("links/", DIRECTORY, 0o755),
    member("links/a", FILE, 0o644, (7, 8), b"linked"),
    member("links/b", LINK, 0o644, (7, 8), link="links/a"),
    member("links/c", LINK, 0o644, (7, 8), link="links/a"),
    member("data/", DIRECTORY, 0o1777),
    member("data/old", FILE, data=b"old"),
    member("data/sub/", DIRECTORY, 0o755),
    member("data/sub/x", FILE, data=b"x"),
    member("lib", SYMLINK, 0o777, link="usr/lib"),
    member("usr/", DIRECTORY, 0o755),
    member("usr/lib/", DIRECTORY, 0o2755, (0, 50)),
    member("usr/lib/so", FILE, data=b"so"),
    member("up", SYMLINK, 0o777, link="../../usr"),
)
UPPER = tar(
    member("data/.wh.old", FILE),
    member("data/sub/.wh..wh..opq", FILE),
    member("data/sub/z", FILE, data=b"z"),
    member("links/.wh.b", FILE),
    member("lib/new", FILE, data=b"not through the link of the layer below"),
)
ARCHIVE = tar(
    member("d/", DIRECTORY, 0o700, (5, 6)),
    member("d/f", FILE, 0o4750, (7, 8), b"text"),
    member("d/g", LINK, 0o4750, (7, 8), link="d/f"),
    member("n", CHARACTER, 0o600, device=(1, 3)),
    member("s", SYMLINK, 0o777, link="d"),
    member("s/inside", FILE, 0o644, (3, 3), b"i"),
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The flag that gives a base image with everything that an ordinary user can't make."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-odd-"))
    directory.chmod(0o755)
    write_layout(directory / "layout", LOWER, {}, UPPER)
    yield f"--build-context=odd=oci-layout://{directory / 'layout'}"
    shutil.rmtree(directory)


@pytest.fixture
def nobody(base: Path) -> Iterator[Builder]:
    """A builder without sub-ids, who can enter no namespace in which images have owners."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-nobody-"))
    directory.chmod(0o755)
    os.chown(directory, NOBODY, -1)
    yield Builder(directory, base, uid=NOBODY)
    shutil.rmtree(directory, ignore_errors=True)


def context(builder: Builder, more: str = "") -> Path:
    files = {"a": "A" * 10, "tree/one": "1", "tree/deep/two": "2", "tree/deep/er/three": "3" * 2_000_000}
    directory = builder.context(
        "context", DOCKERFILE + more, **files, **{"odd.tar.gz": gzip.compress(ARCHIVE, mtime=0)}
    )
    if not os.path.lexists(directory / "tree/link"):
        (directory / "a").chmod(0o750)
        (directory / "tree/link").symlink_to("deep/two")
        (directory / "tree/hard").hardlink_to(directory / "a")
        (directory / "tree/hard2").hardlink_to(directory / "a")
    return directory


def image(builder: Builder, odd: str, name: str) -> tuple[bytes, list[str]]:
    """The image as an archive, and the steps that were run for it."""
    out = builder.place / f"{name}.tar"
    done = builder.in_environment(**FIXED_TIME).build(
        odd, "-o", f"type=oci,dest={out},rewrite-timestamp=true", context(builder)
    )
    assert verify_layout(str(out)) == []
    return out.read_bytes(), steps_run(done)


def files(builder: Builder, odd: str) -> bytes:
    out = builder.place / "files.tar"
    builder.in_environment(**FIXED_TIME).build(odd, "-o", f"type=tar,dest={out}", context(builder))
    return out.read_bytes()


@pytest.mark.parametrize("ways", [("overlay", "index"), ("index", "overlay")], ids="-".join)
def test_one_store_serves_both_ways(builder: Builder, odd: str, ways: tuple[str, str]) -> None:
    first, second = (builder.in_environment(PYBUILD_SNAPSHOTTER=way) for way in ways)
    made, steps = image(first, odd, "first")
    assert steps
    # Nothing is solved again, in either direction.
    assert image(second, odd, "second") == (made, [])
    assert files(first, odd) == files(second, odd)
    apart = first.with_store(builder.place / "apart").in_environment(PYBUILD_SNAPSHOTTER=ways[1])
    again, steps = image(apart, odd, "apart")
    assert steps
    assert again == made


def test_without_any_privilege(builder: Builder, nobody: Builder, odd: str) -> None:
    assert image(nobody, odd, "image")[0] == image(builder, odd, "image")[0]
    out = nobody.place / "out"
    done = nobody.build(odd, "-o", out, context(nobody))
    assert "left out 'dev/null' and 3 more: this user may not make device nodes" in done.err
    assert "belongs to you; type=tar keeps owners" in done.err
    assert os.lstat(out / "bin/su").st_uid == NOBODY
    assert os.lstat(out / "bin/su").st_mode & 0o7777 == 0o4755


def test_a_step_needs_privilege(nobody: Builder, odd: str) -> None:
    done = nobody.build(odd, context(nobody, "RUN true\n"), code=1)
    assert "error: this step can't be run: user nobody has no sub-ids" in done.err
    assert "context/Dockerfile" in done.err


@pytest.mark.crun
def test_a_step_goes_on_from_an_index(builder: Builder) -> None:
    text = "FROM base\nCOPY --chown=5:6 --chmod=4750 a /kept/a\n"
    index = builder.in_environment(PYBUILD_SNAPSHOTTER="index")
    index.build(builder.context("context", text, a="text"))
    more = 'RUN test "$(stat -c %u:%g:%a /kept/a)" = 5:6:4750 && cat /kept/a >/b\n'
    done = builder.build("-o", builder.place / "out", builder.context("context", text + more, a="text"))
    assert [step.split()[0] for step in steps_run(done)] == ["RUN"]
    assert (builder.place / "out/b").read_text() == "text"
    # The step has a record then, whose result an index is made of.
    tar = builder.place / "files.tar"
    assert steps_run(index.build("-o", f"type=tar,dest={tar}", builder.place / "context")) == []
