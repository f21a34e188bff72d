"""What can't be sent to a container, and what is said about it."""

from __future__ import annotations

import textwrap

import pytest
from tests.lang.python.functions.userproject import UserProject

START = """
import functools, threading
import pybuild as pb

class Thing:
    def method(self): return 1
    @staticmethod
    def static(x): return x + 1
thing = Thing()
opened = open("/dev/null")
opened.close()
lock = threading.Lock()
state = pb.scratch
numbers = (n for n in range(3))
filled = {}
filled["f"] = print
holds = {"a": [1, lock]}
class Custom(str): pass
custom = Custom("x")
async def soon(): return 1
def steps(): yield 1
def rebound(): return 1
def inside():
    @functools.wraps(rebound)
    def decorated(): return 2
    return decorated
"""

USES = [
    ("opened.read()", "`work` can't run in a container: it uses `opened`, an open file"),
    ("lock", "`work` can't run in a container: it uses `lock`, an object of the type _thread.lock"),
    ("state", "`work` can't run in a container: it uses `state`, a state"),
    ("pb.MiB", "`work` can't run in a container: it uses `pb.MiB`, which plans builds"),
    ("numbers", "`work` can't run in a container: it uses `numbers`, a generator"),
    ("thing.method()", "`work` can't run in a container: it uses `thing`, an object of the type build.Thing"),
    ("filled['f']", "`work` can't run in a container: `filled['f']` is a function of C"),
    ("holds", "`work` can't run in a container: `holds['a'][1]` is an object of the type _thread.lock"),
    ("custom", "`work` can't run in a container: it uses `custom`, an object of the type build.Custom"),
]


@pytest.mark.parametrize(("expression", "title"), USES)
def test_what_a_function_uses(user: UserProject, expression: str, title: str) -> None:
    build = user.module(
        START + f"\ndef helper():\n    return [1, {expression}]\ndef work(): return helper()\n"
    )
    text = user.refused(build.work)
    assert text.startswith(f"error[E1005]: {title.replace('`work`', '`helper`')}\n"), text
    line = (user.directory / "build.py").read_text().splitlines().index(f"    return [1, {expression}]") + 1
    assert f"--> build.py:{line}:16\n" in text
    assert "= help: " in text


def test_the_message_shows_the_use_and_what_made_it(user: UserProject) -> None:
    build = user.module("import threading\nlock = threading.Lock()\ndef work():\n    with lock: pass\n")
    assert user.refused(build.work) == textwrap.dedent("""\
        error[E1005]: `work` can't run in a container: it uses `lock`, an object of the type _thread.lock
         --> build.py:4:10
          |
        2 | lock = threading.Lock()
          | ----------------------- it is made here
        ...
        4 |     with lock: pass
          |          ^^^^
          |
          = help: make it inside of the function, or pass what it needs as an argument""")


FUNCTIONS = [
    ("lambda: 1", "a lambda can't be called in a container"),
    ("thing.method", "a method of an object can't be called in a container"),
    ("Thing", "a class can't be called in a container"),
    ("functools.partial(print, 1)", "a partial function can't be called in a container"),
    ("soon", "a coroutine function can't be called in a container"),
    ("steps", "a generator function can't be called in a container"),
    ("state", "a state can't be called in a container"),
    ("3", "an object of the type int can't be called in a container"),
    ("[].append", "a method of an object can't be called in a container"),
    ("inside()", "`rebound` isn't what build.py calls `rebound`"),
    ("rebound_before", "`rebound` isn't what build.py calls `rebound`"),
    ("made", "the source of `made` can't be found"),
]


@pytest.mark.parametrize(("expression", "title"), FUNCTIONS)
def test_what_is_called(user: UserProject, expression: str, title: str) -> None:
    more = "rebound_before = rebound\ndef rebound(): return 2\nexec('def made(): return 1')\n"
    more = more.replace("exec('", "exec(compile('").replace("1')", "1', '<made>', 'exec'))")
    build = user.module(START + more)
    assert title in user.refused(eval(expression, build.__dict__))


