"""The command `pybuild solve`: solve and export another client's graph, or a frontend's result."""

from __future__ import annotations

import os
import sys

from pybuild.frontends.build_context import BuildContext, BuildInputs
from pybuild.frontends.results import goal_of, with_epoch
from pybuild.frontends.types import GraphNames, Solution
from pybuild.lang.diagnostics import UsageError
from pybuild.replay.dependencies import Dependencies
from pybuild.request.values import epoch_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.build.execute import BuildResult
    from pybuild.compiler.gateway import Request
    from pybuild.compiler.graph import Edge
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

STDIN = "-"
_NO_CACHE = "no-cache"


class Solve:
    """The input of a solve: the graph `definition`, or the call of `frontend` with `options`. `directories`
    and `layouts` are the local sources and content stores by name."""

    __slots__ = ("definition", "directories", "frontend", "layouts", "options")

    def __init__(
        self,
        definition: Edge | None = None,
        *,
        frontend: str = "",
        options: Mapping[str, str] | None = None,
        directories: Mapping[str, bytes] | None = None,
        layouts: Mapping[str, str] | None = None,
    ) -> None:
        self.definition = definition
        self.frontend = frontend
        self.options = dict(options or {})
        self.directories = dict(directories or {})
        self.layouts = dict(layouts or {})

    def request(self, *, no_cache: bool) -> Request:
        """Return the solve as a gateway takes it; with `no_cache` every step runs again."""
        from pybuild.compiler.gateway import Request

        if self.frontend:
            anew = {_NO_CACHE: ""} if no_cache else {}
            return Request(frontend=self.frontend, options={**anew, **self.options})
        edge = self.definition
        if edge is not None and no_cache:
            from pybuild.compiler.lower.step_defaults import StepDefaults

            (edge,) = StepDefaults(no_cache=True).applied([edge])
        return Request(edge)


def read_solve(
    definition: str | None,
    frontend: str | None,
    options: Sequence[str],
    directories: Sequence[str],
    layouts: Sequence[str],
) -> Solve:
    """Return the solve that the flags of the command describe. Raises UsageError, DefinitionError."""
    sources = {
        name: os.fsencode(os.path.abspath(path)) for name, path in _pairs(directories, "--local", "DIRECTORY")
    }
    for name, path in sources.items():
        if not os.path.isdir(path):
            raise UsageError(
                f"--local {name}={os.fsdecode(path)}: there is no such directory",
                help="give one that is there",
            )
    stores = {name: f"oci-layout://{path}" for name, path in _pairs(layouts, "--oci-layout", "PATH")}
    if frontend:
        if definition is not None:
            raise UsageError("--definition and --frontend exclude each other", help="leave one out")
        attributes = dict(_pairs(options, "--opt", "VALUE", empty=True))
        return Solve(frontend=frontend, options=attributes, directories=sources, layouts=stores)
    if options:
        raise UsageError("--opt is for a frontend", help="name one: --frontend dockerfile.v0")
    from pybuild.compiler.llb.decode import EmptyDefinition, decode_definition
    from pybuild.compiler.llb.validate import validated

    try:
        edge = validated(decode_definition(_read(definition or STDIN)))
    except EmptyDefinition:
        edge = None
    return Solve(edge, directories=sources, layouts=stores)


def run_solve(solve: Solve, request: BuildRequest) -> int:
    """Solve and export with the settings of `request`, and return the exit code. Raises UserError for errors
    before the build began."""
    from pybuild.cli.run_build import run_build

    def build(request: BuildRequest, observer: Observer, cancellation: Cancellation) -> BuildResult:
        from pybuild.build.execute import execute, requested_outputs
        from pybuild.build.pipeline import planned

        # First, so that their mistakes are reported before anything is run.
        outputs = requested_outputs(request)
        context = BuildContext(request, BuildInputs(), Dependencies())
        # A definition from a stream has no state that a record could name.
        context.dependencies.replayable = False
        frontend = SolveFrontend(solve, request)
        with planned(frontend, context, observer, cancellation) as (plan, engine):
            return execute(plan, request, outputs, engine)

    return run_build(request, build)


class SolveFrontend:
    """A frontend (`frontends.types.Frontend`) that solves a definition, or calls a frontend as a client of
    BuildKit would."""

    fetches = True

    def __init__(self, solve: Solve, request: BuildRequest) -> None:
        self._solve = solve
        self._request = request

    def begin(self, *, enter: bool) -> GraphNames:
        return GraphNames(self._solve.directories, self._solve.layouts)

    def solve(self, gateway: Gateway) -> Solution:
        result = gateway.solve(self._solve.request(no_cache=self._request.no_cache))
        epoch = epoch_of(os.environ.get("SOURCE_DATE_EPOCH", ""))
        if epoch is not None:
            result = with_epoch(result, epoch)
        return Solution([goal_of(result, tags=self._request.tags)])


def _read(path: str) -> bytes:
    if path == STDIN:
        if sys.stdin.isatty():
            raise UsageError(
                "a definition is binary, and standard input is a terminal",
                help="give a file with --definition, or write pybuild graph --format=llb … | pybuild solve",
            )
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", help="--definition takes a file, or -"
        ) from None


def _pairs(texts: Iterable[str], flag: str, value: str, *, empty: bool = False) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value_text = text.partition("=")
        if not name or not (value_text or (empty and equals)):
            raise UsageError(f"invalid {flag} {text!r}", help=f"write {flag} NAME={value}")
        pairs.append((name, value_text))
    return pairs
