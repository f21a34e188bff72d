"""Converts COPY and ADD to `copy` and `write`: each source by what is known of it.

    known file            "a.txt" to "/d/"
    known directory       "src/" to "/d/", as COPY takes the contents
    anything else         "x/" to "/d/" or "x" to "/d", follow=true: both take a directory's contents, a file, and
                          the target of a link
    pattern of files      the pattern if the language too keeps only the names, else `glob(…)`
    other pattern         the paths that match, written out
    --parents a/./b/c     "a/[b]/c": a pattern keeps what it matches, with the directories from its first wildcard on

A source with options of its own becomes a statement of its own.
"""

from __future__ import annotations

import posixpath
import re

from attrs import frozen

from pybuild.lang.convert import problems
from pybuild.lang.convert.mounts import state_of
from pybuild.lang.convert.surroundings import ARCHIVE, DIRECTORY, FILE
from pybuild.lang.convert.values import Value, joined, known, literal, string, strings, written
from pybuild.lang.dockerfile.wildcard import bracketed, has_wildcard, match

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction
    from pybuild.lang.source import Span

PIVOT: Final = "/./"
_OCTAL: Final = re.compile("[0-7]+")
_OWNER: Final = re.compile(r"[^\s:]+(?::[^\s:]+)?")


@frozen
class CopySource:
    """A source as expressions, the options it needs, and its destination if that isn't the instruction's."""

    codes: tuple[str, ...]
    options: tuple[str, ...] = ()
    dest: Value | None = None


def copy_files(stage: Stage, instruction: CopyInstruction) -> None:
    """Convert the paths of a COPY. Raises SourceError."""
    span = instruction.span
    state = _state(stage, instruction)
    shared = shared_options(stage, instruction, excludes=() if instruction.parents else instruction.excludes)
    dest = destination(stage, instruction.dest, span)
    context = Context(stage, span, foreign=bool(state), excludes=instruction.excludes)
    taken = []
    for source in instruction.sources:
        path = stage.value(source, span)
        if instruction.parents:
            taken += context.with_parents(path, dest, optional=instruction.optional)
        else:
            taken.append(context.taken(path, dest, optional=instruction.optional))
    keeps = state and not instruction.chown and context.owners(instruction.from_stage)
    add_copies(stage, taken, state, dest, ['owner="keep"', *shared] if keeps else shared)
    stage.owners = stage.owners or bool(instruction.chown) or bool(keeps)


def _state(stage: Stage, instruction: CopyInstruction) -> str:
    """Return the state that is copied from, "" for the context."""
    name = instruction.from_stage
    if not name:
        return ""
    if "$" in name:
        name = stage.text(name, instruction.span, "a stage that is named")
    if re.fullmatch(r"[+]?[0-9]+", name):
        targets, number = stage.shared.targets, int(name)
        if number >= len(targets) or targets[number] is stage:
            raise problems.unknown_stage(name, instruction.span)
        return targets[number].name
    return state_of(stage, name)


def add_copies(
    stage: Stage, taken: Sequence[CopySource], state: str, dest: Value, shared: Sequence[str]
) -> None:
    """Add the statements. Sources with equal options and the same directory as destination share one."""
    groups: list[CopySource] = []
    for source in taken:
        last = groups[-1] if groups else None
        to = dest if source.dest is None else source.dest
        together = last is not None and (last.options, last.dest) == (source.options, to)
        if last is not None and together and ends_in_slash(to):
            groups[-1] = CopySource((*last.codes, *source.codes), source.options, to)
        else:
            groups.append(CopySource(source.codes, source.options, to))
    for group in groups:
        assert group.dest is not None
        origin = f" from {state}" if state else ""
        text = f"copy {', '.join(group.codes)}{origin} to {written(group.dest)}"
        stage.add(", ".join((text, *shared, *group.options)))
    into = known(dest)
    if into is not None and into.startswith("/") and into.endswith("/"):
        stage.enters(into)


def ends_in_slash(dest: Value) -> bool:
    return bool(dest) and isinstance(dest[-1], str) and dest[-1].endswith("/")


def destination(stage: Stage, text: str, span: Span) -> Value:
    """Return the destination, with a `/` at its end if it is certainly a directory."""
    value = stage.value(text, span)
    path = known(value)
    if path in ("", "."):
        return literal("./")
    if path is not None and path.endswith("/."):
        return literal(path[:-1])
    if path is not None and path in stage.directories:
        return literal(f"{path.rstrip('/')}/")
    return value


