"""The public names: what there is, what is documented, what an import costs, what type checkers see."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

import pybuild
from pybuild.lang.python import api
from pybuild.lang.python.builder import StateBuilder
from pybuild.lang.textual import builtins

SOURCE = Path(pybuild.__file__).parent
NAMED = {"from_": "from"}
"""Functions that have not the name that the language has for them."""

ASKED = {"build_platform"}
"""Values that a build module asks for while it runs."""

NAMES = sorted({*api.__all__} - ASKED)
PYTHONS_OWN = {"len", "str", "int", "sorted"}


def test_the_package_has_the_names_of_the_api() -> None:
    listed = set(dir(pybuild))
    assert set(api.__all__) <= listed
    assert len(api.__all__) == len(set(api.__all__))
    for name in NAMES:
        assert getattr(pybuild, name) is getattr(api, name) or inspect.ismodule(getattr(pybuild, name))
    public = {
        name for name, value in vars(api).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public - {"TYPE_CHECKING"} == set(NAMES)


def test_no_name_is_that_of_a_module() -> None:
    """Importing a module of the package would take the name's place: such a module can be called in its place."""
    modules = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    for name in modules & set(api.__all__):
        assert callable(importlib.import_module(f"pybuild.{name}")), name


@pytest.mark.parametrize("name", [one for one in NAMES if callable(getattr(api, one))])
def test_functions_and_classes_say_what_they_do(name: str) -> None:
    value = getattr(api, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        for member, one in vars(value).items():
            if inspect.isfunction(one) and not member.startswith("_"):
                assert inspect.getdoc(one), member


def test_importing_the_package_imports_no_more() -> None:
    """A cached build imports it."""
    text = "import sys, json, pybuild; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", text], env={"PYTHONPATH": str(SOURCE.parent)}, capture_output=True, check=True
    )
    modules = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not modules & {"attrs", "attr", "click", "asyncio", "ast", "inspect", "subprocess"}
    assert [name for name in json.loads(done.stdout) if name.startswith("pybuild")] == ["pybuild"]


# Signatures


def parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def shown(value: object) -> str:
    """A default as the language writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def matches(function: Callable[..., object], wanted: tuple[builtins.Parameter, ...]) -> None:
    """Whether a function takes these arguments by these names. What isn't given is left to the language, whose
    default it is then: None; a flag shows its own."""
    have = parameters(function)
    names = [one for one in have if have[one].kind != inspect.Parameter.VAR_POSITIONAL]
    positional = [one for one in have.values() if one.kind == inspect.Parameter.VAR_POSITIONAL]
    assert [one.name for one in wanted if not one.many] == names
    assert bool(positional) == any(one.many for one in wanted)
    for one in wanted:
        if one.many or one.default is None:
            continue
        default = have[one.name].default
        assert default is not inspect.Parameter.empty, one.name
        assert default is None or shown(default) == one.default, one.name


@pytest.mark.parametrize("name", [one for one in builtins.FUNCTIONS if one not in PYTHONS_OWN])
def test_functions_take_what_the_language_s_take(name: str) -> None:
    python = {language: name for name, language in NAMED.items()}.get(name, name)
    function = getattr(api, python)
    function, *_ = typing.get_overloads(function) or [function]  # `host` is a run option as well
    wanted = builtins.FUNCTIONS[name].parameters
    if name in ("version", "raw"):
        assert len(parameters(function)) == len(wanted) == 1
    else:
        matches(function, wanted)


@pytest.mark.parametrize("name", builtins.OPTIONS)
def test_options_take_what_the_language_s_take(name: str) -> None:
    function, signature = getattr(api, name), builtins.OPTIONS[name]
    *_, function = typing.get_overloads(function) or [function]
    if signature.open is not None:
        (only,) = parameters(function).values()
        assert only.kind == inspect.Parameter.VAR_KEYWORD
    else:
        matches(function, signature.parameters)


@pytest.mark.parametrize("name", builtins.STATEMENTS)
def test_statements_take_the_options_of_the_language_s(name: str) -> None:
    method = getattr(StateBuilder, {"from": "from_"}.get(name, name))
    names = {
        one: have for one, have in parameters(method).items() if have.kind == inspect.Parameter.KEYWORD_ONLY
    }
    own = {"from": {"on"}, "copy": {"to", "from_"}, "write": {"to"}, "symlink": {"to"}, "output": {"to"}}
    options = builtins.STATEMENTS[name]
    assert names.keys() - own.get(name, set()) == {one.name for one in options}
    for one in options:
        default = names[one.name].default
        assert default is None or shown(default) == one.default


def test_each_statement_is_a_method() -> None:
    for word in builtins.BODY_KEYWORDS - {"let", "check"}:
        method = getattr(StateBuilder, {"from": "from_", "return": "return_"}.get(word, word))
        assert inspect.getdoc(method), word


# Type checkers

EXAMPLES = Path(__file__).parent / "examples"
ANNOTATIONS = {
    "(t)": "(t: pb.StateBuilder) -> None",
    "(t, p)": "(t: pb.StateBuilder, p: str) -> None",
    "(t, py)": "(t: pb.StateBuilder, py: str) -> None",
    "(t, name)": "(t: pb.StateBuilder, name: str) -> None",
    "(t, name, db)": "(t: pb.StateBuilder, name: str, db: str) -> None",
}
USES = """
import pybuild as pb

