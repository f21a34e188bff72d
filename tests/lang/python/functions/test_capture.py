"""What is sent for a function, and that it runs by itself: the payload is started by this machine's Python."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.lang.python.functions.userproject import UserProject

from pybuild.lang.python import functions
from pybuild.lang.python.functions import Payload, capture, decode, payload

HELPERS = {
    "helpers/__init__.py": "raise_if_run = 1\n",
    "helpers/text.py": """
        import re
        from . import deep
        WORD = re.compile("a+")
        def shout(text):
            return text.upper() + str(len(WORD.findall(text))) + deep.twice(text)
    """,
    "helpers/deep.py": """
        import pybuild
        def twice(text):
            return text * 2
        def plan():
            return pybuild.scratch
    """,
}


def sent(made: Payload) -> dict[str, str]:
    """The parts of the user's files, and what is known of their modules."""
    return {
        name.removeprefix("files/"): data.decode()
        for name, data in made.files.items()
        if name.startswith("files/")
    }


def constants(made: Payload) -> dict[str, Any]:
    modules = json.loads(made.files["call.json"])["modules"]
    return {f"{one['path']}:{name}": value for one in modules for _, name, value in one["constants"]}


def test_only_what_is_used_is_sent(user: UserProject) -> None:
    build = user.module("""
        import json, os.path
        import pybuild as pb

        LIMIT = pb.MiB // 2
        OTHER = object()

        def unused(): return helper(1)
        def helper(n): return os.path.join(str(n), json.dumps(LIMIT))
        def work(n): return helper(n)
    """)
    made = user.payload(build.work, 3)
    assert sent(made) == {
        "build.py": "import json, os.path\n"
        "def helper(n): return os.path.join(str(n), json.dumps(LIMIT))\n"
        "def work(n): return helper(n)\n"
    }
    assert constants(made) == {"build.py:LIMIT": 524288}
    assert user.run(made).value == "3/524288"


def test_functions_of_other_modules_come_with_what_they_use(user: UserProject) -> None:
    user.write(HELPERS)
    build = user.module("""
        import helpers.text
        from helpers.text import shout as S
        def work(text):
            from helpers.deep import twice
            return [S(text), helpers.text.shout("b"), twice("c")]
    """)
    made = user.payload(build.work, "ab")
    assert sorted(sent(made)) == ["build.py", "helpers/deep.py", "helpers/text.py"]
    assert "pybuild" not in sent(made)["helpers/deep.py"]
    assert user.run(made).value == ["AB1abab", "B0bb", "cc"]


def test_packages_and_what_they_pass_on(user: UserProject) -> None:
    user.write(
        {
            "pkg/__init__.py": "from .a import *\nfrom .inner.c import last as end\n",
            "pkg/a.py": "from . import b\nSIZE = 2\ndef first(): return b.second() * SIZE\n",
            "pkg/b.py": "def second(): return 'b'\n",
            "pkg/inner/c.py": "def last(): return 'c'\n",
            "pkg/unused.py": "class Big: pass\n",
        }
    )
    build = user.module("""
        import pkg.a
        import pkg.unused
        from pkg import first, end
        import pkg.inner.c as c
        def work(): return [first(), end(), c.last(), pkg.a.b.second(), names()]
        def names():
            import pkg.b
            return sorted(vars(pkg.b).keys() & {"second"})
    """)
    made = user.payload(build.work)
    assert "pkg/unused.py" not in sent(made)
    assert user.run(made).value == ["bb", "c", "c", "b", ["second"]]


def test_the_build_module_may_be_imported_too(user: UserProject) -> None:
    """It is run by the build, and imported by its name: two modules of one file."""
    user.write({"helpers.py": "import build\ndef twice(x): return build.one(x) * 2\n"})
    build = user.module("""
        # one line
        def one(x):
            return 10 / x
        def work(x):
            import helpers
            return [one(1), helpers.twice(x), __name__]
    """)
    made = user.payload(build.work, 5)
    assert sorted(sent(made)) == ["build.py", "build.py~1", "helpers.py"]
    assert user.run(made).value == [10, 4, "build_py"]
    failed = user.run(user.payload(build.work, 0))
    assert 'File "build.py", line 3, in one\n    return 10 / x\n' in failed.err
    assert 'File "build.py", line 6, in work\n    return [one(1), helpers.twice(x), __name__]' in failed.err