def test_static_methods_are_functions(user: UserProject) -> None:
    build = user.module("class Thing:\n    @staticmethod\n    def static(x): return x + 1\n")
    assert user.call(build.Thing.static, 2) == 3


ARGUMENTS = [
    ("lock", "argument 1 is an object of the type _thread.lock, which can't be passed to a container"),
    ("[1, {'a': lock}]", "argument 1[1]['a'] is an object of the type _thread.lock"),
    ("state", "argument 1 is a state, which can't be passed to a container"),
    ("pb.secret('a')", "argument 1 is a secret, which can't be passed to a container"),
    ("rebound", "argument 1 is a function"),
    ("cyclic", "argument 1[0] is an object of the type list"),
    ("local()", "argument 1 is an object of the type build.local.<locals>.Inner, which can't be passed"),
]


@pytest.mark.parametrize(("expression", "title"), ARGUMENTS)
def test_arguments(user: UserProject, expression: str, title: str) -> None:
    build = user.module(
        START
        + """
cyclic = []
cyclic.append(cyclic)
def local():
    import dataclasses
    @dataclasses.dataclass
    class Inner: x: int
    return Inner(1)
def work(x): return x
"""
    )
    text = user.refused(build.work, eval(expression, build.__dict__))
    assert text.startswith("error[E1006]: " + title), text


def test_arguments_that_do_not_fit(user: UserProject) -> None:
    build = user.module("def work(x, *, y=1): return x\n")
    assert "`work` can't be called with these arguments: missing a required argument: 'x'" in user.refused(
        build.work
    )
    assert "unexpected keyword argument 'z'" in user.refused(build.work, 1, z=2)


def test_a_variable_without_a_value_yet(user: UserProject) -> None:
    build = user.module(
        """
        def outer(call):
            def inner(): return later
            call(inner)
            later = 1
        """
    )
    found: list[str] = []
    build.outer(lambda inner: found.append(user.refused(inner)))
    assert "it uses `later`, which has no value yet" in found[0]
    assert "--> build.py:2:25" in found[0]


def test_a_decorated_function_inside_of_another(user: UserProject) -> None:
    build = user.module(
        """
        import contextlib
        def outer():
            n = 1
            def same(f): return f
            @same
            def inner(): return n
            return inner
        """
    )
    assert "`inner` is decorated inside of a function" in user.refused(build.outer())


def test_a_module_of_the_project_that_fails_here(user: UserProject) -> None:
    user.write({"broken.py": "raise ZeroDivisionError('now')\n"})
    build = user.module("def work():\n    import broken\n    return broken.x\n")
    text = user.refused(build.work)
    assert "`broken` can't be imported: ZeroDivisionError: now" in text
    assert "--> build.py:2:5" in text


def test_a_module_of_the_project_that_needs_what_only_the_image_has(user: UserProject) -> None:
    user.write({"needs.py": "import no_such_module\n"})
    build = user.module("def work():\n    from needs import x\n    return x\n")
    assert "`needs` can't be imported: ModuleNotFoundError: No module named" in user.refused(build.work)


def test_a_function_that_was_replaced_has_no_text(user: UserProject) -> None:
    user.write({"helpers.py": "def one(): return 1\n"})
    build = user.module("""
        import helpers
        def other(): return 2
        helpers.one = other
        def work(): return helpers.one()
    """)
    text = user.refused(build.work)
    assert "`one` isn't what helpers.py calls `one`" in text
    assert "--> build.py:4:20" in text


def test_implementations_for_types(user: UserProject) -> None:
    build = user.module("""
        import functools
        @functools.singledispatch
        def shown(x): return "any"
        @shown.register
        def _(x: int): return "int"
        def work(): return shown(1)
    """)
    assert "it uses `shown`, a function with implementations for types" in user.refused(build.work)


def test_a_name_that_is_nothing_is_left_to_python(user: UserProject) -> None:
    build = user.module("def work(): return no_such_name\n")
    done = user.run(user.payload(build.work))
    assert "NameError: name 'no_such_name' is not defined" in done.err
