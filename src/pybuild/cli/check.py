"""The command `pybuild check`: findings of the checks in build files, and their fixes."""

from __future__ import annotations

import sys

from pybuild.cli.terminal import note
from pybuild.compiler.bridge import Forwarding, ResolvedImage
from pybuild.lang.diagnostics import Cancelled, UsageError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.cli.check_language import CheckedFile
    from pybuild.compiler.bridge import Bridge
    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform
    from pybuild.frontends.build_context import BuildContext
    from pybuild.frontends.dockerfile import DockerfileFrontend, Question
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.dockerfile.lint.linter import Finding
    from pybuild.lang.source import Source

_OF_BASES = ("JSONArgsRecommended", "UndefinedVar", "WorkdirRelativePath")
"""Rules that can't be judged without the config of the base image: its shell, variables and working
directory."""
_WRONG = 2


class _Report:
    """The report about one Dockerfile: fixed findings, remaining findings, images that could not be resolved,
    the error of a build."""

    __slots__ = ("error", "findings", "fixed", "source", "unresolved")

    def __init__(
        self, source: Source, findings: Sequence[Finding], error: UserError | None, unresolved: Sequence[str]
    ) -> None:
        self.source = source
        self.findings = [
            finding for finding in findings if not unresolved or finding.rule.name not in _OF_BASES
        ]
        self.error = error
        self.unresolved = unresolved
        self.fixed: list[Finding] = []


def run_check(files: Sequence[str], flags: Mapping[str, Any], *, format: str, fix: bool) -> int:
    """Check build files (a directory stands for its build file) and return the exit code: 1 for findings, 2
    for a file that can't be built. Raises UsageError."""
    from pybuild.request.call import FORMATS
    from pybuild.request.values import known

    known(format, FORMATS, "format")
    if fix and "-" in files:
        raise UsageError("standard input can't be fixed", help="name a file, or use pybuild check -")
    reports: list[_Report] = []
    checked: list[CheckedFile] = []
    code = 0
    for file in dict.fromkeys(files or (".",)):
        try:
            result = _report(file, flags, fix=fix)
        except Cancelled:
            raise
        except UserError as error:
            code = _show_error(error)
            continue
        if isinstance(result, _Report):
            reports.append(result)
        else:
            checked.append(result)
    if reports and checked and format == "json":
        raise UsageError("the forms of Dockerfiles and of the language differ", help="check them one by one")
    fixed = [(finding.span.place, finding.rule.name) for report in reports for finding in report.fixed]
    for place, name in [*fixed, *(_fix(finding) for result in checked for finding in result.fixed)]:
        note(f"{place}: fixed {name}")
    if reports or not checked:
        code = max(code, _show_reports(reports, format))
    if checked:
        code = max(code, _show_checked(checked, format))
    return code


def _fix(fixed: Diagnostic) -> tuple[str, str]:
    return (fixed.span.place if fixed.span is not None else ""), fixed.code or fixed.title


def _show_reports(reports: Sequence[_Report], format: str) -> int:
    """Show the reports of Dockerfiles and return the exit code."""
    code = 0
    (_show_json if format == "json" else _show_text)(reports)
    for report in reports:
        for text in report.unresolved:
            note(f"note: {report.source.name}: checks that need an image were left out: {text}")
        if report.error is not None:
            code = max(code, _show_error(report.error))
    return code or int(any(report.findings for report in reports))


def _show_checked(checked: Sequence[CheckedFile], format: str) -> int:
    """Show the findings in files of the language and return the exit code."""
    from pybuild.build.errors import coloured, message
    from pybuild.cli.terminal import show

    diagnostics = [diagnostic for file in checked for diagnostic in file.found]
    if format == "json":
        import json

        from pybuild.cli.lsp_diagnostics import publish_params

        listed = publish_params(diagnostics, [file.name for file in checked])
        show(json.dumps(listed, indent=2, ensure_ascii=False) + "\n")
    else:
        colour = coloured(sys.stdout)
        show("".join(message(diagnostic, colour=colour) + "\n\n" for diagnostic in diagnostics))
        for file in checked:
            if file.caution:
                note(f"note: {file.name}: {file.caution}")
    errors = sum(diagnostic.level == "error" for diagnostic in diagnostics)
    if diagnostics:
        several = "s" if len(diagnostics) > 1 else ""
        fixable = sum(bool(diagnostic.edits) for diagnostic in diagnostics)
        hint = f", {fixable} of which --fix puts right" if fixable else ""
        note(f"{len(diagnostics)} finding{several}{hint}")
    return _WRONG if errors else int(bool(diagnostics))


