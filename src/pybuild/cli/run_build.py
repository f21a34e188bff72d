"""A build from the command line: its display, its signals, the files that it writes, its exit code."""

from __future__ import annotations

import os
import sys

from pybuild.build import errors
from pybuild.build.signals import Interrupts
from pybuild.cli.terminal import note, remark
from pybuild.lang.diagnostics import Cancelled, visible
from pybuild.request import result_files
from pybuild.runtime.progress.display import is_terminal, make_display, warnings_text
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pybuild.build.execute import BuildResult
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.progress.display import Display
    from pybuild.runtime.progress.observer import Observer

    Result = TypeVar("Result")
    BuildFunction = Callable[[BuildRequest, Observer, Cancellation], BuildResult]


def run_build(request: BuildRequest, build: BuildFunction, *, warned: str = "") -> int:
    """Build, report the result, return the exit code. Raises UserError for errors before the build began.

    `warned` is the text of the build files' warnings, if no frontend reads them.
    """
    for path, flag in ((request.iidfile, "--iidfile"), (request.metadata_file, "--metadata-file")):
        if path is not None:
            result_files.check(path, flag)
    display = make_display(request.progress, sys.stderr, quiet=request.quiet)
    if request.iidfile is not None:
        result_files.discard_stale(request.iidfile)
    try:
        result = run_observed(request, display, build)
        _write_result_files(request, result)
    except BaseException as error:
        _show_warnings(display, warned)
        return errors.report(error, sys.stderr, output_shown=display.output_shown)
    frontend_warnings = _show_warnings(display, warned)
    _write_record(request, result, warned + frontend_warnings, warned or frontend_warnings)
    silent = request.quiet or request.progress in ("quiet", "rawjson")
    if not silent:
        for line in result.summary:
            note(line)
    if request.quiet or request.progress == "quiet":
        _print_digest(request, result)
    return 0


def run_observed(
    request: BuildRequest, display: Display, build: Callable[[BuildRequest, Observer, Cancellation], Result]
) -> Result:
    """Run a build that signals can cancel; the display is stopped whatever happens."""
    cancellation = Cancellation()
    ended: BaseException | None = None
    with Interrupts(cancellation, display.notice, display.restore) as interrupts:
        # Threads start once the engine has entered its namespaces, which needs a process with one thread.
        display.on_start = interrupts.watch
        try:
            return build(request, display, cancellation)
        except BaseException as error:
            ended = error
            # What goes wrong after a cancellation is a consequence of it.
            if cancellation.cancelled and not isinstance(error, Cancelled):
                ended = Cancelled()
                raise ended from error
            raise
        finally:
            display.stop(ended)


def _write_result_files(request: BuildRequest, result: BuildResult) -> None:
    if request.iidfile is not None:
        result_files.write(request.iidfile, result.goals[0].iid)
    if request.metadata_file is not None:
        result_files.write(request.metadata_file, result_files.metadata_text(result.metadata))


def _show_warnings(display: Display, warned: str) -> str:
    """Show `warned` and the display's warnings, and return the text of the latter."""
    text = warnings_text(display.warnings)
    if warned or text:
        from pybuild.runtime.progress.rawjson import RawJson

        if not isinstance(display, RawJson):
            print_warnings(warned + text)
    return text


def print_warnings(text: str) -> None:
    """Write the text of warnings below the display's output."""
    from pybuild.runtime.progress.terminal import printable

    remark("\n" + printable(text))


def _write_record(request: BuildRequest, result: BuildResult, warned: str, of_frontend: str) -> None:
    """Write a record, by which the same command is replayed while nothing changes. `warned` are all warnings,
    `of_frontend` those that a rebuild repeats."""
    evidence = result.evidence
    if evidence is None:
        return
    from pybuild.replay.record import Finished, replayed_text, write
    from pybuild.runtime.export.output import parse_output
    from pybuild.runtime.progress.terminal import printable

    silent = request.quiet or request.progress == "quiet"
    plain = request.progress == "plain" or (request.progress == "auto" and not is_terminal(sys.stderr))
    notices = [f"#0 {line}\n" if plain else f"{line}\n" for line in map(printable, request.notices)]
    texts = [] if silent else [*notices, replayed_text(evidence.steps, plain=plain)]
    texts += ["\n" + printable(warned)] if warned else []
    texts += [] if silent else [visible(line) + "\n" for line in result.summary]
    files = [parse_output(text).dest for text in request.outputs]
    files += [path for path in (request.iidfile, request.metadata_file, *result.files) if path is not None]
    finished = Finished(
        request.to_plain(),
        evidence.plan.to_plain(),
        plan_trees=evidence.plan.trees,
        trees=evidence.trees,
        blobs=evidence.blobs,
        outputs=[os.path.abspath(path) for path in files if path],
        generation=evidence.generation,
        stdout="".join(f"{digest}\n" for digest in result.digests) if silent else "",
        stderr="".join(texts),
        warnings=of_frontend,
    )
    write(sys.argv[1:], finished)


def _print_digest(request: BuildRequest, result: BuildResult) -> None:
    """Print the digest on standard output, unless the image itself went there."""
    from pybuild.runtime.export.output import parse_output

    if result.digests and not any(parse_output(text).dest == "-" for text in request.outputs):
        print("\n".join(result.digests))
        sys.stdout.flush()
