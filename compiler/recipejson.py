"""A compiled build file as one JSON document (language spec, section 19).

`recipe.schema.json` beside this file is its schema.

`targets` are the requested and needed goals, `ops` the vertices by digest, inputs first. `inputs` holds everything
that the graph depends on, `meta` the metadata of ops, which isn't in their digests. Fields with their default
value are left out.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from pybuild.compiler import ops, platforms
from pybuild.compiler.descriptions import BODY, PIDS, SCOPES
from pybuild.compiler.graph import Edge, Vertex, walk
from pybuild.compiler.graphjson import plain
from pybuild.compiler.image import Config
from pybuild.compiler.lower.recipe.options import LoweredInstance, LoweredRecipe
from pybuild.lang.recipe import Goal, Instance, Output, Recipe
from pybuild.lang.source import Span

SCHEMA = "pybuild.graph/1"
_STEP = re.compile(r"\[[^\n]*? +\d+/\d+\] ")
"""The prefix that progress puts before the text of a step: `[target 2/5] `."""


@frozen
class Naming:
    """Names of files that are the same on every machine.

    `directory` is the directory of the root file; destinations of outputs are relative to it. `files` maps the
    recipe's names of sources and modules to the names in the document.
    """

    directory: str
    files: Mapping[str, str] = field(factory=dict)

    def of(self, name: str) -> str:
        return self.files.get(name, name)


def dumps(recipe: Recipe, lowered: LoweredRecipe, naming: Naming, *, linked: bool) -> str:
    """Return the document as JSON text. The same build always gives the same bytes."""
    return json.dumps(to_json(recipe, lowered, naming, linked=linked), indent=2, ensure_ascii=False) + "\n"


def to_json(recipe: Recipe, lowered: LoweredRecipe, naming: Naming, *, linked: bool) -> dict[str, Any]:
    """Return the document as plain JSON values."""
    vertices = list(walk([one.edge for one in lowered.instances.values() if one.edge is not None]))
    bases = [one.base for one in lowered.instances.values() if one.base is not None]
    known = set(vertices)
    vertices += [vertex for vertex in walk(bases) if vertex not in known]
    return {
        "schema": SCHEMA,
        "linked": linked,
        "inputs": _inputs(recipe, naming),
        "targets": _targets(recipe, lowered, naming),
        "ops": {vertex.digest: _op(vertex) for vertex in vertices},
        "meta": {vertex.digest: meta for vertex in vertices if (meta := _meta(vertex, naming))},
    }


def _inputs(recipe: Recipe, naming: Naming) -> dict[str, Any]:
    return {
        "params": {name: {"value": one.value, "from": one.origin} for name, one in recipe.params.items()},
        "vcs": dict(recipe.vcs),
        "reads": _named(recipe.reads, naming),
        "modules": _named(recipe.modules, naming),
    }


def _named(digests: Mapping[str, str], naming: Naming) -> dict[str, str]:
    return dict(sorted((naming.of(name), digest) for name, digest in digests.items()))


# Targets


def _targets(recipe: Recipe, lowered: LoweredRecipe, naming: Naming) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for goals, requested in ((recipe.requested, True), (recipe.needed, False)):
        for goal in goals:
            target = out.setdefault(goal.name, {"kind": goal.kind, "doc": goal.doc, "instances": []})
            for instance in goal.instances:
                target["instances"].append(
                    {
                        **_instance(goal, instance, naming),
                        "state": _state(lowered.instances[instance]),
                        **({} if requested else {"requested": False}),
                    }
                )
    return out


def _instance(goal: Goal, instance: Instance, naming: Naming) -> dict[str, Any]:
    return {
        "axes": dict(goal.axes),
        "platform": instance.platform,
        "needs": [one.title for one in instance.needs],
        "tags": [tag.name for tag in instance.tags],
        "outputs": [_output(one, naming) for one in instance.outputs],
    }


def _output(output: Output, naming: Naming) -> dict[str, Any]:
    dest = posixpath.relpath(output.dest, naming.directory)
    out: dict[str, Any] = {
        "sources": [source.path for source in output.sources],
        "dest": dest + ("/" if output.dest.endswith("/") else ""),
    }
    return out | {name: True for name in ("clean", "always") if getattr(output, name)}


def _state(lowered: LoweredInstance) -> dict[str, Any]:
    edge = lowered.edge
    out = {
        "fs": None if edge is None else {"op": edge.vertex.digest, "out": edge.index},
        "platform": platforms.format(lowered.platform),
        "config": _config(lowered),
    }
    return out | ({"annotations": dict(lowered.annotations)} if lowered.annotations else {})


def _config(lowered: LoweredInstance) -> dict[str, Any]:
    """Return the fields of the image config that are set. In a graph without links `base` is the image they
    extend."""
    out: dict[str, Any] = {} if lowered.base is None else {"base": lowered.base.vertex.digest}
    config = lowered.image.config
    return out | {name: value for name in _CONFIG if (value := _value(config, name))}


_CONFIG = (
    "user",
    "working_dir",
    "env",
    "entrypoint",
    "cmd",
    "shell",
    "labels",
    "exposed_ports",
    "volumes",
    "stop_signal",
    "healthcheck",
    "on_build",
)


def _value(config: Config, name: str) -> Any:
    value = getattr(config, name)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    return plain(value)


# Ops


def _op(vertex: Vertex) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if vertex.platform is not None:
        out["platform"] = platforms.format(vertex.platform)
    if vertex.inputs:
        out["inputs"] = [_reference(edge) for edge in vertex.inputs]
    kind, value = _KINDS[type(vertex.op)], plain(vertex.op)
    if isinstance(vertex.op, ops.ExecOp):
        value["mounts"] = [_mount(mount) for mount in vertex.op.mounts]
    elif isinstance(vertex.op, ops.FileOp):
        value["actions"] = [_action(action) for action in vertex.op.actions]
    return {**out, kind: value}


def _reference(edge: Edge) -> str:
    return f"{edge.vertex.digest}#{edge.index}"


_KINDS: dict[type, str] = {
    ops.SourceOp: "source",
    ops.ExecOp: "exec",
    ops.FileOp: "file",
    ops.BuildOp: "build",
    ops.MergeOp: "merge",
    ops.DiffOp: "diff",
    ops.PassthroughOp: "passthrough",
}
_ACTIONS: dict[type, str] = {
    ops.Copy: "copy",
    ops.MkFile: "mkfile",
    ops.MkDir: "mkdir",
    ops.Rm: "rm",
    ops.Symlink: "symlink",
}


def _mount(mount: ops.Mount) -> dict[str, Any]:
    """Return a mount with its options under the name of its type. Inputs and outputs that are -1 are left out."""
    out: dict[str, Any] = {"dest": mount.dest}
    out |= {name: value for name in ("input", "output") if (value := getattr(mount, name)) != ops.EMPTY}
    out |= {name: value for name in ("selector", "readonly", "result_id") if (value := getattr(mount, name))}
    if mount.content_cache is not ops.ContentCache.DEFAULT:
        out["content_cache"] = mount.content_cache.name.lower()
    if mount.mount_type is not ops.MountType.BIND:
        kind = mount.mount_type.name.lower()
        options = getattr(mount, f"{kind}_opt")
        out[kind] = {} if options is None else plain(options)
    if mount.cache_opt is not None:
        out["cache"]["sharing"] = mount.cache_opt.sharing.name.lower()
    return out


def _action(action: ops.FileAction) -> dict[str, Any]:
    out: dict[str, Any] = {_ACTIONS[type(action.action)]: plain(action.action)}
    out["input"] = action.input
    out |= {
        name: number
        for name in ("secondary_input", "output")
        if (number := getattr(action, name)) != ops.EMPTY
    }
    return out


# Metadata


def _meta(vertex: Vertex, naming: Naming) -> dict[str, Any]:
    metadata = vertex.metadata
    out: dict[str, Any] = {}
    if metadata.spans:
        out["spans"] = [_span(span, naming) for span in metadata.spans]
    if metadata.name:
        out["title"] = _STEP.sub("", metadata.name, count=1)
    if BODY in metadata.description:
        out["target"] = metadata.description[BODY]
    if metadata.ignore_cache:
        out["uncached"] = True
    if SCOPES in metadata.description:
        out["cache_scopes"] = json.loads(metadata.description[SCOPES])
    limits = {} if metadata.linux_resources is None else plain(metadata.linux_resources)
    if PIDS in metadata.description:
        limits["pids"] = int(metadata.description[PIDS])
    return out | ({"limits": limits} if limits else {})


def _span(span: Span, naming: Naming) -> dict[str, Any]:
    return {
        "file": naming.of(span.source.name),
        "start": [span.line, span.column],
        "end": [span.end_line, span.end_column],
    }
