"""What a worker can be asked for: to build, to run a command in a state, to show a graph, to read states."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

from pybuild.build.engine import open_engine
from pybuild.build.execute import execute
from pybuild.build.graph import graph
from pybuild.build.outputs import requested_outputs
from pybuild.build.pipeline import find_context, planned, warner
from pybuild.builder.recorded import recorded_frontend
from pybuild.builder.states import snapshot_of, state_of
from pybuild.frontends.registry import choose
from pybuild.frontends.types import GraphNames
from pybuild.lang.diagnostics import UsageError
from pybuild.request.request import BuildRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from pybuild.build.export import ExportedGoal
    from pybuild.build.plan import Plan
    from pybuild.builder.worker import Client
    from pybuild.frontends.goal import Goal
    from pybuild.frontends.types import Frontend
    from pybuild.runtime.engine import Engine

    Task = Mapping[str, Any]


def build(task: Task, client: Client) -> list[dict[str, Any]]:
    """The images that were made."""
    request = _request(task)
    outputs = requested_outputs(request)
    if any(output.dest == "-" for output in outputs):
        raise UsageError("a build of a program has no standard output", help="give the output a dest=FILE")
    places = [os.path.abspath(output.dest) for output in outputs if output.dest]
    with _planned(request, task, client) as (engine, plan):
        goals = execute(plan, request, engine).goals
        return [_plain_image(*pair, places, engine) for pair in zip(plan.goals, goals, strict=True)]


def run(task: Task, client: Client) -> tuple[str, int]:
    """The digest of the vertex that ran, by which its output is known, and its exit code."""
    from pybuild.builder.running import run_in

    request = _request(task)
    if "state" in task:
        with open_engine(request, GraphNames(), client.observer, client.cancellation) as engine:
            client.observer.start()
            return run_in(snapshot_of(task["state"], engine.store), task["image"], task, request, engine)
    with _planned(request, task, client) as (engine, plan):
        targets = [target for goal in plan.goals for target in goal.targets]
        if len(targets) != 1:
            raise UsageError(
                f"a command runs in one state, and {len(targets)} are asked for",
                help="name one target, and give one platform",
            )
        results = engine.solve(plan.edges)
        snapshot = None if targets[0].edge is None else engine.snapshot(results[0])
        return run_in(snapshot, targets[0].config, task, request, engine)


def draw(task: Task, client: Client) -> bytes:
    """The graph in the task's format."""
    if task["recorded"] is not None:
        from pybuild.build.graph import language_graph

        frontend, _ = recorded_frontend(_request(task), task["recorded"], warner(client.observer))
        return language_graph(
            frontend, client.observer, client.cancellation, task["format"], linked=task["linked"]
        )
    return graph(_request(task), client.observer, client.cancellation, task["format"], linked=task["linked"])


def read(task: Task, client: Client) -> None:
    """Answer for states until nobody asks."""
    from pybuild.builder.reading import serve

    serve(client.channel)


KINDS: dict[str, Callable[[Task, Client], object]] = {
    "build": build,
    "run": run,
    "graph": draw,
    "read": read,
}


@contextmanager
def _planned(request: BuildRequest, task: Task, client: Client) -> Iterator[tuple[Engine, Plan]]:
    """What is to be solved, and the engine for it, which is open within."""
    observer = client.observer
    frontend: Frontend
    if task["recorded"] is None:
        context = find_context(request, observer)
        frontend, dependencies = choose(context, warner(observer)), context.dependencies
    else:
        frontend, dependencies = recorded_frontend(request, task["recorded"], warner(observer))
    with planned(frontend, dependencies, request, observer, client.cancellation) as (plan, engine):
        yield engine, plan


def _request(task: Task) -> BuildRequest:
    """With the configuration files beneath, if they are to count. Raises UsageError."""
    given = dict(task["request"])
    context, file = given.pop("context"), given.get("file")
    if "-" in (context, file):
        raise UsageError(
            "a build of a program has no standard input", help="write what it is to read to a file"
        )
    if not task["config"]:
        return BuildRequest(context=context, **given)
    from pybuild.request.config import defaults

    return BuildRequest(context=context, **defaults.load(context, file).over(given))


def _plain_image(goal: Goal, made: ExportedGoal, places: list[str], engine: Engine) -> dict[str, Any]:
    return {
        "name": goal.name,
        "digest": made.digest,
        "tags": goal.tags,
        "metadata": json.dumps(dict(made.metadata)),
        "files": [*made.files, *places],
        "states": [
            (state_of(snapshot, engine.store), target.config)
            for snapshot, target in zip(made.snapshots, goal.targets, strict=True)
        ],
    }
