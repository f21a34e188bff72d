"""Questions to the Dockerfile frontend in place of a build: its arguments, its targets, what checks find, its graph.

An answer has no state; it is metadata: `result.json`, `result.txt`, the `version` of the question.
"""

from __future__ import annotations

from collections.abc import Sequence

from pybuild.build.dockerfile import Question
from pybuild.build.dockerfiles import Text
from pybuild.cli.check import check
from pybuild.cli.subrequest import described, listed_targets, outlined
from pybuild.compiler.bridge import Bridge
from pybuild.compiler.gateway import Result, UnsupportedSubrequest
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.frontends import answers
from pybuild.frontends.client_errors import for_clients
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.extensions import ReadFile
from pybuild.lang.dockerfile.lint.linter import Finding, Linter
from pybuild.lang.dockerfile.lint.rules import REFERENCE

DESCRIBE = "frontend.subrequests.describe"
OUTLINE = "frontend.outline"
TARGETS = "frontend.targets"
LINT = "frontend.lint"
CONVERT = "frontend.convertllb"
_CONVERT_VERSION = "0.1.0"


def answered(
    request: str, text: Text, options: Sequence[LowerOptions], bridge: Bridge, read: ReadFile
) -> Result:
    """The answer to `request` about a Dockerfile; `options` are those of each platform, whose linters are off.
    Raises UnsupportedSubrequest for a question that isn't known, UserError for what keeps it from being answered."""
    first = Question(text, options[0], bridge, read)
    if request == DESCRIBE:
        return _result(described().json, described().text)
    if request == OUTLINE:
        outline = outlined(first)
        return _result(outline.json, outline.text)
    if request == TARGETS:
        listed = listed_targets(first.parse(Linter.off()))
        return _result(listed.json, listed.text)
    if request == LINT:
        return _linted(text, [Question(text, one, bridge, read) for one in options])
    if request == CONVERT:
        return _converted(first)
    raise UnsupportedSubrequest(request)


def _result(json: str, text: str, **more: str) -> Result:
    metadata = {"result.json": json, "result.txt": text, "version": answers.VERSION}
    return Result(metadata={name: _bytes(value) for name, value in {**metadata, **more}.items()})


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _linted(text: Text, questions: Sequence[Question]) -> Result:
    """The findings for all platforms, each once, up to the first platform that can't be built."""
    findings: dict[tuple[str, int], Finding] = {}
    error: UserError | None = None
    for question in questions:
        linter = Linter.of(text.source, question.options.build_args)
        found, error = check(question, linter)
        for one in found:
            findings.setdefault((one.message, one.span.line), one)
        if error is not None:
            break
    listed = list(findings.values())
    found_error = for_clients(error).diagnostic if error is not None else None
    json = answers.check_json([text.source], listed, found_error, pages=REFERENCE)
    status = str(int(bool(listed) or error is not None))
    return _result(json, answers.findings_text(listed, pages=REFERENCE), **{"result.statuscode": status})


def _converted(question: Question) -> Result:
    """The target's graph: ops by digest and their metadata, with names of fields as BuildKit's clients read them."""
    from pybuild.frontends.graph_json import graph_object

    lowered = lower(question.parse(Linter.off()), question.options, question.bridge)
    metadata = {
        "result.json": answers.json_text(graph_object(lowered.edge)).encode(),
        "version": _CONVERT_VERSION.encode(),
    }
    return Result(metadata=metadata)
