"""A file of the language and the Python module that it is converted to, in its place."""

from __future__ import annotations

import re

from attrs import frozen
from tests.lang.python.twins import MODULE, TEXT, recipe_of_python, recipe_of_text
from tests.lang.textual.dump import dump
from tests.lang.textual.expand.programs import Asked
from tests.lang.textual.worlds import World

from pybuild.lang import recipe
from pybuild.lang.convert.pythonsource import python_source
from pybuild.lang.source import Source
from pybuild.lang.textual import tree
from pybuild.lang.textual.parse import parse


def parsed(text: str) -> tree.File:
    found = parse(Source(TEXT, text))
    assert not [one for one in found.diagnostics if one.level == "error"], text
    return found.file


def converted(text: str) -> str:
    return python_source(parsed(text))


@frozen
class Both:
    """The recipes of both. `source` is the module's."""

    text: recipe.Recipe
    python: recipe.Recipe
    source: str


def both(world: World, asked: Asked, name: str = TEXT) -> Both:
    """`name` is a file of the world."""
    text = world.files[name]
    assert isinstance(text, str)
    source = converted(text)
    beside = World({**world.files, MODULE: source}, world.standard, world.foreign)
    return Both(recipe_of_text(world, asked, name), recipe_of_python(beside, asked), source)


def shown(made: recipe.Recipe) -> list[str]:
    """A recipe as text. Params are left out, as a module reads all of them, and the arguments in the names of state
    functions' bodies."""
    rows = dump(made).splitlines()
    kept = (row for row in rows if row.startswith((" ", "goal", "needed", "body")))
    return [re.sub(r"\b(\w+)\((?:…|[^()]*)\)(?= |$)", r"\1(…)", row) for row in kept]
