"""EXPOSE: port specifications `[ip:][public:]private[/protocol]`, ports perhaps ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pybuild.lang.diagnostics import SourceError, source_error
from pybuild.lang.source import Span

_PROTOCOLS = ("tcp", "udp", "sctp")


def ports(specifications: Iterable[str], span: Span) -> list[str]:
    """`port/protocol` for every port named. Raises `SourceError`."""
    return [port for text in specifications for port in _ports(text, span)]


def _ports(text: str, span: Span) -> list[str]:
    *addresses, container = text.split(":")
    public = addresses.pop() if addresses else ""
    _check_address(":".join(addresses), text, span)
    container, _, protocol = container.partition("/")
    if not container:
        raise _bad(f"no port specified: {text}", span)
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise _bad(f"invalid protocol {protocol!r} in {text}", span)
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
        raise _bad(f"invalid IP address {address!r} in {text}", span) from None


def _range(port: str, what: str, text: str, span: Span) -> tuple[int, int]:
    first, dash, last = port.partition("-")
    last = last if dash else first
    if not all(re.fullmatch("[0-9]+", end) and int(end) <= 0xFFFF for end in (first, last)):
        raise _bad(f"invalid {what} {port!r} in {text}", span)
    if int(last) < int(first):
        raise _bad(f"invalid {what} range {port!r} in {text}: it ends before it begins", span)
    return int(first), int(last)


def _bad(title: str, span: Span) -> SourceError:
    return source_error(
        title, span, help="write EXPOSE 80, 80/udp or 8000-8010/tcp; ports go from 0 to 65535"
    )
