"""Choose a store's snapshotter by trying mounts: no version number tells what a host allows."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic, UsageError
from pybuild.runtime.snapshots.committed import SnapshotError
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

    Indexes: TypeAlias = Callable[[Store], Snapshotter]

VARIABLE = "PYBUILD_SNAPSHOTTER"
KINDS = ("overlay", "fuse-overlayfs", "copy", INDEX)
REMEMBERED = "snapshotter"
"""File of the store: the kind that worked last, then the circumstances in which it was tried."""

_CAP_SYS_ADMIN = 1 << 21


def choose(store: Store, indexes: Indexes | None = None) -> Snapshotter:
    """Return the best snapshotter that works here: overlay, else fuse-overlayfs, else copies; PYBUILD_SNAPSHOTTER
    overrides. Indexes need nothing, but no step can run on them; `indexes` makes their snapshotter.

    The result is remembered for this boot and these circumstances (privileges, confinement, file system), so an
    ordinary build tries no mounts. A process that may not mount at all, such as a build that has not entered its
    user namespace because everything may be cached, gets the kind that worked last: it can look snapshots up.
    Raises UsageError for an unknown name, SnapshotError if the one that the variable names does not work.
    """
    wanted = os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in KINDS:
        raise UsageError(
            f"unknown snapshotter {wanted!r} in {VARIABLE}", help=f"use one of {', '.join(KINDS)}"
        )
    nested = in_user_namespace()
    circumstances = _circumstances(store, nested)
    remembered, then = _remembered(store)
    if indexes is not None and INDEX in (wanted, None if wanted or may_mount() else remembered):
        return indexes(store)
    ordinary = KINDS[:-1]
    if not may_mount():
        kind = wanted or remembered
        return _snapshotter(store, kind if kind in ordinary else ordinary[0], userxattr=True)
    if remembered in ordinary and then == circumstances and wanted in (None, remembered):
        return _snapshotter(store, remembered, userxattr=nested)
    reasons: list[tuple[str, str]] = []
    for kind in (wanted,) if wanted in ordinary else ordinary:
        snapshotter = _snapshotter(store, kind, userxattr=nested)
        failure = _failure(store, snapshotter)
        if failure is None:
            if wanted is None:
                _remember(store, kind, circumstances)
            return snapshotter
        reasons.append((kind, failure))
    raise _refused(store, reasons)


def trials(store: Store) -> dict[str, str | None]:
    """Try the kinds that mount, and return for each the reason why it does not work here, None if it does."""
    nested = in_user_namespace()
    kinds = [kind for kind in KINDS if "overlay" in kind]
    return {kind: _failure(store, _snapshotter(store, kind, userxattr=nested)) for kind in kinds}


def remember_indexes(store: Store) -> None:
    """Note that this process couldn't enter namespaces: one that doesn't try looks indexes up."""
    if not may_mount():
        _remember(store, INDEX, _circumstances(store, in_user_namespace()))


def readable(store: Store, kind: str) -> Snapshotter | None:
    """Return the snapshotter of a kind, if this process sees the files of such snapshots as their maker does; it may
    lack permissions to read some. Opaque marks of overlays are visible to who may mount alone."""
    if kind == "copy" or (kind == "overlay" and may_mount()):
        return None if in_user_namespace() else _snapshotter(store, kind, userxattr=False)
    return None


def forget(store: Store) -> None:
    """Make the next `choose` try again, after a mount failed that should have worked."""
    try:
        os.unlink(store.path(REMEMBERED))
    except FileNotFoundError:
        pass


def in_user_namespace() -> bool:
    """Report whether this process is in a user namespace, where ids are not the host's."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        # The initial namespace maps all ids onto themselves.
        return file.read().split() != ["0", "0", "4294967295"]


def may_mount() -> bool:
    """Report whether the process has CAP_SYS_ADMIN in effect, which mount(2) needs."""
    return bool(int(_status().get("CapEff", "0"), 16) & _CAP_SYS_ADMIN)


def _snapshotter(store: Store, kind: str, *, userxattr: bool) -> Snapshotter:
    if kind == "overlay":
        return OverlaySnapshotter(store, userxattr=userxattr)
    if kind == "fuse-overlayfs":
        from pybuild.runtime.snapshots.fuse import FuseOverlaySnapshotter

        return FuseOverlaySnapshotter(store, userxattr=userxattr)
    from pybuild.runtime.snapshots.copying import CopySnapshotter

    return CopySnapshotter(store)


def _failure(store: Store, snapshotter: Snapshotter) -> str | None:
    """The reason why the snapshotter does not work here, None if it does."""
    if not isinstance(snapshotter, OverlaySnapshotter):
        return None
    from pybuild.runtime.snapshots.trial import failure

    return failure(snapshotter)


def _refused(store: Store, reasons: list[tuple[str, str]]) -> SnapshotError:
    (kind, reason), *_ = reasons
    notes = [
        ("with", reason),
        ("help", f"unset {VARIABLE} to use what works in {store.root}, or put PYBUILD_ROOT elsewhere"),
    ]
    return SnapshotError(Diagnostic(f"the snapshotter {kind} can't be used", notes=notes))


def _circumstances(store: Store, nested: bool) -> str:
    """The facts that decide whether a mount in the store works, as one line, without those that change by the
    minute."""
    directory = os.stat(store.path("snapshots"))
    status = _status()
    try:
        with open("/proc/self/attr/current", encoding="utf-8", errors="replace") as file:
            profile = file.read().strip("\0\n")  # of AppArmor or SELinux
    except OSError:
        profile = ""
    facts = (
        store.boot,
        str(directory.st_dev),
        "user namespace" if nested else "host",
        *(status.get(name, "") for name in ("CapEff", "Seccomp", "NoNewPrivs")),
        profile,
    )
    return " ".join(facts).strip()


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def _remembered(store: Store) -> tuple[str | None, str]:
    try:
        with open(store.path(REMEMBERED), encoding="utf-8") as file:
            kind, _, circumstances = file.read().partition("\n")
    except OSError:
        return None, ""
    return (kind, circumstances.strip()) if kind in KINDS else (None, "")


def _remember(store: Store, kind: str, circumstances: str) -> None:
    path = store.path(REMEMBERED)
    temporary = f"{path}.{os.urandom(6).hex()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(f"{kind}\n{circumstances}\n")
    os.rename(temporary, path)
