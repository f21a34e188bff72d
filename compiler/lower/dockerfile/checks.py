"""The build checks that need values: what variables became, what a base image is, what came before in a stage.

The reference is BuildKit's `frontend/dockerfile/dockerfile2llb/validations.go` and the `dispatch…` functions that
call it. What a trigger of a base does wrong is said at the FROM.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pybuild.compiler import platforms, reference
from pybuild.compiler.lower.dockerfile.arguments import NOT_IN_ENVIRONMENT, global_args
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.lower.dockerfile.words import Words
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.dockerfile.characters import SEPARATORS
from pybuild.lang.dockerfile.instructions import (
    CmdInstruction,
    Dockerfile,
    EntrypointInstruction,
    EnvInstruction,
    HealthcheckInstruction,
    Instruction,
    LabelInstruction,
    Stage,
    WorkdirInstruction,
)
from pybuild.lang.dockerfile.lint import rules
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.lint.nearest import nearest
from pybuild.lang.dockerfile.words import Expansion

TARGET_PLATFORM = "TARGETPLATFORM"

_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)

Once = CmdInstruction | EntrypointInstruction | HealthcheckInstruction


def written_name(instruction: Instruction) -> str:
    """The instruction's name in the case that the file has."""
    return re.split(f"[{re.escape(SEPARATORS)}]", instruction.text, maxsplit=1)[0]


def check_default_bases(
    dockerfile: Dockerfile, predefined: Mapping[str, str], words: Words, linter: Linter
) -> None:
    """Whether every FROM names something that can be an image when no build arguments are given."""
    try:
        values, _ = global_args(predefined, dockerfile.meta_args, {}, words)
        for stage in dockerfile.stages:
            name = words.one(stage.base, values, stage.span)
            if not _can_be_image(name):
                linter.report(rules.INVALID_DEFAULT_ARG_IN_FROM, stage.span, stage.base)
    except SourceError:
        return  # What can't be expanded ends the lowering, in its turn.


def _can_be_image(name: str) -> bool:
    try:
        reference.parse(name)
    except reference.InvalidReference:
        return False
    return True


def check_from_variables(lowering: Lowering, stage: Stage, missing: Collection[str]) -> None:
    """`missing` are names that a FROM asks for and global scope has no value for."""
    declared = sorted({*lowering.declared_args, *lowering.global_args})
    for name in sorted(missing):
        if name not in lowering.declared_args:
            lowering.linter.report(rules.UNDEFINED_ARG_IN_FROM, stage.span, name, nearest(name, declared))


def check_platform_flag(lowering: Lowering, stage: Stage, found: Expansion) -> None:
    """A `--platform` that changes nothing, or that fixes what the one who builds should choose."""
    linter = lowering.linter
    if found.matched or found.unmatched:
        same = found.result == lowering.global_args.get(TARGET_PLATFORM)
        if same and found.matched == {TARGET_PLATFORM} and not found.unmatched:
            linter.report(rules.REDUNDANT_TARGET_PLATFORM, stage.span, stage.platform)
        return
    try:
        platform = platforms.parse_specifier(found.result)
    except platforms.BadPlatform:
        return
    if platform.os not in stage.name and platform.architecture not in stage.name:
        linter.report(rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED, stage.span, found.result)


def check_base_platform(
    lowering: Lowering, state: StageState, origin: str, expected: Platform, found: Platform
) -> None:
    if (expected.os, expected.architecture) == (found.os, found.architecture):
        return
    wanted, got = (platforms.format_all(platforms.normalize(one)) for one in (expected, found))
    lowering.linter.report(rules.INVALID_BASE_IMAGE_PLATFORM, state.stage.span, origin, wanted, got)


def check_variables(
    lowering: Lowering,
    state: StageState,
    instruction: Instruction,
    missing: Collection[str],
    environment: Mapping[str, str],
) -> None:
    """`missing` are names that an instruction asks for and `environment` lacks; an ARG without value is enough."""
    declared = {name for name, _ in state.build_args}
    for name in sorted(set(missing) - declared - NOT_IN_ENVIRONMENT):
        report(lowering, state, rules.UNDEFINED_VAR, instruction, name, nearest(name, environment))


def check_secret(
    lowering: Lowering, state: StageState, kind: str, key: str, instruction: Instruction
) -> None:
    """Whether the name of an ARG or ENV says that its value is a secret."""
    if _SECRET.search(key) and not _NO_SECRET.search(key):
        report(lowering, state, rules.SECRETS_USED_IN_ARG_OR_ENV, instruction, kind, key)


def check_pair(
    lowering: Lowering, state: StageState, instruction: EnvInstruction | LabelInstruction, *, legacy: bool
) -> None:
    if legacy:
        report(lowering, state, rules.LEGACY_KEY_VALUE_FORMAT, instruction, written_name(instruction))


def check_once(lowering: Lowering, state: StageState, instruction: Once) -> None:
    """Says at the earlier one that a later one of the same kind takes its place; remembers this one."""
    kind = type(instruction)
    earlier = state.once.get(kind)
    if earlier is not None:
        rule = rules.MULTIPLE_INSTRUCTIONS_DISALLOWED
        report(lowering, state, rule, earlier, written_name(instruction))
    state.once[kind] = instruction


def check_shell_form(
    lowering: Lowering, state: StageState, instruction: CmdInstruction | EntrypointInstruction
) -> None:
    """A shell that was chosen by SHELL, here or in the base, is meant."""
    if instruction.command.shell and not state.image.config.shell:
        report(lowering, state, rules.JSON_ARGS_RECOMMENDED, instruction, written_name(instruction))


def check_workdir(lowering: Lowering, state: StageState, instruction: WorkdirInstruction, path: str) -> None:
    """Only the first WORKDIR of a chain of stages counts: if it is absolute, all later ones are known."""
    if not state.workdir_is_set and not path.startswith("/"):
        report(lowering, state, rules.WORKDIR_RELATIVE_PATH, instruction, path)
    state.workdir_is_set = True


def check_port(
    lowering: Lowering, state: StageState, instruction: Instruction, port: str, protocol: str, *, mapped: bool
) -> None:
    """`mapped` says that the port is more than a container's: an address or a port of the host stands before."""
    if protocol != protocol.lower():
        report(lowering, state, rules.EXPOSE_PROTO_CASING, instruction, port)
    if mapped:
        report(lowering, state, rules.EXPOSE_INVALID_FORMAT, instruction, port)


def report(
    lowering: Lowering, state: StageState, rule: rules.Rule, instruction: Instruction, *facts: str
) -> None:
    """One finding in a stage; a trigger of the base stands at the FROM."""
    ours = lowering.dockerfile.wrote(instruction)
    lowering.linter.report(rule, instruction.span if ours else state.stage.span, *facts)
