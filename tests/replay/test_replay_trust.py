"""A build that was granted something is replayed while it is, and not after."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.replay.project import SETTLE_SECONDS, Project
from tests.support.warm import program

pytestmark = pytest.mark.root


def _pybuild(project: Project, *words: str) -> None:
    done = program.run(
        words, cwd=project.context, env=project.environment(), timeout=60, package=project.package
    )
    assert done.returncode == 0, done.stderr


def _user_file(project: Project) -> Path:
    return project.home / ".config/pybuild/config.toml"


GRANTED: dict[str, tuple[Callable[[Project], object], Callable[[Project], object]]] = {
    "remembered": (lambda p: _pybuild(p, "trust"), lambda p: _pybuild(p, "trust", "--revoke")),
    "trusted": (
        lambda p: _user_file(p).write_text(f'trust = ["{p.place}"]\n'),
        lambda p: _user_file(p).write_text(""),
    ),
}


@pytest.mark.parametrize(("grant", "revoke"), GRANTED.values(), ids=GRANTED)
def test_what_is_revoked_is_not_replayed(
    alone: Project, grant: Callable[[Project], object], revoke: Callable[[Project], object]
) -> None:
    alone.write({"pybuild.toml": 'allow = ["network.host"]\n'})
    assert alone.build(fresh=False).code == 2
    grant(alone)
    alone.settled()
    revoke(alone)
    after = alone.run(*alone.words)
    assert (after.code, after.path) == (2, "ordinary")
    assert "--allow network.host" in after.err


def test_a_link_in_the_place_of_a_path_is_judged_again(alone: Project) -> None:
    alone.write({"pybuild.toml": '[build-contexts]\nextra = "extra"\n', "extra/file": "mine"})
    (alone.place / "outside").mkdir()
    (alone.place / ".git").rmdir()
    alone.settled()
    (alone.context / "extra").rename(alone.context / "before")
    (alone.context / "extra").symlink_to(alone.place / "outside")
    after = alone.run(*alone.words)
    assert (after.code, after.path) == (2, "ordinary")
    assert f"--build-context extra={alone.context}/extra (leads to {alone.place}/outside)" in after.err


def test_a_directory_that_changes_hands_is_looked_at_again(alone: Project) -> None:
    """And the notice about what doesn't count is part of a replay."""
    os.chown(alone.place, 1234, 1234)
    alone.words.remove("-q")
    time.sleep(SETTLE_SECONDS)
    assert f"{alone.place}/.git doesn't count" in alone.run("--progress=plain", *alone.words, fresh=False).err
    again = alone.run("--progress=plain", *alone.words)
    assert (again.code, again.path) == (0, "replay")
    assert f"{alone.place}/.git doesn't count: its directory belongs to user 1234" in again.err
    os.chown(alone.place, 0, 0)
    after = alone.run("--progress=plain", *alone.words)
    assert (after.code, after.path) == (0, "ordinary")
    assert "doesn't count" not in after.err


def test_an_ordinary_replay_looks_at_no_trust(alone: Project) -> None:
    assert "pybuild.request.project" not in alone.settled().modules
