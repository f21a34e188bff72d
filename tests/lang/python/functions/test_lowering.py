"""Mounts whose content is a state of its own: the op, its outputs and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from tests.compiler.lower.dockerfile.world import AMD64, World
from tests.compiler.lower.recipe.making import (
    body,
    execs,
    history,
    last,
    lowered,
    lowered_all,
    recipe,
    run,
    scratch,
    span,
)
from tests.lang.python.functions.userproject import UserProject

from pybuild import compiler
from pybuild.compiler.graph import walk
from pybuild.compiler.llb.decode import decode_definition
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.lower.recipe import LowerOptions, lower
from pybuild.compiler.ops import FileOp, MkDir, MkFile
from pybuild.compiler.recipejson import Naming, to_json
from pybuild.lang.python.functions import statement
from pybuild.lang.reachable import states
from pybuild.lang.recipe import (
    BindMount,
    Call,
    Copy,
    Files,
    Mounted,
    RunEnv,
    Source,
    Step,
)

FILES = Files(None, "words", (("a/b/one", b"1", 0o644), ("a/b/two", b"2", 0o755), ("three", b"3", 0o600)))


def test_files_are_one_op_onto_nothing() -> None:
    op = last(lowered(body(base=FILES))).op
    assert isinstance(op, FileOp)
    assert [action.action for action in op.actions] == [
        MkDir("/a/b", 0o755, True),
        MkFile("/a/b/one", 0o644, b"1"),
        MkFile("/a/b/two", 0o755, b"2"),
        MkFile("/three", 0o600, b"3"),
    ]


def test_no_files_are_the_empty_state() -> None:
    assert lowered(body(base=Files(None, "nothing", ()))).edge is None


def test_a_kept_mount_is_an_output_of_the_op() -> None:
    dropped = lowered(body(run("a", BindMount(FILES, "/z", "/", True), BindMount(FILES, "/m", "/", False))))
    kept = lowered(
        body(run("a", BindMount(FILES, "/z", "/", True, kept=True), BindMount(FILES, "/m", "/", False)))
    )
    (one,), (two,) = execs(dropped), execs(kept)
    assert [(mount.dest, mount.output) for mount in one.mounts] == [("/", 0), ("/m", -1), ("/z", -1)]
    assert [(mount.dest, mount.output) for mount in two.mounts] == [("/", 0), ("/m", -1), ("/z", 1)]


def test_what_is_mounted_is_that_output_without_a_config() -> None:
    first = body(run("a", BindMount(FILES, "/z", "/", True, kept=True)), title="first")
    step = first.state
    assert isinstance(step, Step)
    mounted = Mounted(None, step, "/z")
    second = body(Copy((Source("one"),), mounted, "/"), base=scratch(), title="second")
    made, copied = lowered_all(first, second)
    assert made.edge is not None
    (source,) = last(copied).inputs
    assert (source.vertex, source.index) == (made.edge.vertex, 1)
    assert history(copied) == ['+ copy "one" from first "/z" to "/"']
    third = lowered(body(base=mounted, title="third"))
    assert third.edge == source
    assert not third.image.config.cmd


def test_a_recipe_leads_to_what_a_mount_is_of() -> None:
    first = body(run("a", BindMount(FILES, "/z", "/", True, kept=True)), title="first")
    assert isinstance(first.state, Step)
    found = list(states(recipe(body(base=Mounted(None, first.state, "/z")))))
    assert first.state in found
    assert FILES in found


@pytest.fixture
def call(user: UserProject) -> Call:
    build = user.module("def work(x):\n    return x\n")
    return statement(user.payload(build.work, 3), [RunEnv((("A", ("b",)),))], span(3))


def test_a_call_is_a_step_with_its_mounts(call: Call) -> None:
    found = lowered(body(call))
    (op,) = execs(found)
    assert op.meta.args == ("python3", "-X", "utf8", "-B", "/run/pybuild/call/main.py")
    assert {"A=b", "PYTHONHASHSEED=0"} <= set(op.meta.env)
    assert [(one.dest, one.readonly, one.output) for one in op.mounts] == [
        ("/", False, 0),
        ("/run/pybuild/call", True, -1),
        ("/run/pybuild/return", False, 1),
    ]
    assert last(found).metadata.name == "[web 2/2] call work(3)"
    assert history(found) == ["+ call work(3)"]


def test_where_the_function_stands_is_no_part_of_the_op(user: UserProject) -> None:
    calls = [
        statement(user.payload(user.module(start + "def work(x):\n    return x\n").work, 3))
        for start in ("", "# moved\n\n")
    ]
    one, two = (last(lowered(body(call))) for call in calls)
    assert one.digest == two.digest
    told = [vertex.metadata.description["pybuild.call.lines"] for vertex in (one, two)]
    assert told == ['{"build.py":[1]}', '{"build.py":[3]}']


def test_calls_go_through_llb_and_json(call: Call) -> None:
    first = body(call, title="first")
    step = first.state
    assert isinstance(step, Step)
    second = body(
        Copy((Source("value.json"),), Mounted(None, step, "/run/pybuild/return"), "/"), title="second"
    )
    made = recipe(first, second)
    found = lower(made, LowerOptions(AMD64), World())
    edge = found.instances[made.requested[1].instances[0]].edge
    assert edge is not None
    document = to_json(made, found, Naming("/project"), linked=True)
    jsonschema.validate(document, json.loads((Path(compiler.__path__[0]) / "recipe.schema.json").read_text()))
    (kept,) = (one for one in edge.vertex.inputs if one.index == 1)
    assert f'"{kept.vertex.digest}#1"' in json.dumps(document)
    again = decode_definition(encode_definition(edge))
    assert [one.digest for one in walk([again])] == [one.digest for one in walk([edge])]
