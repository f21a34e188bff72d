"""Configuration files: `pybuild.toml` of a project and `config.toml` of a user.

`pybuild.toml` holds defaults for any flag of `pybuild build`, under the flags' long names (in the plural where a
flag may be repeated). It is looked for beside the build file, then in the context, and from there upwards to the
root of the repository (the directory with `.git`); outside a repository only in the directory itself. Relative
paths in it are relative to it. `config.toml` is $XDG_CONFIG_HOME/pybuild/config.toml, else
/etc/pybuild/config.toml.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from pybuild.lang.diagnostics import UserError
from pybuild.lang.source import Source
from pybuild.request import values
from pybuild.request.config import tomlfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


PROJECT_FILE = "pybuild.toml"
USER_FILE = os.path.join("pybuild", "config.toml")
MERGED = ("build_args", "build_contexts", "labels", "params")
"""Fields of BuildRequest that are pairs: the command line replaces those of the same name only."""


@frozen
class Config:
    """Defaults for a BuildRequest, by the names of its fields; `consulted` are absolute paths."""

    settings: Mapping[str, Any] = field(factory=dict)
    consulted: tuple[str, ...] = ()

    def over(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """These defaults with what the command line gave put over them."""
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


def load(context: str, file: str | None) -> Config:
    """All configuration for a build of `context` (a directory, or `-`) with the build file `file` (None, a path
    or `-`). Raises UsageError for a file that can't be read or isn't valid."""
    consulted: list[str] = []
    settings: dict[str, Any] = {}
    for name in _user_paths():
        text = _consult(name, consulted)
        if text is not None:
            settings.update(_user_settings(Source(name, text)))
            break
    for name in _project_paths(context, file, consulted):
        text = _consult(name, consulted)
        if text is not None:
            settings.update(_project_settings(Source(_shown(name), text), os.path.dirname(name)))
            break
    return Config(settings, tuple(dict.fromkeys(consulted)))


def _consult(path: str, consulted: list[str]) -> str | None:
    consulted.append(path)
    return tomlfile.read_text(path)


def _shown(path: str) -> str:
    """The path as the user would write it here."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.path.join("..", "..")) else relative


def _user_paths() -> list[str]:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return [os.path.join(os.path.abspath(home), USER_FILE), os.path.join("/etc", USER_FILE)]


def _project_paths(context: str, file: str | None, consulted: list[str]) -> Iterable[str]:
    """Where `pybuild.toml` may lie, nearest first; the `.git` that were looked for are added to `consulted`."""
    starts = []
    if file is not None and file != "-":
        starts.append(os.path.dirname(os.path.abspath(file)))
    if context != "-":
        starts.append(os.path.abspath(context))
    for start in starts:
        yield os.path.join(start, PROJECT_FILE)
    for start in starts:
        for directory in _up_to_repository(start, consulted):
            yield os.path.join(directory, PROJECT_FILE)


def _up_to_repository(start: str, consulted: list[str]) -> list[str]:
    """The directories above `start` up to the one that holds `.git`; none outside a repository."""
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


def _user_settings(source: Source) -> dict[str, Any]:
    from pybuild.request.config.models import UserFile

    model = tomlfile.load(source, UserFile)
    settings: dict[str, Any] = {}
    if model.max_parallelism is not None:
        settings["parallelism"] = model.max_parallelism
    if model.network.isolate:
        settings["isolate_network"] = True
    here = os.path.dirname(source.name)
    settings["registries"] = {
        host: {
            "mirrors": tuple(one.mirrors),
            "http": one.http,
            "insecure": one.insecure,
            "ca": tuple(_beside(here, path) for path in one.ca),
            "keypair": tuple((_beside(here, pair.key), _beside(here, pair.cert)) for pair in one.keypair),
        }
        for host, one in model.registries.items()
    }
    return settings


