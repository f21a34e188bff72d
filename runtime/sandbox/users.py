"""Resolve the user that a step runs as, by the image's passwd and group files, as BuildKit does.

A user is `name`, `uid`, `name:group`, `uid:gid` or a mixture. A number needs no entry in the files. An explicit
group is the only one; without it the user's own group and every group that lists the user apply.
"""

from __future__ import annotations

from pybuild.runtime.sandbox.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.snapshots.types import Tree

_LARGEST = (1 << 31) - 1
"""The largest id that a step may have, as in BuildKit's libraries (github.com/moby/sys/user)."""

_MAX_FILE = 16 << 20  # bytes read of a file that the image controls


class Identity:
    """The ids of a process, and the home directory in its passwd entry ("/" without one)."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid: int = 0, gid: int = 0, groups: tuple[int, ...] = (), home: str = "/") -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home

    def __repr__(self) -> str:
        return f"Identity(uid={self.uid}, gid={self.gid}, groups={self.groups}, home={self.home!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def resolve_user(tree: Tree, spec: str) -> Identity:
    """Return the identity that `spec` names in `tree`; "" is uid 0, with its groups if it has a passwd entry.

    Raises SandboxError for a name without an entry and for a number out of range.
    """
    user, _, group = (spec or "0").partition(":")
    users = list(_entries(tree, b"etc/passwd"))
    pair = (_pair_member(user), _pair_member(group))
    if pair[0] is not None and pair[1] is not None:
        return Identity(pair[0] or 0, pair[1] or 0, home=_home(users, pair[0] or 0))
    wanted = _number(user) if user else 0
    entry = _find(users, user, wanted)
    if entry is None and wanted is None:
        raise SandboxError(
            f"unable to find user {user}: no matching entries in passwd file",
            help="create the user in an earlier step, or name it by number",
        )
    uid = _id(entry[2]) if entry else wanted or 0
    if group:
        return Identity(uid, _group(tree, group), home=_home(users, uid))
    gid = _id(entry[3]) if entry else 0
    return Identity(uid, gid, _memberships(tree, entry[0]) if entry else (), _home(users, uid))


def _pair_member(text: str) -> int | None:
    """Half of a pair that needs no file, as an id; None for any other text. If both halves are numbers or `root`,
    BuildKit reads no file either, and accepts any 32-bit number."""
    if text == "root":
        return 0
    return int(text) if text.isascii() and text.isdigit() and int(text) < 1 << 32 else None


def _group(tree: Tree, group: str) -> int:
    number = _number(group)
    entry = _find(list(_entries(tree, b"etc/group")), group, number)
    if entry is not None:
        return _id(entry[2])
    if number is None:
        raise SandboxError(
            f"unable to find group {group}: no matching entries in group file",
            help="create the group in an earlier step, or name it by number",
        )
    return number


def _memberships(tree: Tree, user: str) -> tuple[int, ...]:
    return tuple(_id(entry[2]) for entry in _entries(tree, b"etc/group") if user in entry[3].split(","))


def _find(entries: list[list[str]], name: str, number: int | None) -> list[str] | None:
    """The first entry with a number, or with a name if the number is None."""
    for entry in entries:
        if entry[0] == name if number is None else _id(entry[2]) == number:
            return entry
    return None


def _home(users: list[list[str]], uid: int) -> str:
    entry = _find(users, "", uid)
    return (entry[5] if entry else "") or "/"


def _entries(tree: Tree, path: bytes) -> Iterator[list[str]]:
    """Yield the lines of a passwd or group file as seven fields each, missing ones empty; nothing without a
    file."""
    for line in _read(tree, path).splitlines():
        text = line.strip().decode("utf-8", "surrogateescape")
        if text and not text.startswith("#"):
            fields = text.split(":")
            yield fields + [""] * (7 - len(fields))


def _read(tree: Tree, path: bytes) -> bytes:
    import stat

    try:
        node = tree.resolve(path).node
    except OSError:
        return b""
    if node is None or not stat.S_ISREG(node.stat.st_mode):
        return b""
    with node.content() as file:
        return file.read(_MAX_FILE)


def _number(text: str) -> int | None:
    """Parse an id; None if `text` is no number. Raises SandboxError for one out of range."""
    if not (text.isascii() and text.isdigit()):
        return None
    if int(text) > _LARGEST:
        raise SandboxError(f"user or group id {text}: uids and gids must be in range 0-{_LARGEST}")
    return int(text)


def _id(text: str) -> int:
    """Parse an id field of a file. Anything but a number counts as 0, as in the C library."""
    return int(text) if text.isascii() and text.isdigit() else 0
