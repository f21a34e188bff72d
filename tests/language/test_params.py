"""Params from outside, equal results, and what else a build leaves."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from tests.language.project import Project, read_images

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_where_params_come_from(project: Project) -> None:
    """-p, then --params, then the environment, then the default; each by its type."""
    project.write(
        """
param text: str = "default"
param flag: bool = false
param count: int = 1
param wait: duration = 1s
param room: size = 1MiB
param names: list[str] = []
param table: map[int] = {}
param mode: "dev" | "prod" = "dev"
target a:
    from scratch
    let first = "${{text}} ${{flag}} ${{count}} ${{wait}} ${{room}}"
    write first + " ${{", ".join(names)}} ${{str(len(table))}} ${{mode}}" to "/x"
    output "/x" to "x"
"""
    )
    project.put(
        {
            "p.toml": 'text = "file"\nflag = true\ncount = 7\nwait = "30s"\nroom = "2GiB"\nnames = ["a", "b"]\n'
            'mode = "prod"\n[table]\nx = 1\n'
        }
    )
    project.build()
    assert project.text("x") == "default false 1 1s 1MiB  0 dev"
    project.build(PYBUILD_PARAM_text="env", PYBUILD_PARAM_count="3")
    assert project.text("x") == "env false 3 1s 1MiB  0 dev"
    project.build("--params=p.toml", PYBUILD_PARAM_text="env")
    assert project.text("x") == "file true 7 30s 2GiB a, b 1 prod"
    project.build("-p", "text=flag", "-p", "names=", "-p", 'table={"a": 1, "b": 2}', "--params=p.toml")
    assert project.text("x") == "flag true 7 30s 2GiB  2 prod"
    project.build("-p", 'names=["a,b", "c"]', "-p", "text=a=b")
    assert project.text("x") == "a=b false 1 1s 1MiB a,b, c 0 dev"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-p", "txt=1"), "E0604", "did you mean `text`"),
        (("-p", "count=x"), "E0603", "count"),
        (("-p", "mode=other"), "E0603", "mode"),
        ((), "E0601", "needed"),
        (("-p", "text=", "-p", "needed=no"), "E0602", "needed has to be yes"),
    ],
)
def test_params_that_do_not_fit(project: Project, words: tuple[str, ...], code: str, text: str) -> None:
    project.write(
        """
param needed: str
param text: str = "x"
param count: int = 1
param mode: "dev" | "prod" = "dev"
check needed == "yes", "needed has to be yes"
target a:
    from scratch
    write needed + text + mode + str(count) to "/x"
target other:
    from scratch
default a
"""
    )
    if words and "needed=" not in "".join(words):
        words = (*words, "-p", "needed=yes")
    done = project.build(*words, code=2)
    assert f"error[{code}]" in done.err
    assert text in done.err
    project.build("other")


def test_equal_inputs_give_equal_images(project: Project) -> None:
    """In two stores, at two times, in two directories."""
    digests = set()
    for number in (1, 2):
        one = project.at(project.place / f"p{number}")
        one.store = project.place / f"store{number}"
        one.write(
            """
target other:
    from BASE
    run echo other > /other
target a on "linux/amd64", "linux/arm64":
    from BASE on build_platform
    env A = "b"
    copy "." to "/src", exclude=["pybuild.lock"]
    write "w" to "/w"
    mkdir "/m"
    symlink "/m" to "/s"
    workdir "/wd"
    run mkdir /ran; date > /ran/date; echo $RANDOM > /dev/null; echo x > /ran/file; rm /ran/date
    copy "/other" from other to "/other"
    with cache("/c"):
        run touch /c/x /y
    from_merge()
    label "l" = "l"
    annotation "a" = "b"
def from_merge():
    copy "/" from merge(BASE, git_like()) to "/merged"
def git_like() -> state:
    from scratch
    write "g" to "/g"
default a
""",
            {"file": "f", "sub/x": "x"},
        )
        os.utime(one.directory / "file", (1_700_000_000 + number, 1_700_000_000 + number))
        dest = one.place / f"image{number}.tar"
        output = f"type=oci,dest={dest},rewrite-timestamp=true"
        done = one.build("-o", output, SOURCE_DATE_EPOCH="1700000000")
        digests.add((done.digest, dest.read_bytes()))
        time.sleep(1.1 if number == 1 else 0)
    assert len(digests) == 1


def test_result_files(project: Project) -> None:
    project.write('target a:\n    from BASE\n    tag "results:1"\n')
    done = project.build(f"--iidfile={project.place}/iid", f"--metadata-file={project.place}/meta")
    metadata = json.loads((project.place / "meta").read_text())
    assert metadata["containerimage.digest"] == done.digest
    assert re.fullmatch("sha256:[0-9a-f]{64}", (project.place / "iid").read_text())
    assert metadata["image.name"].endswith("results:1")


def test_other_outputs(project: Project) -> None:
    """`-o` beside `output`: both happen."""
    project.write('target a:\n    from scratch\n    write "x" to "/x"\n    output "/x" to "x"\n')
    project.build("-o", f"{project.place}/tree", "-o", f"type=oci,dest={project.place}/l,tar=false")
    assert (project.place / "tree" / "x").read_text() == "x"
    assert project.text("x") == "x"
    assert read_images(project.place / "l")[0].text("/x") == "x"
