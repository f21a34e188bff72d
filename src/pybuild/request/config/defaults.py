"""Finds and reads the configuration files of a build: `pybuild.toml` of a project, `config.toml` of a user.

`pybuild.toml` is looked for beside the build file, then in the context, and from there upwards to the root of the
repository; outside a repository only in the directory itself. Above the directory it must count (`project.py`).
`config.toml` is $XDG_CONFIG_HOME/pybuild/config.toml, else /etc/pybuild/config.toml.
"""

from __future__ import annotations

import os

from pybuild.lang.source import Source
from pybuild.request import values
from pybuild.request.config import tomlfile
from pybuild.request.config.user_file import user_paths
from pybuild.request.project import Project, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from pybuild.request.grants import Requested
    from pybuild.request.request import BuildRequest


PROJECT_FILE_NAME = "pybuild.toml"
MERGED = ("build_args", "build_contexts", "labels", "params")
"""Fields of BuildRequest that are pairs: the command line replaces only those of the same name."""


class Defaults:
    """Defaults for a BuildRequest by field.

    `settings` are the user's, `wishes` those of the `project`, from its file `source`, which may request more than it
    gets; both are None without such a file. `consulted` are the absolute paths that were looked for, `notices` name
    files that don't count.
    """

    __slots__ = ("consulted", "notices", "project", "settings", "source", "wishes")

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.wishes: dict[str, Any] = {}
        self.source: Source | None = None
        self.project: Project | None = None
        self.consulted: list[str] = []
        self.notices: list[str] = []

    def over(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return these defaults with the fields of the command line put over them."""
        settings = {**self.settings, **self.wishes}
        merged = {**settings, **fields}
        for name in MERGED:
            if name in settings and name in fields:
                merged[name] = values.last_of_each((*settings[name], *fields[name]))
        if "annotations" in settings and "annotations" in fields:
            pairs = [
                (text.partition("=")[0], text) for text in (*settings["annotations"], *fields["annotations"])
            ]
            merged["annotations"] = tuple(dict(pairs).values())
        return merged

    def requests(self, fields: Mapping[str, Any]) -> tuple[list[Requested], tuple[tuple[str, str], ...]]:
        """Return what the project's file requests beyond the given fields, and the paths in it, each with where it
        leads. Raises UsageError."""
        if self.source is None or self.project is None:
            return [], ()
        from pybuild.request.grants import Reach, requests_of

        wishes = {field: value for field, value in self.wishes.items() if field not in fields}
        if "build_contexts" in fields:
            names = dict(fields["build_contexts"])
            contexts = self.wishes.get("build_contexts", ())
            wishes["build_contexts"] = tuple(pair for pair in contexts if pair[0] not in names)
        reach = Reach(self.project, os.path.dirname(os.path.abspath(self.source.name)))
        requests = requests_of(wishes, reach)
        return requests, tuple(reach.places.items())


def complete(
    context: str, fields: Mapping[str, Any], *, flags: Iterable[str] | None = None, config: bool = True
) -> BuildRequest:
    """Return the request for `context` with the given fields, completed by the configuration files unless `config` is
    False.

    `flags` are the parameters of the command, None for all that there are. Raises UsageError for a file that can't be
    read or isn't valid, Untrusted for one that requests more than it was granted.
    """
    from pybuild.request.request import BuildRequest

    defaults = load(context, fields.get("file")) if config else _without_files(context, fields.get("file"))
    if flags is not None and defaults.wishes:
        from pybuild.request.grants import without_flags

        defaults.wishes = without_flags(defaults.wishes, flags)
    requests, places = defaults.requests(fields)
    if requests and defaults.source is not None:
        from pybuild.request.trust import refuse_untrusted

        refuse_untrusted(requests, defaults.source.name, defaults.source, defaults.consulted)
    return BuildRequest(
        context=context,
        consulted=tuple(dict.fromkeys(defaults.consulted)),
        places=places,
        notices=tuple(dict.fromkeys(defaults.notices)),
        **defaults.over(fields),
    )


def load(context: str, file: str | None) -> Defaults:
    """Return what the files say for a build of `context` (a directory, or `-`) with the build file `file` (None, a
    path or `-`). Raises UsageError for a file that can't be read or isn't valid."""
    defaults = Defaults()
    for name in user_paths():
        text = _consult(name, defaults.consulted)
        if text is not None:
            from pybuild.request.config.user_file import user_settings

            defaults.settings = user_settings(Source(name, text))
            break
    projects = _projects(context, file)
    for name, project in _candidates(projects):
        if os.path.dirname(name) not in projects and os.path.lexists(name) and not project.counts(name):
            continue
        text = _consult(name, defaults.consulted)
        if text is not None:
            from pybuild.request.config.project_file import project_settings

            defaults.source, defaults.project = Source(shown(name), text), project
            defaults.wishes = project_settings(defaults.source)
            break
    for project in projects.values():
        defaults.consulted += project.consulted
        defaults.notices += project.skipped
    return defaults


def _without_files(context: str, file: str | None) -> Defaults:
    """Return no settings; what doesn't count is noted nevertheless."""
    defaults = Defaults()
    for project in _projects(context, file).values():
        defaults.notices += project.skipped
    return defaults


def _consult(path: str, consulted: list[str]) -> str | None:
    consulted.append(path)
    return tomlfile.read_text(path, regular=True)


def _projects(context: str, file: str | None) -> dict[str, Project]:
    """Return the projects of the directories that a build names, by their absolute paths: the build file's, then the
    context."""
    starts = []
    if file is not None and file != "-":
        starts.append(os.path.dirname(os.path.abspath(file)))
    if context != "-" and os.path.isdir(context):  # else an address, or nothing at all
        starts.append(os.path.abspath(context))
    return {start: Project(start) for start in starts}


def _candidates(projects: Mapping[str, Project]) -> Iterator[tuple[str, Project]]:
    """Yield where `pybuild.toml` may lie, nearest first, with the project for which it is looked for there."""
    for start, project in projects.items():
        yield os.path.join(start, PROJECT_FILE_NAME), project
    for project in projects.values():
        for directory in project.above:
            yield os.path.join(directory, PROJECT_FILE_NAME), project
