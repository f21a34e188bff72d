"""Python build modules as files of the language: unrolled, they come to the same recipe."""

from __future__ import annotations

from typing import Any

import pytest
from tests.lang.python.test_examples import NAMES, world
from tests.lang.python.twins import MODULE, TEXT, recipe_of_text, shape
from tests.lang.textual.expand.programs import Asked, Outside
from tests.lang.textual.worlds import PROJECT, World

from pybuild.lang import recipe
from pybuild.lang.convert.unrolled import unrolled
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.python.expansion import Expansion
from pybuild.lang.python.module import run
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING
from pybuild.lang.textual.fmt import format_source
from pybuild.lang.textual.parse import parse

ALL = Asked(EVERYTHING)

MATRIX = """
import pybuild as pb

pb.ignore("docs", "*.md")

@pb.step
def tools(t, *names):
    with t.using(pb.cache("/var/cache"), pb.user("root")):
        t.run("install ${{names}}", names=list(names))

@pb.state
def base(t, version, extra=()):
    t.from_(f"debian:{version}")
    tools(t, "git", *extra)
    if t.platform.arch == "arm64":
        t.env(ARM="1")

PLATFORMS = ["linux/amd64", "linux/arm64"]

@pb.target(axes={"v": ["11", "12"], "n": [1, 2]}, where=lambda v, n: (v, n) != ("11", 2), on=PLATFORMS)
def image(t, v, n):
    \"\"\"An image.

    Of several.
    \"\"\"
    t.from_(base(v, ["make"] if n == 2 else []))
    before = t.this
    t.run('''
        #!/bin/sh
        echo "$HOME ${{n}} \\\\" $${{
    ''', n=n)
    t.copy("/x", from_=pb.diff(before, t.this), to="/y/", mode=0o750, owner="a:b")
    t.write('say "$5"\\n\\ttab \\u2028 end', to="/w", mode=0o644)
    t.env({"A-B": "$PATH:/x", "C": pb.plain("$5")}, D=3)
    t.healthcheck(["true"], interval="90s")
    t.label({"a.b": "x", "c": pb.text(True)})
    t.expose(80, "53/udp")
    t.symlink("/a", to="/b")
    if n == 1:
        t.output("/y/x", to=f"dist/{v}/{t.platform.arch}/", always=True)

@pb.test
def last(t):
    t.from_(image(v="12", n=2, platform="linux/arm64"))
    t.exec(["test", "-e", "/w"])

pb.default(pb.group("both", [image(v="11"), last], doc="Both."))
"""


def expansion(files: World) -> tuple[Expansion, recipe.Recipe]:
    root = files.root(MODULE)
    made = Expansion(run(root, f"{PROJECT}/{MODULE}", files, ALL.options, Outside(), parse))
    program, found = made.findings()
    assert program is not None
    assert not [one.title for one in found if one.level == "error"]
    return made, expand(program, ALL.options, Outside())


def said(made: recipe.Recipe) -> dict[str, Any]:
    """All of a recipe, but what was written out and the names of state functions."""
    found = shape(made)
    for name in ("params", "vcs", "reads"):
        del found[name]
    found["bodies"] = [[platform, state] for _, platform, state in found["bodies"]]
    return found


def both(files: World) -> tuple[str, Any, Any]:
    made, python = expansion(files)
    text = unrolled(made)
    other = World({**files.files, TEXT: text}, files.standard)
    return text, said(python), said(recipe_of_text(other, ALL))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_unrolled(name: str) -> None:
    text, python, other = both(world(name))
    assert other == python
    assert format_source(TEXT, text.encode()) == text


def test_a_matrix_unrolled() -> None:
    files = World({MODULE: MATRIX, "x": ""})
    text, python, other = both(files)
    assert other == python
    assert "def base() -> state:" in text
    assert "def base_2() -> state:" in text
    assert 'if platform == "linux/amd64"' in text or 'if platform == "linux/arm64"' in text
    assert "# differs: base is written out for linux/amd64, linux/arm64 only" in text
    assert text == unrolled(expansion(files)[0])


def test_what_is_written_out_is_said() -> None:
    module = 'import pybuild as pb\nname = pb.param("name", str, default="a b")\n'
    module += "@pb.target\ndef x(t):\n    t.from_(pb.scratch)\n    t.write(name + pb.vcs.commit, to='/x')\n"
    text = unrolled(expansion(World({MODULE: module}))[0])
    assert (
        '# differs: the param name is written out, as "a b"\n# differs: vcs.commit is written out\n' in text
    )


def test_a_function_of_python_is_refused() -> None:
    module = "import pybuild as pb\n@pb.target\ndef x(t):\n    t.from_('a')\n    t.call(print, 1)\n"
    made, _ = expansion(World({MODULE: module}))
    with pytest.raises(SourceError, match=r"`t\.call` has no form in the language") as refused:
        unrolled(made)
    assert refused.value.diagnostic.span is not None
    assert refused.value.diagnostic.span.line == 5
