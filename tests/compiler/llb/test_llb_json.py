"""The JSON form: it round-trips, fits its published schema, and refuses what the schema doesn't know."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.compiler.llb.strategies import graphs

import pybuild.compiler.graphjson
from pybuild.compiler import ops
from pybuild.compiler.graph import Edge, LinuxResources, Metadata, ProgressGroup, Vertex
from pybuild.compiler.graphjson import dumps, from_json, loads, to_json
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.llb.wire import DefinitionError, block
from pybuild.lang.source import Source, Span

SCHEMA = json.loads(Path(pybuild.compiler.graphjson.__file__).with_name("graph.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_json_round_trip(edge: Edge) -> None:
    text = dumps(edge)
    obj = json.loads(text)
    VALIDATOR.validate(obj)
    back = loads(text)
    assert dumps(back) == text
    assert encode_definition(back) == encode_definition(edge)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


RECORDS: dict[str, type] = {
    "platform": ops.Platform,
    "sourceOp": ops.SourceOp,
    "execOp": ops.ExecOp,
    "meta": ops.Meta,
    "proxyEnv": ops.ProxyEnv,
    "hostIP": ops.HostIP,
    "ulimit": ops.Ulimit,
    "mount": ops.Mount,
    "tmpfsOpt": ops.TmpfsOpt,
    "cacheOpt": ops.CacheOpt,
    "secretOpt": ops.SecretOpt,
    "sshOpt": ops.SSHOpt,
    "secretEnv": ops.SecretEnv,
    "cdiDevice": ops.CDIDevice,
    "fileOp": ops.FileOp,
    "fileAction": ops.FileAction,
    "owner": ops.ChownOpt,
    "copy": ops.Copy,
    "mkfile": ops.MkFile,
    "mkdir": ops.MkDir,
    "rm": ops.Rm,
    "symlink": ops.Symlink,
    "buildOp": ops.BuildOp,
    "mergeOp": ops.MergeOp,
    "diffOp": ops.DiffOp,
    "passthroughOp": ops.PassthroughOp,
    "metadata": Metadata,
    "progressGroup": ProgressGroup,
    "linuxResources": LinuxResources,
}


@pytest.mark.parametrize("name", RECORDS)
def test_the_schema_knows_every_field_and_default(name: str) -> None:
    properties: dict[str, Any] = {
        key: value for key, value in SCHEMA["$defs"][name]["properties"].items() if key != "type"
    }
    fields = attrs.fields_dict(RECORDS[name])
    assert list(properties) == list(fields)
    record = RECORDS[name]()
    converter = pybuild.compiler.graphjson._converter()
    for key, schema in properties.items():
        value = getattr(record, key)
        if value is None:
            assert "default" not in schema
        elif key == "action":
            assert schema["default"] == {"type": "copy"}
            assert value == ops.Copy()
        else:
            assert schema["default"] == converter.unstructure(value)


def example() -> Edge:
    source = Source("Dockerfile", "FROM s\nRUN x\n")
    base = Vertex(ops.SourceOp("s"), (), ops.Platform("amd64", "linux"))
    made = Vertex(
        ops.FileOp((ops.FileAction(0, -1, 0, ops.MkFile("/f", 0o644, b"\xff\x00", ops.ChownOpt(0))),)),
        (Edge(base),),
        metadata=Metadata(spans=(Span(source, 2, 1, 2, 6),)),
    )
    return Edge(made)


def test_the_form() -> None:
    obj = to_json(example())
    digests = [vertex["digest"] for vertex in obj["vertices"]]
    assert obj == {
        "version": 1,
        "vertices": [
            {
                "digest": digests[0],
                "op": {"type": "source", "identifier": "s"},
                "inputs": [],
                "platform": {"architecture": "amd64", "os": "linux"},
                "constraints": [],
            },
            {
                "digest": digests[1],
                "op": {
                    "type": "file",
                    "actions": [
                        {
                            "output": 0,
                            "action": {
                                "type": "mkfile",
                                "path": "/f",
                                "mode": 420,
                                "data": "/wA=",
                                "owner": {"user": 0},
                            },
                        }
                    ],
                },
                "inputs": [{"digest": digests[0], "index": 0}],
                "constraints": [],
                "metadata": {
                    "spans": [{"source": 0, "line": 2, "column": 1, "end_line": 2, "end_column": 6}]
                },
            },
        ],
        "sources": [{"name": "Dockerfile", "text": "FROM s\nRUN x\n"}],
        "result": {"digest": digests[1], "index": 0},
    }


def test_bytes_of_another_client_are_kept() -> None:
    """An op in another order of fields than the canonical one, as old clients write it."""
    payload = block(3, b"\x0a\x01s") + block(11, b"")
    vertex = Vertex(ops.SourceOp())
    vertex.__dict__["payload"] = payload
    terminal = block(1, block(1, vertex.digest.encode()))
    edge = decode_definition(block(1, payload) + block(1, terminal))
    obj = to_json(edge)
    VALIDATOR.validate(obj)
    assert "payload" in obj["vertices"][0]
    back = from_json(obj)
    assert back.vertex.digest == vertex.digest
    assert encode_definition(back) == encode_definition(edge)
    obj["vertices"][0]["op"]["identifier"] = "t"
    with pytest.raises(DefinitionError, match="is not the op beside it"):
        from_json(obj)


def test_a_source_that_is_not_utf8() -> None:
    source = Source("Dockerfile", b"\xff".decode("utf-8", "surrogateescape"))
    edge = Edge(Vertex(ops.SourceOp("s"), metadata=Metadata(spans=(Span(source, 1, 1, 1, 1),))))
    obj = to_json(edge)
    VALIDATOR.validate(obj)
    assert obj["sources"] == [{"name": "Dockerfile", "data": "/w=="}]
    assert from_json(obj).vertex.metadata.spans[0].source.text == source.text


def test_names_that_are_not_unicode_are_shown_as_far_as_they_are() -> None:
    source = Source("D\udcff", "x")
    description: Any = {"llb.customname": "a\udc80"}
    record = Metadata(spans=(Span(source, 1, 1, 1, 2),), description=description)
    edge = Edge(Vertex(ops.SourceOp("s"), metadata=record))
    for back in (loads(dumps(edge)), decode_definition(encode_definition(edge))):
        assert back.vertex.metadata.name == "a?"
        assert back.vertex.metadata.spans[0].source.name == "D?"


def change(path: str, value: object) -> dict[str, Any]:
    obj: Any = copy.deepcopy(to_json(example()))
    *steps, last = path.split(".")
    at = obj
    for step in steps:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    return dict(obj)


REFUSED = {
    "version": ("version", 2),
    "unknown key": ("later", 1),
    "vertices": ("vertices", {}),
    "unknown op": ("vertices.0.op.type", "sauce"),
    "op without a type": ("vertices.0.op.type", None),
    "unknown field of an op": ("vertices.0.op.colour", "red"),
    "text as a number": ("vertices.1.op.actions.0.action.mode", "420"),
    "truth as a number": ("vertices.1.op.actions.0.action.mode", True),
    "number as a truth": ("vertices.1.metadata.ignore_cache", 1),
    "no base64": ("vertices.1.op.actions.0.action.data", "///"),
    "owner": ("vertices.1.op.actions.0.action.owner.user", "root"),
    "array": ("vertices.1.op.actions", {}),
    "map": ("vertices.0.op.attrs", {"a": 1}),
    "index": ("vertices.1.inputs.0.index", -1),
    "span": ("vertices.1.metadata.spans.0.line", "2"),
    "enum": ("vertices.0.platform", "linux/amd64"),
    "digest": ("result.digest", 7),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_not_in_the_schema(name: str) -> None:
    obj = change(*REFUSED[name])
    assert not VALIDATOR.is_valid(obj)
    with pytest.raises(DefinitionError):
        from_json(obj)


INCONSISTENT = {
    "changed op": ("vertices.0.op.identifier", "t", "is not that of its op"),
    "unknown input": ("vertices.1.inputs.0.digest", "sha256:" + "0" * 64, "no vertex before its use"),
    "unknown result": ("result.digest", "sha256:" + "0" * 64, "no vertex before its use"),
    "source": ("vertices.1.metadata.spans.0.source", 4, "source 4 of 1"),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_refused_though_of_the_form(name: str) -> None:
    path, value, message = INCONSISTENT[name]
    with pytest.raises(DefinitionError, match=message):
        from_json(change(path, value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    obj: Any = to_json(example())
    at: Any = obj
    path: list[Any] = []
    while isinstance(at, dict | list) and at and (not path or data.draw(st.booleans())):
        keys = list(at) if isinstance(at, dict) else range(len(at))
        path.append(data.draw(st.sampled_from(keys)))
        parent, at = at, at[path[-1]]
    parent[path[-1]] = data.draw(json_values)
    valid = VALIDATOR.is_valid(obj)
    try:
        from_json(obj)
    except DefinitionError:
        return
    assert valid


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, '{"version": 1}'])
def test_texts_that_are_no_graph(text: str) -> None:
    with pytest.raises(DefinitionError):
        loads(text)
