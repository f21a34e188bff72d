"""Build modules built for real: commands, what a module sees, what it may leave behind."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.lang.python.building import HEADER, Module, interrupted

pytestmark = [pytest.mark.root, pytest.mark.crun]

SERVICE = """
from lib import texts

greeting = pb.param("greeting", str, default="hello", doc="What is said.")

@pb.target(default=True)
def web(t):
    '''The web server.'''
    t.from_(BASE)
    t.copy("page.txt", to="/srv/")
    t.run("echo ${{words}} > /srv/words", words=[greeting, *texts.WORDS])
    t.env(GREETING=greeting)
    t.output("/srv/words", to="out/words")

@pb.test(axes={"n": [1, 2]})
def unit(t, n):
    t.from_(web)
    t.run("test $(wc -w < /srv/words) -gt ${{n}}", n=n)
"""
FILES = {"lib/__init__.py": "", "lib/texts.py": 'WORDS = ["to", "you"]\n', "page.txt": "page"}


def test_all_commands(module: Module) -> None:
    """A `build.py` with a syntax line is found by itself; `-f` names any other."""
    module.write(SERVICE, FILES)
    image = module.image()
    assert image.text("/srv/words") == "hello to you\n"
    assert image.text("/srv/page.txt") == "page"
    assert "GREETING=hello" in image.config["Env"]
    tested = module.project.test()
    assert "2 passed" in tested.out
    listed = module.project.run("list").out
    assert "The web server." in listed
    assert "What is said." in listed
    graph = json.loads(module.run("graph", "--format=json", "-p", "greeting=hi").out)
    assert graph["inputs"]["params"]["greeting"]["value"] == "hi"
    assert "error" not in module.run("check").out
    module.run("lock")
    (module.project.directory / "build.py").rename(module.project.directory / "other.py")
    module.build("-f", "other.py", "-p", "greeting=hey")
    assert module.project.text("out/words") == "hey to you\n"
    assert "no default" not in module.run("check", "other.py").err
    assert [one for one in module.project.names() if "pyc" in one] == []


def test_a_changed_file_of_the_project_is_seen(module: Module) -> None:
    """What a module depends on can't be told: no invocation record answers for it."""
    module.write(SERVICE, FILES)
    module.project.settled()
    module.project.put({"lib/texts.py": 'WORDS = ["to", "all"]\n'})
    module.build()
    assert module.project.text("out/words") == "hello to all\n"
    module.build(fresh=True)
    assert "pybuild.lang.python.module" in module.project.modules()


def test_what_a_module_sees(module: Module) -> None:
    """Its own arguments, directory and environment, as any program that the user starts; what it prints, and what
    programs print that it starts, is no result."""
    module.write(
        """
        import os, subprocess, sys

        print("printed at the top")
        subprocess.run(["echo", "by a program"], check=True)

        @pb.target
        def web(t):
            print("printed in a body")
            t.from_(pb.scratch)
            t.write(os.getcwd(), to="/cwd")
            t.write(__file__, to="/file")
            t.write(__name__, to="/name")
            t.write(os.environ["COLOUR"], to="/colour")
            t.write(str(os.getuid()), to="/uid")
        """
    )
    done = module.run("graph", "--format=json", COLOUR="blue")
    json.loads(done.out)
    for text in ("printed at the top", "by a program", "printed in a body"):
        assert text in done.err
    directory = str(module.project.directory)
    layout = module.project.place / "seen"
    module.build(f"-otype=local,dest={layout}", COLOUR="blue")
    said = {path.name: path.read_text() for path in layout.iterdir()}
    assert said == {
        "cwd": directory,
        "file": f"{directory}/build.py",
        "name": "build",
        "colour": "blue",
        "uid": str(os.getuid()),
    }


THREADS = """
import threading, time

def idle():
    while True:
        time.sleep(60)

threading.Thread(target=idle).start()
pool = __import__("concurrent.futures").futures.ThreadPoolExecutor(2)

@pb.target
def web(t):
    t.from_(BASE)
    t.run("echo ${{n}} > /n; sleep ${{s}}", n=pool.submit(lambda: 7).result(), s=pb.param_seconds)
"""


def test_threads_that_a_module_leaves(module: Module) -> None:
    """The build goes on, and ends with its exit code; commands that build nothing end as well."""
    module.write(THREADS.replace("pb.param_seconds", "0"))
    assert module.image().text("/n") == "7\n"
    assert "web" in module.project.run("list").out
    module.run("check")
    json.loads(module.run("graph").out)
    module.write(THREADS.replace("sleep ${{s}}", "exit ${{s}}").replace("pb.param_seconds", "3"))
    assert "error[R0001]" in module.build(code=1).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_build_that_went_on_without_threads(module: Module, number: signal.Signals) -> None:
    seconds = f"6{int(number):02}"
    module.write(THREADS.replace("pb.param_seconds", seconds))
    process = module.start("build", "--progress=plain", *module.project.allowed)
    deadline = time.monotonic() + 60
    while not _running("sleep", seconds):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    code, said = interrupted(process, number)
    assert code == (128 + number if number != signal.SIGKILL else -9)
    assert number == signal.SIGKILL or "cancel" in said
    while _running("sleep", seconds):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(*command: str) -> bool:
    wanted = "\0".join(command).encode() + b"\0"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


def test_an_interrupted_module(module: Module) -> None:
    module.write(
        """
        import time
        print("going to sleep", flush=True)
        time.sleep(60)
        """
    )
    process = module.start("check")
    assert process.stderr is not None
    assert process.stderr.readline() == b"going to sleep\n"
    code, said = interrupted(process, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in said


def test_a_traceback_for_who_asks(module: Module) -> None:
    module.write("def f():\n    return 1 / 0\nf()\n")
    assert "error[E1001]: `build` raised ZeroDivisionError" in module.run("check", code=2).out
    module.project.environment["PYBUILD_DEBUG"] = "1"
    process = module.start("check")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" in said.decode()


@pytest.mark.user
def test_threads_in_a_build_of_an_ordinary_user(base: Path, ordinary_user: int) -> None:
    """A user namespace is entered by a process of one thread only."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-threads-"))
    os.chown(directory, ordinary_user, -1)
    text = HEADER + THREADS.replace("BASE", f'pb.oci("{base}")').replace("pb.param_seconds", "0")
    (directory / "build.py").write_text(text)
    # The interpreter of the tests may lie in a directory of root's.
    python = shutil.copy2(os.path.realpath(sys.executable), directory / "python")
    path = [
        str(Path(__file__).parents[3] / "src"),
        *(one for one in sys.path if one.endswith("site-packages")),
    ]
    ids = [f"--reuid={ordinary_user}", f"--regid={pwd.getpwuid(ordinary_user).pw_gid}", "--clear-groups"]
    words = ["build", f"--allow=read={base}", "-otype=local,dest=out"]
    done = subprocess.run(
        ["setpriv", *ids, python, "-m", "pybuild", *words],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (directory / "out" / "n").read_text() == "7\n"
    shutil.rmtree(directory, ignore_errors=True)
