"""The outputs of a request: what is exported of each goal."""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.export.output import Output, parse_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.request.request import BuildRequest

_NO_IMAGE = ("local", "tar", "none")


def requested_outputs(request: BuildRequest) -> list[Output]:
    """Return the outputs that a request names. Raises UsageError."""
    outputs = [parse_output(text) for text in request.outputs]
    if request.push:
        images = [output for output in outputs if output.type == "image"]
        for output in images:
            output.attributes["push"] = "true"
        if not images:
            outputs.append(Output("image", attributes={"push": "true"}))
    if request.load:
        outputs.append(Output("docker"))
    if sum(output.dest == "-" for output in outputs) > 1:
        raise UsageError("more than one output goes to standard output", help="give all but one a dest=FILE")
    if outputs and request.iidfile is not None and all(output.type in _NO_IMAGE for output in outputs):
        kinds = " and ".join(dict.fromkeys(output.type for output in outputs))
        raise UsageError(
            f"--iidfile: an output of type {kinds} makes no image, so there is no ID to write",
            help="leave out --iidfile, or export an image as well: -o type=image",
        )
    for output in outputs:
        output.check()
    return outputs


def default_output(request: BuildRequest, tags: Sequence[str]) -> Output:
    """Return the output of an image with the names `tags` if the request names none: an image in the local store if
    something needs one (a tag, its digest); else the result stays in the build cache, as with buildx."""
    needed = tags or request.quiet or request.progress == "quiet"
    needed = needed or request.iidfile is not None or request.metadata_file is not None
    return Output("image" if needed else "none")


def check_several(request: BuildRequest, outputs: Sequence[Output]) -> None:
    """Raises UsageError for settings that can belong to one goal only."""
    placed = next((output for output in outputs if output.dest), None)
    for given, what in (
        (placed is not None, f"-o {placed.dest}" if placed is not None else ""),
        (bool(request.tags), "-t"),
        (request.iidfile is not None, "--iidfile"),
    ):
        if given:
            raise UsageError(
                f"{what} is for one target, and several are built", help="build one target, or leave it out"
            )
