"""Entitlements: which of those that a Solve requests the daemon's configuration grants."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.daemon.settings import Settings

NETWORK, SECURITY, DEVICE = "network.host", "security.insecure", "device"


def grant(requested: Iterable[str], settings: Settings) -> frozenset[str]:
    """Return the entitlements of a build. Raises UserError for an unknown one, and for one that the daemon doesn't
    grant."""
    out = set()
    for text in requested:
        name = text.partition("=")[0] if text.startswith(DEVICE) else text
        if name not in (NETWORK, SECURITY, DEVICE):
            raise UserError(f"unknown entitlement {text}")
        if name not in settings.entitlements:
            raise UserError(
                f"granting entitlement {name} is not allowed by build daemon configuration",
                help=f"start the daemon with --allow-insecure-entitlement {name}",
            )
        out.add(text)
    return frozenset((*out, *(f"{DEVICE}={name}" for name in settings.allowed_devices)))
