"""Owners of the files that file actions create."""

from __future__ import annotations

import os
import stat

from pybuild.compiler.ops import ChownOpt, NamedUser
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.snapshots.types import Tree


Owner = tuple[int, int]
"""A user id and a group id."""


def resolve_owner(
    owner: ChownOpt | None,
    tree_of: Callable[[int], Tree],
    unknown: Callable[[UserError], None] | None = None,
) -> Owner | None:
    """Return (uid, gid), looking names up in the passwd and group files of the inputs; None without an owner.

    As in BuildKit, a user brings a group of its own unless a group is given: a name that of its passwd entry, a
    number the group of that number. An absent half is 0. Raises UserError for a name without an input, and for an
    unknown one unless `unknown` takes the error: then the name counts for nothing.
    """
    if owner is None:
        return None
    uid, gid = 0, 0
    for one in (owner.user, owner.group):
        if isinstance(one, NamedUser) and one.input < 0:
            raise UserError(
                f"invalid user index: {one.input}: there is no state that {one.name!r} could be looked up in",
                help="give the number of the user or group",
            )
    if isinstance(owner.user, NamedUser):
        row = _row(tree_of(owner.user.input), b"etc/passwd", owner.user.name, fields=4)
        if row is None:
            _refuse(_unknown("user", owner.user.name, "/etc/passwd"), unknown)
        uid, gid = row or (0, 0)
    elif owner.user is not None:
        uid = gid = owner.user
    if isinstance(owner.group, NamedUser):
        row = _row(tree_of(owner.group.input), b"etc/group", owner.group.name, fields=3)
        if row is None:
            _refuse(_unknown("group", owner.group.name, "/etc/group"), unknown)
        gid = row[0] if row else gid
    elif owner.group is not None:
        gid = owner.group
    return uid, gid


def _refuse(error: UserError, unknown: Callable[[UserError], None] | None) -> None:
    if unknown is None:
        raise error
    unknown(error)


def _row(tree: Tree, path: bytes, name: str, *, fields: int) -> tuple[int, int] | None:
    """Return the ids in the line of `name`: fields 3 and 4 of passwd, field 3 of group and 0."""
    node = look_up(tree, path).node
    if node is None or not stat.S_ISREG(node.stat.st_mode):
        return None
    with node.content() as file:
        lines = file.read().split(b"\n")
    for line in lines:
        parts = line.split(b":")
        if parts[0] == os.fsencode(name) and len(parts) >= fields:
            try:
                return int(parts[2]), int(parts[3]) if fields == 4 else 0
            except ValueError:
                continue
    return None


def _unknown(kind: str, name: str, path: str) -> UserError:
    return UserError(
        f"unknown {kind} {name!r}: no such entry in {path} of the image",
        help=f"add the {kind} in an earlier step, or give its number",
    )
