"""The schema of `config.toml`, which holds for all builds of a user."""

from __future__ import annotations

from pybuild.request.config.schema import (
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

    from pybuild.lang.source import Source
    from pybuild.request.config.schema import Kind, Schema


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


USER_FILE: Schema = {
    "max-parallelism": integer(1),
    "network": table({"isolate": flag}),
    "registries": table_of(table(registry_keys(path))),
}


def user_settings(source: Source) -> dict[str, Any]:
    """Return the fields of BuildRequest that a `config.toml` sets. Raises UsageError."""
    section = read(source, USER_FILE)
    settings: dict[str, Any] = {
        "registries": {host: registry_settings(one) for host, one in section["registries"].items()}
    }
    if "max-parallelism" in section:
        settings["parallelism"] = section["max-parallelism"]
    if section["network"]["isolate"]:
        settings["isolate_network"] = True
    return settings
