"""The option `pybuild build --call=METHOD`: it asks a frontend about a build and runs none of its steps."""

from __future__ import annotations

import sys

from pybuild.cli.terminal import remark, show
from pybuild.frontends.dockerfile import DockerfileFrontend
from pybuild.frontends.subrequests import Answer, describe, list_targets, outline_target, report_check
from pybuild.lang.diagnostics import UsageError
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.request.call import DESCRIBE, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

_REQUESTS = {"check": "frontend.lint", "outline": "frontend.outline", "targets": "frontend.targets"}
"""Names of the questions for a frontend that is an image."""


def run_call(request: BuildRequest) -> int:
    """Print the answer to standard output and return the exit code. Raises UserError, after the answer if
    there is one."""
    from pybuild.cli.run_build import run_observed
    from pybuild.request import result_files
    from pybuild.runtime.progress.display import make_display, warnings_text
    from pybuild.runtime.progress.terminal import printable

    call = Call(request.call)
    if request.metadata_file is not None:
        result_files.check(request.metadata_file, "--metadata-file")
    display = make_display(request.progress, sys.stderr, quiet=request.quiet)
    answer = run_observed(
        request, display, lambda build_request, observer, stop: ask(build_request, call, observer, stop)
    )
    if display.warnings:
        remark(printable(warnings_text(display.warnings)))
    show(answer.json + "\n" if call.format == "json" else answer.text)
    if request.metadata_file is not None:
        result_files.write(request.metadata_file, result_files.metadata_text(_metadata(call, answer)))
    if answer.error is not None:
        raise answer.error
    return 0 if call.ignore_status else answer.status


def _metadata(call: Call, answer: Answer) -> dict[str, object]:
    import json

    from pybuild.frontends.answer_formats import VERSION

    results = {"result.json": json.loads(answer.json), "result.txt": answer.text, "version": VERSION}
    return {**results, "result.statuscode": answer.status} if call.name == "check" else results


def ask(request: BuildRequest, call: Call, observer: Observer, cancellation: Cancellation) -> Answer:
    """Return the answer to a call. Of several platforms it is about the first. Raises UserError."""
    from pybuild.build.engine import open_gateway
    from pybuild.frontends.build_context import find_context
    from pybuild.frontends.choose import choose_answering, fetched_frontend
    from pybuild.frontends.image import ImageFrontend

    if call.name == DESCRIBE:
        return describe()
    context = find_context(request, observer)
    if context.frontend.records:
        raise UsageError(
            f"--call={call.name} is for Dockerfiles",
            help="pybuild list and pybuild check tell of a file of the language",
        )
    frontend = choose_answering(context)
    if call.name == "targets" and isinstance(frontend, DockerfileFrontend) and not frontend.text.extended:
        return list_targets(frontend.text.parse(None, Linter.off(), None))
    with open_gateway(frontend, request, observer, cancellation, enter=frontend.fetches) as gateway:
        answering = fetched_frontend(frontend, gateway)
        if isinstance(answering, ImageFrontend):
            observer.start()
            return _of_image(answering.answer(_REQUESTS[call.name], gateway))
        assert isinstance(answering, DockerfileFrontend)
        return _of_dockerfile(answering, call, gateway)


def _of_dockerfile(frontend: DockerfileFrontend, call: Call, gateway: Gateway) -> Answer:
    question = frontend.question(gateway)
    if call.name == "targets":
        return list_targets(question.parse(Linter.off()))
    if call.name == "outline":
        return outline_target(question)
    findings, error = question.check(frontend.linter(question.text.source))
    return report_check(question.text.source, findings, error)


def _of_image(metadata: Mapping[str, bytes]) -> Answer:
    """Return the answer in the metadata of a frontend that an image holds."""
    text, json, status = (
        metadata.get(f"result.{name}", b"").decode() for name in ("txt", "json", "statuscode")
    )
    return Answer(text, json or "{}", status=int(status == "1"))
