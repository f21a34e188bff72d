"""Build checks without a build: findings of the parser, and of the lowering of every stage."""

from __future__ import annotations

from pybuild.lang.diagnostics import Cancelled, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.frontends.dockerfile_text import Question
    from pybuild.lang.dockerfile.lint.linter import Finding, Linter


def check(question: Question, linter: Linter) -> tuple[list[Finding], UserError | None]:
    """Return the findings, in the order in which they are found, and the error of a build.

    Without a target all stages are checked. Raises Cancelled.
    """
    from attrs import evolve

    from pybuild.compiler.lower.dockerfile import lower

    try:
        parsed = question.parse(linter)
        options = evolve(question.options, linter=linter, lint_all=question.options.target is None)
        lower(parsed, options, question.bridge)
    except Cancelled:
        raise
    except UserError as error:
        return linter.findings, error
    return linter.findings, None
