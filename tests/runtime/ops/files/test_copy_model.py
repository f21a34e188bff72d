"""Copies and removals of random trees against the same done naively through a mounted state."""

from __future__ import annotations

import os
import shutil
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.ops.files.room import OLD, Room, tree
from tests.runtime.snapshots.indexes import ShownIndex

from pybuild.compiler.ops import ChownOpt, Copy, MkDir, MkFile, Rm
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.tarwriter import write_layer

pytestmark = pytest.mark.root

NAMES = st.sampled_from(["a", "b", "c"])
TARGETS = st.sampled_from(["a", "b", "../a", "/b/c", "c/a", "..", "nowhere"])
LEAVES = st.one_of(
    st.binary(max_size=2), TARGETS, st.just(None), st.sampled_from([0o644, 0o4755, 0o600]), st.just("hard")
)
TREES = st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=8)
ROOTS = st.dictionaries(NAMES, TREES, max_size=3)
PATHS = st.lists(NAMES, min_size=0, max_size=3).map("/".join)
COPIES = st.builds(
    Copy,
    src=PATHS.map(lambda path: "/" + path),
    dest=st.builds(lambda path, end: "/" + path + end, PATHS, st.sampled_from(["", "/"])),
    dir_copy_contents=st.booleans(),
    follow_symlink=st.booleans(),
    create_dest_path=st.just(True),
    always_replace_existing_dest_paths=st.booleans(),
    mode=st.sampled_from([-1, 0o750]),
    owner=st.sampled_from([None, ChownOpt(5, 6)]),
    timestamp=st.sampled_from([-1, 12345]),
)
OTHERS = st.one_of(
    PATHS.filter(bool).map(lambda path: Rm("/" + path, allow_not_found=True)),
    PATHS.filter(bool).map(lambda path: MkDir("/" + path, 0o711, make_parents=True)),
    PATHS.filter(bool).map(lambda path: MkFile("/" + path, 0o640, b"made", timestamp=OLD)),
)
Spec = dict[str, object]


class Refused(Exception):
    pass


class Circle(Refused):
    pass


def grow(root: bytes, spec: Spec, made: list[bytes]) -> None:
    for name, what in spec.items():
        real = os.path.join(root, name.encode())
        if isinstance(what, dict):
            os.mkdir(real)
            grow(real, what, made)
        elif what is None:
            os.mkfifo(real)
        elif what == "hard" and made:
            os.link(made[-1], real)
        elif isinstance(what, str):
            os.symlink(what, real)
        else:
            with open(real, "wb") as file:
                file.write(what if isinstance(what, bytes) else b"mode")
            os.chmod(real, what if isinstance(what, int) else 0o644)
            made.append(real)


def resolve(root: str, path: str, *, last: bool = True) -> str:
    """The real path, walked inside `root`."""
    parts, count = path.split("/")[::-1], 0
    here: list[str] = []
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del here[-1:]
            continue
        real = "/".join([root, *here])
        if os.path.lexists(real) and not os.path.isdir(real):
            raise Refused
        real += "/" + part
        if os.path.islink(real) and (parts or last):
            count += 1
            if count > 40:
                raise Circle
            target = os.readlink(real)
            here = [] if target.startswith("/") else here
            parts += target.split("/")[::-1]
        else:
            here.append(part)
    return "/".join([root, *here])


def make_all(path: str, action: Copy | MkDir, mode: int = 0o755) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        return
    if os.path.lexists(path):
        raise Refused
    make_all(os.path.dirname(path), action, mode)
    os.mkdir(path)
    os.chmod(path, mode)
    if action.owner is not None:
        os.chown(path, 5, 6)


def naive(source: str, root: str, action: Copy) -> None:
    src, name = resolve(source, action.src, last=action.follow_symlink), os.path.basename(action.src)
    if not os.path.lexists(src):
        raise Refused
    directory = os.path.isdir(src) and not os.path.islink(src)
    dest = resolve(root, action.dest)
    make_all(
        resolve(root, action.dest if action.dest.endswith("/") else os.path.dirname(action.dest)), action
    )
    contents = directory and action.dir_copy_contents
    if contents:
        make_all(os.path.dirname(dest) if os.path.lexists(dest) else dest, action)
    elif os.path.isdir(dest) or (directory and os.path.lexists(dest)):
        dest = os.path.join(dest, name).rstrip("/")
    make_all(os.path.dirname(dest), action)
    put(src, dest, action, {}, top=True)


def put(src: str, dest: str, action: Copy, made: dict[int, str], *, top: bool = False) -> None:
    found = os.lstat(src)
    kind = stat.S_IFMT(found.st_mode)
    both = os.path.isdir(dest) and not os.path.islink(dest) and kind == stat.S_IFDIR
    if os.path.lexists(dest) and not both:
        if os.path.isdir(dest) and not os.path.islink(dest):
            if not action.always_replace_existing_dest_paths:
                raise Refused
            shutil.rmtree(dest)
        elif kind == stat.S_IFDIR and not action.always_replace_existing_dest_paths:
            raise Refused
        else:
            os.unlink(dest)
    if kind == stat.S_IFDIR:
        if not both:
            os.mkdir(dest)
        for name in sorted(os.listdir(src)):
            put(src + "/" + name, dest + "/" + name, action, made)
        if both and top:
            return
    elif found.st_nlink > 1 and found.st_ino in made:
        os.link(made[found.st_ino], dest, follow_symlinks=False)
        return
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(src), dest)
    elif kind == stat.S_IFREG:
        shutil.copyfile(src, dest)
    else:
        os.mknod(dest, found.st_mode)
    made[found.st_ino] = dest
    os.chown(dest, *((5, 6) if action.owner else (found.st_uid, found.st_gid)), follow_symlinks=False)
    if kind != stat.S_IFLNK:
        os.chmod(dest, stat.S_IMODE(found.st_mode) if action.mode == -1 else action.mode)
    mtime = found.st_mtime_ns if action.timestamp == -1 else action.timestamp
    os.utime(dest, ns=(mtime, mtime), follow_symlinks=False)