def test_modules_that_only_the_build_module_knows(user: UserProject) -> None:
    """They are forgotten when its run has ended, and its bodies run later."""
    user.write({**HELPERS, "late.py": "from helpers.text import shout\ndef lately(): return shout('a')\n"})
    build = user.module("""
        from dataclasses import dataclass
        from helpers.text import shout
        @dataclass
        class Made: text: str
        def work(made):
            import late
            return [Made(shout(made.text)), late.lately()]
    """)
    names = ("helpers", "helpers.text", "helpers.deep")
    modules = {name: sys.modules.pop(name) for name in names} | {"build": build}
    sys.path.remove(str(user.directory))
    before = dict(sys.modules), list(sys.path)
    made = payload(capture(build.work, str(user.directory), modules=modules), [build.Made("b")])
    sys.path.insert(0, str(user.directory))
    assert (dict(sys.modules), list(sys.path)[1:]) == before
    assert sorted(sent(made)) == ["build.py", "helpers/deep.py", "helpers/text.py", "late.py"]
    assert list(made.classes) == ["build:Made"]
    assert user.run(made).value == [build.Made("B0bb"), "A1aa"]


def test_a_module_that_is_passed_on_is_sent_as_a_whole(user: UserProject) -> None:
    user.write({"tools.py": "import json\nN = 1\ndef one(): return N\ndef two(): return json.dumps(2)\n"})
    build = user.module("""
        import tools
        def work(name): return getattr(tools, name)()
    """)
    assert [user.call(build.work, name) for name in ("one", "two")] == [1, "2"]


def test_two_modules_with_the_same_names_stay_apart(user: UserProject) -> None:
    user.write(
        {
            "one.py": "NAME = 'one'\ndef name(): return NAME\n",
            "two.py": "import one\nNAME = 'two'\ndef name(): return NAME + one.name()\n",
        }
    )
    build = user.module("""
        import one, two
        NAME = "build"
        def name(): return [NAME, one.name(), two.name(), __name__, __file__]
    """)
    assert user.call(build.name) == ["build", "one", "twoone", "build_py", "build.py"]


def test_functions_inside_of_functions(user: UserProject) -> None:
    build = user.module("""
        import json
        def outer(n, options):
            import math
            def even(k): return k == 0 or odd(k - 1)
            def odd(k): return k != 0 and even(k - 1)
            def go(m=n, *, z=(1, 2)):
                text = '''
            kept
        '''
                return [even(m), odd(n), z, options, math.sqrt(16), json.dumps(text)]
            return go
    """)
    assert user.call(build.outer(4, {"a": {1}})) == [
        True,
        False,
        (1, 2),
        {"a": {1}},
        4.0,
        json.dumps("\n    kept\n"),
    ]


def test_decorators_classes_and_tables(user: UserProject) -> None:
    build = user.module(
        """
        import enum, functools, logging
        from dataclasses import dataclass, field

        log = logging.getLogger("made")

        def plain(f):
            def wrapper(*args): return f(*args) + 1
            return wrapper

        def wrapped(f):
            @functools.wraps(f)
            def wrapper(*args): return f(*args) + 10
            return wrapper

        @functools.lru_cache
        def table(): return {"a": first, "b": second}
        def first(x): return x
        def second(x): return -x
        TABLE = {"a": first, "b": second}

        class Kind(enum.Enum):
            A = "a"
            B = "b"

        @dataclass
        class Base:
            kind: Kind
            def run(self, x): return TABLE[self.kind.value](x) + table()["a"](x)

        @dataclass
        class Job(Base):
            sizes: list = field(default_factory=list)

        DEFAULT = Job(Kind.B, [1])

        @plain
        def one(job=DEFAULT): return job.run(5)
        @wrapped
        def two(job): return job.run(5)
        def three(job=DEFAULT): return [one(), two(job), job == DEFAULT, log.name]
    """
    )
    job = build.Job(build.Kind.A, [3])
    assert user.call(build.one) == 1
    assert user.call(build.two, job) == 20
    assert user.call(build.three, job) == [1, 20, False, "made"]
    assert user.call(build.three, build.DEFAULT) == [1, 10, True, "made"]


