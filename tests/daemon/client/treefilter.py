"""What a session's client sends of a directory: all but what patterns leave out, links followed where asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from attrs import frozen

from pybuild.lang.dockerfile.ignore import Matcher

_WILDCARD = re.compile(r"(?<!\\)[*?\[]")


@frozen
class Filter:
    """`include` and `exclude` are Docker's patterns; `follow` are paths whose links' targets are included too."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    follow: Sequence[str] = ()


def walk(root: Path, chosen: Filter = Filter()) -> Iterator[str]:
    """Relative paths in the order fsutil wants: by component, directories before what they hold. Directories on the
    way to what is included come with it."""
    followed = _followed(root, chosen.follow)
    includes = [*chosen.include, *(followed or ())]
    if followed is None:
        includes = []
    wanted = Matcher(includes) if includes else None
    left_out = Matcher(chosen.exclude)
    told: set[str] = set()
    for path in _all(root, ""):
        if wanted is not None and not wanted.matches(path):
            continue
        if left_out.matches(path):
            continue
        for parent in reversed([str(one) for one in PurePosixPath(path).parents][:-1]):
            if parent not in told:
                told.add(parent)
                yield parent
        told.add(path)
        yield path


def _all(root: Path, inside: str) -> Iterator[str]:
    with os.scandir(root / inside) as found:
        entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        path = f"{inside}/{entry.name}".lstrip("/")
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _all(root, path)


def _followed(root: Path, paths: Sequence[str]) -> list[str] | None:
    """The paths and where their links lead, each inside the root; None when one of them is the root."""
    found: set[str] = set()
    for path in paths:
        _follow(root, path, found)
    return None if "." in found else sorted(found)


def _follow(root: Path, path: str, found: set[str]) -> None:
    names = [name for name in path.split("/") if name not in ("", ".")]
    current: list[str] = []
    while names:
        name = names.pop(0)
        current = current[:-1] if name == ".." else [*current, name]
        here = "/".join(current)
        targets = _targets(root, current)
        if targets:
            if here in found:
                return
            found.add(here)
            for target in targets:
                _follow(root, "/".join([target, *names]), found)
            return
    found.add("/".join(current) or ".")


def _targets(root: Path, names: list[str]) -> list[str]:
    """Where the link at `names` leads, or the links its last part matches; from the root of the tree."""
    if not names:
        return []
    *above, last = names
    parent = root.joinpath(*above)
    if not _WILDCARD.search(last):
        return _link(root, names)
    if not parent.is_dir():
        return []
    matching = [name for name in sorted(os.listdir(parent)) if fnmatchcase(name, last)]
    return [target for name in matching for target in _link(root, [*above, name])]


def _link(root: Path, names: list[str]) -> list[str]:
    path = root.joinpath(*names)
    if not path.is_symlink():
        return []
    target = os.readlink(path)
    return [target if target.startswith("/") else os.path.normpath("/" + "/".join([*names[:-1], target]))]
