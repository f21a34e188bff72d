"""Build checks that need values: expanded variables, base images, earlier instructions of a stage.

The reference is BuildKit's `frontend/dockerfile/dockerfile2llb/validations.go` and the `dispatch…` functions that
call it. Findings in a trigger of a base image are reported at the FROM.
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
    """Return the instruction's name in the case of the file."""
    return re.split(f"[{re.escape(SEPARATORS)}]", instruction.text, maxsplit=1)[0]


def check_default_bases(
    dockerfile: Dockerfile, predefined: Mapping[str, str], words: Words, linter: Linter
) -> None:
    """Report each FROM that isn't a valid image name when no build arguments are given."""
    try:
        values, _ = global_args(predefined, dockerfile.meta_args, {}, words)
        for stage in dockerfile.stages:
            name = words.one(stage.base, values, stage.span)
            if not _can_be_image(name):
                linter.report(rules.INVALID_DEFAULT_ARG_IN_FROM, stage.span, stage.base)
    except SourceError:
        return  # The lowering reports words that can't be expanded.


def _can_be_image(name: str) -> bool:
    try:
        reference.parse(name)
    except reference.InvalidReference:
        return False
    return True


def check_from_variables(lowering: Lowering, stage: Stage, missing: Collection[str]) -> None:
    """Report undeclared arguments of a FROM; `missing` are the names that have no value in global scope."""
    declared = sorted({*lowering.declared_args, *lowering.global_args})
    for name in sorted(missing):
        if name not in lowering.declared_args:
            lowering.linter.report(rules.UNDEFINED_ARG_IN_FROM, stage.span, name, nearest(name, declared))


def check_platform_flag(lowering: Lowering, stage: Stage, expansion: Expansion) -> None:
    """Report a `--platform` that is redundant, or that fixes the platform which the user should choose."""
    linter = lowering.linter
    if expansion.matched or expansion.unmatched:
        same = expansion.result == lowering.global_args.get(TARGET_PLATFORM)
        if same and expansion.matched == {TARGET_PLATFORM} and not expansion.unmatched:
            linter.report(rules.REDUNDANT_TARGET_PLATFORM, stage.span, stage.platform)
        return
    try:
        platform = platforms.parse_specifier(expansion.result)
    except platforms.BadPlatform:
        return
    if platform.os not in stage.name and platform.architecture not in stage.name:
        linter.report(rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED, stage.span, expansion.result)


def check_base_platform(
    lowering: Lowering, state: StageState, origin: str, expected: Platform, actual: Platform
) -> None:
    if (expected.os, expected.architecture) == (actual.os, actual.architecture):
        return
    wanted, got = (platforms.format_all(platforms.normalize(one)) for one in (expected, actual))
    lowering.linter.report(rules.INVALID_BASE_IMAGE_PLATFORM, state.stage.span, origin, wanted, got)


def check_variables(
    lowering: Lowering,
    state: StageState,
    instruction: Instruction,
    missing: Collection[str],
    environment: Mapping[str, str],
) -> None:
    """Report undefined variables; `missing` are names without a value in `environment`. An ARG without a value
    defines its name."""
    declared = {name for name, _ in state.build_args}
    for name in sorted(set(missing) - declared - NOT_IN_ENVIRONMENT):
        report(lowering, state, rules.UNDEFINED_VAR, instruction, name, nearest(name, environment))


def check_secret(
    lowering: Lowering, state: StageState, kind: str, key: str, instruction: Instruction
) -> None:
    """Report an ARG or ENV whose name suggests that its value is a secret."""
    if _SECRET.search(key) and not _NO_SECRET.search(key):
        report(lowering, state, rules.SECRETS_USED_IN_ARG_OR_ENV, instruction, kind, key)


def check_pair(
    lowering: Lowering, state: StageState, instruction: EnvInstruction | LabelInstruction, *, legacy: bool
) -> None:
    if legacy:
        report(lowering, state, rules.LEGACY_KEY_VALUE_FORMAT, instruction, written_name(instruction))


def check_once(lowering: Lowering, state: StageState, instruction: Once) -> None:
    """Report an earlier instruction of the same kind, which this one replaces; remember this one."""
    kind = type(instruction)
    earlier = state.once.get(kind)
    if earlier is not None:
        rule = rules.MULTIPLE_INSTRUCTIONS_DISALLOWED
        report(lowering, state, rule, earlier, written_name(instruction))
    state.once[kind] = instruction


def check_shell_form(
    lowering: Lowering, state: StageState, instruction: CmdInstruction | EntrypointInstruction
) -> None:
    """Report the shell form, unless SHELL chose a shell, here or in the base."""
    if instruction.command.shell and not state.image.config.shell:
        report(lowering, state, rules.JSON_ARGS_RECOMMENDED, instruction, written_name(instruction))


def check_workdir(lowering: Lowering, state: StageState, instruction: WorkdirInstruction, path: str) -> None:
    """Report a relative path in the first WORKDIR of a chain of stages: after an absolute one all are known."""
    if not state.workdir_is_set and not path.startswith("/"):
        report(lowering, state, rules.WORKDIR_RELATIVE_PATH, instruction, path)
    state.workdir_is_set = True


def check_port(
    lowering: Lowering, state: StageState, instruction: Instruction, port: str, protocol: str, *, mapped: bool
) -> None:
    """Report an upper-case protocol, and a port with an address or a port of the host before it (`mapped`)."""
    if protocol != protocol.lower():
        report(lowering, state, rules.EXPOSE_PROTO_CASING, instruction, port)
    if mapped:
        report(lowering, state, rules.EXPOSE_INVALID_FORMAT, instruction, port)


def report(
    lowering: Lowering, state: StageState, rule: rules.Rule, instruction: Instruction, *facts: str
) -> None:
    """Report a finding at an instruction; for a trigger of the base, at the FROM of the stage."""
    ours = lowering.dockerfile.wrote(instruction)
    lowering.linter.report(rule, instruction.span if ours else state.stage.span, *facts)