def test_functions_that_are_not_the_projects_are_called_by_name(user: UserProject) -> None:
    assert user.call(shutil.which, "no-such-program") is None
    assert user.call(os.path.join, "a", "b") == "a/b"
    assert user.call(os.getpid) > 0


def test_a_value_counts_as_it_is_not_as_it_was_made(user: UserProject) -> None:
    build = user.module("""
        import random
        from sys import maxsize
        SEEN = []
        SEEN.append(random.random())
        for NAME in ("a", "b"): pass
        if SEEN:
            def choose(): return "then"
        else:
            def choose(): return "else"
        try:
            import no_such_module as fast
        except ImportError:
            import json as fast
        def work(): return [SEEN, NAME, choose(), fast.__name__, maxsize]
    """)
    made = user.payload(build.work)
    assert constants(made) == {"build.py:SEEN": build.SEEN, "build.py:NAME": "b"}
    assert user.run(made).value == [build.SEEN, "b", "then", "json", sys.maxsize]


SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from pybuild.lang.python.functions import capture, payload
import made
made = payload(capture(made.work, sys.argv[1]), [{"b", "a", "c"}], {"k": made.NAMES})
for name, data in made.files.items():
    print(name, hashlib.sha256(data).hexdigest())
print(made.argv, made.lines, made.title)
"""
MADE = """
NAMES = frozenset(["x", "y", "z", "w"])
def b(): return NAMES
def a(): return b()
def work(given, k): return a(), b(), given, k
"""


def test_the_same_call_has_the_same_bytes(user: UserProject, tmp_path: Path) -> None:
    """Whatever the order of sets, the current directory, and the place of the project."""
    told = set()
    for seed in ("1", "2"):
        project = tmp_path / f"copy{seed}"
        project.mkdir()
        (project / "made.py").write_text(MADE)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        told.add(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, str(project)],
                cwd=project if seed == "1" else "/",
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout
        )
    (text,) = told
    assert str(tmp_path) not in text
    assert '{"made.py":[2,3,4,5]}' in text or '{"made.py":[3,4,5]}' in text


def test_a_function_that_moves_is_the_same(user: UserProject) -> None:
    text = "def helper(x):\n    return x + 1\n\ndef work(x):\n    return helper(x)\n"
    one = user.payload(user.module(text).work, 1)
    two = user.payload(user.module("# more\nimport os\n\n\n" + text.replace("\n\n", "\nA = 1\n")).work, 1)
    other = user.payload(user.module(text.replace("x + 1", "x + 2")).work, 1)
    assert one.files == two.files != other.files
    assert (one.lines, two.lines) == ('{"build.py":[1,4]}', '{"build.py":[5,8]}')
    assert user.payload(user.module(text).work, 2).files != one.files


RAISES = """
    # a line

    def outer():
        def inner(x):
            return fail(x)
        return inner

    def fail(x):
        try:
            int(x)
        except ValueError as error:
            raise RuntimeError("no") from error
