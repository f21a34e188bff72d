"""The default location of the store. Every build imports this, also a replayed one: it must cost next to
nothing."""

from __future__ import annotations

import os

UID = os.geteuid()
"""The user that runs this process. Read at import, before the process enters a user namespace, where it is 0."""


def default_root() -> str:
    """The store's directory: `PYBUILD_ROOT`, else /var/lib/pybuild for root, else $XDG_DATA_HOME/pybuild
    (~/.local/share/pybuild)."""
    root = os.environ.get("PYBUILD_ROOT")
    if root:
        return os.path.abspath(root)
    if UID == 0:
        return "/var/lib/pybuild"
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "pybuild")
