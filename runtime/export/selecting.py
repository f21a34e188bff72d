r"""Sources of an `output` statement: the files that they name in a state (language spec, sections 12 and 22).

A source is a path from the state's root. One that ends in a slash is a directory's contents, the root's is so
always. In a pattern `*`, `?` and `[…]` match within a name, `**` any directories and at the end everything below; a
backslash makes the next character plain. What a pattern matches keeps its path after the directories that the pattern
names before its first wildcard. Links are entries like others, but on the way and before a slash at the end they are
followed.
"""

from __future__ import annotations

import os
import stat

from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.lang.dockerfile import wildcard
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.runtime.snapshots.types import Node, Tree

MANY = "**"


class NoSuchPath(UserError):
    """A source of an output names nothing in the result; `source` is as written."""

    def __init__(self, source: str, *, help: str | None = None) -> None:
        super().__init__(Diagnostic(f"`{source}` matches nothing in the result", code="R0002"), help=help)
        self.source = source


class Selected:
    """An entry of the state and its path relative to the destination: b"" is the destination itself, into
    which a directory's contents go."""

    __slots__ = ("node", "place")

    def __init__(self, node: Node, place: bytes) -> None:
        self.node = node
        self.place = place

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.node.stat.st_mode)


def selected(tree: Tree, sources: Sequence[str], *, into: bool) -> list[Selected]:
    """Return the entries that the sources name. With `into` each keeps its name; else there is exactly one
    source, a path, whose entry has the place b"". Raises UserError."""
    if not into and (len(sources) != 1 or wildcard.has_wildcard(sources[0])):
        raise UserError(
            "several files can't become one: the destination is not written as a directory",
            help="end the destination with a slash",
        )
    found: list[Selected] = []
    for source in sources:
        parts = _parts(source)
        contents = source.endswith("/") or not parts or source.rstrip("/").endswith("/.")
        if any(map(wildcard.has_wildcard, parts)):
            found += _matches(tree, source, parts, directories=contents)
        else:
            found.append(_named(tree, source, parts, contents=contents, into=into))
    return found


def _parts(source: str) -> list[str]:
    """Return the components of a path from the root. Raises UserError for one that leaves it."""
    parts: list[str] = []
    for part in source.split("/"):
        if part == "..":
            if not parts:
                raise UserError(f"`{source}` leads out of the root", help="a source is a path in the result")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _named(tree: Tree, source: str, parts: list[str], *, contents: bool, into: bool) -> Selected:
    path = os.fsencode("/".join(map(_literal, parts)))
    node = look_up(tree, path, follow=contents).node
    if node is None:
        raise NoSuchPath(source, help=_meant(tree, path))
    if contents:
        if not stat.S_ISDIR(node.stat.st_mode):
            raise UserError(
                f"`{source}` is not a directory in the result", help="leave out the slash at its end"
            )
        return Selected(node, b"")
    return Selected(node, path.rpartition(b"/")[2] if into else b"")


def _literal(text: str) -> str:
    """Return a name without the backslashes that make its characters plain."""
    out, pos = [], 0
    while pos < len(text):
        pos += text[pos] == "\\" and pos + 1 < len(text)
        out.append(text[pos])
        pos += 1
    return "".join(out)


def _matches(tree: Tree, source: str, parts: list[str], *, directories: bool) -> list[Selected]:
    """Return the entries that a pattern matches, sorted by path. A matching directory comes with its
    contents."""
    plain = next(n for n, part in enumerate(parts) if wildcard.has_wildcard(part))
    base = look_up(tree, os.fsencode("/".join(map(_literal, parts[:plain]))))
    here: dict[bytes, Node] = {}
    if base.node is not None and stat.S_ISDIR(base.node.stat.st_mode):
        here[b""] = base.node
    *before, last = parts[plain:]
    for part in before:
        here = (
            _below(tree, here.items())
            if part == MANY
            else _step(tree, source, part, here.items(), follow=True)
        )
    # A `**` at the end: what lies deeper comes with its directory.
    found = _step(tree, source, "*" if last == MANY else last, here.items(), follow=directories)
    kept = {
        place: node for place, node in found.items() if not directories or stat.S_ISDIR(node.stat.st_mode)
    }
    if not kept:
        raise NoSuchPath(source, help=None if base.node is not None else _meant(tree, base.path))
    return [Selected(kept[place], place) for place in sorted(kept)]


def _step(
    tree: Tree, source: str, part: str, directories: Iterable[tuple[bytes, Node]], *, follow: bool
) -> dict[bytes, Node]:
    """Return the entries of directories that one component matches; with `follow` links are replaced by their
    targets."""
    found: dict[bytes, Node] = {}
    try:
        for place, directory in directories:
            if not stat.S_ISDIR(directory.stat.st_mode):
                continue
            for node in tree.list(directory.path):
                name = node.path.rpartition(b"/")[2]
                if wildcard.match(part, os.fsdecode(name)):
                    one = _followed(tree, node) if follow else node
                    if one is not None:
                        found[place + b"/" + name if place else name] = one
    except ValueError as error:
        raise UserError(
            f"bad pattern `{source}`: {error}", help="a backslash makes a character plain"
        ) from None
    return found


def _followed(tree: Tree, node: Node) -> Node | None:
    return look_up(tree, node.path).node if stat.S_ISLNK(node.stat.st_mode) else node


def _below(tree: Tree, directories: Iterable[tuple[bytes, Node]]) -> dict[bytes, Node]:
    """Return directories with all directories below them."""
    directories_below: dict[bytes, Node] = {}
    for place, directory in directories:
        if not stat.S_ISDIR(directory.stat.st_mode):
            continue
        directories_below[place] = directory
        start = len(directory.path) + 1 if directory.path else 0
        for node in tree.walk(directory.path):
            if stat.S_ISDIR(node.stat.st_mode):
                below = node.path[start:]
                directories_below[place + b"/" + below if place else below] = node
    return directories_below


def _meant(tree: Tree, path: bytes) -> str | None:
    """Return a likely correction of a missing path: one that differs in the first component that is
    missing."""
    from pybuild.lang.diagnostics import suggest

    parts = path.split(b"/")
    for count, part in enumerate(parts):
        above = look_up(tree, b"/".join(parts[:count]))
        if above.node is None or not stat.S_ISDIR(above.node.stat.st_mode):
            return f"`/{os.fsdecode(b'/'.join(parts[:count]))}` is not a directory"
        here = {os.fsdecode(node.path.rpartition(b"/")[2]) for node in tree.list(above.path)}
        if os.fsdecode(part) not in here:
            near = suggest(os.fsdecode(part), sorted(here))
            if near is None:
                return None
            meant = b"/".join([*parts[:count], os.fsencode(near), *parts[count + 1 :]])
            if look_up(tree, meant).node is None:
                meant = b"/".join([*parts[:count], os.fsencode(near)])
            return f"did you mean `/{os.fsdecode(meant)}`?"
    return None
