"""The graph of a request as a JSON document, as LLB, or as a drawing. Nothing is run."""

from __future__ import annotations

import os
import posixpath

from pybuild.build.engine import open_gateway
from pybuild.build.pipeline import warner
from pybuild.compiler.descriptions import PIDS
from pybuild.compiler.dot import to_dot
from pybuild.compiler.graph import walk
from pybuild.compiler.graphjson import dumps as dumps_graph
from pybuild.compiler.llb.encode import encode_definition
from pybuild.frontends.build_context import find_context
from pybuild.frontends.choose import choose
from pybuild.frontends.language import LanguageFrontend
from pybuild.lang.diagnostics import Diagnostic, Label, SourceErrors, UsageError
from pybuild.lang.textual.modules import PROJECT, ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.compiler.lower.recipe.options import LoweredRecipe
    from pybuild.compiler.recipejson import Naming
    from pybuild.lang.recipe import Instance
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def graph(
    request: BuildRequest,
    observer: Observer,
    cancellation: Cancellation,
    format: str,
    *,
    linked: bool = False,
) -> bytes:
    """Return the graph of a request's targets as `json`, `llb` (a `pb.Definition`) or `dot`. Only steps that
    a package's frontend asks for are run. Raises UserError.

    The graph of the language is `linked` only on request, or for `llb`: without the configs of its images no
    step of it is complete, and only a linked graph asks registries and servers. Other graphs are always
    linked.
    """
    context = find_context(request, observer)
    frontend = choose(context, warner(observer))
    if isinstance(frontend, LanguageFrontend):
        return language_graph(frontend, observer, cancellation, format, linked=linked)
    with open_gateway(frontend, request, observer, cancellation, enter=frontend.fetches) as gateway:
        solution = frontend.solve(gateway)
    targets = [target for goal in solution.goals for target in goal.targets]
    target, *others = targets
    if others:
        raise UsageError("a graph is for one platform", help="give one --platform")
    if format == "llb":
        return encode_definition(target.edge)
    if target.edge is None:
        raise UsageError("the target is the empty file system: its graph has no vertex")
    return dumps_graph(target.edge).encode() if format == "json" else to_dot(target.edge).encode()


def language_graph(
    frontend: LanguageFrontend,
    observer: Observer,
    cancellation: Cancellation,
    format: str,
    *,
    linked: bool,
) -> bytes:
    """Return the graph of a build file of the language. See `graph`."""
    linked = linked or format == "llb"
    if linked or frontend.fetches:
        with open_gateway(frontend, frontend.request, observer, cancellation) as gateway:
            frontend.ready(gateway)
            _check_single(frontend, format)
            lowered = frontend.lower(gateway, keep_lock=False) if linked else _lower(frontend, observer)
    else:
        lowered = _lower(frontend, observer)
    if format == "llb":
        return _definition(frontend, lowered)
    if format == "dot":
        return _drawing(lowered).encode("utf-8", "replace")
    from pybuild.compiler.recipejson import dumps

    return dumps(frontend.recipe, lowered, naming(frontend), linked=linked).encode("utf-8", "replace")


def _lower(frontend: LanguageFrontend, observer: Observer) -> LoweredRecipe:
    """Return the unlinked graph: only files of the project are looked at."""
    from pybuild.compiler.lower.recipe.lower import lower
    from pybuild.language.unlinked_bridge import UnlinkedBridge

    return lower(frontend.recipe, frontend.options({}, linked=False), UnlinkedBridge(observer))


def _check_single(frontend: LanguageFrontend, format: str) -> None:
    """Raises UsageError for a definition of several instances."""
    titles = [_title(instance) for goal in frontend.recipe.requested for instance in goal.instances]
    if format == "llb" and len(titles) > 1:
        shown = ", ".join(titles[:8]) + (", …" if len(titles) > 8 else "")
        raise UsageError(
            f"llb is of one instance, and {len(titles)} are asked for: {shown}",
            help="name one, NAME[axis=value], and give one --platform",
        )


def _title(instance: Instance) -> str:
    several = len(instance.goal.instances) > 1
    return instance.goal.title + (f" ({instance.platform})" if several else "")


def _definition(frontend: LanguageFrontend, lowered: LoweredRecipe) -> bytes:
    from pybuild.compiler.llb.encode import encode_definition

    edge = lowered.instances[frontend.recipe.requested[0].instances[0]].edge
    vertices = walk([edge] if edge is not None else [])
    limited = [vertex for vertex in vertices if PIDS in vertex.metadata.description]
    if limited:
        raise SourceErrors([_local_only(vertex) for vertex in limited])
    return encode_definition(edge)


def _local_only(vertex: Vertex) -> Diagnostic:
    return Diagnostic(
        "`limits(pids=…)` has no form in LLB",
        labels=[Label(span, "limited here") for span in vertex.metadata.spans[:1]],
        notes=[("help", "leave it out of what another engine is to build")],
    )


def _drawing(lowered: LoweredRecipe) -> str:
    from pybuild.compiler.dot import to_dot_all

    results: list[tuple[str, Edge]] = []
    for instance, result in lowered.instances.items():
        if result.edge is not None:
            results.append((_title(instance), result.edge))
    return to_dot_all(results)


def naming(frontend: LanguageFrontend) -> Naming:
    """Return names for files of the project, relative to the root file's directory."""
    from pybuild.compiler.recipejson import Naming

    assert frontend.program is not None
    directory = frontend.compiled.directory
    files: dict[str, str] = {}
    elsewhere = []
    for key, module in frontend.program.modules.items():
        name = module.file.source.name
        if module.origin in (ROOT, PROJECT):
            files[key] = files[name] = os.path.relpath(key, directory)
        else:
            elsewhere.append(posixpath.dirname(name) + "/")
    for name in frontend.recipe.reads:
        if not name.removeprefix("glob(").startswith(tuple(elsewhere)):
            files.setdefault(name, _relative(name, directory))
    return Naming(directory, files)


def _relative(name: str, directory: str) -> str:
    path = name.removeprefix("glob(")
    relative = os.path.relpath(os.path.abspath(path), directory)
    return f"glob({relative}" if path != name else relative