def _project_settings(source: Source, here: str) -> dict[str, Any]:
    """The fields of BuildRequest that a `pybuild.toml` in the directory `here` sets."""
    from pybuild.request.config.models import ProjectFile

    model = tomlfile.load(source, ProjectFile)
    settings: dict[str, Any] = {}
    for name, target, convert in _CONVERSIONS:
        value = getattr(model, name)
        if value is None:
            continue
        try:
            settings[target] = convert(value, here)
        except UserError as error:
            raise tomlfile.at_key(source, (name.replace("_", "-"),), error) from None
    return settings


def _one(value: Any, here: str) -> tuple[Any, ...]:
    return (value,)


def _plain(value: Any, here: str) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _texts(convert: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    return lambda value, here: convert(value)


def _pairs(value: dict[str, str], here: str) -> tuple[tuple[str, str], ...]:
    return tuple(value.items())


def _contexts(value: dict[str, str], here: str) -> tuple[tuple[str, str], ...]:
    return values.build_contexts(f"{name}={_context(here, text)}" for name, text in value.items())


def _context(here: str, text: str) -> str:
    """A context's value with the path in it made absolute."""
    for scheme in ("oci-layout://", "docker-archive://", "docker-archive:"):
        if text.startswith(scheme):
            return scheme + _beside(here, text.removeprefix(scheme))
    scheme, colon, _ = text.partition(":")
    if colon and "/" not in scheme and len(scheme) > 1:
        return text
    return _beside(here, text)


def _outputs(value: list[str], here: str) -> tuple[str, ...]:
    return tuple(_output(here, text) for text in value)


def _output(here: str, text: str) -> str:
    """An output with its `dest` made absolute; `text` alone may be the destination."""
    import csv
    import io

    parts = next(csv.reader([text]))
    if parts == [text] and not text.startswith("type="):
        return text if text == "-" else _beside(here, text)
    out = []
    for part in parts:
        key, _, path = part.partition("=")
        here_path = key.strip().lower() == "dest" and path != "-"
        out.append(f"{key}={_beside(here, path)}" if here_path else part)
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(out)
    return line.getvalue()


def _beside(here: str, path: str) -> str:
    return os.path.normpath(os.path.join(here, path))


_CONVERSIONS: tuple[tuple[str, str, Callable[[Any, str], Any]], ...] = (
    ("file", "file", lambda value, here: _beside(here, value)),
    ("target", "targets", _one),
    ("project", "project", _plain),
    ("params", "params", _pairs),
    ("params_files", "params_files", lambda value, here: tuple(_beside(here, path) for path in value)),
    ("locked", "locked", _plain),
    ("tags", "tags", _plain),
    ("build_args", "build_args", _pairs),
    ("build_contexts", "build_contexts", _contexts),
    ("labels", "labels", _pairs),
    ("annotations", "annotations", lambda value, here: tuple(f"{k}={v}" for k, v in value.items())),
    ("platforms", "platforms", _texts(values.listed)),
    ("outputs", "outputs", _outputs),
    ("push", "push", _plain),
    ("load", "load", _plain),
    ("no_cache", "no_cache", _plain),
    ("no_cache_filter", "no_cache_filter", _texts(values.listed)),
    ("pull", "pull", _plain),
    ("network", "network", _texts(values.network)),
    ("allow", "allow", _texts(values.entitlements)),
    ("add_hosts", "add_hosts", _texts(values.add_hosts)),
    ("ulimits", "ulimits", _texts(values.ulimits)),
    ("shm_size", "shm_size", lambda value, here: value if isinstance(value, int) else values.size(value)),
    ("cgroup_parent", "cgroup_parent", _plain),
    ("max_parallelism", "parallelism", _plain),
    ("progress", "progress", _plain),
    ("quiet", "quiet", _plain),
    ("iidfile", "iidfile", lambda value, here: _beside(here, value)),
    ("metadata_file", "metadata_file", lambda value, here: _beside(here, value)),
)
