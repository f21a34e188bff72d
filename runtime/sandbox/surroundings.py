"""The machine owner's settings for all steps of a build."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Dns:
    """Lines of resolv.conf that replace the host's lines of the same kind. An empty value replaces nothing."""

    __slots__ = ("options", "search", "servers")

    def __init__(
        self, servers: Sequence[str] = (), options: Sequence[str] = (), search: Sequence[str] = ()
    ) -> None:
        self.servers = tuple(servers)
        self.options = tuple(options)
        self.search = tuple(search)


class Surroundings:
    """Settings for all steps. `isolate`: a step fails if no private network can be made for it. `host_network`: the
    default network is the host's. `cgroup_parent` is the parent of control groups for steps that name none.
    `devices` are the directories with CDI specifications, None for the default ones."""

    __slots__ = ("cgroup_parent", "devices", "dns", "host_network", "isolate")

    def __init__(
        self,
        *,
        isolate: bool = False,
        host_network: bool = False,
        dns: Dns | None = None,
        cgroup_parent: str = "",
        devices: Sequence[str] | None = None,
    ) -> None:
        self.isolate = isolate
        self.host_network = host_network
        self.dns = dns
        self.cgroup_parent = cgroup_parent
        self.devices = devices
