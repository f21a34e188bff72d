"""WORKDIR: the working directory of later commands, which is made if it is missing."""

from __future__ import annotations

from pybuild.compiler.file_actions import absolute
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile.checks import check_workdir
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record
from pybuild.compiler.lower.dockerfile.names import step_name, upper_instruction
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, mkdir
from pybuild.lang.dockerfile.instructions import WorkdirInstruction


def workdir(lowering: Lowering, stage: StageState, instruction: WorkdirInstruction) -> None:
    """Apply a WORKDIR. The directory is made, owned by the image's user, unless it is `/`."""
    path = lowering.words.one(instruction.path, stage.environment, instruction.span)
    check_workdir(lowering, stage, instruction, path)
    set_directory(stage, path)
    has_layer = stage.cwd != "/"
    if has_layer:
        _make(lowering, stage, instruction)
    record(lowering, stage, f"WORKDIR {stage.cwd}", layer=has_layer)


def set_directory(stage: StageState, path: str) -> None:
    """Set the working directory; a relative `path` is taken from that of the image."""
    config = stage.image.config
    directory = path if path.startswith("/") else absolute(config.working_dir or "/", path or ".")
    stage.image = stage.image.with_config(working_dir=directory)
    stage.cwd = directory


def _make(lowering: Lowering, stage: StageState, instruction: WorkdirInstruction) -> None:
    name = step_name(
        stage,
        upper_instruction(lowering.words.shown(instruction.text, stage.environment)),
        platform=stage.platform if lowering.options.multi_platform else None,
        environment=stage.environment,
    )
    options = Options(name=name, spans=(instruction.span,))
    actions = mkdir(
        stage.cwd,
        mode=0o755,
        parents=True,
        owner=stage.image.config.user or None,
        created=lowering.timestamp,
    )
    state = State(cwd=stage.cwd)

    def make(inputs: Inputs) -> Edge | None:
        return state.at(inputs[0]).file(actions, options=options).edge

    stage.files = Pending(make, (stage.files,))
