"""The packages of the extra `buildkit`, which an installation may lack."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MODULES = ("grpc", "grpc_health", "google.protobuf", "google.rpc", "h2")


def need_extra(who: str, modules: Iterable[str] = MODULES) -> None:
    """Raises UserError, saying that `who` needs it, if a module of the extra is not installed."""
    from importlib.util import find_spec

    for name in modules:
        try:
            spec = find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            raise UserError(
                f"{who} needs packages that are not installed ({name})",
                help="pip install 'pybuildkit[buildkit]'",
            )
