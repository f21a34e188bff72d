"""Locations of registries: from a reference's domain to addresses, mirrors and transport settings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCKER_HUB = "docker.io"
DOCKER_HUB_HOST = "registry-1.docker.io"


class RegistryConfig:
    """The user's configuration of a registry (`[registries."HOST"]` in config.toml, the keys of BuildKit's
    `[registry."HOST"]`). `mirrors` are `HOST[:PORT][/PATH]`, tried in order before the registry itself;
    `http`: plain HTTP only; `insecure`: certificates aren't checked; `ca`: PEM files trusted besides the
    system's; `keypair`: client certificates as (key file, certificate file)."""

    __slots__ = ("ca", "host", "http", "insecure", "keypair", "mirrors")

    def __init__(
        self,
        host: str,
        *,
        mirrors: Sequence[str] = (),
        http: bool = False,
        insecure: bool = False,
        ca: Sequence[str] = (),
        keypair: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.host = host
        self.mirrors = tuple(mirrors)
        self.http = http
        self.insecure = insecure
        self.ca = tuple(ca)
        self.keypair = tuple(keypair)


class Endpoint:
    """An address that serves a registry's repositories. `domain` is the registry in references, `host`
    (`HOST[:PORT]`) the server that answers for it, `prefix` stands before the repository's path. `schemes`
    are tried in order until one answers."""

    __slots__ = ("config", "domain", "host", "prefix", "schemes")

    def __init__(self, domain: str, host: str, config: RegistryConfig, prefix: str = "") -> None:
        self.domain = domain
        self.host = host
        self.config = config
        self.prefix = prefix.strip("/")
        self.schemes = _schemes(host, config)

    @property
    def is_mirror(self) -> bool:
        return self.host != _address(self.domain)

    @property
    def checks_certificates(self) -> bool:
        """False for an insecure registry, and for one on loopback, which Docker and containerd trust too,
        unless a CA is configured for it."""
        if self.config.insecure:
            return False
        return bool(self.config.ca) or not is_loopback(self.host)

    def path(self, repository: str) -> str:
        return f"{self.prefix}/{repository}" if self.prefix else repository


class Hosts:
    """The registries as configured. Immutable."""

    __slots__ = ("_configs",)

    def __init__(self, configs: Iterable[RegistryConfig] = ()) -> None:
        self._configs = {_address(config.host): config for config in configs}

    def config(self, host: str) -> RegistryConfig:
        return self._configs.get(_address(host)) or RegistryConfig(host)

    def origin(self, domain: str) -> Endpoint:
        """Return the registry itself, which images are pushed to."""
        return Endpoint(domain, _address(domain), self.config(domain))

    def endpoints(self, domain: str) -> list[Endpoint]:
        """Return the endpoints for images of `domain`: its mirrors in order, then the registry itself."""
        origin = self.origin(domain)
        out = []
        for mirror in origin.config.mirrors:
            host, _, prefix = mirror.rpartition("://")[2].partition("/")
            out.append(Endpoint(domain, host, self._mirror_config(mirror, host), prefix))
        return [*out, origin]

    def _mirror_config(self, mirror: str, host: str) -> RegistryConfig:
        config = self.config(host)
        if mirror.startswith("http://") and not config.http:
            return RegistryConfig(
                host, http=True, insecure=config.insecure, ca=config.ca, keypair=config.keypair
            )
        return config


def host_name(host: str) -> str:
    """Return `HOST[:PORT]` without the port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else host


def has_port(host: str) -> bool:
    return host.rpartition("]")[2].rpartition(":")[2].isdigit() and ":" in host.rpartition("]")[2]


def is_loopback(host: str) -> bool:
    """Return whether `HOST[:PORT]` is this machine: localhost, 127.0.0.0/8, ::1."""
    name = host_name(host).lower()
    if name == "localhost" or name.endswith(".localhost") or name == "::1":
        return True
    parts = name.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() for part in parts)


def _schemes(host: str, config: RegistryConfig) -> tuple[str, ...]:
    if config.http:
        return ("http",)
    if not is_loopback(host) or config.ca:
        return ("https",)
    return ("http", "https") if has_port(host) else ("https", "http")


def _address(domain: str) -> str:
    return DOCKER_HUB_HOST if domain in (DOCKER_HUB, "index.docker.io") else domain