def shared_options(
    stage: Stage, instruction: CopyInstruction | AddInstruction, *, excludes: Sequence[str]
) -> list[str]:
    """Return the options that all statements of an instruction have. Raises SourceError."""
    span = instruction.span
    out = []
    if instruction.chown:
        owner = stage.value(instruction.chown, span)
        owner_text = known(owner)
        if owner_text is not None and not _OWNER.fullmatch(owner_text):
            owner = literal(":".join(part or "0" for part in owner_text.split(":", 1)) or "0")
        if known(owner) not in ("0:0", "root:root"):
            out.append(f"owner={written(owner)}")
    if instruction.chmod:
        out.append(f"mode={mode(stage, instruction.chmod, span)}")
    if excludes:
        out.append(f"exclude={strings(excludes)}")
    if instruction.link and not instruction.chmod:
        out.append("link=true")
    return out


def mode(stage: Stage, text: str, span: Span) -> str:
    """Return an octal mode as a number, a symbolic one as a string. Raises SourceError."""
    mode_text = stage.text(text, span, "a mode")
    return f"0o{int(mode_text, 8):o}" if _OCTAL.fullmatch(mode_text) else string(mode_text)


class Context:
    """The sources of one instruction.

    `foreign` sources are of another state than the context, of which nothing is known. `excludes` are the patterns
    that the instruction leaves out.
    """

    def __init__(self, stage: Stage, span: Span, *, foreign: bool, excludes: Sequence[str] = ()) -> None:
        self._stage = stage
        self._excludes = excludes
        self._span = span
        self._foreign = foreign
        self._surroundings = stage.shared.surroundings

    def owners(self, name: str) -> bool:
        """True if files of a stage may belong to others than root."""
        stage = self._stage.shared.stages.get(name.lower())
        return stage is None or stage.owners

    def taken(self, path: Value, dest: Value, *, optional: bool = False) -> CopySource:
        """Convert a source without `--parents`."""
        text = known(path)
        if text is not None and ".." in text.split("/"):
            text = posixpath.normpath("/" + text).lstrip("/") + ("/" if text.endswith("/") else "")
            path = literal(text)
        options = _optional(optional)
        if text is not None and has_wildcard(text):
            return self._pattern(text.replace("**", "*"), dest)
        kind = None if text is None or self._foreign else self._kind(text)
        if text is not None and posixpath.normpath("/" + text).strip("/") in ("", "."):
            return CopySource((string("." if not self._foreign else "/"),), options)
        if kind in (FILE, ARCHIVE):
            return CopySource((written(path),), options)
        if kind is None and not self._foreign and ends_in_slash(dest) and not ends_in_slash(path):
            return CopySource((self._guessed(path),), options)
        if ends_in_slash(dest) or kind == DIRECTORY:
            # A trailing slash takes a directory's contents and follows a link.
            ended = path if ends_in_slash(path) or not ends_in_slash(dest) else joined((*path, "/"))
            return CopySource((written(ended),), options)
        follow = () if ends_in_slash(path) else ("follow=true",)
        return CopySource((written(path),), (*follow, *options))

    def _guessed(self, path: Value) -> str:
        """Convert a path that doesn't exist: a file if its name has an extension, else a directory."""
        name = "".join(piece for piece in path if isinstance(piece, str)).rpartition("/")[2]
        file = "." in name.strip(".")
        shown, kind = written(path), "a file" if file else "a directory"
        self._stage.differs(f"{shown} isn't in the context, and taken for {kind}", self._span)
        return shown if file else written(joined((*path, "/")))

    def _kind(self, text: str) -> str | None:
        return self._surroundings.kind(posixpath.normpath("/" + text).lstrip("/"))

    def _pattern(self, pattern: str, dest: Value) -> CopySource:
        """Convert a pattern. In COPY it stands for the contents of directories, and for files by their names
        alone."""
        pattern = posixpath.normpath(pattern)
        simple = not has_wildcard(posixpath.dirname(pattern))
        paths = None if self._foreign else self._surroundings.matches(pattern.lstrip("/"))
        if paths is None:
            return self._unseen(pattern, dest, simple=simple)
        kinds = {self._kind(path) for path in paths}
        files = kinds <= {FILE, ARCHIVE}
        if not ends_in_slash(dest):
            if len(paths) == 1 and files:
                return CopySource((f"glob({string(pattern)})[0]",), dest=dest)
            if len(paths) > 1:
                help = "end the destination with a `/`"
                raise problems.not_expressible("several files that become one", self._span, help)
        into = dest if ends_in_slash(dest) else joined((*dest, "/"))
        if files:
            option = () if paths else ("optional=true",)
            # Excludes don't apply to a file that is named itself, and `glob` names each file that matches.
            code = string(pattern) if simple and not self._excludes else f"glob({string(pattern)})"
            return CopySource((code,), option, into)
        self._stage.differs(f"what {pattern} matches is written out", self._span)
        codes = [string(plain(path) + ("" if self._kind(path) in (FILE, ARCHIVE) else "/")) for path in paths]
        return CopySource(tuple(codes), dest=into)

    def _unseen(self, pattern: str, dest: Value, *, simple: bool) -> CopySource:
        """Convert a pattern whose matches aren't known."""
        if not ends_in_slash(dest):
            help = "name the file, or end the destination with a `/`"
            raise problems.not_expressible("a pattern that becomes a file", self._span, help)
        if simple:
            self._stage.differs("directories that match keep their names, and links stay links", self._span)
        else:
            self._stage.differs("what matches keeps its path behind the pattern's beginning", self._span)
        return CopySource((string(pattern),), ("optional=true",))

    def with_parents(self, path: Value, dest: Value, *, optional: bool) -> list[CopySource]:
        """Convert a source that keeps its parent directories, from the root or from a `/./` in it."""
        text = known(path)
        into = dest if ends_in_slash(dest) else joined((*dest, "/"))
        if text is None:
            if any(isinstance(piece, str) and PIVOT in piece for piece in path):
                help = "write the path out"
                raise problems.not_expressible("an argument beside `/./`", self._span, help)
            return [
                CopySource(
                    (written(path),), ("parents=true", *self._left_out(""), *_optional(optional)), into
                )
            ]
        start, pivot, tail = text.partition(PIVOT) if PIVOT in text else ("", "", text)
        tail = posixpath.normpath("/" + tail).lstrip("/")
        if not tail:
            help = "BuildKit copies nothing here; leave --parents out to copy what is in the directory"
            raise problems.not_expressible("--parents of a whole directory", self._span, help)
        option = _optional(optional or has_wildcard(text))
        if not pivot:
            options = ("parents=true", *self._left_out(_split(text)[0]), *option)
            return [CopySource((written(path),), options, into)]
        named = None if self._foreign else self._kind(f"{start}/{tail}")
        if "/" in tail or self._excludes or named != FILE:
            # What a pattern matches keeps its path, and directories get their attributes also where they exist.
            tail = tail if has_wildcard(tail.partition("/")[0]) else bracketed(f"/{tail}")[1:]
        excluded = (f"exclude={strings(self._excludes)}",) if self._excludes else ()
        codes = tuple(string(posixpath.normpath(f"{each}/{tail}")) for each in self._starts(start))
        return [CopySource(codes, (*excluded, *option), into)] if codes else []

    def _left_out(self, start: str) -> tuple[str, ...]:
        left_out = relative_excludes(self._excludes, start)
        return (f"exclude={strings(left_out)}",) if left_out else ()

    def _starts(self, start: str) -> list[str]:
        """Return the directories before a `/./`. Raises SourceError for a pattern whose matches aren't known."""
        if not has_wildcard(start):
            return [start]
        paths = None if self._foreign else self._surroundings.matches(posixpath.normpath(start).lstrip("/"))
        if paths is None or any(self._kind(path) != DIRECTORY for path in paths):
            help = "write the directories before `/./` out"
            raise problems.not_expressible("a pattern before `/./`", self._span, help)
        self._stage.differs(f"what {start} matches is written out", self._span)
        return [plain(path) for path in paths]


def _optional(optional: bool) -> tuple[str, ...]:
    return ("optional=true",) if optional else ()


def _split(path: str) -> tuple[str, str]:
    """Split a path before its first component with a wildcard."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if has_wildcard(part):
            return "/".join(parts[:number]), "/".join(parts[number:])
    return path, ""


def relative_excludes(patterns: Sequence[str], start: str) -> list[str]:
    """Make patterns relative to `start` instead of the root, without those that match nothing below it."""
    names = [name for name in start.split("/") if name not in ("", ".")]
    out = []
    for pattern in patterns:
        mark = "!" if pattern.startswith("!") else ""
        parts = pattern.removeprefix("!").strip("/").split("/")
        if "**" in parts[: len(names)]:
            out.append(pattern)
        elif len(parts) > len(names) and all(map(match, parts, names)):
            out.append(mark + "/".join(parts[len(names) :]))
    return out


def plain(path: str) -> str:
    """Escape the wildcards of a path."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)
