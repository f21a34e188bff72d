"""What all steps of a build run in, as the machine's owner has it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Dns:
    """Lines of resolv.conf that take the places of the host's; what is empty leaves those alone."""

    __slots__ = ("options", "search", "servers")

    def __init__(
        self, servers: Sequence[str] = (), options: Sequence[str] = (), search: Sequence[str] = ()
    ) -> None:
        self.servers = tuple(servers)
        self.options = tuple(options)
        self.search = tuple(search)


class Surroundings:
    """`isolate`: a step whose private network can't be made fails. `host_network`: the default network is the host's.
    `cgroup_parent` is the control group of steps that name none. `devices` are directories with specifications,
    None for the usual ones."""

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
