"""Statements that make, write or remove files and directories. Each is one file op."""

from __future__ import annotations

from typing import TypeGuard

from attrs import evolve

from pybuild.compiler.file_actions import Actions, absolute, copy, mkdir, mkfile, rm
from pybuild.compiler.file_actions import symlink as link_to
from pybuild.compiler.lower.layers import names_users
from pybuild.compiler.lower.paths import unescaped
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowered_state import ROOT, LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.problems import owner_without_users
from pybuild.compiler.lower.recipe.templates import expanded
from pybuild.compiler.state import State
from pybuild.lang import recipe
from pybuild.lang.dockerfile.wildcard import has_wildcard
from pybuild.lang.recipe import Step
from pybuild.lang.source import Span

_USUAL = 0o644
_PERMISSIONS = 0o777
"""The bits of a mode that `mkfile` and `mkdir` can set; other bits need a copy."""


def write(lowering: Lowering, step: Step, statement: recipe.Write, lowered: LoweredState) -> LoweredState:
    """Lower a `write`. Parent directories are made, with the owner of the file. Raises `SourceError`.

    `mkfile` keeps the mode of an existing file, so a mode other than the default is set by a copy.
    """
    check_owner(statement.owner, lowered, step.span)
    path = absolute(lowered.cwd, statement.dest)
    parent, _, name = path.rpartition("/")
    created = lowering.timestamp
    chain = _parents(None, parent, statement.owner, created)
    if statement.mode == _USUAL:
        chain = _then(
            chain, mkfile(path, statement.data, mode=_USUAL, owner=statement.owner, created=created)
        )
    else:
        body = mkfile(f"/{name}", statement.data, mode=_USUAL, created=created)
        chain = _then(chain, _placed(body, name, parent, statement.mode, statement.owner))
    return _applied(lowering, step, lowered.with_directory(parent or "/"), chain, printing.write(statement))


def make_directories(
    lowering: Lowering, step: Step, statement: recipe.Mkdir, lowered: LoweredState
) -> LoweredState:
    """Lower a `mkdir`. Existing directories stay unchanged; the mode is for the last component. Raises
    `SourceError`."""
    check_owner(statement.owner, lowered, step.span)
    chain: Actions | None = None
    for one in statement.paths:
        path = absolute(lowered.cwd, one)
        chain = _directory(chain, path, statement, lowering.timestamp)
        lowered = lowered.with_directory(path)
    assert chain is not None
    return _applied(lowering, step, lowered, chain, printing.mkdir(statement))


def _directory(chain: Actions | None, path: str, statement: recipe.Mkdir, created: int | None) -> Actions:
    parent, _, name = path.rpartition("/")
    mode, owner = statement.mode, statement.owner
    if _plain(mode):
        if mode != 0o755:
            chain = _parents(chain, parent, owner, created)
        return _then(chain, mkdir(path, mode=mode, parents=True, owner=owner, created=created))
    if not name:
        return _then(chain, mkdir("/", parents=True))
    chain = _parents(chain, parent, owner, created)
    body = mkdir(f"/{name}", mode=0o755, created=created)
    return _then(chain, _placed(body, name, parent, mode, owner))


def remove(lowering: Lowering, step: Step, statement: recipe.Remove, lowered: LoweredState) -> LoweredState:
    """Lower a `remove` of files and directory trees. A pattern may match nothing."""
    chain: Actions | None = None
    removed = []
    for path in statement.paths:
        pattern = has_wildcard(path)
        target = absolute(lowered.cwd, path if pattern else unescaped(path))
        removed.append(target)
        chain = _then(chain, rm(target, allow_not_found=statement.optional, wildcard=pattern))
    assert chain is not None
    # A pattern may have removed any of the known directories.
    lowered = evolve(lowered, directories=ROOT)
    return _applied(lowering, step, lowered, chain, printing.remove(statement))


def symlink(lowering: Lowering, step: Step, statement: recipe.Symlink, lowered: LoweredState) -> LoweredState:
    """Lower a `symlink`. Parent directories are made. Raises `SourceError`."""
    check_owner(statement.owner, lowered, step.span)
    path = absolute(lowered.cwd, statement.link)
    parent = path.rpartition("/")[0]
    created, owner = lowering.timestamp, statement.owner
    chain = _parents(None, parent, owner, created)
    chain = _then(chain, link_to(statement.to, path, owner=owner, created=created))
    return _applied(lowering, step, lowered.with_directory(parent or "/"), chain, printing.symlink(statement))


def workdir(lowering: Lowering, step: Step, statement: recipe.Workdir, lowered: LoweredState) -> LoweredState:
    """Lower a `workdir`. The directory is made, owned by the image's user, unless it is known to exist. Raises
    `SourceError`."""
    path = expanded(statement.path, lowered.environment, step.span, whole=lowered.whole)
    path = absolute(lowered.cwd, path)
    text = f"workdir {printing.literal(path)}"
    options = lowering.step_options(step, text)
    assert lowered.image is not None
    entered = evolve(lowered, image=lowered.image.with_config(working_dir=path))
    if path in lowered.directories:
        return entered.recorded(text, layer=False)
    owner = lowered.config.user
    if lowered.edge is None and names_users(owner):
        raise owner_without_users(f'`user "{owner}"`', step.span, link=False)
    actions = mkdir(path, mode=0o755, parents=True, owner=owner or None, created=lowering.timestamp)
    edge = State(lowered.edge, cwd=path).file(actions, options=options).edge
    return entered.with_directory(path).written(edge, text)


def check_owner(owner: str, lowered: LoweredState, span: Span | None, *, link: bool = False) -> None:
    """Raise `SourceError` for an owner by name if there are no files to look it up in."""
    if (link or lowered.edge is None) and names_users(owner):
        raise owner_without_users(f'`owner="{owner}"`', span, link=link)


def _plain(mode: int | str) -> TypeGuard[int]:
    return isinstance(mode, int) and not mode & ~_PERMISSIONS


def _then(chain: Actions | None, action: Actions) -> Actions:
    """Append a single action to a chain."""
    return evolve(action, previous=chain)


def _parents(chain: Actions | None, parent: str, owner: str, created: int | None) -> Actions | None:
    """Append an action that makes `parent`, unless it is the root."""
    if not parent:
        return chain
    return _then(chain, mkdir(parent, mode=0o755, parents=True, owner=owner, created=created))


def _placed(body: Actions, name: str, parent: str, mode: int | str, owner: str) -> Actions:
    """Run `body` on an empty file system and copy its result to `parent`, with a mode that only copies can set."""
    return copy(body.on(State.scratch()), f"/{name}", f"{parent}/", owner=owner, mode=mode)


def _applied(
    lowering: Lowering, step: Step, lowered: LoweredState, chain: Actions, text: str
) -> LoweredState:
    options = lowering.step_options(step, text)
    return lowered.written(State(lowered.edge).file(chain, options=options).edge, text)
