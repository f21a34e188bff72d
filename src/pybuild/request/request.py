"""The request of one build: the command line, completed with the defaults of `pybuild.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen


@frozen
class BuildRequest:
    """A build as the user requests it; nothing in it has been looked up or checked against files or
    registries.

    `context` is a directory, or `-` for standard input. `file` None stands for the default name in the
    context, `-` for standard input. `build_args` with the value None take the variable of that name from the
    environment. `outputs` are texts of `--output`. `parallelism` 0 leaves the number of steps at once to the
    machine. `secrets` and `ssh` are texts of their flags; `call` is `build`, `check`, `outline` or `targets`,
    with `,format=json` and the like after it. `registries` maps hosts to the arguments of `RegistryConfig`.

    `targets` are names, in the language with the chosen axes (`NAME[axis=value]`); `params` are values of its
    params. `project` is the key of its caches ("": its directory), `locked` refuses references that the lock
    file doesn't pin, `rerun` runs cached tests again. `consulted` are the absolute paths of all configuration
    files that were looked for, including those that do not exist, and of what decides whether they count. `places`
    are the paths of `pybuild.toml` that could leave the project, each with where it leads; `notices` are lines for
    the user about files that don't count.
    """

    context: str = "."
    file: str | None = None
    targets: tuple[str, ...] = ()
    project: str = ""
    params: tuple[tuple[str, str], ...] = ()
    params_files: tuple[str, ...] = ()
    locked: bool = False
    rerun: bool = False
    tags: tuple[str, ...] = ()
    build_args: tuple[tuple[str, str | None], ...] = ()
    build_contexts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    push: bool = False
    load: bool = False
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    progress: str = "auto"
    quiet: bool = False
    metadata_file: str | None = None
    iidfile: str | None = None
    allow: tuple[str, ...] = ()
    network: str = "default"
    add_hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    call: str = "build"
    parallelism: int = 0
    isolate_network: bool = False
    registries: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    consulted: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def target(self) -> str | None:
        """The first target."""
        return self.targets[0] if self.targets else None

    def to_plain(self) -> dict[str, Any]:
        """Return the request as values of built-in types, from which `BuildRequest(**…)` restores it."""
        return asdict(self, recurse=False)