def naive_other(root: str, action: Rm | MkDir | MkFile) -> None:
    if isinstance(action, Rm):
        try:
            parent = resolve(root, os.path.dirname(action.path))
        except Circle:
            raise
        except Refused:
            return  # Through something that is no directory there is nothing to remove.
        real = os.path.join(parent, os.path.basename(action.path))
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        elif os.path.lexists(real):
            os.unlink(real)
    elif isinstance(action, MkDir):
        make_all(resolve(root, action.path), action, action.mode)
    else:
        real = resolve(root, action.path)
        if not os.path.isdir(os.path.dirname(real)) or os.path.isdir(real):
            raise Refused
        before = os.stat(real) if os.path.isfile(real) else None
        if os.path.lexists(real):
            os.unlink(real)
        with open(real, "wb") as file:
            file.write(action.data)
        if before is not None:
            os.chown(real, before.st_uid, before.st_gid)
        os.chmod(real, action.mode if before is None else before.st_mode & 0o7777)
        os.utime(real, ns=(OLD, OLD))


def comparable(found: dict[str, object]) -> dict[str, object]:
    """Without the times of directories, which have tests of their own."""
    return {path: one[:5] + ((one[5],) if one[0][0] != "d" else ()) for path, one in found.items()}  # type: ignore[index]


def linked(root: bytes) -> set[frozenset[str]]:
    groups: dict[int, set[str]] = {}
    for path in tree(root):
        found = os.lstat(os.path.join(root, os.fsencode(path)))
        if not stat.S_ISDIR(found.st_mode):
            groups.setdefault(found.st_ino, set()).add(path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(ROOTS, min_size=1, max_size=2),
    ROOTS,
    st.lists(st.one_of(COPIES, COPIES, OTHERS), min_size=1, max_size=3),
)
def test_like_the_naive_copy(
    room: Room, bases: list[Spec], source: Spec, actions: list[Copy | Rm | MkDir | MkFile]
) -> None:
    held = None
    for number, spec in enumerate(bases):
        held = room.state(lambda root, spec=spec, number=number: layered(root, spec, number), held)  # type: ignore[misc]
    made = room.state(lambda root: grow(root, source, []))
    want = expected(room, held, made, actions)
    if want is None:
        with pytest.raises(UserError):
            room.chain(actions, held, made)
        return
    out = room.chain(actions, held, made)
    assert comparable(room.seen(out)) == want  # type: ignore[arg-type]
    with room.snapshotter.mount(out.id) as root:
        got = linked(root)
    # Names are one file only if they were in a source or in the parent.
    with room.snapshotter.mount(made.id) as root:
        possible = bool(linked(root))
    assert possible or not got or any("hard" in str(spec) for spec in bases)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(ROOTS, min_size=1, max_size=2),
    ROOTS,
    st.lists(st.one_of(COPIES, COPIES, OTHERS), min_size=1, max_size=3),
)
def test_an_index_gives_the_layers_of_an_overlay(
    overlay_room: Room, bases: list[Spec], source: Spec, actions: list[Copy | Rm | MkDir | MkFile]
) -> None:
    index_room = Room(overlay_room.store, ShownIndex(overlay_room.store), overlay_room.directory)
    layers: list[object] = []
    for room in (overlay_room, index_room):
        held = None
        for number, spec in enumerate(bases):
            held = room.state(lambda root, spec=spec, number=number: layered(root, spec, number), held)  # type: ignore[misc]
        made = room.state(lambda root: grow(root, source, []))
        try:
            out = room.chain(actions, held, made)
        except UserError as error:
            layers.append(str(error.diagnostic.title))
            continue
        pieces: list[bytes] = []
        parents = room.snapshotter.tree(out.id)
        assert out.id is not None
        write_layer(room.snapshotter.changes(out.id), pieces.append, clamp=1, parents=parents)
        layers.append((room.snapshotter.identity(out.id), b"".join(pieces)))
    assert layers[0] == layers[1]


def layered(root: bytes, spec: Spec, number: int) -> None:
    if number:
        for name in spec:
            real = os.path.join(root, name.encode())
            if os.path.isdir(real) and not os.path.islink(real):
                shutil.rmtree(real)
            elif os.path.lexists(real):
                os.unlink(real)
    grow(root, spec, [])


def expected(
    room: Room, base: object, source: object, actions: list[Copy | Rm | MkDir | MkFile]
) -> dict[str, object] | None:
    active = room.over(base)  # type: ignore[arg-type]
    try:
        with active.mount() as root, room.snapshotter.mount(source.id) as below:  # type: ignore[attr-defined]
            for action in actions:
                try:
                    if isinstance(action, Copy):
                        naive(os.fsdecode(below), os.fsdecode(root), action)
                    else:
                        naive_other(os.fsdecode(root), action)
                except Refused:
                    return None
            return comparable(tree(root))  # type: ignore[arg-type]
    finally:
        active.abort()
