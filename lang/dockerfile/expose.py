"""Port specifications of EXPOSE: `[ip:][public:]private[/protocol]`, where a port may be a range."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pybuild.lang.diagnostics import SourceError, source_error
from pybuild.lang.dockerfile.numbers import read_number
from pybuild.lang.source import Span

_PROTOCOLS = ("tcp", "udp", "sctp")


class Check(Protocol):
    """Callback for every well-formed specification: its text, its protocol as written, and whether it is `mapped` to
    an address or a port of the host."""

    def __call__(self, port: str, protocol: str, *, mapped: bool) -> None: ...


def _unheard(port: str, protocol: str, *, mapped: bool) -> None:
    """Ignore a specification."""


def ports(specifications: Iterable[str], span: Span, check: Check = _unheard) -> list[str]:
    """Return `port/protocol` for every port named. Raises SourceError."""
    return [port for text in specifications for port in _ports(text, span, check)]


def _ports(text: str, span: Span, check: Check) -> list[str]:
    *addresses, container = text.split(":")
    public = addresses.pop() if addresses else ""
    address = ":".join(addresses)
    container, _, written = container.partition("/")
    if not container:
        raise _bad(f"no port specified: {text}", span)
    protocol = written.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise _bad(f"invalid protocol {protocol!r} in {text}", span, f"invalid proto: {protocol}")
    check(text, written, mapped=bool(address or public))
    _check_address(address, text, span)
    first, last = _range(container, "container port", text, span)
    if public:
        public_first, public_last = _range(public, "host port", text, span)
        if last != first and public_last - public_first != last - first:
            raise _bad(f"ranges of different size for container and host ports: {text}", span)
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _check_address(address: str, text: str, span: Span) -> None:
    from ipaddress import ip_address

    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        if bare:
            ip_address(bare)
    except ValueError:
        raise _bad(
            f"invalid IP address {address!r} in {text}", span, f"invalid IP address: {address}"
        ) from None


_KNOWN = {"container port": "containerPort", "host port": "hostPort"}
"""BuildKit's names for the two ports."""


def _range(port: str, what: str, text: str, span: Span) -> tuple[int, int]:
    first, dash, last = port.partition("-")
    low, high = (read_number(end, 0xFFFF) for end in (first, last if dash else first))
    if low is None or high is None:
        raise _bad(f"invalid {what} {port!r} in {text}", span, f"invalid {_KNOWN[what]}: {port}")
    if high < low:
        title = f"invalid {what} range {port!r} in {text}: it ends before it begins"
        raise _bad(title, span, f"invalid {_KNOWN[what]}: {port}")
    return low, high


def _bad(title: str, span: Span, buildkit: str = "") -> SourceError:
    error = source_error(
        title, span, help="write EXPOSE 80, 80/udp or 8000-8010/tcp; ports go from 0 to 65535"
    )
    error.diagnostic = error.diagnostic.known_as(buildkit)
    return error
