"""Chains of file actions that aren't bound to a state yet; bound to one, a chain becomes a file op.

    state.file(mkdir("/app").copy(context, "src", "/app/").mkfile("/app/VERSION", b"1"))

Relative paths are taken from the state's working directory, paths of a copy's source from that of the source.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import (
    EMPTY,
    ChownOpt,
    Copy,
    FileAction,
    FileOp,
    MkDir,
    MkFile,
    NamedUser,
    Rm,
    Symlink,
)

if TYPE_CHECKING:
    from pybuild.compiler.state import State

Owner = str | tuple[int, int] | None
"""The owner of files that an action makes: `user[:group]` in names or numbers, (uid, gid), or None to leave it."""

Body = Copy | MkFile | MkDir | Rm | Symlink


@frozen(eq=False)
class Actions:
    """A chain of file actions; every method returns a longer one. `previous` None starts the chain."""

    body: Body
    owner: Owner = None
    source: State | BoundActions | None = None
    previous: Actions | None = None

    def on(self, state: State) -> BoundActions:
        """Bind the chain to `state`, as the source of a copy within the same file op."""
        return BoundActions(self, state)

    def copy(
        self,
        source: State | BoundActions,
        src: str,
        dest: str,
        *,
        owner: Owner = None,
        mode: int | str | None = None,
        follow_symlinks: bool = False,
        contents_only: bool = False,
        unpack: bool = False,
        create_dest_path: bool = False,
        wildcard: bool = False,
        empty_wildcard: bool = False,
        created: int | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        always_replace: bool = False,
        required_paths: Iterable[str] = (),
    ) -> Actions:
        """Copy `src` of `source` to `dest`.

        A trailing `/` or `/.` of `dest` is kept, because it decides what the copy means. `mode` is a number, a
        symbolic mode (`u=rwX,go=rX`), or None to keep it; `created` is a time in nanoseconds since the epoch, or None
        to keep it. `contents_only` copies the entries of a directory, `unpack` extracts archives as Docker's ADD
        does, `wildcard` allows patterns in `src`.
        """
        body = Copy(
            src=src,
            dest=dest,
            mode=-1 if mode is None else mode if isinstance(mode, int) else 0,
            follow_symlink=follow_symlinks,
            dir_copy_contents=contents_only,
            attempt_unpack=unpack,
            create_dest_path=create_dest_path,
            allow_wildcard=wildcard,
            allow_empty_wildcard=empty_wildcard,
            timestamp=-1 if created is None else created,
            include_patterns=tuple(include),
            exclude_patterns=tuple(exclude),
            always_replace_existing_dest_paths=always_replace,
            mode_str=mode if isinstance(mode, str) else "",
            required_paths=tuple(required_paths),
        )
        return Actions(body, owner, source, self)

    def mkfile(
        self,
        path: str,
        data: bytes = b"",
        *,
        mode: int = 0o644,
        owner: Owner = None,
        created: int | None = None,
    ) -> Actions:
        """Write a file. Only the permission bits of `mode` count; the parent directory must exist."""
        stamp = -1 if created is None else created
        return Actions(MkFile(path, mode & 0o777, data, timestamp=stamp), owner, None, self)

    def mkdir(
        self,
        path: str,
        *,
        mode: int = 0o755,
        parents: bool = False,
        owner: Owner = None,
        created: int | None = None,
    ) -> Actions:
        """Make a directory. With `parents` missing parents are made too, and an existing directory is no error."""
        stamp = -1 if created is None else created
        return Actions(MkDir(path, mode & 0o777, parents, timestamp=stamp), owner, None, self)

    def rm(self, path: str, *, allow_not_found: bool = False, wildcard: bool = False) -> Actions:
        """Remove a file or a directory tree."""
        return Actions(Rm(path, allow_not_found, wildcard), None, None, self)

    def symlink(self, target: str, path: str, *, owner: Owner = None, created: int | None = None) -> Actions:
        """Make a symbolic link at `path` (taken from the root, as in BuildKit) with the text `target`."""
        stamp = -1 if created is None else created
        return Actions(Symlink(target, path, timestamp=stamp), owner, None, self)


@frozen(eq=False)
class BoundActions:
    """A chain of actions bound to a state, which may be the source of a copy."""

    actions: Actions
    state: State


_START = Actions(Copy())
"""The receiver of the calls by which the functions of this module start chains; it is in no chain itself."""


def _first(actions: Actions) -> Actions:
    return evolve(actions, previous=None)


def copy(
    source: State | BoundActions,
    src: str,
    dest: str,
    *,
    owner: Owner = None,
    mode: int | str | None = None,
    follow_symlinks: bool = False,
    contents_only: bool = False,
    unpack: bool = False,
    create_dest_path: bool = False,
    wildcard: bool = False,
    empty_wildcard: bool = False,
    created: int | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    always_replace: bool = False,
    required_paths: Iterable[str] = (),
) -> Actions:
    """Start a chain with `Actions.copy`."""
    return _first(
        _START.copy(
            source,
            src,
            dest,
            owner=owner,
            mode=mode,
            follow_symlinks=follow_symlinks,
            contents_only=contents_only,
            unpack=unpack,
            create_dest_path=create_dest_path,
            wildcard=wildcard,
            empty_wildcard=empty_wildcard,
            created=created,
            include=include,
            exclude=exclude,
            always_replace=always_replace,
            required_paths=required_paths,
        )
    )


def mkfile(
    path: str, data: bytes = b"", *, mode: int = 0o644, owner: Owner = None, created: int | None = None
) -> Actions:
    """Start a chain with `Actions.mkfile`."""
    return _first(_START.mkfile(path, data, mode=mode, owner=owner, created=created))


def mkdir(
    path: str,
    *,
    mode: int = 0o755,
    parents: bool = False,
    owner: Owner = None,
    created: int | None = None,
) -> Actions:
    """Start a chain with `Actions.mkdir`."""
    return _first(_START.mkdir(path, mode=mode, parents=parents, owner=owner, created=created))


def rm(path: str, *, allow_not_found: bool = False, wildcard: bool = False) -> Actions:
    """Start a chain with `Actions.rm`."""
    return _first(_START.rm(path, allow_not_found=allow_not_found, wildcard=wildcard))


def symlink(target: str, path: str, *, owner: Owner = None, created: int | None = None) -> Actions:
    """Start a chain with `Actions.symlink`."""
    return _first(_START.symlink(target, path, owner=owner, created=created))


def clean(path: str) -> str:
    """Return the shortest equal path, as Go's path.Clean: no `.`, no `//`, `..` resolved; "." for an empty one."""
    path = posixpath.normpath(path)
    # POSIX leaves two leading slashes to the system, and so does normpath; Go doesn't.
    return path[1:] if path.startswith("//") else path


