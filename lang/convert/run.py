"""Converts RUN: a command to `run` or `exec`, its flags to run options."""

from __future__ import annotations

from pybuild.lang.convert import problems
from pybuild.lang.convert.mounts import mount_options
from pybuild.lang.convert.scripts import executed, line_breaks, run
from pybuild.lang.convert.values import string, strings
from pybuild.lang.dockerfile.heredocs import is_heredoc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.dockerfile.instructions import RunInstruction


def run_command(stage: Stage, instruction: RunInstruction) -> None:
    """Convert a RUN. Raises SourceError."""
    options = [option for mount in instruction.mounts for option in mount_options(stage, mount)]
    if instruction.network in ("none", "host"):
        options.append(f"network({string(instruction.network)})")
    if instruction.security == "insecure":
        options.append("insecure()")
    for device in instruction.devices:
        optional = "" if device.required else ", optional=true"
        options.append(f"device({string(device.name)}{optional})")
    stage.command(_lines(stage, instruction), options)
    stage.directories = frozenset({"/"})
    stage.owners = True


def _lines(stage: Stage, instruction: RunInstruction) -> list[str]:
    command = instruction.command
    if not command.shell:
        return [f"exec {strings(command.args)}"]
    text = command.args[0]
    if not command.heredocs:
        source = instruction.span.source
        rows = [source.line(number) for number in range(instruction.span.line, instruction.span.end_line + 1)]
        breaks = line_breaks(text, rows, stage.shared.dockerfile.escape)
        return run(text, stage.shell, breaks)
    if not is_heredoc(text):
        bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in command.heredocs)
        return _script(stage, text + bodies)
    body = command.heredocs[0].body
    if not body.startswith("#!"):
        return _script(stage, body)
    if "$0" in body or "argv[0]" in body or "__file__" in body:
        stage.differs("the script is called /dev/pipes/script", instruction.span)
    lines = executed(body)
    if lines is None:
        what = "a script with such indentation or characters"
        raise problems.not_expressible(what, instruction.span, "put it into a file of the context")
    return lines


def _script(stage: Stage, script: str) -> list[str]:
    """Return the rows for a script of several lines. A shell ignores newlines at its end."""
    lines = run(script.rstrip("\n"), stage.shell)
    return run(script, stage.shell) if lines[0].startswith("exec ") else lines
