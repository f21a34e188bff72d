"""The command `pybuild prune --all`: it empties the store."""

from __future__ import annotations

import os
import sys

from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.root import ENTRIES, IN_USE


def prune(root: str) -> None:
    """Delete everything in the store at `root`, including files of other users of a user namespace. Waits for
    the builds that use it. Raises UserError."""
    from pybuild.runtime.sandbox import namespaces
    from pybuild.runtime.snapshots.removal import remove_tree

    if not os.path.isdir(root):
        return
    namespaces.enter(root)
    path = os.path.join(root, IN_USE)
    lock = wait_lock(path, on_wait=lambda holder: print(f"waiting for {holder}", file=sys.stderr))
    assert lock is not None
    with lock:
        # Invocation records refer to the store, so they go first: a replay never finds half of it.
        for name in sorted(os.listdir(root), key=lambda name: name != "invocations"):
            if name.startswith(ENTRIES):
                remove_tree(os.path.join(root, name))
