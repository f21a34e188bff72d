"""Statements of a body, with their values."""

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
    """A shell script.

    `block` is set for the block form, whose script is executed as a file if it starts with `#!`. `options` are the
    run options in force, outermost block first: of two for one path or name, the later one wins."""

    script: Script
    block: bool
    options: tuple[Option, ...] = ()


@frozen
class Exec:
    args: tuple[str, ...]
    options: tuple[Option, ...] = ()


@frozen
class Call:
    """A run of a function of the build module. `args` is the command line, `title` the name in progress and history.

    `lines` maps parts of the function to lines of the user's files. It affects messages only."""

    title: str
    args: tuple[str, ...]
    lines: str = ""
    options: tuple[Option, ...] = ()


KEEP: Final = "keep"
"""The value of `Copy.owner` that keeps the owners of the files."""


@frozen
class Source:
    """A path or pattern to copy. `span` is the place of its text."""

    path: str
    span: Span | None = field(default=None, eq=False, repr=False)


@frozen
class Copy:
    """A copy of files. `sources` are relative to the state `source`.

    `owner` is `user[:group]`, or KEEP to keep each file's owner; `mode` None keeps each file's mode."""

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
    """Ports of the image, each `PORT/tcp` or `PORT/udp`."""

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
    """The health check of the image. `args` None stands for `"none"`, which disables it. Times are in nanoseconds;
    a field that is None is left out of the config."""

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
"""The default shell of a script."""


LINES: Final = "PYBUILD_CALL_LINES"
"""The environment variable that passes `Call.lines` to the program of a `Call`."""
