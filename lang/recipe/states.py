"""States: file systems with an image config. They are compared by identity: a state that is shared in the recipe
is shared in the graph."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.recipe.statements import Statement


@frozen(eq=False)
class State:
    """Base class. `span` is the expression or statement that the state comes from, None if it has no source text."""

    span: Span | None


@frozen(eq=False)
class Scratch(State):
    """The empty file system with an empty image config."""


@frozen(eq=False)
class Image(State):
    """An image of a registry. `ref` is as written; `platform` is `os/arch[/variant]`."""

    ref: str
    platform: str


@frozen(eq=False)
class Directory(State):
    """A directory of this machine: the context of a module, or a `local` source.

    `path` is absolute; `name` is the local source's name in the graph, equal for equal directories and patterns;
    `exclude` and `include` hold patterns in the syntax of .dockerignore (an empty `include` means all files)."""

    path: str
    name: str
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@frozen(eq=False)
class Git(State):
    """A Git repository. `checksum` is the expected commit, "" if unknown. `token` and `header` are secret ids,
    `ssh` is the id of an agent."""

    url: str
    ref: str
    subdir: str = ""
    submodules: bool = True
    keep_git: bool = False
    token: str = ""
    header: str = ""
    ssh: str = ""
    checksum: str = ""


@frozen(eq=False)
class Http(State):
    """A file from a URL. `sha256` is 64 hexadecimal digits or "". `auth` is a secret id. `strip` is the number of
    leading path components to drop with `unpack`."""

    url: str
    sha256: str = ""
    name: str = ""
    unpack: bool = False
    strip: int = 0
    mode: int = 0o644
    auth: str = ""


@frozen(eq=False)
class Layout(State):
    """An image of an OCI layout: an absolute path, optionally with `:TAG` and `@DIGEST`."""

    path: str
    platform: str


@frozen(eq=False)
class Host(State):
    """Programs of this machine with the libraries that they load."""

    commands: tuple[str, ...]


@frozen(eq=False)
class Files(State):
    """Files with contents known to the build: (path without a leading slash, bytes, permission bits). `name`
    describes them in progress."""

    name: str
    files: tuple[tuple[str, bytes, int], ...]


@frozen(eq=False)
class Dockerfile(State):
    """A stage of a Dockerfile.

    `text` is its bytes and `name` its name in messages. `ignore` is the text of its own ignore file, None if it
    has none. `context` is the main context."""

    text: bytes
    name: str
    context: State
    target: str
    platform: str
    args: Mapping[str, str] = field(factory=dict)
    contexts: Mapping[str, State] = field(factory=dict)
    ignore: bytes | None = None


@frozen(eq=False)
class Frontend(State):
    """The result of a frontend image. `ref` is the image as written, `options` are the frontend's attributes,
    `inputs` the states passed to it by name."""

    ref: str
    platform: str
    inputs: Mapping[str, State] = field(factory=dict)
    options: Mapping[str, str] = field(factory=dict)


@frozen(eq=False)
class Merge(State):
    states: tuple[State, ...]


@frozen(eq=False)
class Diff(State):
    lower: State
    upper: State


class Body:
    """The result of one evaluated body: of a target instance, or of a state function with its arguments.

    `title` is its name in progress, with the platform if that isn't the builder's. `state` is set once, when the
    body has been recorded; other bodies can refer to it earlier than that."""

    __slots__ = ("platform", "state", "title")

    def __init__(self, title: str, platform: str) -> None:
        self.title = title
        self.platform = platform
        self.state: State | None = None

    def __repr__(self) -> str:
        return f"Body({self.title!r}, {self.platform!r})"


@frozen(eq=False)
class Built(State):
    """The result of a body."""

    body: Body


@frozen(eq=False)
class Start(State):
    """The start of a body (`from`). Its steps run as `platform` and belong to `body`. An inherited `cmd` is
    dropped when an `entrypoint` is set."""

    base: State
    platform: str
    body: Body


@frozen(eq=False)
class Step(State):
    """The result of `statement` on the state `before`. `body` is the body that contains the statement."""

    before: State
    statement: Statement
    body: Body


@frozen(eq=False)
class Mounted(State):
    """The contents of the mount at `at` after `step`, whose statement keeps the mount (`BindMount.kept`)."""

    step: Step
    at: str
