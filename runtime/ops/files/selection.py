"""The parts of its inputs that a file op reads, and their digest."""

from __future__ import annotations

import os

from pybuild.compiler.ops import Copy, FileOp, NamedUser
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.files.filters import keeper
from pybuild.runtime.ops.results import View
from pybuild.runtime.snapshots.digests import selected_digest
from pybuild.runtime.sources.expansion import Expansion, expand, look_up
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pybuild.compiler.ops import ChownOpt
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Node, Resolution, Tree

    Below = Callable[[Tree, bytes], Iterable[Node]]


def reads(op: FileOp, index: int) -> list[Copy | str] | None:
    """Return the copies and the user database paths with which `op` reads input `index`; None if it uses all of
    it."""
    out: list[Copy | str] = []
    for action in op.actions:
        if action.input == index:
            return None
        if action.secondary_input == index and isinstance(action.action, Copy):
            out.append(action.action)
        out.extend(
            path for path, number in databases(getattr(action.action, "owner", None)) if number == index
        )
    return out


def databases(owner: ChownOpt | None) -> Iterator[tuple[str, int]]:
    """Yield the user databases that an owner is looked up in, each with the number of the input that has it."""
    if owner is not None:
        if isinstance(owner.user, NamedUser):
            yield "etc/passwd", owner.user.input
        if isinstance(owner.group, NamedUser):
            yield "etc/group", owner.group.input


def selection_digest(selected: list[Copy | str], result: Result, tree_of: Callable[[Result], Tree]) -> str:
    """Return the digest of everything that `selected` reads of a result."""
    parts: list[str] = []
    tree = tree_of(result)
    for reader in selected:
        if isinstance(reader, str):
            parts.append(_digest(result, tree, os.fsencode(reader), None, follow=True))
            continue
        expansion = sources(reader, tree)
        if expansion.base is not None:
            parts.extend(_resolution_parts(tree, expansion.base))
        for path in expansion.paths:
            name = path.rpartition(b"/")[2]
            below = keeper(reader)
            parts.append(_digest(result, tree, path, name, follow=reader.follow_symlink, below=below))
        for required in required_paths(reader):
            parts.extend(_resolution_parts(tree, look_up(tree, required)))
    return digest_of("selection", *parts)


def _resolution_parts(tree: Tree, where: Resolution) -> list[str]:
    """Return the parts of a digest for a path's resolution: whether it exists, and the symlinks on the way."""
    there = "" if where.node is None else "there"
    return [there, *(os.fsdecode(link.path + b"\0" + readlink(tree, link)) for link in where.links)]


def sources(action: Copy, tree: Tree) -> Expansion:
    """Return the paths that a copy starts from, none if a wildcard matches nothing. Raises UserError."""
    if action.allow_wildcard:
        return expand(tree, action.src, follow=action.follow_symlink)
    return Expansion([os.fsencode(os.path.normpath("/" + action.src).lstrip("/"))], None)


def required_paths(action: Copy) -> list[bytes]:
    """Return the paths that must exist in a copy's source, relative to its root as `src` is."""
    return [os.fsencode(os.path.normpath("/" + path).lstrip("/")) for path in action.required_paths]


def readlink(tree: Tree, node: Node) -> bytes:
    """Return the target of a symlink; a local tree may have it cached."""
    return tree.readlink(node) if isinstance(tree, LocalTree) else node.readlink()


def _digest(
    result: Result, tree: Tree, path: bytes, name: bytes | None, *, follow: bool, below: Below | None = None
) -> str:
    if isinstance(result, View):
        return result.tree.selected_digest(path, name, follow=follow, below=below)
    try:
        return selected_digest(tree, path, name=name, follow=follow, below=below)
    except OSError as error:
        return f"{error.errno}"  # the path can't be resolved: the run reports it
