"""Every case of `cases/*.md` gives the same image under pybuild as under Docker's BuildKit, or is refused by both.

Compared: config and history, times aside; the merged tree of the layers with types, modes, owners, contents,
link targets, hard links and xattrs; the number of layers; the line of a refusal. What Docker's older BuildKit
does otherwise is listed in `exceptions.md`.

Docker's outcomes are recorded (`recordings.py`); `test_docker.py` sees that they are still what Docker does. On a
machine of another kind than they were recorded on, Docker is asked here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.differential.builders import Builders, Outcome
from tests.differential.casebook import Case, read_cases
from tests.differential.comparing import comparable, image_differences
from tests.differential.exceptions import EXCEPTIONS, expected_image
from tests.differential.recordings import Recorded, is_of_this_machine, of_docker, recorded

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.crun]


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_same_image(case: Case, builders: Builders, workplace: Path) -> None:
    docker = _docker(case, builders, workplace / "docker")
    ours = builders.pybuild(case, workplace / "pybuild")
    if case.rejected is not None:
        _check_refusals(case, docker, ours)
        return
    assert docker.images is not None, docker
    assert ours.images is not None, ours.messages
    assert list(docker.images) == list(ours.images)
    needed = builders.worded(case.exceptions)
    for platform, image in docker.images.items():
        expected = expected_image(image, needed)
        found = image_differences(expected, comparable(ours.images[platform], times=case.times))
        assert not found, "\n".join([f"{case.file}: {case.name}: {platform}", *found])


def _docker(case: Case, builders: Builders, directory: Path) -> Recorded:
    if is_of_this_machine(case):
        return recorded(case, builders.base_tree())
    return of_docker(case, builders.docker(case, directory))


def _check_refusals(case: Case, docker: Recorded, ours: Outcome) -> None:
    assert case.rejected is not None
    exceptions = [EXCEPTIONS[needed.name] for needed in case.exceptions]
    accepts = any(exception.docker_accepts for exception in exceptions)
    assert (docker.images is not None) == accepts
    assert ours.images is None, "pybuild accepts it"
    for sign_of_a_bug in ("Traceback", "internal error"):
        assert sign_of_a_bug not in ours.messages
    if docker.lines:
        off = sum(exception.lines_off for exception in exceptions)
        shown = f"docker names {docker.lines}\n\n{ours.messages}"
        assert ours.lines, shown
        assert ours.lines[0] + off in docker.lines, shown
    for words in case.rejected:
        assert words in ours.messages