def absolute(parent: str, path: str, *, keep_end: bool = False) -> str:
    """Return `path`, taken from `parent` if it is relative, cleaned. `keep_end` keeps a trailing `/` or `/.`."""
    full = clean(path)
    if not full.startswith("/"):
        full = clean(f"/{parent}/{full}")
    if keep_end:
        if path.endswith("/") and not full.endswith("/"):
            full += "/"
        elif path.endswith("/."):
            full += "." if full == "/" else "/."
    return full


def owner_option(owner: Owner, base: int) -> ChownOpt | None:
    """Return an owner as ops hold it. Names are looked up in input number `base`; `root` is id 0."""
    if owner is None:
        return None
    if isinstance(owner, tuple):
        return ChownOpt(*owner)
    user, colon, group = owner.partition(":")
    return ChownOpt(_user(user, base), _user(group, base) if colon else None)


_ID = re.compile(r"[+-]?[0-9]+")


def _user(name: str, base: int) -> NamedUser | int:
    if name in ("", "root"):
        return 0
    if _ID.fullmatch(name) and -(2**31) <= int(name) < 2**31:
        # A negative id wraps, as in the conversion to uint32 of BuildKit's client.
        return int(name) & 0xFFFFFFFF
    return NamedUser(name, base)


@frozen
class _Step:
    actions: Actions
    state: State
    base: int
    input: tuple[bool, int]
    secondary: tuple[bool, int]


