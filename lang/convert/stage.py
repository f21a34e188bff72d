"""A stage during its conversion: the state after its instructions so far, and the statements of its target."""

from __future__ import annotations

import posixpath

from attrs import define, field, frozen

from pybuild.lang.convert import problems
from pybuild.lang.convert.expansion import Unknown, Variable, Words
from pybuild.lang.convert.scripts import DEFAULT_SHELL, MARGIN
from pybuild.lang.convert.values import Native, Value, joined, known, literal, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.convert.arguments import Arguments
    from pybuild.lang.convert.names import Names
    from pybuild.lang.convert.surroundings import Surroundings
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.source import Span


@frozen
class Row:
    """A statement: its `lines`. For a command, `options` are those that set the arguments in force."""

    lines: tuple[str, ...]
    options: tuple[str, ...] | None = None


@define(eq=False)
class Shared:
    """The state that all stages of a file share.

    `globals` are arguments of global scope, `stages` the finished stages by name, `targets` all stages in order.
    """

    dockerfile: Dockerfile
    surroundings: Surroundings
    arguments: Arguments
    words: Words
    names: Names
    globals: dict[str, Variable] = field(factory=dict)
    stages: dict[str, Stage] = field(factory=dict)
    targets: list[Stage] = field(factory=list)
    differences: list[Diagnostic] = field(factory=list)


@define(eq=False)
class Stage:
    """A stage.

    `variables` are expanded in words, `shell` runs scripts. `whole`: the environment of the base image is known.
    `user` and `cwd` are those in force, None if the base image decides. `owners`: files may belong to others than
    root. `directories` are paths known to be directories. `triggers` are those that the image would have,
    `base_triggers` those of the base. `helpers` are the rows of targets that this one takes files from. `comments`
    and `remarks` are for the next statement.
    """

    shared: Shared
    name: str
    rows: list[Row] = field(factory=list)
    variables: dict[str, Variable] = field(factory=dict)
    shell: tuple[str, ...] = DEFAULT_SHELL
    whole: bool = True
    user: str | None = ""
    owners: bool = False
    directories: frozenset[str] = frozenset({"/"})
    cwd: Value | None = ("/",)
    triggers: list[str] = field(factory=list)
    base_triggers: tuple[str, ...] = ()
    helpers: list[tuple[str, ...]] = field(factory=list)
    remarks: list[str] = field(factory=list)
    comments: list[str] = field(factory=list)

    # Words

    def value(
        self, text: str, span: Span, *, native: bool = False, lenient: bool = False, body: bool = False
    ) -> Value:
        """Expand a word or the `body` of a heredoc. Raises SourceError.

        `native`: the language expands `$NAME` itself. `lenient`: a name that the base image may set doesn't matter
        much.
        """
        unknown = Unknown(self.whole, native, lambda text: self.differs(text, span), lenient)
        return self.shared.words.expand(text, self.variables, unknown, span, body=body)

    def values(self, text: str, span: Span) -> list[Value]:
        """Expand a word and split it at white space. Raises SourceError."""
        unknown = Unknown(self.whole, False, lambda text: self.differs(text, span))
        return self.shared.words.split(text, self.variables, unknown, span)

    def code(self, text: str, span: Span) -> str:
        """Return a word as an expression of the language."""
        return written(self.value(text, span))

    def text(self, text: str, span: Span, what: str) -> str:
        """Return the text of a word, which has to be known. Raises SourceError."""
        known_text = known(self.value(text, span))
        if known_text is None:
            raise problems.not_expressible(f"{what} by an argument", span, "write it out")
        return known_text

    # Statements

    def differs(self, text: str, span: Span) -> None:
        """Remark at the next statement that it changes the meaning."""
        remark = f"# differs: {text}"
        if remark not in self.remarks:
            self.remarks.append(remark)
            self.shared.differences.append(problems.differs(text, span))

    def add(self, *lines: str) -> None:
        """Add a statement that is no command."""
        self.rows.append(Row(self._remarked(lines)))

    def command(self, lines: Sequence[str], options: Sequence[str] = ()) -> None:
        """Add a command with its own options, in the environment that arguments make."""
        if options:
            lines = [f"with {', '.join(options)}:", *(MARGIN + line if line else "" for line in lines)]
        self.rows.append(Row(self._remarked(lines), self._arguments()))

    def _remarked(self, lines: Sequence[str]) -> tuple[str, ...]:
        remarked = (*self.comments, *self.remarks, *lines)
        self.comments, self.remarks = [], []
        return remarked

    def _arguments(self) -> tuple[str, ...]:
        """Return options that pass the arguments in force to commands. An argument without a value isn't set."""
        set_, maybe = [], []
        for name, variable in self.variables.items():
            if variable.image:
                continue
            code = f"{name}={written(variable.value)}"
            if variable.unset:
                maybe.append(f'[env({code})] if {written(variable.value)} != "" else []')
            else:
                set_.append(code)
        return (*([f"env({', '.join(set_)})"] if set_ else []), *maybe)

    def set_variable(self, name: str, variable: Variable) -> None:
        self.variables.pop(name, None)
        self.variables[name] = variable

    def body(self) -> list[str]:
        """Return the rows of the body, commands with the same arguments in one block."""
        out: list[str] = []
        place = 0
        while place < len(self.rows):
            row = self.rows[place]
            end = self._block_end(place) if row.options else place + 1
            lines = [line for one in self.rows[place:end] for line in one.lines]
            if row.options:
                while lines and (not lines[0] or lines[0].startswith("#")):
                    out.append(lines.pop(0))
                for option in reversed(row.options):
                    lines = [f"with {option}:", *(MARGIN + line if line else "" for line in lines)]
            out += lines
            place = end
        return [*out, *self.comments, *self.remarks]

    def _block_end(self, start: int) -> int:
        """Return the end of a run of rows whose commands have the same options as the first."""
        options, end = self.rows[start].options, start + 1
        for place in range(start + 1, len(self.rows)):
            row_options = self.rows[place].options
            if row_options == options:
                end = place + 1
            elif row_options is not None:
                break
        return end

    def at(self, path: Value) -> Value | None:
        """Return a path relative to the working directory as an absolute one.

        None if the working directory isn't known, or is a variable of the language.
        """
        first = path[0] if path else ""
        if isinstance(first, str) and first.startswith("/"):
            return path
        if self.cwd is None or any(isinstance(piece, Native) for piece in self.cwd):
            return None
        cwd, text = known(self.cwd), known(path)
        if cwd is not None and text is not None:
            return literal(posixpath.normpath(posixpath.join(cwd, text)))
        below = "" if text is None else posixpath.normpath(text).removeprefix(".")
        rest: Value = path if text is None else (below,)
        return joined((*self.cwd, "/", *rest)) if below or text is None else self.cwd

    def enters(self, path: str) -> None:
        """Note that a path is a directory."""
        self.directories |= {path.rstrip("/") or "/"}
