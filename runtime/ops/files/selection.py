"""What a file op reads of its inputs: paths with wildcards, expanded as BuildKit's file backend does."""

from __future__ import annotations

import os
import stat

from pybuild.compiler.ops import Copy, FileOp, NamedUser
from pybuild.lang.dockerfile import wildcard
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import View
from pybuild.runtime.snapshots.contents import selected_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.compiler.ops import ChownOpt
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Node, Tree


def expand(tree: Tree, pattern: str, *, follow: bool) -> list[bytes]:
    """Paths that `pattern` names, in order. Without a wildcard it is the pattern itself, there or not.

    A wildcard never crosses a slash. The part before the first wildcard is walked through symlinks (its last
    component only with `follow`); below it symlinks are entries like others, and what matches isn't entered.
    """
    parts = [part for part in os.path.normpath("/" + pattern).split("/") if part]
    plain = next((n for n, part in enumerate(parts) if wildcard.has_wildcard(part)), None)
    if plain is None:
        return [os.fsencode("/".join(parts))]
    where = tree.resolve(os.fsencode("/".join(parts[:plain])), follow_last=follow)
    if where.node is None or not stat.S_ISDIR(where.node.stat.st_mode):
        return []
    found = [where.path]
    for number, part in enumerate(parts[plain:], plain):
        last = number == len(parts) - 1
        found = [
            node.path
            for directory in found
            for node in tree.list(directory)
            if (last or stat.S_ISDIR(node.stat.st_mode)) and wildcard.match(part, name_of(node))
        ]
    return found


def name_of(node: Node) -> str:
    return os.fsdecode(node.path.rpartition(b"/")[2])


def reads(op: FileOp, index: int) -> list[Copy | str] | None:
    """The copies, and paths of user databases, by which `op` reads input `index`; None: all of it."""
    out: list[Copy | str] = []
    for action in op.actions:
        if action.input == index:
            return None
        if action.secondary_input == index and isinstance(action.action, Copy):
            out.append(action.action)
        out.extend(
            path for path, number in _databases(getattr(action.action, "owner", None)) if number == index
        )
    return out


def _databases(owner: ChownOpt | None) -> Iterator[tuple[str, int]]:
    if owner is not None:
        if isinstance(owner.user, NamedUser):
            yield "etc/passwd", owner.user.input
        if isinstance(owner.group, NamedUser):
            yield "etc/group", owner.group.input


def selection_digest(selected: list[Copy | str], result: Result, tree_of: Callable[[Result], Tree]) -> str:
    """Digest of all that `selected` reads of a result."""
    parts: list[str] = []
    tree = tree_of(result)
    for one in selected:
        if isinstance(one, str):
            parts.append(_digest(result, tree, os.fsencode(one), None, follow=True))
            continue
        for path in sources(one, tree):
            name = path.rpartition(b"/")[2]
            parts.append(_digest(result, tree, path, name, follow=one.follow_symlink))
    return digest_of("selection", *parts)


def sources(action: Copy, tree: Tree) -> list[bytes]:
    """The paths a copy starts from; empty when a wildcard matches nothing."""
    if action.allow_wildcard:
        return expand(tree, action.src, follow=action.follow_symlink)
    return [os.fsencode(os.path.normpath("/" + action.src).lstrip("/"))]


def _digest(result: Result, tree: Tree, path: bytes, name: bytes | None, *, follow: bool) -> str:
    if isinstance(result, View):
        return result.tree.selected_digest(path, name, follow=follow)
    return selected_digest(tree, path, name=name, follow=follow)
