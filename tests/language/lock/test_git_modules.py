"""Modules of git repositories: found, versioned, locked, and kept to their own files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.language.lock.outside import FROM_HOST, Outside, digest, locked
from tests.language.project import Project

pytestmark = pytest.mark.root

HEADER = "# syntax=pybuild:1\n\n"
LIB = (
    HEADER
    + """use "./more/inner.pybuild" as inner

param greeting: str = "hi"

let seen = len(glob("*.txt"))

def step():
    copy "data.txt" to "/data"
    write greeting + " " + str(seen) to "/greeting"
    write read("data.txt") to "/read"
    inner.step()
"""
)
FILES = {
    "lib.pybuild": LIB,
    "data.txt": "one\n",
    "more/inner.pybuild": HEADER + 'ignore "*.log"\n\ndef step():\n    copy "." to "/inner/"\n',
    "more/.dockerignore": "*.tmp\n",
    "more/a": "a\n",
    "more/a.log": "no\n",
    "more/a.tmp": "no\n",
    "build.pybuild": HEADER + 'target hello:\n    from scratch\n    write "x" to "/x"\n    tag "never:1"\n',
}


def uses(*lines: str) -> str:
    return "\n".join(lines) + "\n\n" + FROM_HOST


def test_a_module_and_what_lies_beside_it(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    project.write(
        uses(f'use "{url}//lib.pybuild@v1" as lib with greeting="hello"')
        + """
target app:
    from scratch
    lib.step()
    output "/data", "/greeting", "/read", "/inner" to "out/"
"""
    )
    project.build()
    assert [project.text(f"out/{name}") for name in ("data", "greeting", "read")] == [
        "one\n",
        "hello 1",
        "one\n",
    ]
    assert project.names("out/inner") == [".dockerignore", "a", "inner.pybuild"]
    commit = outside.repositories.run(outside.repositories.work / "lib", "rev-parse", "v1")
    assert locked(project) == {"module": {f"{url}//lib.pybuild@v1": f"{commit} {digest(LIB)}"}}


def test_two_versions_side_by_side(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    outside.change("lib", {"data.txt": "two\n"}, "v2")
    project.write(
        uses(f'use "{url}//lib.pybuild@v1" as one', f'use "{url}//lib.pybuild@v2" as two')
        + """
target app for v in ["1", "2"]:
    from scratch
    if v == "1":
        one.step()
    else:
        two.step()
    output "/data" to "out/${{v}}"
