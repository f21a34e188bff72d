"""Statements with their values."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.recipe.options import Option
    from pybuild.lang.recipe.states import State
    from pybuild.lang.recipe.text import Script, Template


@frozen
class Run:
    """`lines` is the script; `block` says that it is a block, of which one that starts with `#!` is executed as a
    file. `options` in force, from the outermost block inwards: the later one wins on one path or name."""

    script: Script
    block: bool
    options: tuple[Option, ...] = ()


@frozen
class Exec:
    args: tuple[str, ...]
    options: tuple[Option, ...] = ()


@frozen
class Call:
    """A program that runs a function of the build module: `args` start it, `title` is what progress and history call
    it. `lines` tells it where its parts stand in the user's files; it decides about nothing else."""

    title: str
    args: tuple[str, ...]
    lines: str = ""
    options: tuple[Option, ...] = ()


KEEP: Final = "keep"
"""An owner of copies: files stay with the owners that they have."""


@frozen
class Source:
    """A path or pattern to copy. `span` is its text's."""

    path: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Copy:
    """`source` is the state that `sources` are relative to. `owner` is `user[:group]`, or KEEP for that of each file;
    `mode` None keeps."""

    sources: tuple[Source, ...]
    source: State
    dest: str
    owner: str = "0:0"
    mode: int | str | None = None
    exclude: tuple[str, ...] = ()
    parents: bool = False
    follow: bool = False
    optional: bool = False
    unpack: bool = False
    link: bool = False


@frozen
class Write:
    data: bytes
    dest: str
    owner: str = "0:0"
    mode: int | str = 0o644


@frozen
class Mkdir:
    paths: tuple[str, ...]
    owner: str = "0:0"
    mode: int | str = 0o755


@frozen
class Remove:
    paths: tuple[str, ...]
    optional: bool = False


@frozen
class Symlink:
    to: str
    link: str
    owner: str = "0:0"


@frozen
class Env:
    values: tuple[tuple[str, Template], ...]


@frozen
class Workdir:
    path: Template


@frozen
class User:
    name: str


@frozen
class Shell:
    args: tuple[str, ...]


@frozen
class Labels:
    values: tuple[tuple[str, str], ...]


@frozen
class Annotations:
    values: tuple[tuple[str, str], ...]


@frozen
class Expose:
    """`PORT/tcp` or `PORT/udp`."""

    ports: tuple[str, ...]


@frozen
class Volume:
    paths: tuple[str, ...]


@frozen
class StopSignal:
    name: str


@frozen
class Entrypoint:
    args: tuple[str, ...]


@frozen
class Cmd:
    args: tuple[str, ...]


@frozen
class Healthcheck:
    """`args` None is `"none"`. Times in nanoseconds; None is left out of the config."""

    args: tuple[str, ...] | None
    interval: int | None = None
    timeout: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    retries: int | None = None


Statement = (
    Run
    | Exec
    | Call
    | Copy
    | Write
    | Mkdir
    | Remove
    | Symlink
    | Env
    | Workdir
    | User
    | Shell
    | Labels
    | Annotations
    | Expose
    | Volume
    | StopSignal
    | Entrypoint
    | Cmd
    | Healthcheck
)


SHELL: Final = ("/bin/sh", "-e", "-c")
"""What runs a script where nothing says otherwise."""


LINES: Final = "PYBUILD_CALL_LINES"
"""The variable that the program of a `Call` finds `Call.lines` in."""
