"""Build checks that need only the file: casing, names of stages, comments, empty continuations.

The reference is BuildKit's `instructions.ParseInstructionWithLinter` and `dockerfile2llb/validations.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybuild.lang.diagnostics import Label
from pybuild.lang.dockerfile.instructions import ArgInstruction, Instruction, Stage
from pybuild.lang.dockerfile.lint import rules
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.source import Span

RESERVED_STAGE_NAMES = ("context", "scratch")


def check_continuations(places: Iterable[tuple[Span, Span]], linter: Linter) -> None:
    """Report empty continuation lines.

    `places` are the last line of each instruction with an empty continuation, and the first empty line in it.
    """
    for last, empty in places:
        related = (Label(empty, "the empty line", primary=False),)
        linter.report(rules.NO_EMPTY_CONTINUATION, last, related=related)


def check_node(node: Node, linter: Linter) -> None:
    """Report findings about an instruction that hold even if its arguments turn out to be wrong."""
    name = node.name.text
    if name.lower() == "maintainer":
        linter.report(rules.MAINTAINER_DEPRECATED, node.span)
    elif name.lower() == "from":
        words = [word.text for word in node.words]
        if len(words) == 3 and words[2] != words[2].lower():
            linter.report(rules.STAGE_NAME_CASING, node.span, words[2])
        if len(words) >= 3 and not _same_case(name, words[1]):
            linter.report(rules.FROM_AS_CASING, node.span, name, words[1])


def _same_case(from_: str, as_: str) -> bool:
    """True if AS is written like FROM. A FROM of mixed case is left to another rule."""
    if from_ == from_.lower():
        return as_ == as_.lower()
    return from_ != from_.upper() or as_ == as_.upper()


def check_description(node: Node, parsed: Instruction | Stage, linter: Linter) -> None:
    """Report a comment above a FROM or an ARG that doesn't describe what the instruction names."""
    if isinstance(parsed, Stage):
        kind, names = "FROM", [parsed.name] if parsed.name else []
    elif isinstance(parsed, ArgInstruction):
        kind, names = "ARG", [arg.key for arg in parsed.args]
    else:
        return
    if not names or not node.comments or node.comments[-1].partition(" ")[0] in names:
        return
    example = names[0] if len(names) == 1 else "<arg_key>"
    linter.report(rules.INVALID_DEFINITION_DESCRIPTION, node.span, kind, example)


def check_stage_names(stages: Iterable[Stage], linter: Linter) -> None:
    """Report reserved and duplicate names of stages."""
    seen: set[str] = set()
    for stage in stages:
        if not stage.name:
            continue
        if stage.name in RESERVED_STAGE_NAMES:
            linter.report(rules.RESERVED_STAGE_NAME, stage.span, stage.name)
        if stage.name in seen:
            linter.report(rules.DUPLICATE_STAGE_NAME, stage.span, stage.name)
        seen.add(stage.name)


def check_casing(nodes: Sequence[Node], linter: Linter) -> None:
    """Report instructions whose case differs from the majority. `nodes` are all that belong to a stage.

    Names of mixed case have no vote, and a draw is for upper case.
    """
    names = [node.name.text for node in nodes]
    lower = sum(name == name.lower() for name in names)
    upper = sum(name == name.upper() != name.lower() for name in names)
    for node, name in zip(nodes, names, strict=True):
        if lower > upper and name != name.lower():
            linter.report(rules.CONSISTENT_INSTRUCTION_CASING, node.span, name, "lowercase")
        elif lower <= upper and name != name.upper():
            linter.report(rules.CONSISTENT_INSTRUCTION_CASING, node.span, name, "uppercase")
