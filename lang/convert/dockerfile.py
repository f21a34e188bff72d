"""Converts a parsed Dockerfile to a file of the language that builds the same files and the same image config.

1. The stages are converted in order, each to a target. `Stage` knows what words mean at each place, and collects the
   statements.
2. With all declarations of arguments known, the same is done again, since params depend on them.
3. The text is formatted.
"""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.convert import adding, config
from pybuild.lang.convert.arguments import PLATFORMS, Arguments
from pybuild.lang.convert.bases import start
from pybuild.lang.convert.comments import comments_between, directives_end
from pybuild.lang.convert.expansion import Variable, Words
from pybuild.lang.convert.extensions import env_file, unset
from pybuild.lang.convert.names import Names
from pybuild.lang.convert.run import run_command
from pybuild.lang.convert.scripts import MARGIN
from pybuild.lang.convert.stage import Shared, Stage
from pybuild.lang.convert.values import string
from pybuild.lang.dockerfile import instructions as parsed
from pybuild.lang.dockerfile.parse import parse_onbuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from pybuild.lang.convert.surroundings import Surroundings
    from pybuild.lang.diagnostics import Diagnostic

HEADER: Final = "# syntax=pybuild:1"

_CONVERT: Final[Mapping[type[parsed.Instruction], Callable[[Stage, Any], None]]] = {
    parsed.AddInstruction: adding.add_instruction,
    parsed.ArgInstruction: config.arg,
    parsed.CmdInstruction: config.cmd,
    parsed.CopyInstruction: adding.copy_instruction,
    parsed.EntrypointInstruction: config.entrypoint,
    parsed.EnvFileInstruction: env_file,
    parsed.EnvInstruction: config.env,
    parsed.ExposeInstruction: config.expose,
    parsed.HealthcheckInstruction: config.healthcheck,
    parsed.LabelInstruction: config.label,
    parsed.MaintainerInstruction: config.maintainer,
    parsed.OnbuildInstruction: config.onbuild,
    parsed.RunInstruction: run_command,
    parsed.ShellInstruction: config.shell,
    parsed.StopSignalInstruction: config.stop_signal,
    parsed.UnsetInstruction: unset,
    parsed.UserInstruction: config.user,
    parsed.VolumeInstruction: config.volume,
    parsed.WorkdirInstruction: config.workdir,
}


@frozen
class Conversion:
    """A file of the language; `differences` are changes of meaning, at places of the Dockerfile."""

    text: str
    differences: tuple[Diagnostic, ...] = ()


def convert_dockerfile(dockerfile: parsed.Dockerfile, surroundings: Surroundings) -> Conversion:
    """Convert a Dockerfile. Raises SourceError for what the language can't express, and what `surroundings` raise."""
    first = _Pass(dockerfile, surroundings, Arguments())
    first.run()
    second = _Pass(dockerfile, surroundings, Arguments(first.shared.arguments.agreed()))
    second.run()
    from pybuild.lang.textual.fmt import format_source

    text = format_source(dockerfile.source.name, second.text().encode())
    differences = {(one.span, one.title): one for one in second.shared.differences}
    return Conversion(text, tuple(differences.values()))


class _Pass:
    """A pass over the file."""

    def __init__(
        self, dockerfile: parsed.Dockerfile, surroundings: Surroundings, arguments: Arguments
    ) -> None:
        self.dockerfile = dockerfile
        self._names = Names()
        self.shared = Shared(dockerfile, surroundings, arguments, Words(dockerfile.escape), self._names)
        self.heads: list[tuple[Stage, list[str]]] = []
        self.top: list[str] = []
        self._line = directives_end(dockerfile.source)

    def run(self) -> None:
        """Convert all instructions. Raises SourceError."""
        for name in _declared(self.dockerfile):
            self._names.take(name)
        outside = Stage(
            self.shared, "", variables={name: Variable(value) for name, value in PLATFORMS.items()}
        )
        for number, instruction in enumerate(self.dockerfile.meta_args):
            comments = self._comments(instruction)
            outside.comments = comments if number else self._header(comments)
            config.global_arg(outside, instruction)
        for number, stage in enumerate(self.dockerfile.stages):
            self._stage(stage, number)

    def _stage(self, written: parsed.Stage, number: int) -> None:
        last = number == len(self.dockerfile.stages) - 1
        stage = Stage(self.shared, self._names.target(written.name, number, last=last))
        comments = self._comments(written)
        if not number and not self.dockerfile.meta_args:
            comments = self._header(comments)
        self.heads.append((stage, comments))
        self.shared.targets.append(stage)
        start(stage, written)
        for text in stage.base_triggers:
            instruction = parse_onbuild(text, f"ONBUILD of {written.base}")
            _CONVERT[type(instruction)](stage, instruction)
        for instruction in written.commands:
            if instruction.span.source is self.dockerfile.source:
                stage.comments += self._comments(instruction)
            _CONVERT[type(instruction)](stage, instruction)
        if written.name:
            self.shared.stages[written.name] = stage

    def _comments(self, instruction: parsed.Instruction | parsed.Stage) -> list[str]:
        """Return the comments between the last instruction and this one."""
        span = instruction.span
        comments = comments_between(self.dockerfile.source, self._line, span.line)
        self._line = max(self._line, span.end_line)
        return comments

    def _header(self, comments: list[str]) -> list[str]:
        """Move the file's own comments to the top: those that a blank line separates from the first instruction."""
        while "" in comments[1:]:
            end = comments.index("", 1)
            self.top += [*filter(None, comments[:end]), ""]
            comments = comments[end:]
        return comments

    def text(self) -> str:
        rows = [HEADER, "", *self.top]
        patterns = self.shared.surroundings.ignored()
        if patterns and self.shared.surroundings.has_another_ignore_file():
            rows.append("# differs: the patterns of .dockerignore count too")
        if patterns:
            rows += ["ignore " + ", ".join(map(string, patterns)), ""]
        rows += [*self.shared.arguments.declarations(), ""]
        if len(self.heads) > 1 or self.heads[0][0].helpers:
            rows += [f"default {self.heads[-1][0].name}", ""]
        for stage, comments in self.heads:
            for helper in stage.helpers:
                rows += ["", *helper]
            rows += ["", *filter(None, comments), f"target {stage.name}:"]
            rows += [MARGIN + row if row else "" for row in stage.body()]
        return "\n".join(rows) + "\n"


def _declared(dockerfile: parsed.Dockerfile) -> list[str]:
    """Return the names of all arguments of a file."""
    instructions = list(dockerfile.meta_args)
    for stage in dockerfile.stages:
        instructions += [one for one in stage.commands if isinstance(one, parsed.ArgInstruction)]
    return [arg.key for instruction in instructions for arg in instruction.args]
