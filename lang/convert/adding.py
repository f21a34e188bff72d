"""Converts ADD (files of the context, archives, downloads) and the heredocs of COPY and ADD."""

from __future__ import annotations

import posixpath
import re

from pybuild.lang.convert import problems
from pybuild.lang.convert.bases import SCRATCH
from pybuild.lang.convert.copying import (
    Context,
    CopySource,
    add_copies,
    copy_files,
    destination,
    ends_in_slash,
    plain,
    shared_options,
)
from pybuild.lang.convert.scripts import MARGIN, block
from pybuild.lang.convert.surroundings import ARCHIVE, FILE
from pybuild.lang.convert.values import Value, joined, known, literal, raw, string, written
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction
from pybuild.lang.dockerfile.wildcard import has_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.convert.surroundings import Repository
    from pybuild.lang.dockerfile.instructions import Heredoc

_SHA256: Final = re.compile("sha256:([0-9a-f]{64})")
_COMMIT: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_DOWNLOADED_MODE: Final = "0o600"


def copy_instruction(stage: Stage, instruction: CopyInstruction) -> None:
    """Convert a COPY. Raises SourceError."""
    if instruction.sources:
        copy_files(stage, instruction)
    _write_heredocs(stage, instruction)


def add_instruction(stage: Stage, instruction: AddInstruction) -> None:
    """Convert an ADD. Raises SourceError."""
    span = instruction.span
    dest = destination(stage, instruction.dest, span)
    shared = shared_options(stage, instruction, excludes=instruction.excludes)
    context = Context(stage, span, foreign=False)
    local: list[CopySource] = []
    for source in instruction.sources:
        path = stage.value(source, span)
        state = _fetched(stage, instruction, path)
        if state is None:
            local += _unpacked(stage, instruction, context, path, dest)
            continue
        add_copies(stage, local, "", dest, shared)
        local = []
        code, origin, unpack = state
        add_copies(stage, [CopySource((code,), unpack)], origin, dest, shared)
    add_copies(stage, local, "", dest, shared)
    _write_heredocs(stage, instruction)


def _unpacked(
    stage: Stage, instruction: AddInstruction, context: Context, path: Value, dest: Value
) -> list[CopySource]:
    """Convert a source from the context."""
    text = known(path)
    if instruction.unpack is False:
        return [context.taken(path, dest)]
    if text is not None and has_wildcard(text):
        into = dest if ends_in_slash(dest) else joined((*dest, "/"))
        pattern = posixpath.normpath("/" + text).lstrip("/")
        paths = stage.shared.surroundings.matches(pattern) or ()
        if {stage.shared.surroundings.kind(each) for each in paths} <= {FILE, ARCHIVE}:
            return [CopySource((string(text),), (*_unpack(instruction), "optional=true"), into)]
        stage.differs(f"what {pattern} matches is written out", instruction.span)
        plains = (literal(plain(each)) for each in paths)
        return [each for one in plains for each in _unpacked(stage, instruction, context, one, into)]
    kind = None if text is None else stage.shared.surroundings.kind(text.strip("/"))
    taken = context.taken(path, dest)
    if kind not in (None, ARCHIVE) or taken.codes == ('"."',):
        return [taken]
    return [CopySource(taken.codes, (*_unpack(instruction), *taken.options), taken.dest)]


def _unpack(instruction: AddInstruction) -> tuple[str, ...]:
    """Return the options of a copy that unpacks. Files of an archive keep the owners it records, unless ADD sets
    one."""
    return ("unpack=true",) if instruction.chown else ("unpack=true", 'owner="keep"')


