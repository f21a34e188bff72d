"""Statements that make, write or remove single files and directories: each is one file op."""

from __future__ import annotations

from typing import TypeGuard

from attrs import evolve

from pybuild.compiler.file_actions import Actions, absolute, copy, mkdir, mkfile, rm
from pybuild.compiler.file_actions import symlink as link_to
from pybuild.compiler.lower.layers import names_users
from pybuild.compiler.lower.paths import unescaped
from pybuild.compiler.lower.recipe import printing
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.made import ROOT, Made
from pybuild.compiler.lower.recipe.problems import owner_without_users
from pybuild.compiler.lower.recipe.templates import expanded
from pybuild.compiler.state import State
from pybuild.lang import recipe
from pybuild.lang.dockerfile.wildcard import has_wildcard
from pybuild.lang.recipe import Step
from pybuild.lang.source import Span

_USUAL = 0o644
_PERMISSIONS = 0o777
"""The bits of a mode that the actions for files and directories know; others are given by a copy."""


def write(lowering: Lowering, step: Step, statement: recipe.Write, made: Made) -> Made:
    """A file; directories above it are made, with its owner. The action for files leaves one that is there its mode:
    another mode than the usual one comes by a copy."""
    check_owner(statement.owner, made, step.span)
    path = absolute(made.cwd, statement.dest)
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
    return _applied(lowering, step, made.with_directory(parent or "/"), chain, printing.write(statement))


def make_directories(lowering: Lowering, step: Step, statement: recipe.Mkdir, made: Made) -> Made:
    """Directories; those that are there stay as they are. The mode is that of the last component alone."""
    check_owner(statement.owner, made, step.span)
    chain: Actions | None = None
    for one in statement.paths:
        path = absolute(made.cwd, one)
        chain = _directory(chain, path, statement, lowering.timestamp)
        made = made.with_directory(path)
    assert chain is not None
    return _applied(lowering, step, made, chain, printing.mkdir(statement))


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


def remove(lowering: Lowering, step: Step, statement: recipe.Remove, made: Made) -> Made:
    """Files and trees, also by patterns; a pattern may match nothing."""
    chain: Actions | None = None
    removed = []
    for path in statement.paths:
        pattern = has_wildcard(path)
        target = absolute(made.cwd, path if pattern else unescaped(path))
        removed.append(target)
        chain = _then(chain, rm(target, allow_not_found=statement.optional, wildcard=pattern))
    assert chain is not None
    made = evolve(made, directories=ROOT)
    return _applied(lowering, step, made, chain, printing.remove(statement))


def symlink(lowering: Lowering, step: Step, statement: recipe.Symlink, made: Made) -> Made:
    """A link with the text as it is; directories above it are made."""
    check_owner(statement.owner, made, step.span)
    path = absolute(made.cwd, statement.link)
    parent = path.rpartition("/")[0]
    created, owner = lowering.timestamp, statement.owner
    chain = _parents(None, parent, owner, created)
    chain = _then(chain, link_to(statement.to, path, owner=owner, created=created))
    return _applied(lowering, step, made.with_directory(parent or "/"), chain, printing.symlink(statement))


def workdir(lowering: Lowering, step: Step, statement: recipe.Workdir, made: Made) -> Made:
    """Where later commands run. The directory is made for the image's user if it isn't known to be there."""
    path = expanded(statement.path, made.environment, step.span, whole=made.whole)
    path = absolute(made.cwd, path)
    text = f"workdir {printing.literal(path)}"
    options = lowering.step_options(step, text)
    assert made.image is not None
    entered = evolve(made, image=made.image.with_config(working_dir=path))
    if path in made.directories:
        return entered.recorded(text, layer=False)
    owner = made.config.user
    if made.edge is None and names_users(owner):
        raise owner_without_users(f'`user "{owner}"`', step.span, link=False)
    actions = mkdir(path, mode=0o755, parents=True, owner=owner or None, created=lowering.timestamp)
    edge = State(made.edge, cwd=path).file(actions, options=options).edge
    return entered.with_directory(path).written(edge, text)


def check_owner(owner: str, made: Made, span: Span | None, *, link: bool = False) -> None:
    """Names are looked up in what is below. Raises `SourceError` where nothing is."""
    if (link or made.edge is None) and names_users(owner):
        raise owner_without_users(f'`owner="{owner}"`', span, link=link)


def _plain(mode: int | str) -> TypeGuard[int]:
    return isinstance(mode, int) and not mode & ~_PERMISSIONS


def _then(chain: Actions | None, action: Actions) -> Actions:
    """The chain with a single action at its end."""
    return evolve(action, previous=chain)


def _parents(chain: Actions | None, parent: str, owner: str, created: int | None) -> Actions | None:
    """The chain with `parent` made, if it isn't the root."""
    if not parent:
        return chain
    return _then(chain, mkdir(parent, mode=0o755, parents=True, owner=owner, created=created))


def _placed(body: Actions, name: str, parent: str, mode: int | str, owner: str) -> Actions:
    """What `body` makes of nothing, put into `parent` with a mode that only copies can give."""
    return copy(body.on(State.scratch()), f"/{name}", f"{parent}/", owner=owner, mode=mode)


def _applied(lowering: Lowering, step: Step, made: Made, chain: Actions, text: str) -> Made:
    options = lowering.step_options(step, text)
    return made.written(State(made.edge).file(chain, options=options).edge, text)
