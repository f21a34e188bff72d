"""Cache mounts. A new cache with an owner or a mode starts with a directory that has them.

The owner may be a name, which is looked up in the root of the command. Only the user database is read of it, so that
the cache stays the same if anything else changes.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.file_actions import owner_option
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.mounts import FileMount, cache
from pybuild.compiler.ops import (
    EMPTY,
    CacheSharing,
    ChownOpt,
    Copy,
    FileAction,
    FileOp,
    MkDir,
    NamedUser,
)
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.recipe import CacheMount

_SHARING = {"private": CacheSharing.PRIVATE, "locked": CacheSharing.LOCKED}
_OWNED = "/cache"
"""The path of the directory that a new cache starts with if it has an owner or a mode."""
_OPTIONS = Options(name="[internal] settings cache mount permissions")
_DEFAULT_MODE = 0o755
_PERMISSIONS = 0o777
"""The bits of a mode that `mkdir` can set; other bits need a copy."""


def cache_mount(
    option: CacheMount, target: str, user: str, lowered: LoweredState, seed: LoweredState | None
) -> FileMount:
    """Return the cache mount of a command that runs as `user` on the files of `lowered`. A new cache starts with
    `seed`."""
    owner = _owner(option, user, lowered)
    start = None if seed is None else State(seed.edge)
    selector = ""
    if owner != ChownOpt(0, 0) or option.mode != _DEFAULT_MODE:
        start, selector = _owned(option, owner, lowered, start), _OWNED
    return cache(
        target,
        option.id,
        source=start,
        selector=selector,
        sharing=_SHARING.get(option.sharing, CacheSharing.SHARED),
    )


def _owner(option: CacheMount, user: str, lowered: LoweredState) -> ChownOpt:
    """Return the owner; ids that the option leaves out are the user's.

    A user by name has the group of its passwd entry, unless `uid` replaces the name.
    """
    own = owner_option(user, 0) or ChownOpt(0, 0)
    if lowered.edge is None and (isinstance(own.user, NamedUser) or isinstance(own.group, NamedUser)):
        own = ChownOpt(0, 0)
    named = isinstance(own.user, NamedUser) and option.uid is None
    group = option.gid if option.gid is not None else own.group
    if group is None and not named:
        group = 0
    return ChownOpt(own.user if option.uid is None else option.uid, group)


def _owned(option: CacheMount, owner: ChownOpt, lowered: LoweredState, seed: State | None) -> State:
    """Return a file system that contains the directory, with the files of `seed` in it."""
    inputs: list[Edge] = []
    if lowered.edge is not None and (isinstance(owner.user, NamedUser) or isinstance(owner.group, NamedUser)):
        inputs.append(lowered.edge)
    filled = None
    if seed is not None and seed.edge is not None:
        filled = inputs.index(seed.edge) if seed.edge in inputs else len(inputs)
        inputs.extend([seed.edge] if filled == len(inputs) else [])
    actions = [FileAction(EMPTY, EMPTY, EMPTY, MkDir(_OWNED, option.mode & _PERMISSIONS, owner=owner))]
    if option.mode & ~_PERMISSIONS:
        copied = Copy(_OWNED, "/", owner=owner, mode=option.mode)
        actions.append(FileAction(EMPTY, len(inputs), EMPTY, copied))
    if filled is not None:
        contents = Copy("/", _OWNED, owner=owner, dir_copy_contents=True)
        actions.append(FileAction(len(inputs) + len(actions) - 1, filled, EMPTY, contents))
    # Results of actions are numbered after the inputs; only the last one is the op's output.
    actions[-1] = evolve(actions[-1], output=0)
    vertex = _OPTIONS.vertex(FileOp(tuple(actions)), inputs, caps=("file.base",))
    return State(Edge(vertex))
