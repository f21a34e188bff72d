"""The graph as JSON; `graph.schema.json` beside this file is its schema.

Vertices are listed inputs first and named by their digests. Fields with their default value are left out; bytes are
base64. A vertex that a client sent in a non-canonical encoding carries the sent bytes as `payload`.
"""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pybuild.compiler import ops
from pybuild.compiler.frozenmap import FrozenMap
from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.llb.decode import decode_op, received_vertex
from pybuild.compiler.llb.encode import encode_op, unique_vertices
from pybuild.compiler.llb.wire import DefinitionError, shown
from pybuild.lang.source import Source, Span

if TYPE_CHECKING:
    from cattrs import Converter

VERSION = 1
"""The version of the form. It is raised by every change that would mislead an older reader."""

_OPS: dict[str, type] = {
    "source": ops.SourceOp,
    "exec": ops.ExecOp,
    "file": ops.FileOp,
    "build": ops.BuildOp,
    "merge": ops.MergeOp,
    "diff": ops.DiffOp,
    "passthrough": ops.PassthroughOp,
}
_ACTIONS: dict[str, type] = {
    "copy": ops.Copy,
    "mkfile": ops.MkFile,
    "mkdir": ops.MkDir,
    "rm": ops.Rm,
    "symlink": ops.Symlink,
}
_ENUMS: tuple[type[enum.IntEnum], ...] = (
    ops.NetMode,
    ops.SecurityMode,
    ops.MountType,
    ops.ContentCache,
    ops.CacheSharing,
)


def dumps(edge: Edge) -> str:
    """Return the graph as JSON text. The same graph always gives the same bytes."""
    return json.dumps(to_json(edge), indent=2, ensure_ascii=False) + "\n"


def loads(text: str) -> Edge:
    """Read a graph from JSON text. Raises `DefinitionError`."""
    try:
        obj = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DefinitionError(f"a graph that is not JSON: {error}") from None
    return from_json(obj)


def to_json(edge: Edge) -> dict[str, Any]:
    """Return the graph beneath `edge` as plain JSON values."""
    sources: list[Source] = []
    vertices = [_vertex_json(vertex, sources) for vertex in unique_vertices(edge)]
    return {
        "version": VERSION,
        "vertices": vertices,
        "sources": [_source_json(source) for source in sources],
        "result": _edge_json(edge),
    }


