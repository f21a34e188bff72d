"""`copy`: files of another state (language spec, section 12).

A statement is one file op with a copy action for each source.

    literal     copies the path itself; its contents if it ends in `/` or the destination doesn't
    `parents`   copies the contents of the root, with the path as include pattern
    pattern     copies the contents of the directory before the first wildcard, with the rest as include pattern;
                paths below that directory are kept
    `unpack`    copies archives by a wildcard of LLB; nothing of their paths is kept

An include pattern that matches nothing isn't an error. So a pattern is copied to an empty file system first, and from
there to the destination, which fails if there is nothing. For a directory of this machine this isn't needed: its
patterns were checked before.

A file whose destination is a directory goes into it, as with COPY. `follow` applies to the named sources, not to
links in copied directories; links to the directory before a pattern are always followed.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from pybuild.compiler.file_actions import Actions, absolute, copy
from pybuild.compiler.lower.layers import laid_over
from pybuild.compiler.lower.paths import unescaped, used_path
from pybuild.compiler.lower.recipe import patterns, printing
from pybuild.compiler.lower.recipe.files import check_owner
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.lowering import Lowering
from pybuild.compiler.lower.recipe.problems import unpacks_many
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.dockerfile.wildcard import bracketed
from pybuild.lang.recipe import Copy, Directory, Source, Step
from pybuild.lang.recipe.statements import KEEP


def copy_files(lowering: Lowering, step: Step, statement: Copy, lowered: LoweredState) -> LoweredState:
    """Lower a `copy`. Raises `SourceError` for an owner that can't be looked up."""
    if statement.owner != KEEP:
        check_owner(statement.owner, lowered, step.span, link=statement.link)
    source = State(lowering.lowered[statement.source].edge)
    dest = absolute(lowered.cwd, statement.dest, keep_end=True)
    chain: Actions | None = None
    for named in statement.sources:
        action = _Source(statement, named, source, dest).action()
        chain = evolve(action, previous=chain)
    assert chain is not None
    text = printing.copy(statement)
    options = lowering.step_options(step, text)
    into = dest.rstrip("/") if dest.endswith("/") else dest.rpartition("/")[0]
    return lowered.with_directory(into or "/").written(_edge(statement, lowered, chain, options), text)


def _edge(statement: Copy, lowered: LoweredState, chain: Actions, options: Options) -> Any:
    if statement.link:
        return laid_over(lowered.edge, chain, options, options.name)
    return State(lowered.edge).file(chain, options=options).edge


class _Source:
    """A source of a `copy`, and the action that copies it."""

    def __init__(self, statement: Copy, source: Source, state: State, dest: str) -> None:
        self.statement = statement
        self.source = source
        self.state = state
        self.dest = dest
        self.path = used_path(source.path)
        self.shared: dict[str, Any] = {
            "owner": None if statement.owner == KEEP else statement.owner,
            "mode": statement.mode,
            "create_dest_path": True,
        }
        self.start, self.pattern = patterns.split(source.path)

    def action(self) -> Actions:
        """Return the copy as a chain of one action. Raises `SourceError`."""
        statement = self.statement
        if self.pattern and statement.unpack:
            return self._unpacked()
        if self.pattern or (statement.parents and self.path != "/" and not statement.unpack):
            return self._included()
        return self._literal()

    def _literal(self) -> Actions:
        written = self.source.path
        contents = self.path == "/" or written.endswith(("/", "/."))
        return copy(
            self.state,
            unescaped(self.path),
            self.dest,
            follow_symlinks=self.statement.follow or contents,
            contents_only=contents or not self.dest.endswith("/"),
            unpack=self.statement.unpack,
            empty_wildcard=self.statement.optional,
            exclude=self.statement.exclude,
            **self.shared,
        )

    def _unpacked(self) -> Actions:
        """Copy and unpack each archive that matches a wildcard. Raises `SourceError` for `**`."""
        if patterns.DOUBLESTAR in self.pattern:
            raise unpacks_many(self.source.path, self.source.span)
        optional = self.statement.optional
        path = bracketed(self.path) if optional and self.start.strip("/") else self.path
        return copy(
            self.state,
            path,
            self.dest,
            follow_symlinks=True,
            unpack=True,
            wildcard=True,
            empty_wildcard=optional,
            **self.shared,
        )

    def _included(self) -> Actions:
        """Copy the matches of a pattern, with the directories between them and the start of the pattern."""
        statement = self.statement
        start, pattern, exclude = used_path(self.start), self.pattern, statement.exclude
        if statement.parents:
            exclude = patterns.below(self.start if self.pattern else self.path, exclude)
            start, pattern = "/", self.path.removeprefix("/")
        required = () if self.pattern or statement.optional else (unescaped(self.path),)
        how: dict[str, Any] = {
            "follow_symlinks": True,
            "contents_only": True,
            "empty_wildcard": statement.optional,
            "include": (patterns.included(pattern),),
            "exclude": exclude,
            "required_paths": required,
        }
        if not self.pattern or statement.optional or isinstance(statement.source, Directory):
            return copy(self.state, unescaped(start), self.dest, **how, **self.shared)
        # Matches keep their path in the empty file system: it is in the error if there are none.
        matches = copy(self.state, unescaped(start), unescaped(start), create_dest_path=True, **how)
        into = self.dest if self.dest.endswith("/") else self.dest + "/"
        return copy(matches.on(State.scratch()), used_path(f"{start}/*"), into, wildcard=True, **self.shared)
