"""Typed instructions: a parsed Dockerfile before any variable is expanded.

The types follow BuildKit's `frontend/dockerfile/instructions`. Words still hold `$NAME`; the lowering expands them.
`text` is the instruction as BuildKit records it (`node.Original`: continuation lines joined, comments dropped,
heredoc bodies left out), from which history entries and vertex names are made.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from pybuild.lang.source import Source, Span


@frozen
class Heredoc:
    """A `<<NAME` body. `expand` is false if the name was quoted; `chomp` is `<<-` (leading tabs dropped).

    `content` is the text between the opening line and the terminator, with its line ends. In RUN it is as written,
    tabs included, because the shell may read it again; in COPY and ADD the tabs of `<<-` are removed. In COPY and ADD
    without `expand` it may hold bytes that aren't UTF-8, as surrogate escapes: encode it with
    `errors="surrogateescape"`.
    """

    name: str
    content: str
    expand: bool = True
    chomp: bool = False
    file_descriptor: int = 0

    @property
    def body(self) -> str:
        """The content as a file or a shell gets it: without the leading tabs of `<<-`."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomp else self.content


@frozen
class CommandLine:
    """The words of RUN, CMD, ENTRYPOINT or a health check: exec form as written, or one string for the shell.

    Exec form may be empty (`CMD []`); shell form always has its one string, which is empty for a bare `CMD`.
    """

    args: tuple[str, ...]
    shell: bool
    heredocs: tuple[Heredoc, ...] = ()


@frozen
class Instruction:
    span: Span = field(eq=False, repr=False)
    text: str


@frozen
class KeyValue:
    """`key=value` of ENV or LABEL; `legacy` is the form `ENV key value`."""

    key: str
    value: str
    legacy: bool = False


@frozen
class Arg:
    """A name that an ARG declares; `value` None means no default. `comment` is its doc comment."""

    key: str
    value: str | None = None
    comment: str = ""


@frozen
class ArgInstruction(Instruction):
    args: tuple[Arg, ...]


@frozen
class EnvInstruction(Instruction):
    env: tuple[KeyValue, ...]


@frozen
class EnvFileInstruction(Instruction):
    """`ENV --file`, an extension: the variables that a file of the main context sets."""

    path: str


@frozen
class LabelInstruction(Instruction):
    labels: tuple[KeyValue, ...]


@frozen
class RunMount:
    """A `--mount` of RUN.

    `options` are its `name=value` pairs in order, as written; a name without a value has None. The lowering expands
    variables in them before it reads them, because a value may decide which other options are allowed. `from_name` is
    the value of `from`, in which variables are not allowed.
    """

    span: Span = field(eq=False, repr=False)
    options: tuple[tuple[str, str | None], ...]
    from_name: str = ""


@frozen
class RunDevice:
    """A `--device` of RUN: a CDI name, and whether its absence is an error."""

    name: str
    required: bool = False


@frozen
class RunInstruction(Instruction):
    command: CommandLine
    network: str = ""
    security: str = ""
    mounts: tuple[RunMount, ...] = ()
    devices: tuple[RunDevice, ...] = ()


@frozen
class CopyInstruction(Instruction):
    """COPY. `sources` are paths; `heredocs` become files named by their delimiters, after the paths.

    `optional`, an extension, skips sources that don't exist.
    """

    sources: tuple[str, ...]
    dest: str
    heredocs: tuple[Heredoc, ...] = ()
    from_stage: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    optional: bool = False


@frozen
class AddInstruction(Instruction):
    """ADD. `unpack` None: archives of the context are unpacked, files from URLs are not."""

    sources: tuple[str, ...]
    dest: str
    heredocs: tuple[Heredoc, ...] = ()
    chown: str = ""
    chmod: str = ""
    link: bool = False
    excludes: tuple[str, ...] = ()
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None


@frozen
class WorkdirInstruction(Instruction):
    path: str


@frozen
class UserInstruction(Instruction):
    user: str


@frozen
class ExposeInstruction(Instruction):
    ports: tuple[str, ...]


@frozen
class VolumeInstruction(Instruction):
    volumes: tuple[str, ...]


@frozen
class CmdInstruction(Instruction):
    command: CommandLine


@frozen
class EntrypointInstruction(Instruction):
    command: CommandLine


@frozen
class HealthcheckInstruction(Instruction):
    """`test` is the config's `Test` (`("NONE",)`, `("CMD", …)`, `("CMD-SHELL", …)`); times in nanoseconds."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@frozen
class ShellInstruction(Instruction):
    shell: tuple[str, ...]


@frozen
class StopSignalInstruction(Instruction):
    signal: str


@frozen
class OnbuildInstruction(Instruction):
    """`expression` is the triggered instruction's text, as stored in the image config."""

    expression: str


@frozen
class UnsetInstruction(Instruction):
    """UNSET, an extension: removes what the base or the stage declared with the instruction `kind`.

    `kind` is VOLUME, EXPOSE or LABEL. Without `names` everything of that kind is removed.
    """

    kind: str
    names: tuple[str, ...] = ()


@frozen
class MaintainerInstruction(Instruction):
    maintainer: str


@frozen
class Stage:
    """A FROM and the instructions below it. `name` is lower case, empty if the stage has none."""

    span: Span = field(eq=False, repr=False)
    text: str
    base: str
    name: str = ""
    platform: str = ""
    comment: str = ""
    commands: tuple[Instruction, ...] = ()


@frozen
class Dockerfile:
    """A parsed file: at least one stage. `escape` is its escape character.

    `extended` files may use pybuild's extensions of the syntax; `included` are the files that they INCLUDE.
    """

    source: Source = field(eq=False, repr=False)
    meta_args: tuple[ArgInstruction, ...]
    stages: tuple[Stage, ...]
    escape: str = "\\"
    extended: bool = False
    included: tuple[Source, ...] = field(default=(), eq=False, repr=False)

    def wrote(self, instruction: Instruction) -> bool:
        """True if the instruction stands in the file or in one it includes, false for triggers of a base image."""
        return any(instruction.span.source is one for one in (self.source, *self.included))