"""


def test_tracebacks_have_the_users_lines_and_frames_alone(user: UserProject) -> None:
    done = user.run(user.payload(user.module(RAISES).outer(), "é"))
    assert done.code == 1
    lines = [line for line in done.err.splitlines() if "^" not in line and "~" not in line]
    assert lines == [
        "Traceback (most recent call last):",
        '  File "build.py", line 10, in fail',
        "    int(x)",
        "ValueError: invalid literal for int() with base 10: 'é'",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        '  File "build.py", line 5, in inner',
        "    return fail(x)",
        '  File "build.py", line 12, in fail',
        '    raise RuntimeError("no") from error',
        "RuntimeError: no",
    ]
    untold = user.run(user.payload(user.module(RAISES).outer(), "é"), lines=False)
    assert "return fail(x)" in untold.err
    assert untold.code == 1


@pytest.mark.parametrize(
    ("body", "code", "err"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('gone')", 1, "gone\n"),
        ("sys.exit()", 0, ""),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt"),
        ("return open('/dev/null')", 1, "returned a value of the type _io.TextIOWrapper, which is no data"),
        ("return [1, {'a': object()}]", 1, "builtins.object, at [1]['a'], which is no data"),
        ("import no_such_module", 1, "install there what it imports"),
        ("os.environ.get('PYBUILD_CALL_LINES') and sys.exit(9)", 0, ""),
    ],
)
def test_how_a_call_ends(user: UserProject, body: str, code: int, err: str) -> None:
    build = user.module(f"import os, sys\ndef work():\n    {body}\n")
    done = user.run(user.payload(build.work))
    assert done.code == code, done.err
    assert err in done.err
    assert "BASE" not in done.err
    assert "runner.py" not in done.err


def test_what_is_printed_comes_in_order(user: UserProject) -> None:
    build = user.module("""
        import sys
        def work():
            print("é")
            sys.stderr.write("err\\n")
            print("no newline", end="")
    """)
    done = user.run(user.payload(build.work), LC_ALL="C")
    assert (done.out, done.err) == ("é\nno newline", "err\n")


def test_what_a_call_returned_is_an_argument_of_others(user: UserProject) -> None:
    build = user.module("""
        from dataclasses import dataclass
        from collections import namedtuple
        Pair = namedtuple("Pair", "a b")
        @dataclass
        class Made:
            names: set
        def make(): return Pair(Made({"x"}), 2)
        def use(one, two): return [one.a.names, one == two[0], type(one).__name__]
    """)
    first = user.payload(build.make)
    value = functions.ReturnValue(None, "make", first.classes)
    second = user.payload(build.use, value, [value])
    assert second.inputs == (value,)
    assert second.title == 'call use(…, [{"$returned":0}])'
    data = b'{"$named":"build_py:Pair","items":[{"$object":"build_py:Made","fields":{"names":{"$set":["x"]}}},2]}'
    assert decode(data, first.classes) == build.make()
    done = user.run(second, inputs={0: data})
    assert done.value == [{"x"}, True, "Pair"]


def test_the_python_that_is_needed_is_told(user: UserProject) -> None:
    build = user.module("""
        def work(x):
            match x:
                case [a, *_]: return a
    """)
    made = user.payload(build.work, [1])
    call = json.loads(made.files["call.json"])
    assert call["needs"] == [3, 10]
    newer = json.dumps({**call, "needs": [3, 99]}).encode()
    done = user.run(functions.Payload("", {**made.files, "call.json": newer}, made.argv, made.lines))
    assert done.code == 1
    assert "error: `work` is written for Python 3.99 or later, and the image has 3." in done.err
    broken = made.files["files/build.py"].replace(b"match x", b"match! x")
    done = user.run(functions.Payload("", {**made.files, "files/build.py": broken}, made.argv, made.lines))
    assert done.code == 1
    assert 'File "build.py", line 2' in done.err
    assert "is written for Python 3." in done.err


def test_the_runner_is_written_for_an_old_python(user: UserProject) -> None:
    files = user.payload(os.getpid).files
    for name in ("main.py", "runner.py", "encoding.py"):
        ast.parse(files[name], feature_version=(3, 8))


@pytest.mark.skipif(shutil.which("python3.13") is None, reason="needs python3.13")
def test_another_python_runs_it(user: UserProject, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write(HELPERS)
    build = user.module(
        "from helpers.text import shout\ndef work(x): return shout(x)\n" + "def fail(): 1 / 0\n"
    )
    program = shutil.which("python3.13")
    assert program is not None
    monkeypatch.setattr(sys, "executable", program)
    assert user.call(build.work, "ab") == "AB1abab"
    assert user.run(user.payload(build.fail)).err.count("File ") == 1
