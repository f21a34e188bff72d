"""Files of the language as Python modules. `python/NAME.pybuild` becomes `python/NAME.py.txt`, and what holds for
each of them and for all other files at hand: it compiles, `ruff format` leaves it alone, and no comment is lost.

`PYBUILD_WRITE_CASES=1` writes the modules; read them before you keep them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.lang.convert.recorded import both, converted, parsed, shown
from tests.lang.python.test_twins import Pair, pairs
from tests.lang.textual.expand.programs import FOLDER as EXPAND_CASES
from tests.lang.textual.expand.programs import HEADER, Asked, cases
from tests.lang.textual.expand.test_expand_examples import CONTEXT, NAMES, SOURCES, STANDARD_MODULES
from tests.lang.textual.fmt.graphs import graph_of
from tests.lang.textual.programs import programs
from tests.lang.textual.worlds import FOREIGN, STANDARD, World

from pybuild.lang.convert.pythonsource import python_source
from pybuild.lang.textual.expand.options import EVERYTHING

FOLDER = Path(__file__).parent / "python"
ROOT = Path(__file__).parents[3]
OURS = sorted(FOLDER.glob("*.pybuild"))
OTHERS = sorted([*(ROOT / "stdlib").glob("*.pybuild"), *(ROOT / "examples").rglob("*.pybuild")])
EXAMPLES = sorted((ROOT / "tests/lang/textual/check/examples").rglob("*.pybuild"))

DIFFERS = {
    "on lists may use axes": "platforms are those of all instances",
    "every target whose params are set": "a module reads all of its params",
    "values from outside": "a module reads all of its params",
    "checks of what is not read do not run": "a module runs all of its checks",
    "steps, states and values": "a module's values are not known while it runs",
    "state functions are made once for their arguments": "equal options are not one",
}
"""Cases of the expansion that Python says otherwise, and why."""


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_module_is_this(path: Path) -> None:
    made = converted(path.read_text())
    golden = path.with_suffix(".py.txt")
    if os.environ.get("PYBUILD_WRITE_CASES"):
        golden.write_text(made)
    assert made == golden.read_text()


@pytest.mark.parametrize(
    "path", [*OURS, *OTHERS, *EXAMPLES], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_it_compiles_and_keeps_comments(path: Path) -> None:
    text = path.read_text()
    made = converted(text)
    assert made == converted(text)
    compile(made, path.name, "exec")
    for comment in parsed(text).comments:
        words = comment.text.lstrip("#").strip()
        assert words in made or words.replace("\\", "\\\\") in made


def test_ruff_leaves_it_alone(tmp_path: Path) -> None:
    for at, path in enumerate([*OURS, *OTHERS, *EXAMPLES]):
        (tmp_path / f"m{at}.py").write_text(converted(path.read_text()))
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "format", "--isolated", "--line-length", "100", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_an_example_expands_to_the_same(name: str) -> None:
    world = World({**SOURCES, **dict.fromkeys(CONTEXT, "")}, STANDARD_MODULES)
    _expands_alike(f"{name}.pybuild", world, Asked(EVERYTHING))


_TAB_FIRST = re.compile(r't\.run\(\s*"\\t')
"""A script that begins with a tab, which is no part of it in Python."""

CASES = {
    case.title: case
    for path in sorted(EXPAND_CASES.glob("*.md"))
    for case in cases(path)
    if case.kind == "recipe"
}


@pytest.mark.parametrize("title", [title for title in CASES if title not in DIFFERS])
def test_a_case_expands_to_the_same(title: str) -> None:
    case = CASES[title]
    first, *others = re.split(r"^=== (\S+)\n", case.program, flags=re.M)
    texts = {"build.pybuild": HEADER + first}
    texts |= {name: HEADER + body for name, body in zip(others[::2], others[1::2], strict=True)}
    standard = {
        name[4:].removesuffix(".pybuild"): body for name, body in texts.items() if name.startswith("std/")
    }
    foreign = {name: body for name, body in texts.items() if "//" in name}
    world = World({**case.files, **texts}, {**STANDARD, **standard}, {**FOREIGN, **foreign})
    _expands_alike("build.pybuild", world, case.asked)


def test_the_cases_that_differ_are_cases() -> None:
    assert set(DIFFERS) <= set(CASES)


def _expands_alike(name: str, world: World, asked: Asked) -> None:
    made = both(world, asked, name)
    assert shown(made.python) == shown(made.text)


@pytest.mark.parametrize("pair", pairs())
def test_the_text_of_a_pair_expands_to_the_same(pair: Pair) -> None:
    _expands_alike("build.pybuild", pair.world(), pair.asked)


@given(programs())
@settings(max_examples=20, deadline=None)
def test_any_program_gives_the_same_graph(text: str) -> None:
    made = both(World({"build.pybuild": text}), Asked(EVERYTHING))
    for comment in parsed(text).comments:
        assert re.search(rf"(?:\b|\\n){comment.text.strip('# ')}\b", made.source)
    # What brings data with a dollar sign into `env` from elsewhere can't be told from a template in Python.
    brings_dollars = "\\$" in text and re.search(r"\.env\((?!\w+=|{)", made.source)
    if "# differs: " not in made.source and not _TAB_FIRST.search(made.source) and not brings_dollars:
        assert graph_of(made.python) == graph_of(made.text)


def test_deep_and_long_expressions() -> None:
    long = " + ".join(['"a"'] * 60)
    made = python_source(parsed(f"# syntax=pybuild:1\n\nlet x = {long}\nlet y = {'(' * 60}1{')' * 60}\n"))
    values: dict[str, object] = {}
    exec(made, values)
    assert (values["x"], values["y"]) == ("a" * 60, 1)
