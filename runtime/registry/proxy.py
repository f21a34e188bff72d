"""Proxies as the environment names them: HTTPS_PROXY, HTTP_PROXY, NO_PROXY and their lower-case forms.

The rules are those of Go's net/http, which every other container tool follows: loopback is never proxied;
an entry of NO_PROXY is `*`, a domain (with its subdomains; with a leading dot or `*.`, only them), an address
or a CIDR block, each perhaps with a port.
"""

from __future__ import annotations

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.hosts import has_port, host_name, is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy:
    """A proxy. `url` holds no credentials; `authorization` is the value of Proxy-Authorization, or empty."""

    __slots__ = ("authorization", "url")

    def __init__(self, url: str, authorization: str = "") -> None:
        self.url = url
        self.authorization = authorization


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for connections to `HOST[:PORT]`, None for a direct one. Raises BadRegistryConfig for
    one that can't be used."""
    if is_loopback(host) or _excluded(scheme, host, environ):
        return None
    for variable in (f"{scheme.upper()}_PROXY", f"{scheme}_proxy"):
        value = environ.get(variable, "").strip()
        if value:
            return _parse(variable, value)
    return None


def _parse(variable: str, value: str) -> Proxy:
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(value if "://" in value else f"http://{value}")
    if parts.scheme not in ("http", "https"):
        raise errors.bad_proxy(variable, f"{parts.scheme} proxies are not supported")
    try:
        port = parts.port
    except ValueError:
        raise errors.bad_proxy(variable, "its port is not a number") from None
    if not parts.hostname:
        raise errors.bad_proxy(variable, "it names no host")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{name}" + (f":{port}" if port else "")
    if parts.username is None:
        return Proxy(url)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(url, "Basic " + b64encode(login.encode()).decode("ascii"))


def _excluded(scheme: str, host: str, environ: Mapping[str, str]) -> bool:
    listed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    name = host_name(host).lower().rstrip(".")
    port = host.rpartition(":")[2] if has_port(host) else ("443" if scheme == "https" else "80")
    return any(_matches(entry.strip().lower(), name, port) for entry in listed.split(",") if entry.strip())


def _matches(entry: str, name: str, port: str) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _in_block(entry, name)
    if has_port(entry) and not entry.count(":") > 1:
        if entry.rpartition(":")[2] != port:
            return False
        entry = host_name(entry)
    entry = entry.strip("[]").removeprefix("*")
    if entry.startswith("."):
        return name.endswith(entry)
    return name == entry or name.endswith("." + entry)


def _in_block(block: str, name: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(name) in ip_network(block, strict=False)
    except ValueError:
        return False
