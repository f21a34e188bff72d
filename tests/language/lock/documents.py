"""Checks of what `pybuild graph` and `pybuild list` print against the published schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

import pybuild.cli.list_targets
import pybuild.compiler.recipejson

GRAPH = Path(pybuild.compiler.recipejson.__file__).with_name("recipe.schema.json")
LIST = Path(pybuild.cli.list_targets.__file__).with_name("list.schema.json")


def schema(path: Path) -> Any:
    return json.loads(path.read_text())


def graph_of(text: str) -> Any:
    """The document of a text, which is one of a graph: valid, closed, inputs before users."""
    found = json.loads(text)
    Draft202012Validator(schema(GRAPH)).validate(found)
    done: set[str] = set()
    for digest, op in found["ops"].items():
        assert {reference.partition("#")[0] for reference in op.get("inputs", ())} <= done
        done.add(digest)
    assert set(found["meta"]) <= done
    for target in found["targets"].values():
        for instance in target["instances"]:
            state = instance["state"]
            assert state["fs"] is None or state["fs"]["op"] in done
            assert "base" not in state["config"] or state["config"]["base"] in done
    return found


def list_of(text: str) -> Any:
    found = json.loads(text)
    Draft202012Validator(schema(LIST)).validate(found)
    return found
