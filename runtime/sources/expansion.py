"""Expands wildcards in a tree, like BuildKit's file backend and its context transfer."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile import wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.snapshots.types import Resolution, Tree


class Unresolvable(UserError):
    """A path can't be resolved: it has a cycle of symlinks, a name that is too long, or a malformed wildcard."""


def look_up(tree: Tree, path: bytes, *, follow: bool = True) -> Resolution:
    """Resolve `path`. A path through anything but directories counts as missing. Raises Unresolvable."""
    from pybuild.runtime.snapshots.types import Resolution

    try:
        return tree.resolve(path, follow_last=follow)
    except NotADirectoryError:
        return Resolution(path, None, ())
    except OSError as error:
        raise Unresolvable(
            f"/{os.fsdecode(path).lstrip('/')}: {(error.strerror or str(error)).lower()}",
            help=_WAYS.get(error.errno or 0),
        ) from None


_WAYS = {
    errno.ELOOP: "its symlinks lead in a circle: remove one of them",
    errno.ENAMETOOLONG: "a name has at most 255 bytes, a path 4095",
}


class Expansion:
    """The paths that a pattern names, in order. `base` is the resolution of the part before the first wildcard, None
    without a wildcard."""

    __slots__ = ("base", "paths")

    def __init__(self, paths: list[bytes], base: Resolution | None) -> None:
        self.paths = paths
        self.base = base


def expand(tree: Tree, pattern: str, *, follow: bool) -> Expansion:
    """Expand a pattern. Without a wildcard it names itself, whether or not that exists.

    A wildcard never matches a slash. Symlinks in the part before the first wildcard are followed, in its last
    component only with `follow`. Below, symlinks are not followed. Raises Unresolvable for a malformed pattern.
    """
    parts = [part for part in os.path.normpath("/" + pattern).split("/") if part]
    plain = next((n for n, part in enumerate(parts) if wildcard.has_wildcard(part)), None)
    if plain is None:
        return Expansion([os.fsencode("/".join(parts))], None)
    try:
        for part in parts[plain:]:
            wildcard.check(part)
    except ValueError as error:
        raise Unresolvable(
            f"bad wildcard {pattern!r}: {error}", help="a backslash makes '*', '?' and '[' plain characters"
        ) from None
    base = look_up(tree, os.fsencode("/".join(parts[:plain])), follow=follow)
    if base.node is None or not stat.S_ISDIR(base.node.stat.st_mode):
        return Expansion([], base)
    paths = [base.path]
    for number, part in enumerate(parts[plain:], plain):
        last = number == len(parts) - 1
        paths = [
            node.path
            for directory in paths
            for node in tree.list(directory)
            if (last or stat.S_ISDIR(node.stat.st_mode)) and wildcard.match(part, _name(node.path))
        ]
    return Expansion(paths, base)


def _name(path: bytes) -> str:
    return os.fsdecode(path[path.rfind(b"/") + 1 :])
