"""Many builds at once leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.builder.place import Held, Place, is_clean
from tests.e2e.remains import wait_for_none, work_names

from pybuild.builder import Result

pytestmark = [pytest.mark.root, pytest.mark.crun]

PROGRAM = """
target shared:
    from BASE
    run echo shared >/shared; sleep 0.2

target each for n in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]:
    from shared
    run echo "number ${{n}}" | tee /number

target slow:
    from BASE
    run echo slow >/slow; sleep 1
"""

CHILD = """
import sys
from pybuild.builder import Builder
root, base, project = sys.argv[1:]
with Builder(project, root=root, allow=f"read={base}") as builder:
    result = builder.build("slow")
    print(*[step.status for step in result.steps if "run echo slow" in step.name], result.read_text("/slow"))
"""


def test_ten_threads(place: Place) -> None:
    place.write(PROGRAM)
    before = Held.now()
    with place.builder() as builder:

        def build(number: int) -> Result:
            return builder.build(f"each[n={number}]", tags=f"each:{number}")

        with ThreadPoolExecutor(10) as pool:
            results = list(pool.map(build, range(10)))
            texts = list(pool.map(lambda result: result.read_text("/number"), results))
    assert texts == [f"number {number}\n" for number in range(10)]
    assert len({result.digest for result in results}) == 10
    ran = [step for one in results for step in one.steps if "run echo shared" in step.name]
    assert sorted(step.status for step in ran).count("ran") == 1
    assert Held.now() == before
    assert wait_for_none(place.store, work_names(place.store)) == []
    assert is_clean(place.store)


def test_two_programs_share_a_store(place: Place) -> None:
    place.write(PROGRAM)
    source = str(Path(__file__).parents[2] / "src")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(place.store), str(place.base), str(place.project)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": source},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [child.communicate(timeout=60)[0] for child in children]
    assert sorted(printed) == ["cached slow\n\n", "ran slow\n\n"]
    assert is_clean(place.store)
