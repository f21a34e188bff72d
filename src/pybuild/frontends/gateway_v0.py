"""The frontend `gateway.v0`: it resolves the image that the request's `source` names and runs the frontend in it.

A named context with the source's name takes the image's place, else its registry is asked, for this machine's
platform. Rules and messages are those of BuildKit's `frontend/gateway`. Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

from attrs import field, frozen

from pybuild.compiler import image, platforms, reference
from pybuild.compiler.lower.dockerfile.contexts import NamedContexts
from pybuild.compiler.lower.dockerfile.pending import settle
from pybuild.compiler.lower.images import pinned
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.frontends.attributes import parse_attributes
from pybuild.frontends.bridge import GatewayBridge
from pybuild.frontends.buildkit_extra import need_extra
from pybuild.frontends.client_inputs import named_states
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.bridge.caller import Caller
from pybuild.runtime.bridge.external import FrontendImage, run_frontend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.gateway import Request, Result
    from pybuild.compiler.lower.dockerfile import LoweredTarget
    from pybuild.runtime.bridge.gateway import Gateway

_SOURCE = "source"
_DEVELOPMENT = "gateway-devel"
_RECORD = "frontend"
_MODULES = ("grpc", "google.protobuf", "google.rpc")


@frozen
class ExternalFrontends:
    """Runs frontends that are images for a build. `repositories` are those that their images may come from,
    empty for any."""

    caller: Caller = field(factory=Caller)
    repositories: tuple[str, ...] = ()

    def solve(self, request: Request, gateway: Gateway) -> Result:
        """Return the frontend's result for the request. Raises UserError, Cancelled."""
        if _DEVELOPMENT in request.options:
            raise UsageError("development gateway is no longer supported", help=f"leave out {_DEVELOPMENT}")
        source = request.options.get(_SOURCE)
        if source is None:
            raise UsageError(
                "no source specified for gateway", help="name the frontend's image as source=REF"
            )
        self._check(source)
        need_extra(f"the frontend {source} is an image, and running one", _MODULES)
        return run_frontend(find_image(source, request, gateway), request, gateway, self.caller)

    def _check(self, source: str) -> None:
        """Raises UserError for an image that must not be run."""
        allowed = {reference.parse(repository).name for repository in self.repositories}
        if allowed and reference.parse(source).name not in allowed:
            raise UserError(
                f"'{source}' is not an allowed gateway source", help="allowed are " + ", ".join(allowed)
            )


def find_image(source: str, request: Request, gateway: Gateway) -> FrontendImage:
    """Return the image that `source` names in a request. Raises UserError, Cancelled."""
    here = platforms.default()
    attributes = parse_attributes(request.options)
    bridge = GatewayBridge(gateway, attributes)
    named = NamedContexts(
        bridge.contexts,
        here,
        named_states(attributes, request.inputs),
        sessions=attributes.sessions,
        shared_keys=attributes.shared_keys,
    )
    context = named.find(source, here)
    if context is not None:
        loaded = context.load(bridge, lambda: ("/",), _no_target)
        config = loaded.image if loaded.image is not None else image.empty(here)
        return FrontendImage(source, settle(loaded.files), config, _digest(context.source))
    ref = reference.parse(source).canonical
    resolved = bridge.resolve_image(ref, here, log_name=f"resolve image config for docker-image://{ref}")
    state = State.image(pinned(resolved), record_type=_RECORD, options=Options(platform=here))
    return FrontendImage(source, state.edge, image.parse(resolved.config), resolved.digest)


def _digest(context: str) -> str:
    """Return the digest of the image that a context names by digest."""
    return context.rpartition("@")[2] if "@sha256:" in context else ""


def _no_target(stage: str, key: str) -> LoweredTarget:
    raise UsageError(
        f"unsupported context source target for {key}", help="a frontend is an image or a directory"
    )
