"""Extensions of the Dockerfile syntax that a file enables with `# syntax=pybuild/dockerfile:1`.

    INCLUDE path             the instructions of another file of the main context, in its place
    UNSET VOLUME|EXPOSE|LABEL [name…]
    ENV --file=path          variables from a file of the main context
    COPY --optional          sources that don't exist are left out
    COPY --from=$VARIABLE    a stage or an image by the value of an argument of global scope

Under the standard syntax each is an error that names the opt-in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, UserError
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.flags import read_flags
from pybuild.lang.dockerfile.instructions import UnsetInstruction
from pybuild.lang.dockerfile.nodes import Node

INSTRUCTIONS = ("include", "unset")
UNSET_KINDS = ("VOLUME", "EXPOSE", "LABEL")
DEEPEST = 16
"""The deepest nesting of INCLUDE."""

ReadFile = Callable[[str], bytes]
"""Reads a file of the main context by its path. Raises FileNotFoundError."""

NodesOf = Callable[[str, bytes], Sequence[Node]]


@frozen
class Chain:
    """The INCLUDEs that lead to a file, outermost first, with the paths they name."""

    nodes: tuple[Node, ...] = ()
    paths: tuple[str, ...] = ()


def parse_unset(node: Node) -> UnsetInstruction:
    """Parse an UNSET instruction. Raises SourceError."""
    read_flags(node)
    if not node.words or node.words[0].text.upper() not in UNSET_KINDS:
        raise node.error(
            "UNSET takes VOLUME, EXPOSE or LABEL, and names",
            node.words[0] if node.words else None,
            help="write UNSET VOLUME /path, or UNSET VOLUME for all",
        )
    kind, *names = (word.text for word in node.words)
    return UnsetInstruction(node.span, node.text, kind.upper(), tuple(names))


def splice(nodes: Sequence[Node], read: ReadFile, nodes_of: NodesOf, chain: Chain = Chain()) -> list[Node]:
    """Replace each INCLUDE with the nodes of the file it names. `nodes_of` parses a file, from its path and bytes.

    Raises SourceError for a file that is missing, is no text, or includes itself.
    """
    out: list[Node] = []
    for node in nodes:
        if node.name.text.lower() != "include":
            out.append(node)
            continue
        path = _path(node)
        further = Chain((*chain.nodes, node), (*chain.paths, path))
        if path in chain.paths:
            raise _circle(further)
        if len(further.nodes) > DEEPEST:
            raise node.error(f"INCLUDE goes deeper than {DEEPEST} files")
        out.extend(splice(nodes_of(path, _data(node, path, read)), read, nodes_of, further))
    return out


def _path(node: Node) -> str:
    read_flags(node)
    if len(node.words) != 1:
        raise node.error("INCLUDE takes one path", help="write INCLUDE path/of/file")
    path = node.words[0].text
    if "$" in path:
        raise node.error(
            "variable expansion is not supported for INCLUDE",
            node.words[0],
            help="the file is read before any variable has a value",
        )
    return path


def _data(node: Node, path: str, read: ReadFile) -> bytes:
    try:
        return read(path)
    except FileNotFoundError:
        raise node.error(
            f"{printable(path)} is not in the build context",
            node.words[0],
            help="paths of INCLUDE start at the context's root, and lead to a file",
        ) from None
    except UserError as error:
        if not error.diagnostic.labels:
            error.diagnostic = error.diagnostic.at(node.place(node.words[0]))
        raise


def _circle(chain: Chain) -> SourceError:
    *outer, last = chain.nodes
    first = outer[chain.paths.index(chain.paths[-1])]
    labels = [Label(last.place(), "leads back"), Label(first.place(), "first here", primary=False)]
    return SourceError(Diagnostic(f"{printable(chain.paths[-1])} includes itself", labels=labels))
