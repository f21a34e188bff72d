"""What commands of all frontends are run with: networks, proxies, shared memory, scripts as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pybuild.compiler.mounts import FileMount, bind, tmpfs
from pybuild.compiler.ops import HostIP, NetMode, Platform, ProxyEnv, Ulimit
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, mkfile

NETWORKS = {"none": NetMode.NONE, "host": NetMode.HOST}
"""Modes by name; any other is the default."""

PIPES = "/dev/pipes/"
"""Where a script is mounted that is a file of its own."""

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


class Surroundings(Protocol):
    """Options of a build that hold for all of its commands; `shm_size` in bytes."""

    @property
    def network_default(self) -> str: ...
    @property
    def add_hosts(self) -> tuple[HostIP, ...]: ...
    @property
    def ulimits(self) -> tuple[Ulimit, ...]: ...
    @property
    def cgroup_parent(self) -> str: ...
    @property
    def shm_size(self) -> int: ...


def command_state(
    options: Surroundings,
    *,
    cwd: str,
    environment: Mapping[str, str],
    user: str,
    platform: Platform | None,
    hostname: str = "",
) -> State:
    """What a command inherits, without its file system."""
    return State(
        cwd=cwd,
        environment=tuple(environment.items()),
        user_name=user,
        host_name=hostname,
        platform=platform,
        network_mode=NETWORKS.get(options.network_default, NetMode.UNSET),
        extra_hosts=options.add_hosts,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
    )


def shared_memory(options: Surroundings) -> list[FileMount]:
    """The mount of shared memory if its size is given."""
    return [tmpfs("/dev/shm", size=options.shm_size)] if options.shm_size > 0 else []


def script_mount(name: str, text: str) -> FileMount:
    """A script as the file `name` in `PIPES`."""
    options = Options(name="[internal] preparing inline document")
    document = State.scratch().file(mkfile(name, text.encode(), mode=0o755), options=options)
    return bind(PIPES, document, selector="/", readonly=True)


def proxy_env(values: Mapping[str, str]) -> ProxyEnv | None:
    """The proxies among `values`, in either case; commands get them without any trace in the image."""
    found = {}
    for name in sorted(values):
        if name.lower() in PROXIES:
            found[name.lower()] = values[name]
    return ProxyEnv(**found) if found else None
