"""What is asked of one build: the command line, with the defaults of `pybuild.toml` filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen


@frozen
class BuildRequest:
    """A build as the user put it; nothing is looked up or checked against the world.

    `context` is a directory, or `-` for standard input. `file` None means by name in the context, `-` standard
    input. `build_args` with the value None take the variable of that name from the environment. `outputs` are
    texts of `--output`. `parallelism` 0 leaves it to the machine. `secrets` and `ssh` are texts of
    their flags; `call` is `build`, `check`, `outline` or `targets`, with `,format=json` and the like after it.
    `registries` maps hosts to the arguments of
    `RegistryConfig`.

    `targets` are names, with the axes chosen (`NAME[axis=value]`) in the language; `params` are values of its params,
    `project` is what its caches are known by ("": by where it lies), `locked` has it refuse what the lock file
    doesn't pin, `rerun` has tests run that are cached. `consulted` are the absolute paths of all configuration files
    that were looked for, those that do not exist too.
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

    @property
    def target(self) -> str | None:
        """The first target."""
        return self.targets[0] if self.targets else None

    def to_plain(self) -> dict[str, Any]:
        """The request as values of built-in types, from which `BuildRequest(**…)` makes it again."""
        return asdict(self, recurse=False)
