"""Captures the materials of a state for its provenance: sources with their digests, secrets, agents, the
network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import define, field, frozen

from pybuild.compiler import reference
from pybuild.compiler.graph import walk
from pybuild.compiler.ops import BuildOp, ExecOp, NetMode, SourceOp
from pybuild.compiler.platforms import default
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.image.packageurl import package_url
from pybuild.runtime.sources.gitrequest import GitRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.gateway import Request
    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.engine import Engine

_OF_THE_HOST = frozenset(("cgroup-parent", "image-resolve-mode", "platform", "cache-imports"))
"""Attributes of frontends that don't influence the result."""


@frozen
class Material:
    """A source: its address, and its digests by algorithm."""

    uri: str
    digest: Mapping[str, str] = field(factory=dict)


@define
class Capture:
    """The materials of a state. `frontend` and `args` are those of the request that returned it; `secrets` and
    `agents` are ids, true where the build can do without."""

    frontend: str = ""
    args: dict[str, str] = field(factory=dict)
    images: dict[str, Material] = field(factory=dict)
    repositories: dict[str, Material] = field(factory=dict)
    files: dict[str, Material] = field(factory=dict)
    locals: set[str] = field(factory=set)
    secrets: dict[str, bool] = field(factory=dict)
    agents: dict[str, bool] = field(factory=dict)
    network: bool = False
    incomplete: bool = False

    @property
    def materials(self) -> list[Material]:
        kinds = (self.images, self.repositories, self.files)
        return [material for kind in kinds for _, material in sorted(kind.items())]

    def material(self, uri: str) -> Material | None:
        return self.repositories.get(uri) or self.files.get(uri)


def capture(edge: Edge | None, gateway: Gateway, read_edges: Iterable[Edge] = ()) -> Capture:
    """Capture the materials of a solved state; `read_edges` are states that its frontend read. Raises Cancelled."""
    captured = Capture()
    request = _request_of(edge, gateway)
    if request is not None:
        captured.frontend = request.frontend
        captured.args = {
            name: redact(value) if name == "context" or name.startswith("context:") else value
            for name, value in request.options.items()
            if name not in _OF_THE_HOST and not name.startswith("attest:")
        }
    for vertex in walk([*([edge] if edge is not None else []), *read_edges]):
        if isinstance(vertex.op, SourceOp):
            _source(captured, vertex, vertex.op, gateway.engine)
        elif isinstance(vertex.op, ExecOp):
            _step(captured, vertex.op)
        elif isinstance(vertex.op, BuildOp):
            captured.incomplete = True
    return captured


def _request_of(edge: Edge | None, gateway: Gateway) -> Request | None:
    """Return the request that returned a state. Where frontends called one another it is the innermost's, which
    ended first and is first in the list."""
    for request, result in list(gateway.requests):
        for returned in (result.edge,) if result.edges is None else result.edges.values():
            if returned == edge:
                return request
    return None


def _source(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    """Capture a source. One that can't be resolved (say, a frontend went on without it) makes the capture
    incomplete."""
    scheme = op.identifier.partition("://")[0]
    try:
        if scheme in _SOURCES:
            _SOURCES[scheme](captured, vertex, op, engine)
    except Cancelled:
        raise
    except UserError:
        captured.incomplete = True


def _step(captured: Capture, op: ExecOp) -> None:
    uses = [(env.id, env.optional, captured.secrets) for env in op.secret_env]
    for mount in op.mounts:
        if mount.secret_opt is not None:
            uses.append((mount.secret_opt.id, mount.secret_opt.optional, captured.secrets))
        if mount.ssh_opt is not None:
            uses.append((mount.ssh_opt.id or "default", mount.ssh_opt.optional, captured.agents))
    for id, optional, optional_by_id in uses:
        optional_by_id[id] = optional and optional_by_id.get(id, True)
    if op.network != NetMode.NONE:
        captured.network = True


def _image(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    platform = vertex.platform or default()
    ref = reference.parse(op.identifier.partition("://")[2])
    digest = ref.digest or engine.images.resolve_image(ref.canonical, platform, engine.cancellation).digest
    _add_image(captured, "docker", ref, vertex, digest)


def _layout(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    ref = reference.parse(op.identifier.partition("://")[2])
    _add_image(captured, "oci", ref, vertex, ref.digest or "")


def _add_image(captured: Capture, type: str, ref: reference.Reference, vertex: Vertex, digest: str) -> None:
    from pybuild.frontends.results import platform_object

    if ref.tag and captured.frontend:
        # A frontend has pinned the tag that the user wrote.
        ref = reference.Reference(ref.domain, ref.path, ref.tag)
    platform = platform_object(vertex.platform) if vertex.platform is not None else None
    uri = package_url(type, ref, platform)
    captured.images[uri] = Material(uri, _digests(digest))


def _git(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    request = GitRequest(op)
    commit = engine.fetchers.git().resolve(op, engine.cancellation).commit
    uri = request.remote + (f"#{request.ref}" if request.ref else "")
    algorithm = "sha256" if len(commit) == 64 else "sha1"
    captured.repositories[uri] = Material(uri, {algorithm: commit})
    for id in (request.token_secret, request.header_secret):
        if id:
            captured.secrets.setdefault(id, True)
    if request.ssh_id:
        captured.agents.setdefault(request.ssh_id, True)


def _http(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    uri = redact(op.identifier)
    captured.files[uri] = Material(
        uri, _digests(engine.fetchers.http().resolve(op, engine.cancellation).digest)
    )


def _local(captured: Capture, vertex: Vertex, op: SourceOp, engine: Engine) -> None:
    captured.locals.add(op.identifier.partition("://")[2])


_SOURCES: Mapping[str, Callable[[Capture, Vertex, SourceOp, Engine], None]] = {
    "docker-image": _image,
    "oci-layout": _layout,
    "git": _git,
    "http": _http,
    "https": _http,
    "local": _local,
}


def redact(url: str) -> str:
    """Return an address with its user and password blotted out."""
    scheme, separator, remainder = url.partition("://")
    if not separator:
        return url
    place, slash, path = remainder.partition("/")
    if "@" not in place:
        return url
    user, _, host = place.rpartition("@")
    hidden = "xxxxx:xxxxx" if ":" in user else "xxxxx"
    return f"{scheme}://{hidden}@{host}{slash}{path}"


def _digests(digest: str) -> dict[str, str]:
    algorithm, separator, value = digest.partition(":")
    return {algorithm: value} if separator else {}
