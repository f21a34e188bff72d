"""A user's sub-ids: the ranges that /etc/subuid and /etc/subgid grant, and id maps made of them (subuid(5))."""

from __future__ import annotations

import os

from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.find import find_program, install_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEEDED = 65536
"""The number of ids that images use: 0 to 65535. The user's own id provides one of them."""

_FIRST = 100_000
"""The first sub-id that distributions give out."""


class Maps:
    """The id maps of a user namespace: ranges (first id outside, count), which follow one another inside from 0
    on; and the paths of the tools that write them."""

    __slots__ = ("gids", "newgidmap", "newuidmap", "uids")

    def __init__(
        self, newuidmap: str, newgidmap: str, uids: Sequence[tuple[int, int]], gids: Sequence[tuple[int, int]]
    ) -> None:
        self.newuidmap = newuidmap
        self.newgidmap = newgidmap
        self.uids = uids
        self.gids = gids


def maps(uid: int, gid: int, directory: str = "/etc") -> Maps:
    """Return the maps of user `uid`: the user itself as 0, its sub-ids from 1 on.

    Raises SandboxError if newuidmap or newgidmap is missing, or if there are too few sub-ids (with the lines to
    add).
    """
    tools = [find_program(name) for name in ("newuidmap", "newgidmap")]
    newuidmap, newgidmap = tools
    if newuidmap is None or newgidmap is None:
        missing = "newuidmap" if newuidmap is None else "newgidmap"
        raise SandboxError(
            f"{missing} is missing: without it an ordinary user can't run steps",
            help=f"install it: {install_command('uidmap')}",
        )
    names = _names(uid)
    uids = _granted(os.path.join(directory, "subuid"), names) or _from_service(names[0])
    gids = _granted(os.path.join(directory, "subgid"), names) or _from_service(names[0], "-g")
    if min(_total(uids), _total(gids)) < NEEDED - 1:
        raise _too_few(names[0], uids, gids, directory)
    return Maps(newuidmap, newgidmap, [(uid, 1), *uids], [(gid, 1), *gids])


def write(maps: Maps, pid: int) -> str:
    """Write the maps of process `pid`, whose user namespace has none yet; returns "", or what went wrong."""
    import subprocess

    for tool, ranges in ((maps.newuidmap, maps.uids), (maps.newgidmap, maps.gids)):
        arguments = [tool, str(pid)]
        inside = 0
        for outside, count in ranges:
            arguments += [str(inside), str(outside), str(count)]
            inside += count
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return done.stderr.strip() or f"{tool} exited with {done.returncode}"
    return ""


def _names(uid: int) -> tuple[str, ...]:
    """The names by which the user's ranges may be listed, the login name first."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name, str(uid)
    except KeyError:
        return (str(uid),)


def _granted(path: str, names: Iterable[str]) -> list[tuple[int, int]]:
    """The ranges (first id, count) of a user in a file."""
    return [(start, count) for name, start, count in _lines(path) if name in names]


def _lines(path: str) -> list[tuple[str, int, int]]:
    """The well-formed lines of a file: (user, first id, count)."""
    lines = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split("#")[0].strip().split(":")
                if len(fields) == 3 and fields[1].isdigit() and fields[2].isdigit():
                    lines.append((fields[0], int(fields[1]), int(fields[2])))
    except OSError:
        pass
    return lines


def _from_service(name: str, *options: str) -> list[tuple[int, int]]:
    """The ranges that a directory service grants, as the tool `getsubids` tells them where it exists."""
    tool = find_program("getsubids")
    if tool is None:
        return []
    import subprocess

    done = subprocess.run(
        [tool, *options, name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return [(int(row[-2]), int(row[-1])) for row in rows if len(row) >= 3 and row[-1].isdigit()]


def _total(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(count for _, count in ranges)


def _too_few(
    name: str, uids: Sequence[tuple[int, int]], gids: Sequence[tuple[int, int]], directory: str
) -> SandboxError:
    files = [os.path.join(directory, "subuid"), os.path.join(directory, "subgid")]
    taken = [start + count for path in files for _, start, count in _lines(path)]
    start = max([_FIRST, *taken])  # past all granted ranges, so that no two users share ids
    have = f"{_total(uids)} sub-uids and {_total(gids)} sub-gids of the {NEEDED} needed"
    lacks = "no sub-ids" if not uids and not gids else f"too few sub-ids ({have})"
    line = f"{name}:{start}:{NEEDED}"
    return SandboxError(
        f"user {name} has {lacks}, which an ordinary user needs to run steps",
        help=f"add this line to {files[0]}:\n{line}\nand this line to {files[1]}:\n{line}",
    )