def from_json(obj: object) -> Edge:
    """Read a graph from the values of `to_json` and verify its digests.

    Raises `DefinitionError` for values that the schema doesn't allow, for an input that isn't the digest of an
    earlier vertex, and for a digest that is not that of its op.
    """
    from cattrs.errors import BaseValidationError

    try:
        return _read_graph(obj)
    except BaseValidationError as error:
        from cattrs import transform_error

        first = transform_error(error)[0]
        raise DefinitionError(f"the graph's JSON is not of the published form: {first}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DefinitionError(f"the graph's JSON is not of the published form: {error}") from None


# Writing


def _vertex_json(vertex: Vertex, sources: list[Source]) -> dict[str, Any]:
    converter = _converter()
    out: dict[str, Any] = {
        "digest": vertex.digest,
        "op": _tagged_json(converter, _OPS, vertex.op),
        "inputs": [_edge_json(edge) for edge in vertex.inputs],
    }
    if vertex.platform is not None:
        out["platform"] = converter.unstructure(vertex.platform)
    if vertex.constraints is not None:
        out["constraints"] = list(vertex.constraints)
    if metadata := _metadata_json(vertex.metadata, sources):
        out["metadata"] = metadata
    if vertex.payload != encode_op(vertex):
        out["payload"] = base64.b64encode(vertex.payload).decode()
    return out


def _metadata_json(metadata: Metadata, sources: list[Source]) -> dict[str, Any]:
    converter = _converter()
    out: dict[str, Any] = {}
    if metadata.ignore_cache:
        out["ignore_cache"] = True
    if metadata.description:
        out["description"] = {key: _shown(value) for key, value in metadata.description.items()}
    if metadata.export_cache is not None:
        out["export_cache"] = metadata.export_cache
    if metadata.caps:
        out["caps"] = dict(metadata.caps)
    if metadata.progress_group is not None:
        out["progress_group"] = converter.unstructure(metadata.progress_group)
    if metadata.linux_resources is not None:
        out["linux_resources"] = converter.unstructure(metadata.linux_resources)
    if metadata.spans:
        out["spans"] = [_span_json(span, sources) for span in metadata.spans]
    return out


def _span_json(span: Span, sources: list[Source]) -> dict[str, int]:
    number = next((n for n, known in enumerate(sources) if known is span.source), len(sources))
    if number == len(sources):
        sources.append(span.source)
    return {
        "source": number,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _source_json(source: Source) -> dict[str, str]:
    try:
        source.text.encode()
    except UnicodeEncodeError:
        data = source.text.encode("utf-8", "surrogateescape")
        return {"name": _shown(source.name), "data": base64.b64encode(data).decode()}
    return {"name": _shown(source.name), "text": source.text}


def _shown(text: str) -> str:
    return shown(text).decode()


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {"digest": edge.vertex.digest, "index": edge.index}


def _tagged_json(converter: Converter, kinds: Mapping[str, type], value: object) -> dict[str, Any]:
    kind = next(name for name, cls in kinds.items() if cls is type(value))
    return {"type": kind, **converter.unstructure(value)}


# Reading


def _read_graph(obj: object) -> Edge:
    graph = _object(obj, "graph", {"version", "vertices", "sources", "result"})
    version = _converter().structure(graph["version"], int)
    if version != VERSION:
        raise DefinitionError(
            f"the graph is of version {version}, this program reads version {VERSION}",
            help="write it again with `pybuild graph --format json`",
        )
    sources = [_read_source(item) for item in _list(graph.get("sources", []), "sources")]
    vertices: dict[str, Vertex] = {}
    for item in _list(graph["vertices"], "vertices"):
        vertex = _read_vertex(item, vertices, sources)
        vertices[vertex.digest] = vertex
    return _read_edge(graph["result"], vertices)


def _read_vertex(obj: object, known: Mapping[str, Vertex], sources: list[Source]) -> Vertex:
    keys = {"digest", "op", "inputs", "platform", "constraints", "metadata", "payload"}
    item = _object(obj, "vertex", keys)
    converter = _converter()
    op = _read_tagged(converter, _OPS, item["op"])
    inputs = tuple(_read_edge(edge, known) for edge in _list(item["inputs"], "inputs"))
    platform = converter.structure(item["platform"], ops.Platform) if "platform" in item else None
    constraints = None
    if "constraints" in item:
        constraints = converter.structure(item["constraints"], tuple[str, ...])
    metadata = _read_metadata(item.get("metadata", {}), sources)
    vertex = Vertex(op, inputs, platform, constraints, metadata)
    if "payload" in item:
        payload = converter.structure(item["payload"], bytes)
        names = tuple((edge.vertex.digest, edge.index) for edge in inputs)
        if decode_op(payload) != (op, names, platform, constraints):
            raise DefinitionError(f"the payload of {item['digest']} is not the op beside it")
        vertex = received_vertex(payload, op, inputs, platform, constraints, metadata)
    if vertex.digest != item["digest"]:
        raise DefinitionError(
            f"the digest {item['digest']} is not that of its op, which is {vertex.digest}",
            help="a changed op has another digest; vertices that use it have to name that one",
        )
    return vertex


def _read_metadata(obj: object, sources: list[Source]) -> Metadata:
    keys = {
        "ignore_cache",
        "description",
        "export_cache",
        "caps",
        "progress_group",
        "linux_resources",
        "spans",
    }
    item = _object(obj, "metadata", keys)
    converter = _converter()
    read: dict[str, Any] = {
        "ignore_cache": bool,
        "description": Mapping[str, str],
        "export_cache": bool,
        "caps": Mapping[str, bool],
        "progress_group": ProgressGroup,
        "linux_resources": LinuxResources,
    }
    values = {key: converter.structure(item[key], cls) for key, cls in read.items() if key in item}
    spans = tuple(_read_span(span, sources) for span in _list(item.get("spans", []), "spans"))
    return Metadata(**values, spans=spans)


def _read_span(obj: object, sources: list[Source]) -> Span:
    keys = ("source", "line", "column", "end_line", "end_column")
    item = _object(obj, "span", set(keys))
    number, line, column, end_line, end_column = (_converter().structure(item[key], int) for key in keys)
    if not 0 <= number < len(sources):
        raise DefinitionError(f"a span points to source {number} of {len(sources)}")
    return Span(sources[number], line, column, end_line, end_column)


def _read_source(obj: object) -> Source:
    item = _object(obj, "source", {"name", "text", "data"})
    converter = _converter()
    name = converter.structure(item["name"], str)
    if "data" in item:
        return Source(name, converter.structure(item["data"], bytes).decode("utf-8", "surrogateescape"))
    return Source(name, converter.structure(item["text"], str))


def _read_edge(obj: object, known: Mapping[str, Vertex]) -> Edge:
    item = _object(obj, "edge", {"digest", "index"})
    vertex = known.get(item["digest"])
    if vertex is None:
        raise DefinitionError(f"no vertex before its use has the digest {item['digest']}")
    index = _converter().structure(item["index"], int)
    if index < 0:
        raise DefinitionError(f"output {index} of {item['digest']} is negative")
    return Edge(vertex, index)


def _read_tagged(converter: Converter, kinds: Mapping[str, type], obj: object) -> Any:
    if not isinstance(obj, dict):
        raise TypeError(f"{obj!r} is no object with a `type`")
    values = dict(obj)
    kind = values.pop("type", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"the type {kind!r} is none of {', '.join(kinds)}")
    return converter.structure(values, kinds[kind])


def _object(obj: object, name: str, keys: set[str]) -> dict[str, Any]:
    if not isinstance(obj, dict):
        raise TypeError(f"{name}: {obj!r} is no object")
    if unknown := sorted(set(obj) - keys):
        raise ValueError(f"{name}: unknown key {unknown[0]!r}")
    return obj


def _list(obj: object, name: str) -> list[Any]:
    if not isinstance(obj, list):
        raise TypeError(f"{name}: {obj!r} is no array")
    return obj


# The converter


def plain(value: object) -> Any:
    """Return an op as plain JSON values, without fields that have their default."""
    return _converter().unstructure(value)


@cache
def _converter() -> Converter:
    """Return a strict converter for op records: it coerces nothing and refuses unknown keys."""
    from attrs import has
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, omit_if_default=True)
    converter.register_structure_hook_factory(has, lambda cls: _record(converter, cls))
    for cls in (int, str, bool):
        converter.register_structure_hook(cls, _exactly(cls))
    converter.register_structure_hook(bytes, lambda value, _: _base64(value))
    converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
    for kind in _ENUMS:
        converter.register_structure_hook(kind, _read_enum)
        converter.register_unstructure_hook(kind, lambda value: value.name.lower())
    converter.register_structure_hook_func(_is_mapping, lambda value, cls: _mapping(converter, value, cls))
    converter.register_unstructure_hook(FrozenMap, dict)
    converter.register_unstructure_hook_func(_is_mapping, dict)
    converter.register_structure_hook_func(_is_tuple, lambda value, cls: _tuple(converter, value, cls))
    converter.register_unstructure_hook_func(
        _is_tuple, lambda value: [converter.unstructure(v) for v in value]
    )
    user: Any = ops.NamedUser | int | None
    converter.register_structure_hook(user, lambda value, _: _read_user(converter, value))
    converter.register_unstructure_hook(
        user, lambda value: converter.unstructure(value) if isinstance(value, ops.NamedUser) else value
    )
    action: Any = ops.Copy | ops.MkFile | ops.MkDir | ops.Rm | ops.Symlink
    converter.register_structure_hook(action, lambda value, _: _read_tagged(converter, _ACTIONS, value))
    converter.register_unstructure_hook(action, lambda value: _tagged_json(converter, _ACTIONS, value))
    return converter


def _record(converter: Converter, cls: type[Any]) -> Callable[[object, object], object]:
    from cattrs.gen import make_dict_structure_fn

    read = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def check(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is no object")
        return read(value, cls)

    return check


def _exactly(cls: type) -> Callable[[object, object], object]:
    def read(value: object, _: object) -> object:
        if type(value) is not cls:
            raise TypeError(f"{value!r} is not of type {cls.__name__}")
        return value

    return read


def _base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no base64 text")
    return base64.b64decode(value, validate=True)


def _read_enum(value: object, kind: type[enum.IntEnum]) -> enum.IntEnum:
    names = {member.name.lower(): member for member in kind}
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{value!r} is none of {', '.join(names)}")
    return names[value]


def _is_mapping(cls: Any) -> bool:
    return getattr(cls, "__origin__", None) is Mapping


def _mapping(converter: Converter, value: object, cls: Any) -> FrozenMap[Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return FrozenMap({key: converter.structure(item, cls.__args__[1]) for key, item in value.items()})


def _is_tuple(cls: Any) -> bool:
    return getattr(cls, "__origin__", None) is tuple


def _tuple(converter: Converter, value: object, cls: Any) -> tuple[Any, ...]:
    return tuple(converter.structure(item, cls.__args__[0]) for item in _list(value, "array"))


def _read_user(converter: Converter, value: object) -> ops.NamedUser | int | None:
    if value is None or type(value) is int:
        return value
    return converter.structure(value, ops.NamedUser)
