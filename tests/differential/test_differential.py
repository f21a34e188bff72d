"""Every case of `cases/*.md` gives the same image under Docker's BuildKit and pybuild, or is refused by both.

Compared: config and history, times aside; the merged tree of the layers with types, modes, owners, contents,
link targets, hard links and xattrs; the number of layers; the line of a refusal. What Docker's older BuildKit
does otherwise is listed in `exceptions.md`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from differential.builders import Builders, Outcome
from differential.casebook import Case, read_cases
from differential.comparing import comparable, differences, tree_differences
from differential.exceptions import EXCEPTIONS

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.crun]


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_same_image(case: Case, builders: Builders, workplace: Path) -> None:
    docker, ours = builders.run(case, workplace)
    if case.rejected is not None:
        _check_refusals(case, docker, ours)
        return
    assert docker.image is not None, docker.messages
    assert ours.image is not None, ours.messages
    theirs = comparable(docker.image.config)
    for name in sorted(case.exceptions):
        changed = EXCEPTIONS[name].apply(theirs, comparable(ours.image.config))
        assert changed != theirs, f"the exception {name} changes nothing here"
        theirs = changed
    found = [*differences(theirs, comparable(ours.image.config))]
    found += tree_differences(docker.image.tree, ours.image.tree)
    if docker.image.layers != ours.image.layers:
        found.append(f"layers: docker {docker.image.layers}, pybuild {ours.image.layers}")
    assert not found, "\n".join([f"{case.file}: {case.name}", *found])


def _check_refusals(case: Case, docker: Outcome, ours: Outcome) -> None:
    assert case.rejected is not None
    accepted = [name for name in case.exceptions if EXCEPTIONS[name].docker_accepts]
    assert (docker.image is None) != bool(accepted), docker.messages
    assert ours.image is None, "pybuild accepts it"
    assert "Traceback" not in ours.messages
    if docker.line is not None:
        assert ours.line == docker.line, f"{docker.messages}\n\n{ours.messages}"
    for words in case.rejected:
        assert words in ours.messages
