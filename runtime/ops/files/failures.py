"""Errors of file actions, one constructor each. Titles are BuildKit's where clients compare them."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.runtime.content.space import NO_ROOM, told, used_up
from pybuild.runtime.sources.expansion import look_up
from pybuild.runtime.sources.local import LocalTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Tree

SIMILAR = 3


class SourceNotFound(UserError):
    """The source of a copy or a mount does not exist."""


def not_found(tree: Tree, path: bytes) -> SourceNotFound:
    """Return the error for a missing source. Its help names similar paths, or the reason why it is missing."""
    diagnostic = Diagnostic(f'"/{os.fsdecode(path)}": not found')
    if isinstance(tree, LocalTree) and tree.left_out(look_up(tree, path).path):
        return SourceNotFound(
            diagnostic,
            help=f"it is in the directory, but .dockerignore leaves it out: add !{os.fsdecode(path)} there",
        )
    dangling = _dangling(tree, path)
    if dangling is not None:
        return SourceNotFound(diagnostic, help=dangling)
    here, _, name = path.rpartition(b"/")
    similar = _similar(tree, here, name)
    if similar:
        return SourceNotFound(diagnostic, help=f"did you mean {' or '.join(similar)}?")
    return SourceNotFound(diagnostic, help=_missing_part(tree, here))


def owned_by_root(path: str, error: UserError) -> UserError:
    """Return the warning about a directory that is made although its owner isn't known, which `error` says."""
    bare = error.diagnostic
    note = f"{path} is made all the same: an unknown user counts as root, an unknown group as the user's own"
    return UserError(Diagnostic(bare.title, notes=[("note", note), *bare.notes], level="warning"))


def _dangling(tree: Tree, path: bytes) -> str | None:
    """Return the reason if the path goes through a dangling symlink, else None."""
    parts = path.split(b"/")
    for count in range(1, len(parts) + 1):
        part = b"/".join(parts[:count])
        node = look_up(tree, part, follow=False).node
        if node is not None and stat.S_ISLNK(node.stat.st_mode) and look_up(tree, part).node is None:
            target = os.fsdecode(tree.readlink(node) if isinstance(tree, LocalTree) else node.readlink())
            return f"{os.fsdecode(part)} is a symlink to {target}, which is not there; no link leads out of a root"
    return None


def _similar(tree: Tree, directory: bytes, name: bytes) -> list[str]:
    """Return entries of the directory with names similar to `name`."""
    from difflib import get_close_matches

    where = look_up(tree, directory)
    if where.node is None or not stat.S_ISDIR(where.node.stat.st_mode):
        return []
    prefix = os.fsdecode(directory) + "/" if directory else ""
    names = [os.fsdecode(node.path.rpartition(b"/")[2]) for node in tree.list(where.path)]
    folded = {entry.casefold(): entry for entry in names}
    matches = get_close_matches(os.fsdecode(name).casefold(), folded, n=SIMILAR, cutoff=0.65)
    return [prefix + folded[match] for match in matches]


def _missing_part(tree: Tree, directory: bytes) -> str | None:
    """Return which directory on the way is missing, None if all exist."""
    while directory:
        parent, _, name = directory.rpartition(b"/")
        if look_up(tree, directory).node is not None:
            return None
        if look_up(tree, parent).node is not None:
            similar = _similar(tree, parent, name)
            hint = f"; did you mean {' or '.join(similar)}?" if similar else ""
            return f"there is no directory {os.fsdecode(directory)}{hint}"
        directory = parent
    return None


def not_there(tree: Tree, path: bytes) -> SourceNotFound:
    """Return the error for a missing path that was to be removed."""
    error = not_found(tree, path)
    error.diagnostic = error.diagnostic.known_as(f"stat /{os.fsdecode(path)}: no such file or directory")
    return error


def not_a_directory(path: bytes) -> UserError:
    name = f"/{os.fsdecode(path)}"
    title = Diagnostic(f"{name} is not a directory", buildkit=f"cannot copy to non-directory: {name}")
    return UserError(title, help="copy to another place, or remove it first")


def through_a_file(path: bytes) -> UserError:
    name = f"/{os.fsdecode(path)}"
    return UserError(
        Diagnostic(f"{name}: a part of this path is not a directory", buildkit=f"{name}: not a directory"),
        help="write to another place, or remove what is in the way in an earlier step",
    )


def no_directory(path: bytes) -> UserError:
    name = f"/{os.fsdecode(path)}"
    title = Diagnostic(f"{name}: no such directory", buildkit=f"{name}: no such file or directory")
    return UserError(title, help="make it in an earlier step")


def is_a_directory(path: bytes) -> UserError:
    name = f"/{os.fsdecode(path)}"
    return UserError(
        Diagnostic(
            f"cannot replace the directory {name} with a file",
            buildkit=f"cannot replace to directory {name} with file",
        ),
        help="remove the directory in an earlier step, or copy to another place",
    )


def system_error(error: OSError, store: str) -> UserError:
    """Return the error for a system call that failed during an action, in the store at `store`."""
    if error.errno in NO_ROOM:
        title, help = told(error.errno or 0, store, store, inodes=used_up(store) == "inode")
        return UserError(f"cannot carry out the file operation: {title}", help=help)
    return UserError(
        f"cannot carry out the file operation: {error.strerror or error}", help=_WAYS.get(error.errno or 0)
    )


_WAYS = {
    # The kernel's answer to an owner that the user namespace has no id for.
    errno.EINVAL: "if it gives files an owner: an ordinary user's build has as many ids as /etc/subuid and "
    "/etc/subgid give the user",
    errno.ENAMETOOLONG: "a name has at most 255 bytes, a path 4095",
}
