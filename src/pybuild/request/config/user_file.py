"""`config.toml`, which holds for all builds of a user, or of a machine: its places and its schema."""

from __future__ import annotations

import os

from pybuild.lang.source import Source
from pybuild.request.config import tomlfile
from pybuild.request.config.schema import (
    Kind,
    Section,
    filled,
    flag,
    integer,
    list_of,
    path,
    read,
    table,
    table_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybuild.request.config.schema import Place, Schema

_NAME = os.path.join("pybuild", "config.toml")


def user_paths() -> list[str]:
    """Return the places of a `config.toml`: the user's, then the machine's."""
    return [os.path.join(user_directory("XDG_CONFIG_HOME", ".config"), _NAME), os.path.join("/etc", _NAME)]


def user_directory(variable: str, beneath: str) -> str:
    """Return the directory that a variable of the XDG specification names, else that one beneath the user's home. A
    relative path counts as none: it would lead into whatever is built."""
    directory = os.environ.get(variable, "")
    return directory if os.path.isabs(directory) else os.path.join(os.path.expanduser("~"), beneath)


def registry_keys(file: Kind) -> Schema:
    """Return the schema of `[registries."HOST[:PORT]"]`, and of `[registry."…"]` in `buildkitd.toml`; `file` is the
    kind of the paths of PEM files."""
    return {
        "mirrors": list_of(filled),
        "http": flag,
        "insecure": flag,
        "ca": list_of(file),
        "keypair": list_of(table({"key": file.required(), "cert": file.required()})),
    }


def registry_settings(section: Section) -> dict[str, Any]:
    """Return the arguments of `RegistryConfig` after the host."""
    settings = {name: section[name] for name in ("mirrors", "http", "insecure", "ca")}
    return settings | {"keypair": tuple((pair["key"], pair["cert"]) for pair in section["keypair"])}


def _home_path(value: Any, place: Place) -> str:
    """Read a path that may begin with `~`."""
    return place.beside(os.path.expanduser(filled.read(value, place)))


USER_FILE: Schema = {
    "max-parallelism": integer(1),
    "network": table({"isolate": flag}),
    "trust": list_of(Kind(_home_path, "")),
    "registries": table_of(table(registry_keys(path))),
}


def user_settings(source: Source) -> dict[str, Any]:
    """Return the fields of BuildRequest that a `config.toml` sets. Raises UsageError."""
    section = read(source, USER_FILE)
    settings: dict[str, Any] = {
        "registries": {host: registry_settings(keys) for host, keys in section["registries"].items()}
    }
    if "max-parallelism" in section:
        settings["parallelism"] = section["max-parallelism"]
    if section["network"]["isolate"]:
        settings["isolate_network"] = True
    return settings


def trusted_directories() -> tuple[str, ...]:
    """Return the real paths of the directories that the user's and the machine's file trust, with all below. Raises
    UsageError."""
    directories: list[str] = []
    for name in user_paths():
        text = tomlfile.read_text(name)
        if text is not None:
            directories += map(os.path.realpath, read(Source(name, text), USER_FILE)["trust"])
    return tuple(directories)
