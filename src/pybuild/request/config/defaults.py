"""Finds and reads the configuration files of a build: `pybuild.toml` of a project, `config.toml` of a user.

`pybuild.toml` is looked for beside the build file, then in the context, and from there upwards to the root of the
repository (the directory with `.git`); outside a repository only in the directory itself. `config.toml` is
$XDG_CONFIG_HOME/pybuild/config.toml, else /etc/pybuild/config.toml.
"""

from __future__ import annotations

import os

from pybuild.lang.source import Source
from pybuild.request import values
from pybuild.request.config import tomlfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


PROJECT_FILE_NAME = "pybuild.toml"
USER_FILE = os.path.join("pybuild", "config.toml")
MERGED = ("build_args", "build_contexts", "labels", "params")
"""Fields of BuildRequest that are pairs: the command line replaces only those of the same name."""


class Defaults:
    """Defaults for a BuildRequest by field; `consulted` are the absolute paths that were looked for."""

    __slots__ = ("consulted", "settings")

    def __init__(self, settings: Mapping[str, Any], consulted: tuple[str, ...]) -> None:
        self.settings = settings
        self.consulted = consulted

    def over(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return these defaults with the fields that the command line gives put over them."""
        merged = {**self.settings, **given}
        for name in MERGED:
            if name in self.settings and name in given:
                merged[name] = values.last_of_each((*self.settings[name], *given[name]))
        if "annotations" in self.settings and "annotations" in given:
            pairs = [
                (text.partition("=")[0], text)
                for text in (*self.settings["annotations"], *given["annotations"])
            ]
            merged["annotations"] = tuple(dict(pairs).values())
        return merged


def load(context: str, file: str | None) -> Defaults:
    """Return what the files say for a build of `context` (a directory, or `-`) with the build file `file` (None, a
    path or `-`). Raises UsageError for a file that can't be read or isn't valid."""
    consulted: list[str] = []
    settings: dict[str, Any] = {}
    for name in _user_paths():
        text = _consult(name, consulted)
        if text is not None:
            from pybuild.request.config.user_file import user_settings

            settings.update(user_settings(Source(name, text)))
            break
    for name in _project_paths(context, file, consulted):
        text = _consult(name, consulted)
        if text is not None:
            from pybuild.request.config.project_file import project_settings

            settings.update(project_settings(Source(_shown(name), text)))
            break
    return Defaults(settings, tuple(dict.fromkeys(consulted)))


def _consult(path: str, consulted: list[str]) -> str | None:
    consulted.append(path)
    return tomlfile.read_text(path)


def _shown(path: str) -> str:
    """Return the path as the user would write it in the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.path.join("..", "..")) else relative


def _user_paths() -> list[str]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return [os.path.join(os.path.abspath(home), USER_FILE), os.path.join("/etc", USER_FILE)]


def _project_paths(context: str, file: str | None, consulted: list[str]) -> Iterable[str]:
    """Yield where `pybuild.toml` may lie, nearest first; the `.git` looked for are added to `consulted`."""
    starts = []
    if file is not None and file != "-":
        starts.append(os.path.dirname(os.path.abspath(file)))
    if context != "-":
        starts.append(os.path.abspath(context))
    for start in starts:
        yield os.path.join(start, PROJECT_FILE_NAME)
    for start in starts:
        for directory in _up_to_repository(start, consulted):
            yield os.path.join(directory, PROJECT_FILE_NAME)


def _up_to_repository(start: str, consulted: list[str]) -> list[str]:
    """Return the directories above `start` up to the one that holds `.git`; none outside a repository."""
    above: list[str] = []
    directory = start
    while True:
        mark = os.path.join(directory, ".git")
        consulted.append(mark)
        if os.path.exists(mark):
            return above
        parent = os.path.dirname(directory)
        if parent == directory:
            return []
        above.append(parent)
        directory = parent
