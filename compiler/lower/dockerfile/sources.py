"""What COPY and ADD take: each source with how it is copied.

Paths of a context or a stage are patterns whose symlinks are followed; what an ADD fetches and what a heredoc
holds is copied by its name. The rules are those of `dispatchCopy` in BuildKit's `dockerfile2llb`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pybuild.compiler.file_actions import Actions, clean, copy
from pybuild.compiler.giturl import GitRef, parse_git_ref
from pybuild.compiler.lower.paths import bracketed, unescaped, used_path
from pybuild.compiler.options import Options
from pybuild.compiler.remote import git_state
from pybuild.compiler.state import State, mkfile
from pybuild.compiler.urls import download_name, is_http
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, UserError, source_error
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction, Heredoc
from pybuild.lang.source import Span

Files = CopyInstruction | AddInstruction

PIVOT = "/./"
"""Stands in a source of --parents before the part whose directories are kept."""

_HEX = re.compile("[0-9a-fA-F]+")
_DIGEST = re.compile("[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_DIGEST_SIZES = {"sha256": 64, "sha384": 96, "sha512": 128}


@frozen
class Piece:
    """One source: `path` of `state` (None: of the context or stage that the instruction copies from)."""

    state: State | None
    path: str
    how: Mapping[str, Any]

    def after(self, chain: Actions | None, source: State, dest: str, how: Mapping[str, Any]) -> Actions:
        """The chain with this copy at its end; `how` is what all sources share."""
        add = copy if chain is None else chain.copy
        return add(self.state or source, self.path, dest, **self.how, **how)


def pieces(instruction: Files, name: str) -> list[Piece]:
    """All sources of an instruction, in order. `name` is what progress shows for a fetched one. Raises
    `SourceError`."""
    found = []
    refs = [parsed_ref(path, instruction.span) for path in instruction.sources]
    if isinstance(instruction, AddInstruction):
        _check_checksum(instruction, refs)
    for path, ref in zip(instruction.sources, refs, strict=True):
        if ref is None and not is_http(path):
            found.append(_local(path, instruction))
        elif isinstance(instruction, CopyInstruction):
            raise source_error(
                f"source can't be a {'URL' if ref is None else 'git ref'} for COPY",
                instruction.span,
                help="COPY takes files of the build context or, with --from, of a stage or an image; ADD fetches",
            )
        else:
            found.append(
                _download(path, instruction, name) if ref is None else _clone(ref, instruction, name)
            )
    return [*found, *map(_inline, instruction.heredocs)]


def local_paths(instruction: Files) -> list[str]:
    """The sources that are paths of the context or stage."""
    return [
        path
        for path in instruction.sources
        if not is_http(path) and parsed_ref(path, instruction.span) is None
    ]


def parsed_ref(path: str, span: Span) -> GitRef | None:
    """The repository a source means; one that looks like a path is a path. Raises `SourceError`."""
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
    """The path of a source that may be missing: one without wildcards is no pattern then, which with
    `empty_wildcard` may match nothing here (BuildKit copies it, and fails where it is missing). A pattern begins
    with its first name, because directories before one must exist."""
    if not _has_wildcards(path):
        how["wildcard"] = False
        return unescaped(path)
    return path if _has_wildcards(path[1:].partition("/")[0]) else bracketed(path)


def _split_at_pivot(path: str) -> tuple[str, str]:
    """Where the copy starts and, absolute from there, what it takes."""
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
    given = instruction.checksum
    if given and ref.checksum and given != ref.checksum:
        raise source_error(
            f'checksum mismatch "{printable(given)}" != "{printable(ref.checksum)}"',
            span,
            help="give --checksum or the address's checksum, not both",
        )
    checksum = given or ref.checksum
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
    """Go-digest's rules, and its words."""
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
