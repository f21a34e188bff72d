"""Parses COPY and ADD: paths, heredocs and a destination.

The reference is BuildKit's `frontend/dockerfile/instructions/parse.go`.
"""

from __future__ import annotations

import re

from attrs import evolve

from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.flags import read_flags
from pybuild.lang.dockerfile.heredocs import is_heredoc, parse_heredoc
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction, Heredoc
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import Warn

_ALONE = re.compile("[0-9]*<<")


def _files(node: Node) -> tuple[tuple[str, ...], str, tuple[Heredoc, ...]]:
    """Return the source paths, the destination and the heredocs of COPY or ADD."""
    words = _joined(node)
    if len(words) < 2:
        raise node.error(
            f"{node.keyword} requires at least two arguments, the last of which is the destination",
            node.rest if words else None,
            buildkit=f"{node.keyword} requires at least two arguments, but only one was provided. "
            "Destination could not be determined",
        )
    *sources, dest = words
    if is_heredoc(dest.text):
        raise node.error(
            f"the destination of {node.keyword} cannot be a heredoc",
            dest,
            buildkit=f"{node.keyword} cannot accept a heredoc as a destination",
        )
    bodies = {heredoc.name: heredoc.content for heredoc in node.heredocs}
    paths: list[str] = []
    heredocs: list[Heredoc] = []
    for source in sources:
        heredoc = parse_heredoc(source.text)
        if heredoc is None:
            paths.append(source.text)
        else:
            heredoc = evolve(heredoc, content=bodies.get(heredoc.name, ""))
            heredocs.append(evolve(heredoc, content=heredoc.body))
    return tuple(paths), dest.text, tuple(heredocs)


def _joined(node: Node) -> list[Word]:
    """Return the words, with each `<<` that is a word of its own joined to its heredoc's name."""
    names = {heredoc.name for heredoc in node.heredocs}
    words: list[Word] = []
    for word in node.words:
        if words and _ALONE.fullmatch(words[-1].text):
            heredoc = parse_heredoc(words[-1].text + word.text)
            if heredoc is not None and heredoc.name in names:
                mark = words.pop()
                word = Word(mark.text + word.text, mark.start, word.end)
        words.append(word)
    return words


def parse_copy(node: Node, warn: Warn) -> CopyInstruction:
    sources, dest, heredocs = _files(node)
    flags = read_flags(
        node,
        ("from", "chown", "chmod"),
        switches=("link", "parents", "optional"),
        repeated=("exclude",),
        extensions=("optional",),
    )
    return CopyInstruction(
        node.span,
        node.text,
        sources,
        dest,
        heredocs,
        from_stage=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.switch("link")),
        parents=bool(flags.switch("parents")),
        excludes=tuple(word.text for word in flags.all("exclude")),
        optional=bool(flags.switch("optional")),
    )


def parse_add(node: Node, warn: Warn) -> AddInstruction:
    sources, dest, heredocs = _files(node)
    flags = read_flags(
        node,
        ("chown", "chmod", "checksum"),
        switches=("link", "keep-git-dir", "unpack"),
        repeated=("exclude",),
    )
    return AddInstruction(
        node.span,
        node.text,
        sources,
        dest,
        heredocs,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=bool(flags.switch("link")),
        excludes=tuple(word.text for word in flags.all("exclude")),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.switch("keep-git-dir"),
        unpack=flags.switch("unpack"),
    )