def _show_error(error: UserError) -> int:
    """Show an error and return its exit code. Checks that are errors (`check=error=true`) count as
    findings."""
    from pybuild.build import errors
    from pybuild.lang.dockerfile.lint.linter import LintViolation

    errors.report(error, sys.stderr)
    return error.exit_code if isinstance(error, LintViolation) else _WRONG


def _show_json(reports: Sequence[_Report]) -> None:
    from pybuild.cli.terminal import show
    from pybuild.frontends.answer_formats import check_json

    error = next((report.error.diagnostic for report in reports if report.error is not None), None)
    findings = [finding for report in reports for finding in report.findings]
    show(check_json([report.source for report in reports], findings, error) + "\n")


def _show_text(reports: Sequence[_Report]) -> None:
    from pybuild.build.errors import coloured, message
    from pybuild.cli.terminal import show
    from pybuild.lang.dockerfile.fix import count_fixable

    colour = coloured(sys.stdout)
    fixable = count = 0
    for report in reports:
        for finding in sorted(report.findings, key=lambda item: item.span.line):
            show(message(finding.diagnostic, colour=colour) + "\n\n")
        count += len(report.findings)
        own_findings = [item for item in report.findings if item.span.source is report.source]
        fixable += count_fixable(report.source, own_findings)
    if count:
        hint = f", {fixable} of which --fix puts right" if fixable else ""
        note(f"{count} finding{'s' if count > 1 else ''}{hint}")


def _report(file: str, flags: Mapping[str, Any], *, fix: bool) -> _Report | CheckedFile:
    from pybuild.build.engine import open_gateway
    from pybuild.cli.request_from_flags import graph_request
    from pybuild.cli.terminal import Notices
    from pybuild.frontends.build_context import find_context
    from pybuild.frontends.choose import choose_dockerfile, fetched_frontend
    from pybuild.frontends.dockerfile import DockerfileFrontend
    from pybuild.runtime.solver.types import Cancellation

    observer = Notices()
    request = graph_request(None if file == "." else file, flags)
    context = find_context(request, observer)
    if context.frontend.records:
        return _check_language(context, fix=fix)
    frontend = choose_dockerfile(context)
    with open_gateway(frontend, request, observer, Cancellation(), enter=frontend.fetches) as gateway:
        dockerfile = fetched_frontend(frontend, gateway)
        assert isinstance(dockerfile, DockerfileFrontend)
        lenient = _Lenient(gateway.bridge)
        question = dockerfile.question(gateway, lenient)
        return _check_dockerfile(dockerfile, question, lenient.unresolved, fix=fix)


def _check_language(context: BuildContext, *, fix: bool) -> CheckedFile:
    from pybuild.cli.check_language import check_file
    from pybuild.cli.rewrite_file import rewrite
    from pybuild.frontends.language import compile_file

    compiled = compile_file(context)
    checked = check_file(compiled, context.request, fix=fix)
    if checked.data != context.inputs.data:
        rewrite(checked.name, checked.data)
    return checked


def _check_dockerfile(
    frontend: DockerfileFrontend, question: Question, unresolved: list[str], *, fix: bool
) -> _Report:
    fixed: list[Finding] = []
    if fix:
        from pybuild.cli.rewrite_file import encode, rewrite
        from pybuild.lang.dockerfile.fix import fix_all

        def lint(source: Source) -> list[Finding]:
            findings, _ = question.with_source(source).check(frontend.linter(source))
            return [
                finding for finding in findings if finding.span.source is source
            ]  # files it includes stay as they are

        before = question.text.source
        after, fixed = fix_all(before, lint)
        question = question.with_source(after)
        if fixed:
            rewrite(before.name, encode(after.text, frontend.written))
    source = question.text.source
    report = _Report(source, *question.check(frontend.linter(source)), unresolved)
    report.fixed = fixed
    return report


class _Lenient(Forwarding):
    """A bridge that gives an image that can't be resolved an empty config; `unresolved` lists the errors."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self.unresolved: list[str] = []

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        from pybuild.compiler import image
        from pybuild.runtime.registry import errors

        try:
            return self._bridge.resolve_image(ref, platform, log_name=log_name)
        except (
            errors.AccessDenied,
            errors.ServerFailure,
            errors.TooManyRequests,
            errors.Unreachable,
        ) as error:
            if str(error) not in self.unresolved:
                self.unresolved.append(str(error))
            return ResolvedImage(ref, "", image.empty(platform).to_json())

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        """Return the time of a source, None after an error: checks don't depend on it."""
        try:
            return self._bridge.source_time(edge, log_name=log_name)
        except Cancelled:
            raise
        except UserError:
            return None
