"""Calls: `pybuild build --call=METHOD` asks something of a build and runs none of its steps.

check                   what the build checks say of the file
outline                 what a target takes: arguments, secrets, SSH agents, cache mounts
targets                 the stages of the file
subrequests.describe    these calls
"""

from __future__ import annotations

import sys

from pybuild.build.inputs import frontend_of
from pybuild.lang.diagnostics import UsageError
from pybuild.request.flags import CALLS
from pybuild.request.values import boolean, known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybuild.build.dockerfile import Question
    from pybuild.build.inputs import Inputs
    from pybuild.lang.diagnostics import UserError
    from pybuild.lang.dockerfile.instructions import Dockerfile
    from pybuild.lang.dockerfile.lint.linter import Finding
    from pybuild.lang.source import Source
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

DESCRIBE = "subrequests.describe"
FORMATS = ("text", "json")
_REQUESTS = {"check": "frontend.lint", "outline": "frontend.outline", "targets": "frontend.targets"}
"""Questions as a frontend that is an image is asked them."""
_OTHER_NAMES = {"lint": "check"}


class Call:
    """A call as its flag says it: `METHOD[,format=json|text][,ignorestatus=true]`. With `ignore_status` findings
    don't change the exit code."""

    __slots__ = ("format", "ignore_status", "name")

    def __init__(self, text: str) -> None:
        """Raises UsageError."""
        self.name = ""
        self.format = "text"
        self.ignore_status = False
        for field in text.split(","):
            key, equals, value = field.strip().partition("=")
            if not equals and not self.name and key:
                self.name = _OTHER_NAMES.get(key, key)
            elif key == "format" and equals:
                self.format = known(value, FORMATS, "format of --call")
            elif key == "ignorestatus" and equals:
                self.ignore_status = boolean(value, "ignorestatus")
            else:
                raise UsageError(f"invalid call {text!r}", help="write --call=METHOD[,format=json]")
        known(self.name, (*CALLS, DESCRIBE), "call")


def checked_call(text: str) -> str:
    """`text` if it is a call, `build` for that one however it is written. Raises UsageError."""
    return text if Call(text).name != "build" else "build"


def one_call(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given flags with `call` for all that say one. Raises UsageError if they say different things."""
    fields = {name: value for name, value in given.items() if name not in ("check", "print")}
    texts = [text for text in (given.get("call"), given.get("print")) if text is not None]
    if given.get("check") and not any(Call(text).name == "check" for text in texts):
        texts.append("check")
    if len(texts) > 1 and len(set(texts)) > 1:
        raise UsageError(f"several calls: {' and '.join(texts)}", help="leave out all but one")
    if texts:
        fields["call"] = texts[0]
    return fields


class Answer:
    """`status` is the exit code it asks for; `error` is what a build would end with, where that is known."""

    __slots__ = ("error", "json", "status", "text")

    def __init__(self, text: str, json: str, *, status: int = 0, error: UserError | None = None) -> None:
        self.text = text
        self.json = json
        self.status = status
        self.error = error


def run_call(request: BuildRequest) -> int:
    """Print the answer to standard output; the exit code. Raises UserError, after the answer where there is one."""
    from pybuild.cli.run_build import observed
    from pybuild.request import result_files
    from pybuild.runtime.progress.display import make_display, warnings_text
    from pybuild.runtime.progress.terminal import printable

    call = Call(request.call)
    if request.metadata_file is not None:
        result_files.check(request.metadata_file, "--metadata-file")
    display = make_display(request.progress, sys.stderr, quiet=request.quiet)
    answer = observed(request, display, lambda one, observer, stop: ask(one, call, observer, stop))
    if display.warnings:
        print(printable(warnings_text(display.warnings)), file=sys.stderr, end="")
    show(answer.json + "\n" if call.format == "json" else answer.text)
    if request.metadata_file is not None:
        result_files.write(request.metadata_file, result_files.metadata_text(_metadata(call, answer)))
    if answer.error is not None:
        raise answer.error
    return 0 if call.ignore_status else answer.status


def show(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _metadata(call: Call, answer: Answer) -> dict[str, object]:
    import json

    from pybuild.frontends.answers import VERSION

    found = {"result.json": json.loads(answer.json), "result.txt": answer.text, "version": VERSION}
    return {**found, "result.statuscode": answer.status} if call.name == "check" else found


def ask(request: BuildRequest, call: Call, observer: Observer, cancellation: Cancellation) -> Answer:
    """The answer. Of several platforms it is the first that counts. Raises UserError."""
    from pybuild.build.dockerfile import DockerfileBuild
    from pybuild.build.pipeline import load_inputs
    from pybuild.lang.dockerfile.lint.linter import Linter

    if call.name == DESCRIBE:
        return described()
    inputs = load_inputs(request, observer)
    frontend = frontend_of(inputs, request)
    if frontend.is_image:
        return _of_image(call, request, inputs, observer, cancellation)
    if frontend.records:
        raise UsageError(
            f"--call={call.name} is for Dockerfiles",
            help="pybuild list and pybuild check tell of a file of the language",
        )
    asked = DockerfileBuild(request, inputs, observer, parse=False)
    text = asked.text
    if call.name == "targets" and text is not None and not text.extended:
        return listed_targets(text.parse(None, Linter.off(), None))
    engine = asked.open(observer, cancellation, enter=asked.fetches)
    try:
        question = asked.question(engine, observer)
        if call.name == "targets":
            return listed_targets(question.parse(Linter.off()))
        if call.name == "outline":
            return outlined(question)
        from pybuild.cli.check import check

        findings, error = check(question, asked.linter(question.text.source))
        return checked(question.text.source, findings, error)
    finally:
        engine.close()


def _of_image(
    call: Call, request: BuildRequest, inputs: Inputs, observer: Observer, cancellation: Cancellation
) -> Answer:
    """What a frontend that is an image answers. Raises UserError."""
    from pybuild.frontends.image_file import ImageFrontendBuild

    asked = ImageFrontendBuild(request, inputs)
    engine = asked.open(observer, cancellation)
    try:
        observer.start()
        found = asked.answer(_REQUESTS[call.name], engine, observer)
    finally:
        engine.close()
    text, json, status = (found.get(f"result.{name}", b"").decode() for name in ("txt", "json", "statuscode"))
    return Answer(text, json or "{}", status=int(status == "1"))


def described() -> Answer:
    from pybuild.frontends import answers

    return Answer(answers.calls_text(), answers.calls_json())


def outlined(question: Question) -> Answer:
    """What the target takes. Raises UserError."""
    from pybuild.compiler.lower.dockerfile.outline import outline
    from pybuild.frontends import answers
    from pybuild.lang.dockerfile.lint.linter import Linter

    found = outline(question.parse(Linter.off()), question.options, question.bridge)
    return Answer(answers.outline_text(found), answers.outline_json(found))


def listed_targets(parsed: Dockerfile) -> Answer:
    from pybuild.compiler.lower.dockerfile.targets import targets
    from pybuild.frontends import answers

    found = targets(parsed)
    return Answer(answers.targets_text(found), answers.targets_json(found))


def checked(source: Source, findings: list[Finding], error: UserError | None) -> Answer:
    """What `check` found, in the form of the call."""
    from pybuild.frontends import answers

    text = answers.check_text(findings)
    if error is None:
        text = text or "Check complete, no warnings found.\n"
    elif text:
        text += "\n"
    json = answers.check_json([source], findings, error.diagnostic if error is not None else None)
    return Answer(text, json, status=int(bool(findings) or error is not None), error=error)
