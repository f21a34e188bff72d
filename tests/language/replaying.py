"""Builds until nothing has to be done, and what a build comes to without records."""

from __future__ import annotations

import time
from typing import Any

from tests.language.project import Project

HEAVY = ("lark", "attrs", "attr", "click", "pybuild.lang.textual.parse", "subprocess", "asyncio")


def replayed(project: Project, *words: str, **variables: Any) -> None:
    """Build until it must be a replay, and see that it is one. The second build may find what the first has left
    in a directory that it looks at."""
    for number in range(3):
        project.settled(*words, fresh=number == 2, **variables)
    found = project.modules()
    assert not found & set(HEAVY), sorted(found & set(HEAVY))
    assert "pybuild.cli.commands" not in found
    assert "pybuild.cli.rebuild" not in found


def state(project: Project) -> dict[str, str]:
    return {name: project.text(f"out/{name}") for name in project.names("out")}


def afresh(project: Project, *words: str, **variables: Any) -> dict[str, str]:
    """What a build comes to that has no records: the judge."""
    other = project.at(project.directory)
    other.store = project.place / f"judge{time.time_ns()}"
    done = other.build(*words, code=None, **variables)
    return state(other) if done.code == 0 else {"error": done.err.rpartition("error")[2]}


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.directory / name
    path.write_text(path.read_text().replace(old, new))
