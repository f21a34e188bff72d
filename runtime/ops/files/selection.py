"""What a file op reads of its inputs, and the digest of just that."""

from __future__ import annotations

import os

from pybuild.compiler.ops import Copy, FileOp, NamedUser
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.files.filters import keeper
from pybuild.runtime.ops.results import View
from pybuild.runtime.snapshots.contents import selected_digest
from pybuild.runtime.sources.expansion import Expansion, expand
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.compiler.ops import ChownOpt
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Node, Tree

    Keep = Callable[[bytes, bool], bool]


def reads(op: FileOp, index: int) -> list[Copy | str] | None:
    """The copies, and paths of user databases, by which `op` reads input `index`; None: all of it."""
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
    """The user databases that an owner is looked up in, each with the number of the state that has it."""
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
        found = sources(one, tree)
        if found.base is not None:
            # A directory's absence counts, and which symlinks led to it.
            parts.append("" if found.base.node is None else "base")
            parts.extend(os.fsdecode(link.path + b"\0" + readlink(tree, link)) for link in found.base.links)
        for path in found.paths:
            name = path.rpartition(b"/")[2]
            parts.append(_digest(result, tree, path, name, follow=one.follow_symlink, keep=keeper(one)))
            # Required paths lead through symlinks of their own.
            parts.extend(
                _digest(result, tree, required, None, follow=True) for required in required_paths(one, path)
            )
    return digest_of("selection", *parts)


def sources(action: Copy, tree: Tree) -> Expansion:
    """The paths a copy starts from; none when a wildcard matches nothing. Raises UserError."""
    if action.allow_wildcard:
        return expand(tree, action.src, follow=action.follow_symlink)
    return Expansion([os.fsencode(os.path.normpath("/" + action.src).lstrip("/"))], None)


def required_paths(action: Copy, source: bytes) -> list[bytes]:
    """Paths that must be there for the copy of directory `source`."""
    return [
        os.fsencode(os.path.normpath("/" + os.fsdecode(source) + "/" + path).lstrip("/"))
        for path in action.required_paths
    ]


def readlink(tree: Tree, node: Node) -> bytes:
    return tree.readlink(node) if isinstance(tree, LocalTree) else os.readlink(node.real)


def _digest(
    result: Result, tree: Tree, path: bytes, name: bytes | None, *, follow: bool, keep: Keep | None = None
) -> str:
    if isinstance(result, View):
        return result.tree.selected_digest(path, name, follow=follow, keep=keep)
    try:
        return selected_digest(tree, path, name=name, follow=follow, keep=keep)
    except OSError as error:
        return f"{error.errno}"  # leads nowhere: the run says so
