"""The command `pybuild prune --all`: it empties the store."""

from __future__ import annotations

import os

from pybuild.cli.terminal import note
from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.root import ENTRIES, IN_USE
from pybuild.runtime.content.space import give_back_ballast


def prune(root: str) -> None:
    """Delete everything in the store at `root`, including files of other users of a user namespace. Waits for
    the builds that use it. Raises UserError."""
    from pybuild.runtime.sandbox import namespaces
    from pybuild.runtime.sandbox.errors import SandboxError
    from pybuild.runtime.snapshots.removal import remove_tree

    if not os.path.isdir(root):
        return
    give_back_ballast(root)
    try:
        namespaces.enter(root)
    except SandboxError:
        pass  # builds that can't enter them leave only files of this user
    path = os.path.join(root, IN_USE)
    lock = wait_lock(path, on_wait=lambda holder: note(f"waiting for {holder}"))
    assert lock is not None
    with lock:
        for name in sorted(os.listdir(root), key=_order):
            if name.startswith(ENTRIES):
                remove_tree(os.path.join(root, name))


def _order(name: str) -> tuple[int, str]:
    """Invocation records refer to the store, so they go first: a replay never finds half of it. The database is next,
    before its log and before what it refers to: it frees space without a write, and no row outlives its files."""
    return (0 if name == "invocations" else 1 if name.startswith("records-v") else 2), name
