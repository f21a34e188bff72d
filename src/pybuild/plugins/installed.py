"""The frontends that installed packages register, as entry points of the group `pybuild.frontends`."""

from __future__ import annotations

import os
import sys

from pybuild.lang import frontends
from pybuild.plugins import problems
from pybuild.plugins.registered import Registered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import UserError
    from pybuild.lang.source import Source
    from pybuild.replay.dependencies import Dependencies

GROUP = "pybuild.frontends"


def registrations() -> list[Registered]:
    """Return all registered frontends by name; of a package that is installed twice, those of the first on
    `sys.path`. Raises UsageError if the metadata of packages can't be read."""
    from importlib.metadata import entry_points

    try:
        in_path_order = [Registered(entry) for entry in entry_points(group=GROUP)]
    except Exception as error:  # whatever a damaged package raises
        raise problems.unreadable_metadata(error) from error
    return sorted(in_path_order, key=lambda frontend: (frontend.name, frontend.package))


def names() -> list[str]:
    """Return the usable names."""
    return list(
        dict.fromkeys(
            frontend.name for frontend in registrations() if not frontends.is_built_in(frontend.name)
        )
    )


def find(reference: str) -> Registered | None:
    """Return the frontend registered by the name in `reference`; None if there is none, or if the reference
    can only be an image's. Raises UsageError for the name of a built-in frontend, and for one that two
    packages register."""
    parts = frontends.split(reference)
    if parts is None:
        return None
    matches = [frontend for frontend in registrations() if frontend.name == parts[0]]
    if matches and frontends.is_built_in(parts[0]):
        raise problems.built_in(matches[0])
    if len(matches) > 1:
        raise problems.registered_twice(matches)
    return matches[0] if matches else None


def refusal(frontend: frontends.Frontend, syntax: frontends.Syntax | None, source: Source) -> UserError:
    """Return the error for a file that requires `frontend`, in a command for built-in frontends."""
    if frontend.kind not in (frontends.IMAGE, frontends.PLUGIN) or frontend.reference is None:
        return frontends.refused(frontend, syntax, source)
    registration = find(frontend.reference)
    if registration is not None:
        return problems.not_for_plugins(source.name, registration)
    return frontends.refused(frontend, syntax, source, installed=names())


def listing_refusal(frontend: frontends.Frontend, file: str) -> UserError:
    """Return the error for a file of a package's frontend, in a command that lists declarations."""
    registration = find(frontend.reference or "")
    assert registration is not None
    return problems.not_for_plugins(file, registration)


def note_installed(dependencies: Dependencies) -> None:
    """Note everything that decides which packages are installed and what they register: the directories of
    packages, the packages' names with their versions, their entry points."""
    for place in dict.fromkeys(os.path.abspath(path) for path in sys.path):
        dependencies.note_names(place)
        try:
            entries = sorted(os.listdir(place))
        except OSError:
            continue
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                dependencies.note(os.path.join(place, entry, "entry_points.txt"))
