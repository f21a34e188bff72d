"""Docker still does what is recorded of it: a few cases of each file, or all with PYBUILD_DIFFERENTIAL=all.

With PYBUILD_WRITE_CASES=1 every case is recorded anew.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from tests.differential.builders import Builders
from tests.differential.casebook import Case, read_cases
from tests.differential.comparing import image_differences
from tests.differential.recordings import ALL, WRITE, is_of_this_machine, of_docker, read, recorded, write

pytestmark = [pytest.mark.docker, pytest.mark.root, pytest.mark.crun]

CASES = read_cases()
SAMPLED = 3
"""Cases of each file."""


def asked() -> list[Case]:
    """The sample lies spread over each file, which has its cases by their subjects."""
    if ALL or WRITE:
        return CASES
    found = []
    for _, group in groupby(CASES, key=lambda case: case.file):
        cases = list(group)
        found += cases[len(cases) // SAMPLED - 1 :: len(cases) // SAMPLED][:SAMPLED]
    return found


@pytest.mark.parametrize("case", asked(), ids=lambda case: case.name)
def test_as_recorded(case: Case, builders: Builders, workplace: Path) -> None:
    base = builders.base_tree()
    live = of_docker(case, builders.docker(case, workplace))
    if WRITE:
        write(case, live, base, [one.name for one in CASES])
    if not is_of_this_machine(case):
        return
    known = recorded(case, base)
    assert (live.images is None, set(live.lines)) == (known.images is None, set(known.lines))
    assert list(live.images or {}) == list(known.images or {})
    for platform, image in (live.images or {}).items():
        found = image_differences(image, (known.images or {})[platform])
        assert not found, "\n".join([f"{case.file}: {case.name}: {platform}, recorded as pybuild", *found])


def test_there_are_recordings_of_all_cases_and_of_no_other() -> None:
    found = {file: set(read(file)["cases"]) for file in {case.file for case in CASES}}
    assert found == {file: {case.name for case in CASES if case.file == file} for file in found}
