"""Which snapshotter a store gets: found by mounting, since no version number says what a host allows."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import Diagnostic, UsageError
from pybuild.runtime.snapshots.committed import SnapshotError
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

VARIABLE = "PYBUILD_SNAPSHOTTER"
KINDS = ("overlay", "fuse-overlayfs", "copy")
REMEMBERED = "snapshotter"
"""File of the store: the kind found last, then the circumstances in which it was found."""

_CAP_SYS_ADMIN = 1 << 21


def choose(store: Store) -> Snapshotter:
    """The best snapshotter that works here: overlay, else fuse-overlayfs, else copies; PYBUILD_SNAPSHOTTER
    overrides.

    What was found is remembered for this boot and these circumstances (privileges, confinement, file system),
    so an ordinary build mounts nothing to find out. A process that may not mount at all, such as a build that
    has not entered its user namespace because everything may be cached, gets the kind found last: it can look
    snapshots up. Raises UsageError for an unknown name, SnapshotError when the one asked for can't be had.
    """
    wanted = os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in KINDS:
        raise UsageError(
            f"unknown snapshotter {wanted!r} in {VARIABLE}", help=f"use one of {', '.join(KINDS)}"
        )
    nested = in_user_namespace()
    circumstances = _circumstances(store, nested)
    remembered, then = _remembered(store)
    if not may_mount():
        return _made(store, wanted or remembered or KINDS[0], userxattr=True)
    if remembered is not None and then == circumstances and wanted in (None, remembered):
        return _made(store, remembered, userxattr=nested)
    reasons: list[tuple[str, str]] = []
    for kind in KINDS if wanted is None else (wanted,):
        snapshotter = _made(store, kind, userxattr=nested)
        failure = _tried(store, snapshotter)
        if failure is None:
            if wanted is None:
                _remember(store, kind, circumstances)
            return snapshotter
        reasons.append((kind, failure))
    raise _refused(store, reasons)


def forget(store: Store) -> None:
    """Have the next `choose` try again: a mount failed that was thought to work."""
    try:
        os.unlink(store.path(REMEMBERED))
    except FileNotFoundError:
        pass


def in_user_namespace() -> bool:
    """Whether user numbers here are not the host's."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def may_mount() -> bool:
    """Whether the process has the capability that mounting takes."""
    return bool(int(_status().get("CapEff", "0"), 16) & _CAP_SYS_ADMIN)


def _made(store: Store, kind: str, *, userxattr: bool) -> Snapshotter:
    if kind == "overlay":
        return OverlaySnapshotter(store, userxattr=userxattr)
    if kind == "fuse-overlayfs":
        from pybuild.runtime.snapshots.fuse import FuseOverlaySnapshotter

        return FuseOverlaySnapshotter(store, userxattr=userxattr)
    from pybuild.runtime.snapshots.copying import CopySnapshotter

    return CopySnapshotter(store)


def _tried(store: Store, snapshotter: Snapshotter) -> str | None:
    """Why the snapshotter does not work here; None when it does."""
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
    """All that decides whether a mount in the store works, but what changes by the minute."""
    found = os.stat(store.path("snapshots"))
    status = _status()
    try:
        with open("/proc/self/attr/current", encoding="utf-8", errors="replace") as file:
            profile = file.read().strip("\0\n")
    except OSError:
        profile = ""
    facts = (
        store.boot,
        str(found.st_dev),
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
