"""Build arguments: predefined ones, arguments of global scope, and the warning about unused ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from pybuild.compiler import platforms
from pybuild.compiler.lower.commands import PROXIES
from pybuild.compiler.lower.dockerfile.options import LowerOptions, UsedArg
from pybuild.compiler.lower.dockerfile.words import Words
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, suggest
from pybuild.lang.dockerfile.instructions import ArgInstruction, Dockerfile

EPOCH = "SOURCE_DATE_EPOCH"
NOT_IN_ENVIRONMENT = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})
"""Arguments that are not in the environment of commands."""


@frozen
class Platforms:
    """The platforms of a build: `target`, and `build`, which steps can run on. `implicit`: none was requested."""

    target: Platform
    build: tuple[Platform, ...]
    implicit: bool

    @staticmethod
    def of(options: LowerOptions) -> Platforms:
        build = options.build_platforms or (options.target_platform or platforms.default(),)
        return Platforms(options.target_platform or build[0], build, options.target_platform is None)


def platform_args(chosen: Platforms, overrides: Mapping[str, str], target_stage: str) -> dict[str, str]:
    """Return the predefined arguments, which count as declared in global scope."""
    build, target = chosen.build[0], chosen.target
    values = {
        "BUILDPLATFORM": platforms.format_all(build),
        "BUILDOS": build.os,
        "BUILDOSVERSION": build.os_version,
        "BUILDARCH": build.architecture,
        "BUILDVARIANT": build.variant,
        "TARGETPLATFORM": platforms.format_all(target),
        "TARGETOS": target.os,
        "TARGETOSVERSION": target.os_version,
        "TARGETARCH": target.architecture,
        "TARGETVARIANT": target.variant,
        "TARGETSTAGE": target_stage or "default",
    }
    return {name: overrides.get(name, value) for name, value in values.items()}


def global_args(
    values: Mapping[str, str],
    instructions: Iterable[ArgInstruction],
    build_args: Mapping[str, str],
    words: Words,
) -> tuple[dict[str, str], dict[str, UsedArg]]:
    """Return the values of the arguments in global scope, and the arguments that the file declares there."""
    values = dict(values)
    declared: dict[str, UsedArg] = {}
    for instruction in instructions:
        for arg in instruction.args:
            value = build_args.get(arg.key)
            needs: frozenset[str] = frozenset()
            if value is None and arg.value is not None:
                expansion = words.expand(arg.value, values, instruction.span)
                value, needs = expansion.result, frozenset(expansion.matched)
            if value is not None:
                values.pop(arg.key, None)
                values[arg.key] = value
            declared[arg.key] = UsedArg(arg.key, value, arg.comment, instruction.span, needs)
    return values, declared


def effective_build_args(options: LowerOptions) -> dict[str, str]:
    """Return the given build arguments, with the proxies of steps and `source_date_epoch` among them."""
    build_args = {**options.steps.proxies, **options.build_args}
    if options.source_date_epoch is not None:
        build_args[EPOCH] = str(options.source_date_epoch)
    return build_args


def unused_warning(
    dockerfile: Dockerfile, build_args: Mapping[str, str], declared: Iterable[str]
) -> Diagnostic | None:
    """Return a warning that names the build arguments that no ARG declares; None if there are none."""
    known = _declared(dockerfile) | set(declared)
    unused = sorted(name for name in build_args if name not in known and not _predefined(name))
    if not unused:
        return None
    notes = []
    for name in unused:
        near = suggest(name, sorted(known)) if len(name) > 2 else None
        if near:
            notes.append(("help", f"did you mean {near}?"))
    title = f"[Warning] One or more build-args {_listed(unused)} were not consumed"
    return Diagnostic(title, notes=notes, level="warning")


def _listed(names: Sequence[str]) -> str:
    return "[" + " ".join(names) + "]"


def _declared(dockerfile: Dockerfile) -> set[str]:
    instructions = list(dockerfile.meta_args)
    for stage in dockerfile.stages:
        instructions.extend(command for command in stage.commands if isinstance(command, ArgInstruction))
    return {arg.key for instruction in instructions for arg in instruction.args}


def _predefined(name: str) -> bool:
    return (
        name.lower() in PROXIES
        or name.startswith("BUILDKIT_")
        or name == EPOCH
        or re.fullmatch(r"(BUILD|TARGET)(PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE", name) is not None
    )
