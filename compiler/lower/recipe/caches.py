"""Cache mounts: a directory with an owner and a mode starts from one that was made so.

The owner may be a name, looked up in the command's own root; only the user database counts there, so a cache stays
the same one when anything else changes.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.file_actions import owner_option
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.recipe.made import Made
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
"""Where the directory is made that a cache starts from when it has an owner or a mode."""
_OPTIONS = Options(name="[internal] settings cache mount permissions")
_DEFAULT_MODE = 0o755
_PERMISSIONS = 0o777
"""The bits of a mode that making a directory knows; others are given by a copy."""


def cache_mount(option: CacheMount, target: str, user: str, made: Made, seed: Made | None) -> FileMount:
    """The mount for a command that runs as `user` on the files of `made`; `seed` is what the cache starts with."""
    owner = _owner(option, user, made)
    start = None if seed is None else State(seed.edge)
    selector = ""
    if owner != ChownOpt(0, 0) or option.mode != _DEFAULT_MODE:
        start, selector = _owned(option, owner, made, start), _OWNED
    return cache(
        target,
        option.id,
        source=start,
        selector=selector,
        sharing=_SHARING.get(option.sharing, CacheSharing.SHARED),
    )


def _owner(option: CacheMount, user: str, made: Made) -> ChownOpt:
    """The owner: what the option leaves open is the user's. A user by name brings a group of its own, unless `uid`
    takes its place."""
    found = owner_option(user, 0) or ChownOpt(0, 0)
    if made.edge is None and (isinstance(found.user, NamedUser) or isinstance(found.group, NamedUser)):
        found = ChownOpt(0, 0)
    named = isinstance(found.user, NamedUser) and option.uid is None
    group = option.gid if option.gid is not None else found.group
    if group is None and not named:
        group = 0
    return ChownOpt(found.user if option.uid is None else option.uid, group)


def _owned(option: CacheMount, owner: ChownOpt, made: Made, seed: State | None) -> State:
    """An empty file system with the directory in it, filled from `seed`."""
    inputs: list[Edge] = []
    if made.edge is not None and (isinstance(owner.user, NamedUser) or isinstance(owner.group, NamedUser)):
        inputs.append(made.edge)
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
    actions[-1] = evolve(actions[-1], output=0)
    vertex = _OPTIONS.vertex(FileOp(tuple(actions)), inputs, caps=("file.base",))
    return State(Edge(vertex))