def _fetched(
    stage: Stage, instruction: AddInstruction, path: Value
) -> tuple[str, str, tuple[str, ...]] | None:
    """Return path, state and copy options of a source at an address; None for a source from the context."""
    surroundings = stage.shared.surroundings
    first = path[0] if path and isinstance(path[0], str) else ""
    is_address = "://" in first or known(path) is not None
    # Arguments in an address are replaced by any letter here: the kind of address doesn't depend on them.
    shown = "".join(piece if isinstance(piece, str) else "x" for piece in path)
    repository = surroundings.repository(shown) if is_address else None
    checksum = stage.text(instruction.checksum, instruction.span, "a checksum")
    if repository is not None:
        return '"/"', _repository(stage, instruction, path, repository, checksum), ()
    if not shown.startswith(("http://", "https://")):
        return None
    arguments = [written(path)]
    if checksum:
        match = _SHA256.fullmatch(checksum)
        if match is None:
            help = "the language knows sha256 only"
            raise problems.not_expressible(f"the checksum {checksum}", instruction.span, help)
        arguments.append(f"sha256={string(match[1])}")
    name = _download_name(stage, path)
    arguments += [f"name={written(name)}", f"mode={_DOWNLOADED_MODE}"]
    if known(path) is not None:
        arguments = [one for one in arguments if not one.startswith("name=")]
    unpack = _unpack(instruction) if instruction.unpack else ()
    return written(name), f"http({', '.join(arguments)})", unpack


def _download_name(stage: Stage, path: Value) -> Value:
    """Return the name of a downloaded file."""
    text = known(path)
    if text is not None:
        return literal(stage.shared.surroundings.download_name(text))
    name: list[object] = []
    for piece in path:
        if isinstance(piece, str) and "/" in re.split(r"[?#]", piece)[0]:
            name = [piece.rpartition("/")[2]]
        else:
            name.append(piece)
    return joined(name)  # type: ignore[arg-type]


def _repository(
    stage: Stage, instruction: AddInstruction, path: Value, repository: Repository, checksum: str
) -> str:
    if known(path) is None:
        help = "write the address out, or give it a stage of its own"
        raise problems.not_expressible("a repository by an argument", instruction.span, help)
    ref, commit = repository.ref, checksum or repository.checksum
    if commit and _COMMIT.fullmatch(commit):
        ref = commit
    elif commit:
        stage.differs(f"the commit isn't compared with {commit}", instruction.span)
    arguments = [string(repository.url)]
    if ref:
        arguments.append(f"ref={string(ref)}")
    if repository.subdir:
        arguments.append(f"subdir={string(repository.subdir)}")
    if not repository.submodules:
        arguments.append("submodules=false")
    if instruction.keep_git_dir or repository.keep_git:
        arguments.append("keep_git=true")
    return f"git({', '.join(arguments)})"


# Heredocs


def _write_heredocs(stage: Stage, instruction: CopyInstruction | AddInstruction) -> None:
    dest = destination(stage, instruction.dest, instruction.span)
    options = [
        option
        for option in shared_options(stage, instruction, excludes=())
        if option.startswith(("owner=", "mode="))
    ]
    for heredoc in instruction.heredocs:
        content = _content(stage, instruction, heredoc)
        if instruction.link and not instruction.chmod:
            _link(stage, content, heredoc.name, dest, shared_options(stage, instruction, excludes=()))
            continue
        name = joined((*dest, heredoc.name)) if ends_in_slash(dest) else dest
        stage.add(*_write(content, name, options))


def _content(stage: Stage, instruction: CopyInstruction | AddInstruction, heredoc: Heredoc) -> Value:
    if not heredoc.content.isascii() and any("\udc80" <= char <= "\udcff" for char in heredoc.content):
        raise problems.not_text(instruction.span)
    if not heredoc.expand:
        return literal(heredoc.content)
    return stage.value(heredoc.content, instruction.span, body=True)


def _link(stage: Stage, content: Value, name: str, dest: Value, options: Sequence[str]) -> None:
    """Write a file with `--link`: in a layer of its own, copied from a target that contains nothing else."""
    target = stage.shared.names.new(f"{stage.name}_file")
    rows = (f"from {SCRATCH}", *_write(content, literal(f"/{name}"), ()))
    stage.helpers.append((f"target {target}:", *(MARGIN + row if row else "" for row in rows)))
    add_copies(stage, [CopySource((string(f"/{name}"),))], target, dest, options)


def _write(content: Value, name: Value, options: Sequence[str]) -> tuple[str, ...]:
    """Return the rows of a statement that writes a file."""
    text = raw(content)
    rows = None if text is None else block(text)
    if rows is None:
        return (", ".join((f"write {written(content)} to {written(name)}", *options)),)
    opening = ", ".join((f"write to {written(name)}", *options))
    return (f"{opening}:", *(MARGIN + row if row else "" for row in rows))
