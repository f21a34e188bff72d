"""The kinds of tasks of a worker: to build, to run a command in a state, to draw a graph, to read states."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

from pybuild.build.engine import open_engine
from pybuild.build.execute import execute, requested_outputs
from pybuild.build.graph import graph
from pybuild.build.pipeline import planned, warner
from pybuild.builder.events import Sender
from pybuild.builder.python_targets import frontend_of_targets
from pybuild.builder.states import snapshot_of, state_of
from pybuild.frontends.build_context import find_context
from pybuild.frontends.choose import choose
from pybuild.frontends.types import GraphNames
from pybuild.lang.diagnostics import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pybuild.build.execute import ExportedGoal
    from pybuild.build.plan import Plan
    from pybuild.build.worker import Owner, Task
    from pybuild.frontends.types import Frontend, Goal
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer


def build(task: Task, owner: Owner) -> list[dict[str, Any]]:
    """Build, and return a dictionary for each image (`builder/images.py`)."""
    request = _request(task)
    outputs = requested_outputs(request)
    if any(output.dest == "-" for output in outputs):
        raise UsageError("a build of a program has no standard output", help="give the output a dest=FILE")
    places = [os.path.abspath(output.dest) for output in outputs if output.dest]
    with _open_plan(request, task, owner) as (engine, plan):
        goals = execute(plan, request, outputs, engine).goals
        return [_plain_image(*pair, places, engine) for pair in zip(plan.goals, goals, strict=True)]


def run(task: Task, owner: Owner) -> tuple[str, int]:
    """Run a command; return the digest of its vertex, under which its output was reported, and its exit code."""
    from pybuild.builder.running import run_in

    request = _request(task)
    if "state" in task:
        observer = _observer(owner)
        with open_engine(request, GraphNames(), observer, owner.cancellation) as engine:
            observer.start()
            return run_in(snapshot_of(task["state"], engine.store), task["image"], task, request, engine)
    with _open_plan(request, task, owner) as (engine, plan):
        targets = [target for goal in plan.goals for target in goal.targets]
        if len(targets) != 1:
            raise UsageError(
                f"a command runs in one state, and {len(targets)} are asked for",
                help="name one target, and give one platform",
            )
        results = engine.solve(plan.edges)
        snapshot = None if targets[0].edge is None else engine.snapshot(results[0])
        return run_in(snapshot, targets[0].config, task, request, engine)


def draw(task: Task, owner: Owner) -> bytes:
    """Return the graph of a build in the task's format."""
    request, observer = _request(task), _observer(owner)
    format, linked = task["format"], task["linked"]
    if task["recorded"] is not None:
        from pybuild.build.graph import language_graph

        frontend, _ = frontend_of_targets(request, task["recorded"], warner(observer))
        return language_graph(frontend, observer, owner.cancellation, format, linked=linked)
    return graph(request, observer, owner.cancellation, format, linked=linked)


def read(task: Task, owner: Owner) -> None:
    """Answer questions about states until none comes for a while."""
    from pybuild.builder.state_server import serve

    serve(owner.channel)


KINDS: dict[str, Callable[[Task, Owner], object]] = {
    "build": build,
    "run": run,
    "graph": draw,
    "read": read,
}


def _observer(owner: Owner) -> Observer:
    return Sender(owner.tell, owner.started)


@contextmanager
def _open_plan(request: BuildRequest, task: Task, owner: Owner) -> Iterator[tuple[Engine, Plan]]:
    """Plan the build of a task: yield an open engine and the plan to execute with it."""
    observer = _observer(owner)
    frontend: Frontend
    if task["recorded"] is None:
        context = find_context(request, observer)
        frontend = choose(context, warner(observer))
    else:
        frontend, context = frontend_of_targets(request, task["recorded"], warner(observer))
    with planned(frontend, context, observer, owner.cancellation) as (plan, engine):
        yield engine, plan


def _request(task: Task) -> BuildRequest:
    """Return the request of a task, completed from the configuration files if they count. Raises UsageError."""
    fields = dict(task["request"])
    context, file = fields.pop("context"), fields.get("file")
    if "-" in (context, file):
        raise UsageError(
            "a build of a program has no standard input", help="write what it is to read to a file"
        )
    from pybuild.request.config.defaults import complete

    return complete(context, fields, config=task["config"])


def _plain_image(goal: Goal, exported: ExportedGoal, places: list[str], engine: Engine) -> dict[str, Any]:
    return {
        "name": goal.name,
        "digest": exported.digest,
        "tags": goal.tags,
        "metadata": json.dumps(dict(exported.metadata)),
        "files": [*exported.files, *places],
        "states": [
            (state_of(snapshot, engine.store), target.config)
            for snapshot, target in zip(exported.snapshots, goal.targets, strict=True)
        ],
    }
