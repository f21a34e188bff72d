"""Recipes made by hand: bodies, instances, and what a lowering made of them."""

from __future__ import annotations

from typing import Any

from tests.compiler.lower.dockerfile.world import AMD64, World

from pybuild.compiler.graph import Vertex, walk
from pybuild.compiler.lower.recipe import LoweredInstance, LowerOptions, lower
from pybuild.compiler.ops import ExecOp, FileOp
from pybuild.lang.recipe import (
    Body,
    Built,
    Copy,
    Directory,
    Goal,
    Image,
    Instance,
    Recipe,
    Run,
    Scratch,
    Source,
    Start,
    State,
    Statement,
    Step,
    Template,
    Variable,
)
from pybuild.lang.source import Source as Text
from pybuild.lang.source import Span

TEXT = Text("build.pybuild", "".join(f"line {number}\n" for number in range(1, 200)))
PLATFORM = "linux/amd64"
CONTEXT = Directory(None, "/project", "context")
DIGEST = "sha256:" + "d" * 64
BASE = f"docker.io/library/base:latest@{DIGEST}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def span(line: int) -> Span:
    return Span(TEXT, line, 1, line, 5)


def image(ref: str = "base", platform: str = PLATFORM) -> Image:
    return Image(span(1), ref, platform)


def body(
    *statements: Statement, base: State | None = None, title: str = "web", platform: str = PLATFORM
) -> Body:
    """A body that starts with `base` (an image); statement N stands in line N + 1."""
    made = Body(title, platform)
    state: State = Start(span(1), image() if base is None else base, platform, made)
    for number, statement in enumerate(statements, 2):
        state = Step(span(number), state, statement, made)
    made.state = state
    return made


def built(made: Body) -> Built:
    return Built(None, made)


def scratch() -> Scratch:
    return Scratch(None)


def recipe(*bodies: Body, kind: str = "target") -> Recipe:
    """One goal for each body."""
    goals = []
    for made in bodies:
        goal = Goal(made.title, kind, ())
        goal.instances.append(Instance(goal, made.platform, made))
        goals.append(goal)
    return Recipe(tuple(goals), (), {}, {}, {}, {})


def lowered_all(*bodies: Body, world: World | None = None, **options: Any) -> list[LoweredInstance]:
    made = recipe(*bodies, kind=options.pop("kind", "target"))
    found = lower(made, LowerOptions(AMD64, **options), world or World())
    return [found.instances[goal.instances[0]] for goal in made.requested]


def lowered(made: Body, world: World | None = None, **options: Any) -> LoweredInstance:
    (found,) = lowered_all(made, world=world, **options)
    return found


def vertices(*found: LoweredInstance) -> list[Vertex]:
    return list(walk([one.edge for one in found if one.edge is not None]))


def execs(found: LoweredInstance) -> list[ExecOp]:
    return [vertex.op for vertex in vertices(found) if isinstance(vertex.op, ExecOp)]


def last(found: LoweredInstance) -> Vertex:
    assert found.edge is not None
    return found.edge.vertex


def actions(found: LoweredInstance) -> list[Any]:
    """The actions of the last op."""
    op = last(found).op
    assert isinstance(op, FileOp)
    return [action.action for action in op.actions]


def history(found: LoweredInstance) -> list[str]:
    """What the recipe added to history, layers marked with `+`."""
    return [
        ("" if entry.empty_layer else "+ ") + entry.created_by
        for entry in found.image.history
        if entry.comment == "pybuild.recipe.v1"
    ]


def run(script: str = "make", *options: Any, block: bool = False) -> Run:
    return Run((script,), block, options)


def copying(*sources: str, to: str, source: State = CONTEXT, **options: Any) -> Copy:
    return Copy(tuple(Source(path, span(9)) for path in sources), source, to, **options)


def template(*pieces: str) -> Template:
    """Pieces that begin with `$` are variables."""
    return tuple(
        Variable(piece.strip("${}"), piece, span(7)) if piece.startswith("$") else piece for piece in pieces
    )
