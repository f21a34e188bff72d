"""Copies that make a layer of their own: onto nothing, then laid over what is below."""

from __future__ import annotations

from attrs import evolve

from pybuild.compiler.file_actions import Actions, owner_option
from pybuild.compiler.graph import Edge, ProgressGroup
from pybuild.compiler.ops import NamedUser
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, merge


def laid_over(below: Edge | None, actions: Actions, options: Options, name: str) -> Edge | None:
    """`actions` done to the empty file system, laid over `below` by a step called `name`: they needn't be done
    again when that changes. Progress shows both as one."""
    group = ProgressGroup(name, options.name)
    copied = evolve(options, progress_group=evolve(group, weak=True))
    laid = evolve(options, name=name, progress_group=group)
    layer = State.scratch().file(actions, options=copied)
    return merge([State(below), layer], options=laid).edge


def names_users(owner: str) -> bool:
    """Whether an owner (`user[:group]`) has to be looked up, for which there must be something below."""
    found = owner_option(owner or None, -1)
    return found is not None and (isinstance(found.user, NamedUser) or isinstance(found.group, NamedUser))
