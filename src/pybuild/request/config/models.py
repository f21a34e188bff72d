"""The models of `pybuild.toml` and `config.toml`. Imports pydantic: only loaded when such a file exists."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1)]


def _key(field: str) -> str:
    return field.replace("_", "-")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=_key)


class ProjectFile(_Table):
    """`pybuild.toml`: defaults for the flags of `pybuild build`; `project` is what the project's caches are known
    by."""

    file: Text | None = None
    target: Text | None = None
    project: Text | None = None
    params: dict[str, str] | None = None
    params_files: list[Text] | None = None
    locked: bool | None = None
    tags: list[Text] | None = None
    build_args: dict[str, str] | None = None
    build_contexts: dict[str, Text] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    platforms: list[Text] | None = None
    outputs: list[Text] | None = None
    push: bool | None = None
    load: bool | None = None
    no_cache: bool | None = None
    no_cache_filter: list[Text] | None = None
    pull: bool | None = None
    network: Text | None = None
    allow: list[Text] | None = None
    add_hosts: list[Text] | None = None
    ulimits: list[Text] | None = None
    shm_size: Text | Annotated[int, Field(ge=0)] | None = None
    cgroup_parent: Text | None = None
    max_parallelism: Annotated[int, Field(ge=1)] | None = None
    progress: Literal["auto", "tty", "plain", "quiet", "rawjson"] | None = None
    quiet: bool | None = None
    iidfile: Text | None = None
    metadata_file: Text | None = None
    provenance: Literal[False] | None = None
    sbom: Literal[False] | None = None


class KeyPair(_Table):
    """A client certificate and its key, as PEM files."""

    key: Text
    cert: Text


class Registry(_Table):
    """`[registries."HOST[:PORT]"]`, with the keys of buildkitd.toml's `[registry."…"]`."""

    mirrors: list[Text] = []
    http: bool = False
    insecure: bool = False
    ca: list[Text] = []
    keypair: list[KeyPair] = []


class Network(_Table):
    """`[network]`."""

    isolate: bool = False


class UserFile(_Table):
    """`config.toml`: what holds for all builds of a user."""

    max_parallelism: Annotated[int, Field(ge=1)] | None = None
    network: Network = Network()
    registries: dict[Text, Registry] = {}
