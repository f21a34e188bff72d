"""Where the store is. Imported by every build, also one that is only replayed: it must cost next to nothing."""

from __future__ import annotations

import os

UID = os.geteuid()
"""Who runs this process, as it was before the process entered a user namespace, where everyone is 0."""


def default_root() -> str:
    """`PYBUILD_ROOT`, else /var/lib/pybuild for root, else $XDG_DATA_HOME/pybuild (~/.local/share/pybuild)."""
    given = os.environ.get("PYBUILD_ROOT")
    if given:
        return os.path.abspath(given)
    if UID == 0:
        return "/var/lib/pybuild"
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "pybuild")
