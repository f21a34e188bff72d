"""Copies with a layer of their own (`--link`): made on the empty file system, then merged over the files below."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.file_actions import Actions, owner_option
from pybuild.compiler.graph import Edge, ProgressGroup
from pybuild.compiler.ops import NamedUser
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, merge


def laid_over(below: Edge | None, actions: Actions, options: Options, name: str) -> Edge | None:
    """Apply `actions` to the empty file system and merge the result over `below` in a step called `name`.

    The actions needn't run again when `below` changes. Progress shows both steps as one.
    """
    group = ProgressGroup(name, options.name)
    copied = evolve(options, progress_group=evolve(group, weak=True))
    laid = evolve(options, name=name, progress_group=group)
    layer = State.scratch().file(actions, options=copied)
    return merge([State(below), layer], options=laid).edge


def names_users(owner: str) -> bool:
    """True if an owner (`user[:group]`) has a name that must be looked up in the files below."""
    option = owner_option(owner or None, -1)
    return option is not None and (isinstance(option.user, NamedUser) or isinstance(option.group, NamedUser))
