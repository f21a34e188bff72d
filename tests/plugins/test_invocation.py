"""Frontends that are broken: what is said of each, without a traceback."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.plugins.site import HEAD, Site

from pybuild.compiler.frontend import Built, FrontendInputs
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import SourceError, UsageError, UserError, render
from pybuild.lang.source import Source, Span
from pybuild.plugins import exception_origin, invocation
from pybuild.plugins import installed as registry
from pybuild.plugins.registered import Registered

HERE = Platform("amd64", "linux")
BRIDGE: Any = None


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Each test's packages are imported anew."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def installed_as(site: Site, code: str, value: str = "acme_build:frontend", **more: str) -> Registered:
    site.install("acme-build", {"acme": value}, {"acme_build.py": code, **more}, version="1.2")
    found = registry.find("acme:1")
    assert found is not None
    return found


def failure(site: Site, code: str, value: str = "acme_build:frontend", **more: str) -> UserError:
    """What a frontend that is loaded and called ends with."""
    found = installed_as(site, code, value, **more)
    with pytest.raises(UserError) as caught:
        run(found)
    return caught.value


def run(found: Registered, version: str = "1") -> Built:
    inputs = FrontendInputs(Source("file", "text"), version, (HERE,), HERE)
    return invocation.call(found, invocation.load(found, version), BRIDGE, inputs)


def title(error: UserError) -> str:
    """The message without what all have in common."""
    start = "the frontend acme of the package acme-build 1.2 "
    assert str(error).startswith(start)
    return str(error).removeprefix(start)


GOOD = "Built(BuiltImage(State.scratch(), Base.scratch(inputs.platforms[0]).image))"
LOADED = {
    "frontend = 1\n": "is an int, which has no function `build`",
    "frontend = None\n": "is None, which has no function `build`",
    "class frontend:\n    build = 1\n": "is the class frontend, not an object of it",
    "class frontend:\n    def build(self, bridge, inputs): ...\n": "is the class frontend, not an object of it",
    "import types\nfrontend = types.SimpleNamespace(build=print, versions='1')\n": "has versions that are a str",
    "import types\nfrontend = types.SimpleNamespace(build=print, versions=(1,))\n": "has versions that are a tuple",
}


@pytest.mark.parametrize("code", LOADED)
def test_what_is_no_frontend(installed: Site, code: str) -> None:
    error = failure(installed, code)
    assert title(error) == LOADED[code]
    assert error.exit_code == 1
    assert "help: this is a bug in acme-build: " in render(error.diagnostic)


@pytest.mark.parametrize(
    ("code", "value", "message"),
    [
        ("", "acme_build:frontend", "AttributeError: module 'acme_build' has no attribute 'frontend'"),
        ("", "acme_other", "ModuleNotFoundError: No module named 'acme_other'"),
        (
            "import nothing_of_that_name\n",
            "acme_build",
            "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("raise SystemExit(3)\n", "acme_build", "SystemExit: 3"),
    ],
)
def test_what_can_not_be_loaded(installed: Site, code: str, value: str, message: str) -> None:
    assert title(failure(installed, code, value)) == f"can't be loaded: {message}"


def test_a_line_that_does_not_parse_is_shown(installed: Site) -> None:
    error = failure(installed, "x = (\n", "acme_build")
    assert title(error).startswith("can't be loaded: SyntaxError: ")
    line = HEAD.count("\n") + 1
    assert f"acme_build.py:{line}:5" in render(error.diagnostic)


def test_an_exception_points_into_the_package(installed: Site) -> None:
    code = """
    import acme_parts.lists

    def build(bridge: Bridge, inputs: FrontendInputs) -> Built:
        acme_parts.lists.first([])
    """
    parts = "def first(items):\n    return 'ä' + max(items)\n"
    error = failure(
        installed, code, "acme_build", **{"acme_parts/lists.py": parts, "acme_parts/__init__.py": ""}
    )
    assert title(error) in (
        "failed: ValueError: max() arg is an empty sequence",
        "failed: ValueError: max() iterable argument is empty",
    )
    line = HEAD.count("\n") + 5
    assert render(error.diagnostic).split("\n")[1:] == [
        f"  --> {installed.path}/acme_build.py:{line}:5",
        "   |",
        f"{line} |     acme_parts.lists.first([])",
        "   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "   |",
        "   = note: this is a bug in acme-build, not in your build file",
        "   = help: report it to its authors, with what PYBUILD_DEBUG=1 adds",
    ]


def test_columns_are_characters(installed: Site) -> None:
    code = "def build(bridge, inputs):\n    return ('äöü', missing)\n"
    span = failure(installed, code, "acme_build").diagnostic.span
    assert span is not None
    assert span.source.line(span.line)[span.column - 1 : span.end_column - 1] == "missing"


def test_the_traceback_is_for_those_who_ask(installed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBUILD_DEBUG", "1")
    text = render(failure(installed, "def build(bridge, inputs):\n    1 / 0\n", "acme_build").diagnostic)
    assert "ZeroDivisionError: division by zero" in text
    assert "traceback: \n" in text or "traceback:\n" in text
    assert "in build" in text


def test_user_errors_are_shown_as_they_are(installed: Site) -> None:
    code = """
    def build(bridge: Bridge, inputs: FrontendInputs) -> Built:
        raise source_error("no such thing", Span(inputs.source, 1, 1, 1, 5), "here", help="another")
    """
    error = failure(installed, code, "acme_build")
    assert isinstance(error, SourceError)
    assert render(error.diagnostic) == (
        "error: no such thing\n --> file:1:1\n  |\n1 | text\n  | ^^^^ here\n  |\n  = help: another"
    )


RETURNED = {
    "None": "returned None",
    "{}": "returned a dict",
    "BuiltImage(State.scratch(), None)": "returned a BuiltImage",
    "Built(())": "returned no image",
    "Built([1])": "returned an int in images[0]",
    "Built(BuiltImage(None, None))": "returned None in images[0].state",
    "Built(BuiltImage(State.scratch(), {}))": "returned a dict in images[0].image",
    "Built(BuiltImage(State.scratch(), Base.scratch(inputs.platforms[0]).image, 'x'))": (
        "returned a str in images[0].base_config"
    ),
    "Built(Base.scratch(inputs.platforms[0]).built(State.scratch()) for _ in 'ab')": (
        "returned two images for linux/amd64"
    ),
    "Built(Base.scratch(type(inputs.platforms[0])()).built(State.scratch()))": "returned an image of no platform",
}


@pytest.mark.parametrize("value", RETURNED)
def test_results_of_other_types(installed: Site, value: str) -> None:
    error = failure(installed, f"def build(bridge, inputs):\n    return {value}\n", "acme_build")
    assert title(error) == RETURNED[value]


def test_a_module_and_an_object_are_frontends(installed: Site) -> None:
    code = f"""
    def build(bridge: Bridge, inputs: FrontendInputs) -> Built:
        return {GOOD}

    class Object:
        versions = ["1", "2"]

        def build(self, bridge: Bridge, inputs: FrontendInputs) -> Built:
            return {GOOD}

    frontend = Object()
    """
    found = installed_as(installed, code)
    assert [one.image.architecture for one in run(found).images] == ["amd64"]
    installed.install("other", {"whole": "acme_build"})
    whole = registry.find("whole")
    assert whole is not None
    assert run(whole, "whatever") == run(found)


@pytest.mark.parametrize(
    ("version", "message", "help"),
    [
        ("3", "has no version 3", "write acme:2 (it knows 1, 2)"),
        ("", "is named without a version", "write acme:2 (it knows 1, 2)"),
    ],
)
def test_versions_that_a_frontend_does_not_know(
    installed: Site, version: str, message: str, help: str
) -> None:
    code = "import types\nfrontend = types.SimpleNamespace(build=print, versions=('1', '2'))\n"
    found = installed_as(installed, code)
    source = Source("file", "# syntax=acme")
    with pytest.raises(SourceError) as placed:
        invocation.load(found, version, Span(source, 1, 10, 1, 14))
    assert title(placed.value) == message
    assert f"= help: {help}" in render(placed.value.diagnostic)
    assert "file:1:10" in render(placed.value.diagnostic)
    with pytest.raises(UsageError):
        invocation.load(found, version)


def test_what_the_machine_does_is_not_laid_on_a_package(installed: Site) -> None:
    """A disk that is full beneath the bridge, against a file that a package opens itself."""
    found = installed_as(installed, "def build(bridge, inputs):\n    bridge()\n", "acme_build")
    frontend = invocation.load(found, "1")
    inputs = FrontendInputs(Source("file", ""), "1", (HERE,), HERE)

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    full_of_ours: Any = full
    ours = {"__name__": "pybuild.runtime.content.store", "OSError": OSError, "errno": errno}
    exec("def full():\n    raise OSError(errno.ENOSPC, 'No space left on device')\n", ours)
    beneath: Any = ours["full"]
    with pytest.raises(OSError, match="No space left"):
        invocation.call(found, frontend, beneath, inputs)
    with pytest.raises(UserError, match=r"acme-build .* failed: OSError: "):
        invocation.call(found, frontend, full_of_ours, inputs)


def test_an_exception_without_a_traceback_has_no_place() -> None:
    assert exception_origin.place_of(ValueError("x"), "acme_build") is None
    assert not exception_origin.is_of_machine(OSError(errno.ENOSPC, "x"))