class _Numbering:
    """The numbering of the actions of a chain: inputs first, then the result of each action.

    Results are counted after the inputs, whose count is known only at the end. Until then a number is a pair:
    (False, an input or -1) or (True, an earlier action).
    """

    def __init__(self) -> None:
        self.inputs: dict[Edge, int] = {}
        self.steps: list[_Step] = []
        self._numbers: dict[tuple[int, int], int] = {}

    def input_number(self, edge: Edge | None) -> int:
        if edge is None:
            return EMPTY
        return self.inputs.setdefault(edge, len(self.inputs))

    def add(self, bound: BoundActions) -> int:
        """Number the actions of a chain that have no number yet; return the number of the last one."""
        chain: list[Actions] = []
        actions: Actions | None = bound.actions
        while actions is not None:
            chain.append(actions)
            actions = actions.previous
        before: int | None = None
        for action in reversed(chain):
            # By identity: a chain that is the source of several copies is run once, an equal one again.
            key = id(action), id(bound.state)
            if key not in self._numbers:
                self._numbers[key] = self._step(action, bound.state, before)
            before = self._numbers[key]
        assert before is not None
        return before

    def _step(self, action: Actions, state: State, before: int | None) -> int:
        base = self.input_number(state.edge)
        secondary = False, EMPTY
        if isinstance(action.source, BoundActions):
            secondary = True, self.add(action.source)
        elif action.source is not None:
            secondary = False, self.input_number(action.source.edge)
        first = (False, base) if before is None else (True, before)
        self.steps.append(_Step(action, state, base, first, secondary))
        return len(self.steps) - 1

    def number(self, pair: tuple[bool, int]) -> int:
        relative, value = pair
        return len(self.inputs) + value if relative else value


def file_op(actions: Actions, state: State) -> tuple[FileOp, tuple[Edge, ...], frozenset[str]]:
    """Return the op that applies `actions` to `state`, its inputs, and the capabilities that it needs."""
    numbering = _Numbering()
    numbering.add(actions.on(state))
    last = len(numbering.steps) - 1
    numbered = tuple(
        FileAction(
            input=numbering.number(step.input),
            secondary_input=numbering.number(step.secondary),
            output=0 if number == last else EMPTY,
            action=_BODIES[type(step.actions.body)](step),
        )
        for number, step in enumerate(numbering.steps)
    )
    caps = {"file.base"}
    for action in numbered:
        caps |= _caps(action.action)
    return FileOp(numbered), tuple(numbering.inputs), frozenset(caps)


def _copy(step: _Step) -> Copy:
    body = step.actions.body
    assert isinstance(body, Copy)
    source = step.actions.source
    cwd = "/"
    if source is not None:
        cwd = source.state.cwd if isinstance(source, BoundActions) else source.cwd
    return evolve(
        body,
        src=absolute(cwd, body.src),
        dest=absolute(step.state.cwd, body.dest, keep_end=True),
        owner=owner_option(step.actions.owner, step.base),
    )


def _make(step: _Step) -> Body:
    body = step.actions.body
    assert isinstance(body, MkFile | MkDir)
    return evolve(
        body,
        path=absolute(step.state.cwd, body.path),
        owner=owner_option(step.actions.owner, step.base),
    )


def _rm(step: _Step) -> Rm:
    body = step.actions.body
    assert isinstance(body, Rm)
    return evolve(body, path=absolute(step.state.cwd, body.path))


def _symlink(step: _Step) -> Symlink:
    body = step.actions.body
    assert isinstance(body, Symlink)
    return evolve(body, owner=owner_option(step.actions.owner, step.base))


_BODIES: dict[type, Callable[[_Step], Body]] = {
    Copy: _copy,
    MkFile: _make,
    MkDir: _make,
    Rm: _rm,
    Symlink: _symlink,
}


def _caps(body: Body) -> set[str]:
    caps = set()
    if isinstance(body, Symlink):
        caps.add("file.symlink.create")
    elif isinstance(body, Rm):
        caps.update({"file.rm.wildcard"} if body.allow_wildcard else ())
    elif isinstance(body, Copy):
        if body.include_patterns or body.exclude_patterns:
            caps.add("file.copy.includeexcludepatterns")
        if body.always_replace_existing_dest_paths:
            caps.add("file.copy.alwaysreplaceexistingdestpaths")
        if body.mode_str:
            caps.add("file.copy.modestring")
    return caps
