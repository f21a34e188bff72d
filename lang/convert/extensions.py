"""Converts extensions of the Dockerfile syntax: UNSET and `ENV --file`. INCLUDE has been replaced before."""

from __future__ import annotations

from pybuild.lang.convert import problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.dockerfile.instructions import EnvFileInstruction, UnsetInstruction


def unset(stage: Stage, instruction: UnsetInstruction) -> None:
    """Refuse an UNSET, which the language has no form for. Raises SourceError."""
    help = f"leave the {instruction.kind} out where it is declared"
    raise problems.not_expressible(f"UNSET {instruction.kind}", instruction.span, help)


def env_file(stage: Stage, instruction: EnvFileInstruction) -> None:
    """Refuse an ENV --file. Raises SourceError."""
    help = "write the variables of the file out with ENV"
    raise problems.not_expressible(f"ENV --file={instruction.path}", instruction.span, help)
