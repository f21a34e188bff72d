"""Descriptions of results in disk usage, in BuildKit's words."""

from __future__ import annotations

from pybuild.compiler.names import name_of
from pybuild.compiler.ops import ExecOp, Mount, MountType, SourceOp
from pybuild.runtime.content.labels import GIT_CHECKOUT, REGULAR, Label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.graph import Vertex


def labels_of(vertex: Vertex, count: int) -> Sequence[Label]:
    """Return a label for each of the `count` results of a vertex."""
    op = vertex.op
    if isinstance(op, SourceOp):
        return [_source(op)] * count
    if isinstance(op, ExecOp):
        outputs = sorted((mount for mount in op.mounts if mount.output >= 0), key=lambda mount: mount.output)
        return [Label(REGULAR, mount_description(op, mount)) for mount in outputs]
    return [Label(REGULAR, name_of(vertex))] * count


def mount_description(op: ExecOp, mount: Mount) -> str:
    """Return the description of the result or the cache of a step's mount."""
    kind = "cached mount" if mount.mount_type == MountType.CACHE else "mount"
    return f"{kind} {mount.dest} from exec {' '.join(op.meta.args)}"


def _source(op: SourceOp) -> Label:
    scheme, _, rest = op.identifier.partition("://")
    if scheme in ("docker-image", "oci-layout"):
        type = op.attrs.get("image.recordtype") or REGULAR
        return Label(type, f"pulled from {rest}", chain=True)
    if scheme.endswith("+blob"):
        return Label(op.attrs.get("image.recordtype") or REGULAR, f"blob {rest}")
    from pybuild.compiler.hide_credentials import without_credentials

    if scheme == "git":
        remote, _, ref = (op.attrs.get("git.fullurl") or rest).partition("#")
        named = rest.partition("#")[2] or ref
        return Label(GIT_CHECKOUT, f"git snapshot for {without_credentials(remote)}#{named}")
    return Label(REGULAR, f"http url {without_credentials(op.identifier)}")