name = pb.param("name", str, default="x")
count = pb.param("count", int, default=1)
names = pb.param("names", list[str], default=["a"])
profile = pb.param("profile", choices=["dev", "release"], default="dev")
size = pb.param("size", pb.Size, default=pb.MiB)
reveal_type(name)
reveal_type(count)
reveal_type(names)
reveal_type(profile)
reveal_type(size * 2)


@pb.step
def tools(t: pb.StateBuilder, *packages: str, quiet: bool = False) -> None:
    with t.using(pb.cache("/var/cache"), pb.network("none")):
        t.run("install ${{packages}}", packages=packages)


@pb.state
def base(t: pb.StateBuilder, version: str = "12") -> None:
    t.from_(f"debian:{version}")


@pb.state
def layer(t: pb.StateBuilder) -> pb.State:
    t.from_(base())
    return pb.diff(base(), t.this)


@pb.target(axes={"n": [1, 2]}, on=["linux/amd64"])
def web(t: pb.StateBuilder, n: int) -> None:
    t.from_(base(version="13"))
    tools(t, "git", quiet=True)
    t.copy("/x", from_=web(n=n), to="/x")


reveal_type(base)
reveal_type(base("12"))
reveal_type(web(n=1))
base(12)
tools("git")
web.nothing
pb.cache("/c", sharing="loked")
"""


@pytest.mark.long
def test_mypy_is_content_with_the_examples(tmp_path: Path) -> None:
    """Also: values have their types, and wrong uses are found."""
    pytest.importorskip("mypy")
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text()
        for plain, typed in ANNOTATIONS.items():
            text = text.replace(f"{plain}:\n", f"{typed}:\n")
        (tmp_path / f"example_{path.name}").write_text(text)
    (tmp_path / "uses.py").write_text(USES)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent", "."],
        cwd=tmp_path,
        env={"MYPYPATH": str(SOURCE.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout.splitlines()
    assert [line for line in said if not line.startswith("uses.py")] == []
    found = [line.split(": ", 2)[1:] for line in said]
    assert [text for level, text in found if level == "note"] == [
        f'Revealed type is "{type}"'
        for type in (
            "str",
            "int",
            "list[str]",
            "str",
            "pybuild.lang.python.quantities.Size",
            "def (version: str =) -> pybuild.lang.python.expressions.State",
            "pybuild.lang.python.expressions.State",
            "pybuild.lang.python.targets.Target",
        )
    ]
    assert [text.rpartition("[")[2] for level, text in found if level == "error"] == [
        "arg-type]",
        "arg-type]",
        "attr-defined]",
        "arg-type]",
    ]
