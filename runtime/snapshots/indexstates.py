"""States of index entries: what an index makes of a state, and the index that leads from one state to another."""

from __future__ import annotations

from pybuild.runtime.snapshots.index import DELETED, OPAQUE, TIME_ONLY, Directory, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.runtime.snapshots.index import Entry, Index


def empty() -> Directory:
    """The empty root."""
    return Directory(0o755, 0, 0, 0)


def applied(below: Directory, index: Index) -> Directory:
    """Return the root of the state that an index makes of the state `below`."""
    token = object()
    root = below.changed(token)
    set_metadata(root, index.root)
    owned = {b"": root}
    for record in index.records:
        parent, _, name = record.path.rpartition(b"/")
        children = _own(owned, parent, token).children
        entry = record.entry
        if entry is None:
            children.pop(name, None)
            continue
        if isinstance(entry, Directory):
            there = children.get(name)
            if isinstance(there, Directory) and not record.flags & OPAQUE:
                changed = there.changed(token)
                set_metadata(changed, entry)
                entry = changed
            owned[record.path] = entry
        children[name] = entry
    for directory in owned.values():
        directory.base = directory.owner = None
    return root


def _own(owned: dict[bytes, Directory], path: bytes, token: object) -> Directory:
    """Return the directory at `path` as this state may change it, and enter it and those above it into `owned`."""
    missing: list[bytes] = []
    while (known := owned.get(path)) is None:
        path, _, name = path.rpartition(b"/")
        missing.append(name)
    for name in reversed(missing):
        there = known.children.get(name)
        lower = there.changed(token) if isinstance(there, Directory) else Directory(0o755, 0, 0, 0, token)
        known.children[name] = lower
        path = path + b"/" + name if path else name
        known = owned[path] = lower
    return known


def set_metadata(directory: Directory, other: Entry) -> None:
    """Give a directory the mode, owner, time and attributes of another entry."""
    directory.mode, directory.uid, directory.gid = other.mode, other.uid, other.gid
    directory.mtime, directory.attributes = other.mtime, other.attributes


def differences(old: Directory | None, new: Directory, deleted: Iterable[bytes] = ()) -> list[Record]:
    """Return the changes from a state to one that was made of it, ordered by path. `deleted` are deletions beyond
    them.

    They are those of an overlay: a directory that replaced another is a change, with a deletion for each entry that
    it hides, and so are the directories in it; an entry that was written is a change even if it is as before.
    """
    records: list[Record] = []
    pending = [(b"", old, new, False, iter(_names(old, new)))]
    while pending:
        prefix, before, after, hidden, names = pending[-1]
        for name in names:
            path = prefix + name
            was = before.children.get(name) if before is not None else None
            entry = after.children.get(name)
            if entry is was:
                continue
            if entry is None:
                records.append(Record(DELETED, path, None))
                continue
            if not isinstance(entry, Directory):
                records.append(Record(0, path, entry))
                continue
            inside = was if isinstance(was, Directory) else None
            hides = inside is not None and (hidden or entry.base is not inside)
            if hides or inside is None or not _same(entry, inside):
                opaque = OPAQUE if inside is not None and entry.base is not inside else 0
                only = inside is not None and not hides and _same(entry, inside, times=False)
                records.append(Record(opaque | (TIME_ONLY if only else 0), path, entry))
            pending.append((path + b"/", inside, entry, hides, iter(_names(inside, entry))))
            break
        else:
            pending.pop()
    if deleted:
        records += [Record(DELETED, path, None) for path in deleted]
        records.sort(key=lambda record: record.path.split(b"/"))
    return records


def _names(old: Directory | None, new: Directory) -> list[bytes]:
    return sorted(new.children if old is None else old.children.keys() | new.children.keys())


def _same(one: Directory, other: Directory, *, times: bool = True) -> bool:
    return (
        (one.mode, one.uid, one.gid) == (other.mode, other.uid, other.gid)
        and (not times or one.mtime == other.mtime)
        and one.attributes == other.attributes
    )
