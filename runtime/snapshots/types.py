"""Snapshots and trees: what a file system state is to the rest of the runtime.

A *snapshot* is a committed diff directory over a parent snapshot, numbered by the store; `None` is the empty
root. A *tree* is read access to a state without mounting it. Paths inside a state are `bytes`, relative, without
a leading or trailing slash, `b""` for the root; they are resolved inside the root, so no symlink leads outside.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object


class Node:
    """An entry of a tree: its path in the state, where it lies on disk (`real`), and its `lstat`."""

    __slots__ = ("path", "real", "stat")

    def __init__(self, path: bytes, real: bytes, stat: os.stat_result) -> None:
        self.path = path
        self.real = real
        self.stat = stat


class Resolution:
    """Where a path leads. `path` is the final path with every symlink walked; `node` None when nothing is
    there; `links` are the symlinks walked, in order, each by its own path: a digest of the resolved path
    includes them."""

    __slots__ = ("links", "node", "path")

    def __init__(self, path: bytes, node: Node | None, links: tuple[Node, ...]) -> None:
        self.path = path
        self.node = node
        self.links = links


class Tree(Protocol):
    """Read access to a file system state."""

    def resolve(self, path: bytes, *, follow_last: bool = True) -> Resolution:
        """Walk `path` inside the root: `..` stops at the root, absolute link targets start from it. Raises
        OSError(ELOOP) after 40 links and NotADirectoryError when a component is not a directory."""

    def lstat(self, path: bytes) -> Node | None:
        """The entry at a path whose parent components are followed, the last one not; None if absent."""

    def list(self, path: bytes) -> Sequence[Node]:
        """Entries of the directory at the already resolved `path`, ordered by name."""

    def walk(self, path: bytes) -> Iterator[Node]:
        """Every entry below the already resolved directory `path`, itself excluded: a directory before its
        content, names in byte order, symlinks not followed."""

    def file_digest(self, node: Node) -> bytes:
        """sha256 of a regular file's bytes, from a cache when the file is known not to have changed."""


class Change:
    """One entry of a snapshot's diff against its parent.

    `kind` is `add` (new, replaced or with other metadata; `real` and `stat` are set) or `delete` (a whiteout).
    """

    __slots__ = ("kind", "path", "real", "stat")

    def __init__(
        self, kind: str, path: bytes, real: bytes | None = None, stat: os.stat_result | None = None
    ) -> None:
        self.kind = kind
        self.path = path
        self.real = real
        self.stat = stat


class Active(Protocol):
    """A snapshot being made. End it with `commit` or `abort`; an abandoned one is swept with its process.

    `upper` is the directory whose content becomes the diff. While not mounted it may be written directly, in
    the snapshotter's own on-disk form (see `Snapshotter.plain` and `whiteout`).
    """

    parent: int | None
    upper: bytes

    def mount(self) -> AbstractContextManager[bytes]:
        """The merged root, writable, mounted in the build's mount namespace; unmounted on leaving."""

    def whiteout(self, path: bytes) -> None:
        """Hide `path` of the parent. Its directory is in `upper`, which must not have `path` itself. Does nothing
        where the parent shows nothing: the kernel would list a whiteout that hides nothing. Raises
        NotImplementedError for a plain snapshot."""

    def set_opaque(self, path: bytes) -> None:
        """Make directory `path`, which is in `upper`, hide the parent's content. Raises NotImplementedError for a
        plain snapshot."""

    def commit(self, *, origin: int | None = None, unmatched: bool = False) -> int:
        """Make it a snapshot; its number. Atomic: after a crash it is there whole or not at all. With `origin`
        its layer is that snapshot's. `unmatched`: its identity is one that no other state has, so that it is never
        taken for the result of anything."""

    def abort(self) -> None:
        """Idempotent; does nothing after a commit."""


class Snapshotter(Protocol):
    """Makes, mounts and reads snapshots. `plain` true: `Active.upper` holds the whole merged tree (no
    whiteouts, a deletion is a deletion); false: overlay form."""

    name: str
    plain: bool

    def prepare(self, parent: int | None) -> Active: ...

    def tree(self, snapshot: int | None) -> Tree: ...

    def active_tree(self, active: Active) -> Tree:
        """The merged state of a snapshot being made, over what is in `upper` at each call."""

    def mount(self, snapshot: int | None) -> AbstractContextManager[bytes]:
        """The state mounted read-only."""

    def changes(self, snapshot: int) -> Iterator[Change]:
        """The diff against the parent: a directory before its content, names in byte order."""

    def chain(self, snapshot: int | None) -> list[int]:
        """The snapshot and its ancestors, the oldest first."""

    def layers(self, snapshot: int | None) -> list[int]:
        """The snapshots whose diffs, one over the other, the state is; the lowest first. They are its chain's,
        or those that the chain's were laid over another state from. One may occur twice."""

    def stack(self, parent: int | None, layer: int, cancelled: Callable[[], bool] | None = None) -> int:
        """The diff of `layer` over `parent`: a snapshot whose layer is that of `layer`. Made only if there is
        none yet. Raises SnapshotError, Cancelled, OSError (disk full)."""

    def difference(
        self, lower: int | None, upper: int | None, cancelled: Callable[[], bool] | None = None
    ) -> int | None:
        """A snapshot over the empty root whose layers are what makes `upper` of `lower`, deletions included:
        the upper one's own where it was built on `lower`, else one. Raises as `stack`."""

    def identity(self, snapshot: int | None) -> str:
        """digest(parent's identity, content of the diff): types, modes, owners, xattrs, link targets,
        whiteouts, opaque marks and bytes, hard links within the diff; not mtimes. Computed once, kept."""

    def by_identity(self, identity: str) -> int | None:
        """The earliest trusted snapshot with that identity."""

    def trusted(self, snapshot: int) -> bool:
        """Whether the snapshot and its ancestors are there and were made in this boot or synced since."""

    def sync_old(self) -> int:
        """Sync the store's file system, and trust what was committed before beyond this boot; how many."""

    def remove(self, snapshots: Iterable[int]) -> Sequence[int]:
        """Delete snapshots that nothing needs: no lease, no other snapshot on top or with its layer. Those
        deleted."""

    def close(self) -> None:
        """Wait for work that goes on in the background. The snapshotter can be used on."""