"""
    )
    project.build()
    assert (project.text("out/1"), project.text("out/2")) == ("one\n", "two\n")
    assert len(locked(project)["module"]) == 2


def test_the_default_file_a_commit_and_a_target(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES)
    commit = outside.repositories.run(outside.repositories.work / "lib", "rev-parse", "HEAD")
    project.write(f'use "{url}@{commit}" as lib\n\ntarget app:\n    from lib.hello\n    output "/x" to "x"\n')
    project.build("--locked")
    assert project.text("x") == "x"
    assert not (project.directory / "pybuild.lock").exists()
    assert "lib.hello" in project.run("graph", "lib.hello").out


def test_a_locked_build_needs_no_network(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    project.write(f'use "{url}//lib.pybuild@v1" as lib\n\ntarget app:\n    from scratch\n    lib.step()\n')
    project.build()
    outside.change("lib", {"data.txt": "two\n"}, "v1")
    asked = outside.asked()
    for words in (("build", "--locked"), ("check",), ("list",), ("graph",), ("lock",), ("fmt", "--check")):
        project.run(*words)
    assert outside.asked() == asked
    assert "moved module" in project.run("lock", "--update").out


def test_without_an_entry(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    uses = f'use "{url}//lib.pybuild@v1" as one\nuse "{url}@v1" as two\n'
    project.write(f"{uses}\ntarget app:\n    from two.hello\n    one.step()\n")
    for words in (("build", "--locked"), ("lock", "--locked"), ("list", "--locked"), ("graph", "--locked")):
        said = project.run(*words, code=2).err
        assert said.count("error[E0802]") == 2, words
    assert "build.pybuild:3:5" in said
    assert "build.pybuild:4:5" in said
    assert not outside.git.seen


def test_a_branch_is_warned_of_once(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    project.write(f'use "{url}@main" as lib\n\ntarget app:\n    from lib.hello\n')
    assert "W0801" in project.run("check", code=1).out
    assert "W0801" in project.build().err
    assert "W0801" not in project.build().err
    project.write(
        f'# pybuild: allow W0801\nuse "{url}@refs/heads/main" as lib\n\ntarget app:\n    from lib.hello\n'
    )
    assert "W0801" not in project.build().err


def test_content_that_differs(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    project.write(f'use "{url}//lib.pybuild@v1" as lib\n\ntarget app:\n    from scratch\n    lib.step()\n')
    project.run("lock")
    text = project.text("pybuild.lock")
    project.put({"pybuild.lock": text.replace(digest(LIB), digest("other"))})
    said = project.build(code=2).err
    assert "error[E0803]" in said
    assert "build.pybuild:3:5" in said
    assert f"pybuild lock --update '{url}//lib.pybuild@v1'" in said
    (pin,) = locked(project)["module"].values()
    project.put({"pybuild.lock": text.replace(pin.split()[0], "d" * 40)})
    said = project.build(code=2).err
    assert "error[E0803]" in said
    assert "no longer in the repository" in said
    project.run("lock", "--update")
    assert project.text("pybuild.lock") == text


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("URL//nothing.pybuild@v1", "no `nothing.pybuild` in it"),
        ("URL//lob.pybuild@v1", "did you mean `lib.pybuild`?"),
        ("URL//more@v1", "no `more` in it"),
        ("URL@v9", "does not contain ref v9"),
        ("URL", "names no version"),
        ("URL//../x.pybuild@v1", "leaves the repository"),
        ("http://me:secret@HOST/lib.git@v1", "has a password"),
        ("HTTP/none.git@v1", "cannot be fetched"),
        ("oci://UPPER/Case", "no address of a module"),
    ],
)
def test_what_is_not_found(written: str, words: str, project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    path = written.replace("URL", url).replace("HOST", outside.git.host).replace("HTTP", outside.git.url(""))
    project.write(f'use "{path}" as lib\n\ntarget app:\n    from lib.hello\n')
    said = project.build(code=2).err
    assert "error[E0801]" in said
    assert "build.pybuild:3:5" in said
    assert words in said
    assert said.count("error[") == 1


def test_a_path_out_of_the_repository(project: Project, outside: Outside) -> None:
    files = {"a/lib.pybuild": HEADER + 'use "../../x.pybuild" as x\n\ndef step():\n    x.step()\n'}
    url = outside.repository("lib", files, "v1")
    project.write(f'use "{url}//a/lib.pybuild@v1" as lib\n\ntarget app:\n    from scratch\n    lib.step()\n')
    said = project.build(code=2).err
    assert "error[E0804]" in said
    assert "//a/lib.pybuild@v1:3:5" in said


def test_links_lead_nowhere_outside(project: Project, outside: Outside) -> None:
    files = {
        "lib.pybuild": HEADER + 'def step():\n    write read("link") to "/x"\n',
        "link": "-> /etc/passwd",
    }
    url = outside.repository("lib", files, "v1")
    project.write(f'use "{url}//lib.pybuild@v1" as lib\n\ntarget app:\n    from scratch\n    lib.step()\n')
    assert "error[E0510]" in project.build(code=2).err


def test_another_edition(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", {"build.pybuild": "# syntax=pybuild:2\n\nlet x = 1\n"}, "v1")
    project.write(f'use "{url}@v1" as lib\n\ntarget app:\n    from scratch\n    write str(lib.x) to "/x"\n')
    assert "error[E0805]" in project.build(code=2).err


def test_modules_that_use_each_other(project: Project, outside: Outside) -> None:
    files = {
        "build.pybuild": HEADER + 'use "./b.pybuild" as b\n\nlet x = b.x\n',
        "b.pybuild": HEADER + 'use "./build.pybuild" as a\n\nlet x = a.x\n',
    }
    url = outside.repository("lib", files, "v1")
    project.write(f'use "{url}@v1" as lib\n\ntarget app:\n    from scratch\n    write str(lib.x) to "/x"\n')
    assert "error[E0806]" in project.build(code=2).err


@pytest.mark.parametrize(
    "body",
    [
        'with secret("x"):\n        run true',
        "with ssh():\n        run true",
        'with device("x"):\n        run true',
        "with insecure():\n        run true",
        'with network("host"):\n        run true',
        'with cache("/x", scope="user"):\n        run true',
        'copy "x" from local("/etc") to "/x"',
        'copy "x" from host(["sh"]) to "/x"',
    ],
)
def test_capabilities(body: str, project: Project, outside: Outside) -> None:
    url = outside.repository("lib", {"build.pybuild": HEADER + f"def step():\n    {body}\n"}, "v1")
    project.write(uses(f'use "{url}@v1" as lib') + "\ntarget app:\n    from box\n    lib.step()\n")
    said = project.build(code=2).err
    assert "error[E0902]" in said
    assert f"{url}//build.pybuild@v1:4" in said


def test_options_come_from_the_caller(project: Project, outside: Outside) -> None:
    text = HEADER + "def step(auth: list[option]):\n    with auth:\n        run cat /run/secrets/x > /got\n"
    url = outside.repository("lib", {"build.pybuild": text}, "v1")
    project.put({"secret": "told"})
    project.write(
        uses(f'use "{url}@v1" as lib')
        + '\ntarget app:\n    from box\n    lib.step(auth=[secret("x")])\n    output "/got" to "got"\n'
    )
    project.build("--secret", "id=x,src=secret")
    assert project.text("got") == "told"
    assert "/run/secrets/x" in project.run("list").out


def test_tags_and_outputs_of_a_module_have_no_effect(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", FILES, "v1")
    project.write(f'use "{url}@v1" as lib\n\ntarget app:\n    from lib.hello\n    tag "mine:1"\n')
    said = project.build().err
    assert "mine:1" in said
    assert "never:1" not in said


def test_a_failing_run_in_a_module(project: Project, outside: Outside) -> None:
    url = outside.repository("lib", {"build.pybuild": HEADER + "def step():\n    run exit 3\n"}, "v1")
    project.write(uses(f'use "{url}@v1" as lib') + "\ntarget app:\n    from box\n    lib.step()\n")
    said = project.build(code=1).err
    assert "error[R0001]: `run` failed with exit code 3" in said
    assert f"{url}//build.pybuild@v1:4" in said


def test_git_daemon(project: Project, tmp_path: Path, outside: Outside) -> None:
    outside.repository("lib", FILES, "v1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = outside.repositories.root
    options = ["--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_CONFIG_COUNT": "1"}
    environment |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    daemon = subprocess.Popen(
        ["git", "daemon", *options, str(root)],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port)
        url = f"git://127.0.0.1:{port}/lib.git"
        project.write(
            f'use "{url}//lib.pybuild@v1" as lib\n\ntarget app:\n    from scratch\n    lib.step()\n'
        )
        project.build()
        assert list(locked(project)["module"]) == [f"{url}//lib.pybuild@v1"]
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)  # it serves from a child of its own
        daemon.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError
