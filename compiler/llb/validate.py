"""Validation of a received definition, beyond its encoding: ops have all required parts, and every input and output
that they name exists. The messages are BuildKit's (`solver/llbsolver/ops/opsutils`) where it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.llb.wire import DefinitionError
from pybuild.compiler.ops import (
    EMPTY,
    DiffOp,
    ExecOp,
    FileOp,
    MergeOp,
    Mount,
    MountType,
    Op,
    PassthroughOp,
)


def validated(edge: Edge) -> Edge:
    """Return `edge` if every op beneath it is valid. Raises DefinitionError."""
    vertices = list(walk([edge]))
    for vertex in vertices:
        check = _CHECKS.get(type(vertex.op))
        if check is not None:
            check(vertex.op, len(vertex.inputs))
    for used in (edge, *(input for vertex in vertices for input in vertex.inputs)):
        _check_output(used)
    return edge


def _check_output(edge: Edge) -> None:
    if edge.index >= _outputs(edge.vertex.op):
        raise DefinitionError(f"the op {edge.vertex.digest} has no output {edge.index}")


def _outputs(op: Op) -> int:
    """Return the number of results of an op."""
    if isinstance(op, ExecOp):
        return sum(mount.output != EMPTY and _has_output(mount) for mount in op.mounts)
    if isinstance(op, FileOp):
        return sum(action.output != EMPTY for action in op.actions)
    return len(op.outputs) if isinstance(op, PassthroughOp) else 1


def _has_output(mount: Mount) -> bool:
    """True if a mount's output counts. Secrets and agents carry output numbers that mean nothing."""
    kind = mount.mount_type
    return kind == MountType.BIND or (kind == MountType.CACHE and mount.input != EMPTY)


def _exec(op: ExecOp, inputs: int) -> None:
    if not op.meta.args:
        raise DefinitionError("invalid exec op with no args")
    if not op.mounts:
        raise DefinitionError("invalid exec op with no mounts")
    if not any(mount.dest == "/" for mount in op.mounts):
        raise DefinitionError("invalid exec op with no rootfs")
    for mount in op.mounts:
        if not EMPTY <= mount.input < inputs:
            raise DefinitionError(f"missing input {mount.input} of the mount at {mount.dest}")


def _file(op: FileOp, inputs: int) -> None:
    if not op.actions:
        raise DefinitionError("invalid file op with no actions")
    for number, action in enumerate(op.actions):
        for one in (action.input, action.secondary_input):
            if not EMPTY <= one < inputs + number:
                raise DefinitionError(f"invalid file op: action {number} has no input {one}")


def _merge(op: MergeOp, inputs: int) -> None:
    if len(op.inputs) != inputs:
        raise DefinitionError(
            f"invalid merge op with {len(op.inputs)} inner inputs and {inputs} outer inputs"
        )
    for one in op.inputs:
        if not 0 <= one < inputs:
            raise DefinitionError(f"invalid merge op: there is no input {one}")


def _diff(op: DiffOp, inputs: int) -> None:
    for one in (op.lower, op.upper):
        if not EMPTY <= one < inputs:
            raise DefinitionError(f"invalid diff op: there is no input {one}")


def _passthrough(op: PassthroughOp, inputs: int) -> None:
    if not op.id:
        raise DefinitionError("invalid passthrough op with no id")
    if not op.outputs:
        raise DefinitionError("invalid passthrough op with no outputs")
    for one in op.outputs:
        if not 0 <= one < inputs:
            raise DefinitionError(f"invalid passthrough output input index {one}")


_CHECKS: dict[type[Op], Callable[[Any, int], None]] = {
    ExecOp: _exec,
    FileOp: _file,
    MergeOp: _merge,
    DiffOp: _diff,
    PassthroughOp: _passthrough,
}
