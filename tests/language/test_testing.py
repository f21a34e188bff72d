"""`pybuild test`, and tests as gates."""

from __future__ import annotations

import pytest
from tests.e2e.building import Outcome, steps_run
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


TESTS = """
param broken: str = "none"
target base:
    from BASE
    run echo base
test passes:
    from base
    run echo passing
    output "/etc/passwd" to "never/passes", always=true
test fails:
    from base
    run:
        echo report > /report
        mkdir /dir; echo in > /dir/file
        [ ${{broken}} != fails ]
    output "/report", "/dir" to "reports/", always=true
    output "/report" to "only-if-passed"
test several for n in ["1", "2"]:
    from base
    run echo several ${{n}}
target image:
    from base
    needs fails, several
    write "x" to "/x"
    output "/x" to "image-output"
    tag "gated:1"
default image
"""


def table(done: Outcome) -> dict[str, str]:
    found = {}
    for line in done.out.splitlines():
        words = line.split()
        if len(words) > 1 and words[1] in ("passed", "cached", "FAILED") and not words[0].isdigit():
            found[words[0]] = words[1]
    return found


NAMES = ["passes", "fails", "several[n=1]", "several[n=2]"]


def test_a_test_whose_base_failed_did_not_run(alone: Project) -> None:
    alone.write("""
def prepared() -> state:
    from BASE
    run false
target base:
    from BASE
    run exit 3
test on_it:
    from base
    run true
test own:
    from prepared()
    run true
test fine:
    from BASE
    run true
""")
    done = alone.test(code=1)
    lines = {line.partition(" ")[0]: line.partition(" ")[2].strip() for line in done.out.splitlines()}
    assert lines["on_it"] == "not run: base failed"
    assert lines["own"].startswith("FAILED  ")
    assert lines["fine"].startswith("passed  ")
    assert done.out.rstrip().endswith("1 passed, 1 failed, 1 not run")
    assert "in `base`" in done.err


def test_tests(alone: Project) -> None:
    """A table and an exit code; cached until something changes or `--rerun` is given."""
    alone.write(TESTS)
    done = alone.test()
    assert table(done) == dict.fromkeys(NAMES, "passed")
    assert done.out.rstrip().endswith("4 passed")
    done = alone.test()
    assert table(done) == dict.fromkeys(NAMES, "cached")
    assert done.out.rstrip().endswith("4 cached")
    done = alone.test("--rerun", "several[n=2]", "passes")
    assert table(done) == {"passes": "passed", "several[n=2]": "passed"}
    assert not [name for name in steps_run(done) if "echo base" in name]
    done = alone.test("-p", "broken=fails", code=1)
    assert table(done) == {**dict.fromkeys(NAMES, "cached"), "fails": "FAILED"}
    assert done.out.rstrip().endswith("3 cached, 1 failed")
    assert "error[R0001]" in done.err
    assert "in `fails`" in done.err
    assert table(alone.test("-p", "broken=fails", code=1))["fails"] == "FAILED"


def test_what_failed_tests_leave(project: Project) -> None:
    project.write(TESTS)
    project.test("-p", "broken=fails", code=1)
    assert project.names("reports") == ["dir/file", "report"]
    assert not (project.directory / "only-if-passed").exists()
    project.test()
    assert project.text("only-if-passed") == "report\n"


def test_tests_run_side_by_side(project: Project) -> None:
    """Each waits for the other."""
    project.write(
        """
test one:
    from BASE
    with cache("/c", id="meet"):
        run touch /c/1; for i in $(seq 100); do [ -e /c/2 ] && exit 0; sleep 0.1; done; exit 1
test two:
    from BASE
    with cache("/c", id="meet"):
        run touch /c/2; for i in $(seq 100); do [ -e /c/1 ] && exit 0; sleep 0.1; done; exit 1
"""
    )
    project.test("--max-parallelism=4")


def test_a_failing_test_stops_no_other(project: Project) -> None:
    project.write(
        """
test bad:
    from BASE
    run false
test good:
    from BASE
    run sleep 0.5
"""
    )
    done = project.test(code=1)
    assert table(done) == {"bad": "FAILED", "good": "passed"}


def test_tests_have_no_tags_and_targets_are_no_tests(project: Project) -> None:
    project.write(
        'test a:\n    from BASE\n    run true\n    tag "x:1"\ntarget b:\n    from BASE\n    run true\n'
    )
    done = project.build("a", code=2)
    assert "build.pybuild:6:5" in done.err
    project.write("test a:\n    from BASE\n    run true\ntarget b:\n    from BASE\n    run true\n")
    project.build("a")
    done = project.test("b", code=None)
    assert done.code in (0, 2)


def test_needs_is_a_gate(project: Project) -> None:
    """What is needed must succeed before anything is exported; its files and outputs are no matter."""
    project.write(TESTS)
    words = ("-p", "broken=fails")
    done = project.build(*words, code=1)
    assert "in `fails`" in done.err
    assert not (project.directory / "image-output").exists()
    assert "gated:1" not in done.err
    done = project.build("-o", f"type=oci,dest={project.place}/no.tar", *words, code=1)
    assert not (project.place / "no.tar").exists()
    done = project.build()
    assert "gated:1" in done.err
    assert project.text("image-output") == "x"
    assert not (project.directory / "only-if-passed").exists()
