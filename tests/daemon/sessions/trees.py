"""Directory trees of all kinds of entries: made by hypothesis, written to disk, and compared."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from attrs import evolve, frozen
from hypothesis import strategies as st

NAMES = st.sampled_from([b"a", b"b", b"a.b", b"a-b", b"B", b"\xc3\xa9", b"..."])
MODES = st.sampled_from([0o644, 0o755, 0o600, 0o4755, 0o1777, 0o2644, 0o000])
TIMES = st.integers(0, 1 << 60) | st.sampled_from([-5, 1_500_000_000_000_000_000])


@frozen
class One:
    """An entry. `content` is a file's bytes, a link's target, or the path of an earlier file that it is a name of."""

    kind: str
    content: bytes = b""
    mode: int = 0o644
    time: int = 0
    owner: tuple[int, int] = (0, 0)


Tree = dict[bytes, One]


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree: Tree = {}
    directories = [b""]
    for _ in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from(directories))
        path = (parent + b"/" if parent else b"") + draw(NAMES)
        if path in tree:
            continue
        kind = draw(st.sampled_from(["directory", "file", "file", "link", "pipe"]))
        content = draw(st.sampled_from([b"", b"one", b"two", b"x" * 70_000])) if kind == "file" else b""
        content = draw(st.sampled_from([b"a", b"../b", b"/etc"])) if kind == "link" else content
        owner = draw(st.sampled_from([(0, 0), (12, 34)]))
        tree[path] = One(kind, content, draw(MODES), draw(TIMES), owner)
        if kind == "directory":
            directories.append(path)
    return tree


def write(root: Path, tree: Tree) -> None:
    """Have exactly these entries in a directory."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    top = os.fsencode(root) + b"/"
    for path, one in tree.items():
        real = top + path
        if one.kind == "directory":
            os.mkdir(real)
        elif one.kind == "file":
            with open(real, "wb") as file:
                file.write(one.content)
        elif one.kind == "link":
            os.symlink(one.content, real)
        elif one.kind == "pipe":
            os.mkfifo(real)
        else:
            os.link(top + one.content, real)
    for path, one in reversed(tree.items()):
        if one.kind != "name":
            os.chown(top + path, *one.owner, follow_symlinks=False)
            if one.kind != "link":
                os.chmod(top + path, one.mode)
            os.utime(top + path, ns=(one.time, one.time), follow_symlinks=False)


def read(root: Path) -> Tree:
    """The entries of a directory; the second name of a file is a `name`."""
    found: Tree = {}
    inodes: dict[int, bytes] = {}
    for path in _paths(os.fsencode(root), b""):
        real = os.fsencode(root) + b"/" + path
        known = os.lstat(real)
        kind = _KINDS[stat.S_IFMT(known.st_mode)]
        one = One(kind, b"", stat.S_IMODE(known.st_mode), known.st_mtime_ns, (known.st_uid, known.st_gid))
        if kind == "link":
            one = evolve(one, content=os.readlink(real), mode=0)
        elif kind == "file" and inodes.setdefault(known.st_ino, path) != path:
            one = evolve(one, kind="name", content=inodes[known.st_ino])
        elif kind == "file":
            with open(real, "rb") as file:
                one = evolve(one, content=file.read())
        found[path] = one
    return found


_KINDS = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe"}


def _paths(root: bytes, inside: bytes) -> list[bytes]:
    found = []
    for name in sorted(os.listdir(root + b"/" + inside)):
        path = inside + b"/" + name if inside else name
        found.append(path)
        if stat.S_ISDIR(os.lstat(root + b"/" + path).st_mode):
            found += _paths(root, path)
    return found
