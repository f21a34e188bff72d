"""The kinds of tasks of a worker: to solve; to list, prune and collect the content of the store."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.build.worker import Message, Owner, Task
    from pybuild.daemon.settings import Settings


def carry_out(task: Task, owner: Owner, settings: Settings) -> Message:
    """Carry out a task and return its answer, or the status that it failed with."""
    try:
        return KINDS[task["kind"]](task, owner, settings)
    except BaseException as error:
        from pybuild.daemon.failures import status_bytes

        return "failed", status_bytes(error, cancelled=owner.cancellation.cancelled)


def _solve(task: Task, owner: Owner, settings: Settings) -> Message:
    from pybuild.daemon.solving import solve

    return "done", *solve(task, owner, settings)


def _usage(task: Task, owner: Owner, settings: Settings) -> Message:
    from pybuild.daemon import usage

    usage.run(task, owner, settings)
    return "done", {}, {}


KINDS: dict[str, Callable[[Task, Owner, Settings], Message]] = {
    "solve": _solve,
    "usage": _usage,
    "prune": _usage,
    "collect": _usage,
}
"""The function of each kind of task, with imports of its own: a worker loads what its task needs alone."""
