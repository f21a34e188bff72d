"""Names of steps for progress: `[build 2/5] RUN make`."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler import platforms
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.ops import Platform


def step_name(
    stage: StageState, text: str, *, platform: Platform | None, environment: Mapping[str, str]
) -> str:
    """Return the name of the stage's next step, and count the step. `platform` is shown if it is given."""
    if stage.steps == 0:
        return text
    out = "["
    if platform is not None:
        out += platforms.format_all(platform) + _cross(platform, platform_of(environment)) + " "
    if stage.title:
        out += stage.title + " "
    stage.step += 1
    out += f"{stage.step:>{len(str(stage.steps))}}/{stage.steps}] "
    if stage.in_onbuild:
        out += "ONBUILD "
    return out + text


def upper_instruction(text: str) -> str:
    """Return the text with its first word in upper case."""
    word, space, rest = text.partition(" ")
    return word.upper() + space + rest


def platform_of(environment: Mapping[str, str]) -> Platform | None:
    """Return the platform of the TARGET* variables in scope; None without any."""
    for name, value in environment.items():
        if name == "TARGETPLATFORM":
            try:
                return platforms.parse_specifier(value)
            except platforms.BadPlatform:
                continue
    parts = [environment.get(name) for name in ("TARGETARCH", "TARGETOS", "TARGETVARIANT")]
    if not any(value is not None for value in parts):
        return None
    architecture, os, variant = (value or "" for value in parts)
    return Platform(architecture, os, variant)


def _cross(base: Platform, target: Platform | None) -> str:
    """Return `->arm64` if commands of one platform build for another; else nothing."""
    if target is None:
        return ""
    wanted = platforms.normalize(
        Platform(target.architecture or base.architecture, target.os or base.os, target.variant)
    )
    if wanted.os != base.os:
        return "->" + platforms.format_all(wanted)
    if wanted.architecture != base.architecture:
        return "->" + wanted.architecture + (f"/{wanted.variant}" if wanted.variant else "")
    return ""


def heredoc_summary(content: str) -> str:
    """Return the first line of a heredoc, with dots if there are more."""
    lines = content.strip().replace("\r\n", "\n").split("\n")
    return lines[0] + ("..." if len(lines) > 1 else "")
