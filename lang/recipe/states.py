"""States: what a file system and its image config are made of. Compared by identity: what is shared in the
recipe is shared in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.recipe.statements import Statement


@frozen(eq=False)
class State:
    """`span` is the expression or statement that it comes from; None where no text says it."""

    span: Span | None


@frozen(eq=False)
class Scratch(State):
    """The empty file system with an empty image config."""


@frozen(eq=False)
class Image(State):
    """An image of a registry. `ref` is as written; `platform` (`os/arch[/variant]`) is written out."""

    ref: str
    platform: str


@frozen(eq=False)
class Directory(State):
    """A directory of this machine: the context of a module, or a `local` source.

    `path` is absolute; `name` is the local source's name in the graph, the same for the same directory and patterns;
    `exclude` holds patterns of .dockerignore, `include` (all, if empty) likewise."""

    path: str
    name: str
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@frozen(eq=False)
class Git(State):
    """`checksum` is the commit that it must be ("" if none is known). `token`, `header` and `ssh` name secrets and
    an agent."""

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
    """`sha256` is 64 hexadecimal digits or "". `auth` names a secret. `strip` counts components, with `unpack`."""

    url: str
    sha256: str = ""
    name: str = ""
    unpack: bool = False
    strip: int = 0
    mode: int = 0o644
    auth: str = ""


@frozen(eq=False)
class Layout(State):
    """An image of an OCI layout: an absolute path, perhaps with `:TAG` and `@DIGEST`."""

    path: str
    platform: str


@frozen(eq=False)
class Host(State):
    """Commands of this machine with their libraries."""

    commands: tuple[str, ...]


@frozen(eq=False)
class Files(State):
    """Files of the build's own: paths without a slash at their beginning, bytes, permission bits. `name` says what
    they are."""

    name: str
    files: tuple[tuple[str, bytes, int], ...]


@frozen(eq=False)
class Dockerfile(State):
    """A stage of a Dockerfile. `text` is its bytes, `name` how messages call it, `ignore` those of its own ignore
    file (None: it has none); `context` is the main context."""

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
    """What the frontend of an image makes: `ref` is the image as written, `options` are its attributes, `inputs` the
    states that it is given by name."""

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
    """What a body comes to: the body of an instance or of a state function with its arguments.

    `title` is what progress calls it, with the platform where it isn't the builder's. `state` is set once, when the
    body has been recorded: others refer to the body before that."""

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
    """`from`: what a body starts with. Its steps run as `platform`, and `body` is theirs; an inherited `cmd` goes
    when an `entrypoint` is set."""

    base: State
    platform: str
    body: Body


@frozen(eq=False)
class Step(State):
    """What `statement` makes of the state `before` it; it stands in `body`."""

    before: State
    statement: Statement
    body: Body


@frozen(eq=False)
class Mounted(State):
    """What the mount at `at` holds after `step`, whose statement keeps it (`BindMount.kept`)."""

    step: Step
    at: str
