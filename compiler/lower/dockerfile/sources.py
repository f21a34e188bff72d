"""Sources of COPY and ADD, with the options of their copies.

Paths of a context or a stage are patterns, and symlinks in them are followed. Downloads and heredocs are copied by
name. The rules are those of `dispatchCopy` in BuildKit's `dockerfile2llb`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pybuild.compiler.file_actions import Actions, clean, copy
from pybuild.compiler.giturl import GitRef, parse_git_ref
from pybuild.compiler.lower.paths import unescaped, used_path
from pybuild.compiler.options import Options
from pybuild.compiler.remote import git_state
from pybuild.compiler.state import State, mkfile
from pybuild.compiler.urls import download_name, is_http
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, UserError, source_error
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction, Heredoc
from pybuild.lang.dockerfile.wildcard import bracketed
from pybuild.lang.source import Span

Files = CopyInstruction | AddInstruction

PIVOT = "/./"
"""The mark in a source of --parents after which directories are kept."""

_HEX = re.compile("[0-9a-fA-F]+")
_DIGEST = re.compile("[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_DIGEST_SIZES = {"sha256": 64, "sha384": 96, "sha512": 128}


@frozen
class Piece:
    """A source: `path` of `state` (None: the context or stage that the instruction copies from), and its copy
    options."""

    state: State | None
    path: str
    how: Mapping[str, Any]

    def after(self, chain: Actions | None, source: State, dest: str, how: Mapping[str, Any]) -> Actions:
        """Append this copy to a chain; `how` are the options that all sources share."""
        add = copy if chain is None else chain.copy
        return add(self.state or source, self.path, dest, **self.how, **how)


def pieces(instruction: Files, name: str) -> list[Piece]:
    """Return the sources of an instruction, in order. Progress shows `name` for downloads. Raises `SourceError`."""
    out = []
    refs = [parsed_ref(path, instruction.span) for path in instruction.sources]
    if isinstance(instruction, AddInstruction):
        _check_checksum(instruction, refs)
    for path, ref in zip(instruction.sources, refs, strict=True):
        if ref is None and not is_http(path):
            out.append(_local(path, instruction))
        elif isinstance(instruction, CopyInstruction):
            raise source_error(
                f"source can't be a {'URL' if ref is None else 'git ref'} for COPY",
                instruction.span,
                help="COPY takes files of the build context or, with --from, of a stage or an image; ADD fetches",
            )
        else:
            out.append(_download(path, instruction, name) if ref is None else _clone(ref, instruction, name))
    return [*out, *map(_inline, instruction.heredocs)]


def local_paths(instruction: Files) -> list[str]:
    """Return the sources that are paths of the context or stage."""
    return [
        path
        for path in instruction.sources
        if not is_http(path) and parsed_ref(path, instruction.span) is None
    ]


def parsed_ref(path: str, span: Span) -> GitRef | None:
    """Return the repository that a source names; None for a path, and for a text that could be one. Raises
    `SourceError`."""
    try:
        ref = parse_git_ref(path)
    except UserError as error:
        diagnostic = error.diagnostic
        placed = Diagnostic(diagnostic.title, labels=[Label(span)], notes=diagnostic.notes)
        raise SourceError(placed) from None
    return None if ref is None or ref.indistinguishable_from_local else ref


def _local(path: str, instruction: Files) -> Piece:
    how: dict[str, Any] = {
        "follow_symlinks": True,
        "contents_only": True,
        "create_dest_path": True,
        "wildcard": True,
        "empty_wildcard": True,
    }
    if isinstance(instruction, AddInstruction):
        how["unpack"] = instruction.unpack is not False
    elif instruction.parents:
        path, pattern = _split_at_pivot(path)
        how["include"] = (pattern.removeprefix("/"),)
        if not (instruction.optional or _has_wildcards(path) or _has_wildcards(pattern)):
            how["required_paths"] = (clean(f"/{path}/{pattern}"),)
    path = used_path(path)
    if isinstance(instruction, CopyInstruction) and instruction.optional:
        path = _optional(path, how)
    return Piece(None, path, how)


def _optional(path: str, how: dict[str, Any]) -> str:
    """Return the path of a source that may be missing.

    A path without wildcards isn't copied as a pattern, so that this builder lets it match nothing (`empty_wildcard`);
    BuildKit fails if it is missing. A pattern gets brackets in its first name, because directories before the first
    wildcard must exist.
    """
    if not _has_wildcards(path):
        how["wildcard"] = False
        return unescaped(path)
    return path if _has_wildcards(path[1:].partition("/")[0]) else bracketed(path)


def _split_at_pivot(path: str) -> tuple[str, str]:
    """Split a source of --parents into the directory that the copy starts at and the absolute path from there."""
    start, pivot, pattern = path.partition(PIVOT)
    if not pivot:
        start, pattern = "/", path
    return start, pattern if pattern.startswith("/") else clean("/" + pattern)


def _has_wildcards(path: str) -> bool:
    return bool(re.search(r"[*?\[]", re.sub(r"(?s)\\.", "", path)))


def _download(url: str, instruction: AddInstruction, name: str) -> Piece:
    if instruction.checksum:
        _check_digest(instruction.checksum, instruction.span)
    filename = download_name(url)
    options = Options(name=name, spans=(instruction.span,))
    state = State.http(url, checksum=instruction.checksum, filename=filename, options=options)
    return Piece(state, filename, {"create_dest_path": True, "unpack": bool(instruction.unpack)})


def _clone(ref: GitRef, instruction: AddInstruction, name: str) -> Piece:
    span, keep = instruction.span, instruction.keep_git_dir
    if keep is not None and ref.keep_git_dir is not None and keep != ref.keep_git_dir:
        raise source_error(
            "inconsistent keep-git-dir configuration",
            span,
            help="give --keep-git-dir or the address's keep-git-dir, not both",
        )
    flag = instruction.checksum
    if flag and ref.checksum and flag != ref.checksum:
        raise source_error(
            f'checksum mismatch "{printable(flag)}" != "{printable(ref.checksum)}"',
            span,
            help="give --checksum or the address's checksum, not both",
        )
    checksum = flag or ref.checksum
    if checksum and not _HEX.fullmatch(checksum):
        raise source_error(
            f"invalid checksum {printable(checksum)} for Git source, expected hex commit hash",
            span,
            help="give the commit's hash, or how it begins",
        )
    state = git_state(ref, name, keep_git_dir=bool(keep), checksum=checksum, spans=(span,))
    return Piece(state, "/", {"create_dest_path": True})


def _inline(heredoc: Heredoc) -> Piece:
    data = heredoc.content.encode(errors="surrogateescape")
    options = Options(name="[internal] preparing inline document")
    state = State.scratch().file(mkfile(heredoc.name, data, mode=0o644), options=options)
    return Piece(state, "/" + heredoc.name, {"create_dest_path": True})


def _check_checksum(instruction: AddInstruction, refs: list[GitRef | None]) -> None:
    if not instruction.checksum:
        return
    if len(instruction.sources) != 1:
        problem = "checksum can't be specified for multiple sources"
        raise source_error(problem, instruction.span, help="write one ADD for each of them")
    if refs[0] is None and not is_http(instruction.sources[0]):
        raise source_error(
            "checksum requires HTTP(S) or Git sources",
            instruction.span,
            help="leave --checksum out: files of the context are compared by their content anyway",
        )


def _check_digest(text: str, span: Span) -> None:
    """Check a digest by the rules of go-digest, with its messages. Raises `SourceError`."""
    algorithm, _, encoded = text.partition(":")
    size = _DIGEST_SIZES.get(algorithm)
    problem = ""
    if not _DIGEST.fullmatch(text):
        problem = "invalid checksum digest format"
    elif size is None:
        problem = "unsupported digest algorithm"
    elif len(encoded) != size:
        problem = "invalid checksum digest length"
    elif not re.fullmatch("[0-9a-f]+", encoded):
        problem = "invalid checksum digest format"
    if problem:
        raise source_error(
            f"{problem}: {printable(text)}", span, help="write --checksum=sha256: and 64 digits 0-9a-f"
        )
