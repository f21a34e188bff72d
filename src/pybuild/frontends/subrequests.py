"""Questions to the Dockerfile frontend in place of a build: arguments, targets, findings of checks, the graph.

An answer has no state, only metadata: `result.json`, `result.txt`, the `version` of the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.gateway import Result, UnsupportedSubrequest
from pybuild.compiler.graph import Edge
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.compiler.lower.dockerfile.outline import outline
from pybuild.compiler.lower.dockerfile.targets import targets
from pybuild.frontends import answer_formats
from pybuild.frontends.dockerfile import Question, Text
from pybuild.frontends.error_places import for_clients
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.extensions import ReadFile
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.dockerfile.lint.linter import Finding, Linter
from pybuild.lang.dockerfile.lint.rules import REFERENCE
from pybuild.lang.source import Source

DESCRIBE = "frontend.subrequests.describe"
OUTLINE = "frontend.outline"
TARGETS = "frontend.targets"
LINT = "frontend.lint"
CONVERT = "frontend.convertllb"
_CONVERT_VERSION = "0.1.0"


class Answer:
    """An answer as text and as JSON. `status` is its exit code; `error` is the error of a build, if it is
    known."""

    __slots__ = ("error", "json", "status", "text")

    def __init__(self, text: str, json: str, *, status: int = 0, error: UserError | None = None) -> None:
        self.text = text
        self.json = json
        self.status = status
        self.error = error


def describe() -> Answer:
    """List the questions that are answered."""
    return Answer(answer_formats.calls_text(), answer_formats.calls_json())


def outline_target(question: Question) -> Answer:
    """List the arguments, secrets, agents and caches that the target takes. Raises UserError."""
    target = outline(question.parse(Linter.off()), question.options, question.bridge)
    return Answer(answer_formats.outline_text(target), answer_formats.outline_json(target))


def list_targets(parsed: Dockerfile) -> Answer:
    """List the stages of a Dockerfile."""
    stages = targets(parsed)
    return Answer(answer_formats.targets_text(stages), answer_formats.targets_json(stages))


def report_check(source: Source, findings: list[Finding], error: UserError | None) -> Answer:
    """Report the findings of `Question.check`."""
    text = answer_formats.check_text(findings)
    if error is None:
        text = text or "Check complete, no warnings found.\n"
    elif text:
        text += "\n"
    json = answer_formats.check_json([source], findings, error.diagnostic if error is not None else None)
    return Answer(text, json, status=int(bool(findings) or error is not None), error=error)


def answer(
    request: str, text: Text, options: Sequence[LowerOptions], bridge: Bridge, read: ReadFile
) -> Result:
    """Return the answer to `request` about a Dockerfile; `options` has those of each platform, with linters
    off. Raises UnsupportedSubrequest for an unknown question, UserError if it can't be answered."""
    first = Question(text, options[0], bridge, read)
    if request == DESCRIBE:
        return _result(describe())
    if request == OUTLINE:
        return _result(outline_target(first))
    if request == TARGETS:
        return _result(list_targets(first.parse(Linter.off())))
    if request == LINT:
        return _linted(text, [Question(text, each, bridge, read) for each in options])
    if request == CONVERT:
        return _converted(first)
    raise UnsupportedSubrequest(request)


def _result(answer: Answer, **more: str) -> Result:
    metadata = {"result.json": answer.json, "result.txt": answer.text, "version": answer_formats.VERSION}
    return Result(metadata={name: _bytes(value) for name, value in {**metadata, **more}.items()})


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _linted(text: Text, questions: Sequence[Question]) -> Result:
    """Return the findings for all platforms, each once, up to the first platform that can't be built."""
    findings: dict[tuple[str, int], Finding] = {}
    error: UserError | None = None
    for question in questions:
        linter = Linter.of(text.source, question.options.build_args)
        of_platform, error = question.check(linter)
        for finding in of_platform:
            findings.setdefault((finding.message, finding.span.line), finding)
        if error is not None:
            break
    listed = list(findings.values())
    message = for_clients(error).diagnostic if error is not None else None
    json = answer_formats.check_json([text.source], listed, message, pages=REFERENCE)
    status = str(int(bool(listed) or error is not None))
    report = Answer(answer_formats.findings_text(listed, pages=REFERENCE), json)
    return _result(report, **{"result.statuscode": status})


def _converted(question: Question) -> Result:
    """Return the target's graph: ops by digest and their metadata, with names of fields as BuildKit's clients
    read them."""
    lowered = lower(question.parse(Linter.off()), question.options, question.bridge)
    metadata = {
        "result.json": answer_formats.json_text(_graph_object(lowered.edge)).encode(),
        "version": _CONVERT_VERSION.encode(),
    }
    return Result(metadata=metadata)


def _graph_object(edge: Edge | None) -> dict[str, object]:
    """Return a graph in protobuf's JSON mapping: `def` and `metadata` by digest, and `source`. Needs the extra
    `pybuild[buildkit]`."""
    from google.protobuf.json_format import MessageToDict

    from pybuild.compiler.protos.ops_pb2 import Definition, Op

    definition = Definition.FromString(encode_definition(edge))
    ops = {}
    for data in definition.__getattribute__("def"):
        ops["sha256:" + sha256(data).hexdigest()] = MessageToDict(Op.FromString(data))
    return {
        "def": ops,
        "metadata": {
            digest: MessageToDict(metadata, preserving_proto_field_name=True)
            for digest, metadata in definition.metadata.items()
        },
        "source": MessageToDict(definition.Source),
    }
