"""What a recipe says besides statements: spans, identity, inputs; and programs that world and library make hard."""

from __future__ import annotations

from tests.lang.textual.dump import chain
from tests.lang.textual.expand.programs import BUILDER, Asked, made

from pybuild.lang import recipe
from pybuild.lang.textual.expand.destinations import _whole


def body(made_: recipe.Recipe, at: int = 0) -> list[recipe.State]:
    return chain(made_.requested[at].instances[0].body.state)


def test_states_have_the_places_that_they_come_from() -> None:
    text = 'target a:\n    from "x"\n    run one\n    copy "f" to "/"\n'
    start, run, copy = body(made(text, files={"f": ""}))
    assert [one.span.place if one.span else "" for one in (start, run, copy)] == [
        "build.pybuild:3:5",
        "build.pybuild:4:5",
        "build.pybuild:5:5",
    ]
    assert isinstance(start, recipe.Start)
    assert start.base.span is not None
    assert start.base.span.place == "build.pybuild:3:10"
    assert isinstance(copy, recipe.Step)
    assert isinstance(copy.statement, recipe.Copy)
    assert copy.statement.sources[0].span is not None
    assert copy.statement.sources[0].span.place == "build.pybuild:5:10"


def test_shared_things_are_one_thing() -> None:
    text = (
        "target base:\n    from scratch\n"
        'target a:\n    from base\n    copy "f" to "/"\n'
        'target b:\n    from base\n    copy "f" to "/"\n'
    )
    both = made(text, Asked(("a", "b")), {"f": ""})
    (first, one), (second, two) = body(both, 0), body(both, 1)
    assert isinstance(first, recipe.Start)
    assert isinstance(second, recipe.Start)
    assert isinstance(first.base, recipe.Built)
    assert isinstance(second.base, recipe.Built)
    assert first.base.body is second.base.body
    assert isinstance(one, recipe.Step)
    assert isinstance(two, recipe.Step)
    assert isinstance(one.statement, recipe.Copy)
    assert isinstance(two.statement, recipe.Copy)
    assert one.statement.source is two.statement.source


def test_the_body_of_a_step_is_its_callers() -> None:
    text = 'def step():\n    run x\ntarget a:\n    from "x"\n    step()\n'
    recipe_ = made(text)
    start, run = body(recipe_)
    assert isinstance(start, recipe.Start)
    assert isinstance(run, recipe.Step)
    assert run.body is start.body is recipe_.requested[0].instances[0].body
    assert run.body.platform == BUILDER


def test_goals_carry_docs_and_kinds() -> None:
    text = "# Builds it. At length.\ntarget a for x in [1]:\n    from scratch\n    needs t\n"
    text += "test t:\n    from scratch\n"
    both = made(text)
    goal, needed = both.requested[0], both.needed[0]
    assert (goal.title, goal.kind, goal.doc, goal.axes) == (
        "a[x=1]",
        "target",
        "Builds it. At length.",
        (("x", "1"),),
    )
    assert (needed.title, needed.kind) == ("t", "test")
    assert goal.instances[0].needs == [needed]
    assert goal.instances[0].goal is goal


def test_a_body_that_is_requested_and_used_is_made_once() -> None:
    text = 'target a:\n    from scratch\n    tag "a"\n    output "/x" to "x"\ntarget b:\n    from a\n'
    both = made(text, Asked(("b", "a")))
    a = both.requested[1].instances[0]
    assert [tag.name for tag in a.tags] == ["a"]
    assert [output.dest for output in a.outputs] == ["/project/x"]
    (start,) = body(both)
    assert isinstance(start, recipe.Start)
    assert isinstance(start.base, recipe.Built)
    assert start.base.body is a.body


def test_inputs_are_listed() -> None:
    text = (
        'use "./lib.pybuild" as lib\nparam x: str = vcs.describe\nparam y: str = "unread"\n'
        'target a:\n    from scratch\n    env A = x, B = read("f"), C = str(vcs.dirty)\n'
        "=== lib.pybuild\nlet z = 1\n"
    )
    recipe_ = made(text, files={"f": "text"})
    assert {name: (one.value, one.origin) for name, one in recipe_.params.items()} == {
        "x": ("v1.2.0", "default")
    }
    assert recipe_.vcs == {"describe": "v1.2.0", "dirty": "false"}
    assert list(recipe_.modules) == ["lib.pybuild", "build.pybuild"]
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in recipe_.modules.values())
    assert len(recipe_.reads) == 1


def test_tags_are_compared_in_full() -> None:
    for short in ("app", "library/app:latest", "docker.io/app", "docker.io/library/app:latest@sha256:0"):
        assert _whole(short) == "docker.io/library/app:latest"
    assert _whole("localhost:5000/x") == "localhost:5000/x:latest"
    assert _whole("ghcr.io/x/y:1") == "ghcr.io/x/y:1"
    assert _whole("me/app") == "docker.io/me/app:latest"
