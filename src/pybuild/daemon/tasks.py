"""What a worker can be asked for: to solve; to list, prune and collect what lies in the store."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pybuild.daemon.settings import Settings
    from pybuild.daemon.worker import Client, Task


def _solve(task: Task, client: Client, settings: Settings) -> tuple[Any, ...]:
    from pybuild.daemon.solving import solve

    return "done", *solve(task, client, settings)


def _usage(task: Task, client: Client, settings: Settings) -> tuple[Any, ...]:
    from pybuild.daemon import usage

    usage.run(task, client, settings)
    return "done", {}, {}


KINDS: dict[str, Callable[[Task, Client, Settings], tuple[Any, ...]]] = {
    "solve": _solve,
    "usage": _usage,
    "prune": _usage,
    "collect": _usage,
}
