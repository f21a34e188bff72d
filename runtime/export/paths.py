"""Paths of a result written into the project: the `output` statement (language spec, sections 12 and 22)."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.export.beneath import Beneath, OutsideProject
from pybuild.runtime.export.destination import failure
from pybuild.runtime.export.selecting import Selected, selected
from pybuild.runtime.export.staging import Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.export.protected import ProtectedFiles
    from pybuild.runtime.snapshots.types import Tree

__all__ = ["OutsideProject", "export_paths"]


def export_paths(
    tree: Tree,
    sources: Sequence[str],
    dest: str,
    *,
    clean: bool,
    root: str,
    protected: ProtectedFiles | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[str]:
    """Write the files that `sources` name in a state to the absolute `dest`. Returns the paths that were
    written, in order: of files, links and empty directories.

    A `dest` that ends in a slash takes every source under its own name, another one becomes the one source; a
    directory is merged into one that is there, and a file takes the place of what has its name. With `clean` nothing
    else is left of `dest`. All is read before anything is changed. Files are their builder's.

    Nothing is written outside of the directory `root`: a link there that leads out of it is an error. So is a file
    that is `protected`. Raises NoSuchPath, OutsideProject, ProtectedPath, ExportError, other UserErrors, Cancelled.
    """
    into = dest.endswith("/")
    found = selected(tree, sources, into=into)
    directory, name = os.path.split(os.path.normpath(dest))
    if into or found[0].is_directory:
        directory, name = os.path.normpath(dest), ""
    if clean and os.path.realpath(directory if not name else dest) == os.path.realpath(root):
        raise UserError(
            f"clean=true would empty the whole project: {root}",
            help="write to a directory of the output's own",
        )
    if clean and ".git" in os.path.relpath(os.path.normpath(dest), root).split("/"):
        raise UserError(
            f"clean=true would empty a repository: {os.path.normpath(dest)}",
            help="write to a directory of the output's own",
        )
    if clean and os.path.lexists(os.path.join(dest, ".git")):
        raise UserError(
            f"clean=true would empty a directory with a repository: {os.path.normpath(dest)}",
            help="remove what is in the way by hand, or write to another directory",
        )
    try:
        with Beneath(root, directory) as target, Stage(target, cancelled) as stage:
            for one in found:
                stage.write(tree, Selected(one.node, os.fsencode(name)) if name else one)
            if protected is not None:
                real = os.readlink(f"/proc/self/fd/{target.fd}")
                for place in stage.written:
                    protected.refuse(os.path.join(real, os.fsdecode(place)).rstrip("/"))
            if clean:
                stage.replace([os.fsencode(name)] if name else None)
            else:
                stage.merge()
            return [os.path.join(directory, os.fsdecode(place)).rstrip("/") for place in stage.written]
    except OSError as error:
        raise failure(_of(error, dest), error) from None


def _of(error: OSError, dest: str) -> str:
    """Return the name, for a message, of the place at which the system refused something."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return name if name.startswith("/") and not name.startswith("/proc/") else dest
