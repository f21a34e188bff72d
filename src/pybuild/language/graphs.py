"""`pybuild graph` of a build file of the language: its document, its LLB, a drawing. Nothing is run."""

from __future__ import annotations

import os
import posixpath

from pybuild.compiler.descriptions import PIDS
from pybuild.compiler.graph import walk
from pybuild.lang.diagnostics import Diagnostic, Label, SourceErrors, UsageError
from pybuild.lang.textual.modules import PROJECT, ROOT
from pybuild.language.asked import LanguageBuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.compiler.lower.recipe.options import LoweredRecipe
    from pybuild.compiler.recipejson import Naming
    from pybuild.contexts import Inputs
    from pybuild.lang.recipe import Instance
    from pybuild.request import BuildRequest
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation


def graph(
    request: BuildRequest,
    inputs: Inputs,
    observer: Observer,
    cancellation: Cancellation,
    format: str,
    *,
    linked: bool,
) -> bytes:
    """The graph of what the request names as `json`, `dot` or `llb`, which is always linked: without its images'
    configs no step of it is whole. Only a linked one asks registries and servers. Raises UserError."""
    return graph_of(LanguageBuild(request, inputs, observer), observer, cancellation, format, linked=linked)


def graph_of(
    asked: LanguageBuild, observer: Observer, cancellation: Cancellation, format: str, *, linked: bool
) -> bytes:
    """See `graph`."""
    if format == "llb":
        linked = True
    if linked or asked.fetches:
        engine = asked.open(observer, cancellation)
        try:
            _check_single(asked, format)
            lowered = asked.lower(engine, observer, keep_lock=False) if linked else _lower(asked, observer)
        finally:
            engine.close()
    else:
        lowered = _lower(asked, observer)
    if format == "llb":
        return _definition(asked, lowered)
    if format == "dot":
        return _drawing(lowered).encode("utf-8", "replace")
    from pybuild.compiler.recipejson import dumps

    return dumps(asked.recipe, lowered, naming(asked), linked=linked).encode("utf-8", "replace")


def _lower(asked: LanguageBuild, observer: Observer) -> LoweredRecipe:
    """The unlinked graph: no file but those of the project is looked at."""
    from pybuild.compiler.lower.recipe.lower import lower
    from pybuild.language.nothing import NoBridge

    return lower(asked.recipe, asked.options({}, linked=False), NoBridge(observer))


def _check_single(asked: LanguageBuild, format: str) -> None:
    """Raises UsageError where a definition would be of several instances."""
    titles = [_title(one) for goal in asked.recipe.requested for one in goal.instances]
    if format == "llb" and len(titles) > 1:
        shown = ", ".join(titles[:8]) + (", …" if len(titles) > 8 else "")
        raise UsageError(
            f"llb is of one instance, and {len(titles)} are asked for: {shown}",
            help="name one, NAME[axis=value], and give one --platform",
        )


def _title(instance: Instance) -> str:
    several = len(instance.goal.instances) > 1
    return instance.goal.title + (f" ({instance.platform})" if several else "")


def _definition(asked: LanguageBuild, lowered: LoweredRecipe) -> bytes:
    from pybuild.compiler.llb.encode import encode_definition

    edge = lowered.instances[asked.recipe.requested[0].instances[0]].edge
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
    for one, found in lowered.instances.items():
        if found.edge is not None:
            results.append((_title(one), found.edge))
    return to_dot_all(results)


def naming(asked: LanguageBuild) -> Naming:
    """Names relative to the root file's directory, for files of the project."""
    from pybuild.compiler.recipejson import Naming

    assert asked.program is not None
    directory = asked.compiled.directory
    files: dict[str, str] = {}
    elsewhere = []
    for key, module in asked.program.modules.items():
        name = module.file.source.name
        if module.origin in (ROOT, PROJECT):
            files[key] = files[name] = os.path.relpath(key, directory)
        else:
            elsewhere.append(posixpath.dirname(name) + "/")
    for name in asked.recipe.reads:
        if not name.removeprefix("glob(").startswith(tuple(elsewhere)):
            files.setdefault(name, _relative(name, directory))
    return Naming(directory, files)


def _relative(name: str, directory: str) -> str:
    path = name.removeprefix("glob(")
    relative = os.path.relpath(os.path.abspath(path), directory)
    return f"glob({relative}" if path != name else relative
