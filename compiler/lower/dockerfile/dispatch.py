"""The table that maps types of instructions to the functions that lower them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pybuild.compiler.lower.dockerfile import extensions, metadata
from pybuild.compiler.lower.dockerfile.checks import check_variables
from pybuild.compiler.lower.dockerfile.copy import add_files, copy_files
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.run import run
from pybuild.compiler.lower.dockerfile.stages import Command, StageState
from pybuild.compiler.lower.dockerfile.workdir import workdir
from pybuild.lang.dockerfile.instructions import (
    AddInstruction,
    ArgInstruction,
    CmdInstruction,
    CopyInstruction,
    EntrypointInstruction,
    EnvFileInstruction,
    EnvInstruction,
    ExposeInstruction,
    HealthcheckInstruction,
    Instruction,
    LabelInstruction,
    MaintainerInstruction,
    OnbuildInstruction,
    RunInstruction,
    ShellInstruction,
    StopSignalInstruction,
    UnsetInstruction,
    UserInstruction,
    VolumeInstruction,
    WorkdirInstruction,
)

INSTRUCTIONS: dict[type[Instruction], Callable[[Lowering, StageState, Any], None]] = {
    AddInstruction: add_files,
    ArgInstruction: metadata.arg,
    CmdInstruction: metadata.cmd,
    EntrypointInstruction: metadata.entrypoint,
    EnvFileInstruction: extensions.env_file,
    EnvInstruction: metadata.env,
    ExposeInstruction: metadata.expose,
    HealthcheckInstruction: metadata.healthcheck,
    LabelInstruction: metadata.label,
    MaintainerInstruction: metadata.maintainer,
    OnbuildInstruction: metadata.onbuild,
    ShellInstruction: metadata.shell,
    StopSignalInstruction: metadata.stop_signal,
    UnsetInstruction: extensions.unset,
    UserInstruction: metadata.user,
    VolumeInstruction: metadata.volume,
    WorkdirInstruction: workdir,
}


def dispatch(lowering: Lowering, stage: StageState, command: Command) -> None:
    """Apply an instruction to its stage. Raises `SourceError`."""
    stage.in_onbuild = command.onbuild
    instruction = command.instruction

    def missing(names: Collection[str], environment: Mapping[str, str]) -> None:
        check_variables(lowering, stage, instruction, names, environment)

    with lowering.words.watched(missing):
        if isinstance(instruction, CopyInstruction):
            copy_files(lowering, stage, instruction, command.sources.get(instruction.from_stage))
        elif isinstance(instruction, RunInstruction):
            run(lowering, stage, instruction, command.sources)
        else:
            INSTRUCTIONS[type(instruction)](lowering, stage, instruction)
